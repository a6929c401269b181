"""The table at the end of a sweep: what each run was and how it did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from affectlm.text import varied

if TYPE_CHECKING:
    from affectlm.store.records import Report

MOST_SCORES = 5  # columns in the table; each run's report has all scores


@attrs.define
class Point:
    """One run of a sweep."""

    overrides: list[str]
    folder: Path
    report: Report | None = None  # None if the run failed


def print_sweep(points: Sequence[Point]) -> None:
    """Prints one row per run: its overrides, how many records are ok, and its first scores."""
    import rich.box
    from rich.markup import escape
    from rich.table import Table

    from affectlm.cli.console import output
    from affectlm.report.sweep import write_sweep
    from affectlm.store.run_folder import writing

    rows = list(zip(points, varied([point.overrides for point in points]), strict=True))
    names = [score.name for point in points if point.report for score in point.report.scores]
    columns = [name for name in dict.fromkeys(names) if not name.endswith(("_answered", "_floor"))][:MOST_SCORES]
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, title="sweep", title_justify="left")
    table.add_column("run", justify="right", no_wrap=True)
    table.add_column("choices", overflow="fold")
    for name in ("ok", *columns):
        table.add_column(name, justify="right")
    for number, (point, words) in enumerate(rows, 1):
        report = point.report
        if report is None:
            cells = ["failed"]
        else:
            whole = sum(report.outcomes.values())
            values = {score.name: f"{score.value:.3f}" for score in report.scores}
            cells = [f"{report.outcomes.get('ok', 0)} of {whole}", *(values.get(name, "") for name in columns)]
        table.add_row(str(number), escape(" ".join(words)), *map(escape, cells))
    console = output()
    console.print(table)
    folder = points[0].folder.parent
    with writing(folder):
        page = write_sweep([(words, point.folder.name, point.report) for point, words in rows], folder)
    console.print(f"the runs are in {escape(str(folder))}", soft_wrap=True)
    console.print(f"the page is {escape(str(page))}", soft_wrap=True)
