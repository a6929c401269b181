"""`affectlm compare`: shows how runs over the same records differ."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from affectlm.cli.tables import parser

if TYPE_CHECKING:
    from affectlm.report.comparison import Comparison

USAGE = "compare RUN_DIR RUN_DIR [...]"
HELP = "paired tests of runs over the same records"
MOST_ROWS = 40  # of differences in the terminal; compare.html has all


def run(words: Sequence[str]) -> int:
    """The exit status, after comparing the runs in these folders."""
    arguments = parser("compare", "Paired tests of runs over the same records; writes compare.json and compare.html.")
    arguments.add_argument("runs", nargs="+", metavar="RUN_DIR", help="a run's folder, or that of a sweep")
    arguments.add_argument("--out", default=".", metavar="DIR", help="where to write (the current folder)")
    arguments.add_argument("--common", action="store_true", help="compare what runs with other records have in common")
    arguments.add_argument("--by", help="clusters: picture, person, prompt, group.NAME (those of the first run)")
    given = arguments.parse_args(words)
    from rich.console import Console
    from rich.markup import escape

    from affectlm.jobs.compare import compare
    from affectlm.report.comparison import COMPARE_HTML, COMPARE_JSON
    from affectlm.text import printable

    out = Path(given.out)
    console = Console(stderr=True)
    with console.status("reading the runs") if console.is_terminal else nullcontext() as status:
        found = compare(
            [Path(word) for word in given.runs],
            out,
            common=given.common,
            by=given.by,
            on_pair=lambda names: status.update(escape(printable(names))) if status else None,
        )
    if given.json:
        sys.stdout.write((out / COMPARE_JSON).read_text(encoding="utf-8"))
        return 0
    _show(found)
    sys.stdout.write(f"{COMPARE_JSON} and {COMPARE_HTML} are in {out.resolve()}\n")
    return 0


def _show(found: Comparison) -> None:
    """Prints the scores of the runs, how they differ, and what was left out."""
    from rich.markup import escape

    from affectlm.cli.console import output
    from affectlm.report.comparison import COLUMNS, COMPARE_HTML, agreed, rows, score_rows, variance_table
    from affectlm.text import printable

    console = output()
    console.print(
        f"{len(found.runs)} runs over the same {found.records} records, {found.clusters} clusters ({found.by})"
    )
    numbers = {run.name: str(number) for number, run in enumerate(found.runs, 1)}
    for name, number in numbers.items():
        console.print(escape(printable(f"run {number}: {name}")), soft_wrap=True)
    if found.scores:
        console.print(_table(("score", *(f"run {number}" for number in numbers.values())), list(score_rows(found))))
        console.print("* significantly better than every other run (Holm's p below 0.05)")
        cells = [[score, numbers[first], numbers[second], *rest] for score, first, second, *rest in rows(found)]
        console.print(_table(COLUMNS, cells[:MOST_ROWS]))
        if len(found.pairs) > MOST_ROWS:
            console.print(f"{MOST_ROWS} of {len(found.pairs)} differences; {COMPARE_HTML} has all")
    if variance := variance_table(found):
        console.print("share of each score's variance between the runs that each option explains:")
        console.print(_table(variance[0], variance[1:]))
    for note in filter(None, (agreed(found), *found.notes)):
        console.print(escape(printable(note)), soft_wrap=True)


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> object:
    import rich.box
    from rich.markup import escape
    from rich.table import Table

    from affectlm.text import printable

    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(escape(printable(name)), overflow="fold")
    for row in cells:
        table.add_row(*(escape(printable(cell)) for cell in row))
    return table
