"""The page of a sweep: the scores of its runs side by side, by what differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from affectlm.report.content import Block, Cell, Figure, Section, Table
from affectlm.report.drawing import dots
from affectlm.report.pages import TABLES, write_tables
from affectlm.report.rendering import render
from affectlm.store.records import Report
from affectlm.text import plural

SWEEP = "sweep.html"
MOST_FIGURES = 6
Point = tuple[Sequence[str], str, "Report | None"]  # overrides, name of the folder, report unless the run failed


def write_sweep(points: Sequence[Point], folder: Path) -> Path:
    """The path of `sweep.html`, written into the sweep's folder with its table as CSV and JSON."""
    found = [report for _, _, report in points if report is not None]
    names = list(dict.fromkeys(score.name for report in found for score in report.scores))
    names = [name for name in names if not name.endswith("_floor")]
    table = Table(("run", "choices", "folder", "ok", *names), [*_rows(points, names)], name="sweep")
    sections = [Section("Runs", [table])]
    if figures := [figure for name in names if (figure := _figure(points, name))][:MOST_FIGURES]:
        sections.append(Section("Scores", list[Block](figures)))
    facts = f"{len(points)} {plural('run', len(points))}"
    page = render("report.html", title="affectlm sweep", facts=facts, sections=sections)
    (folder / SWEEP).write_text(page, encoding="utf-8", errors="backslashreplace")
    write_tables(sections, folder / TABLES)
    return folder / SWEEP


def _rows(points: Sequence[Point], names: Sequence[str]) -> Iterator[list[Cell]]:
    for number, (words, folder, report) in enumerate(points, 1):
        values = {score.name: score.value for score in report.scores} if report else {}
        ok = f"{report.outcomes.get('ok', 0)} of {sum(report.outcomes.values())}" if report else "failed"
        yield [number, " ".join(words), folder, ok, *map(values.get, names)]


def _figure(points: Sequence[Point], name: str) -> Figure | None:
    """One score of all runs that have it; none if it is off the scale from -1 to 1."""
    rows = [
        (f"{number} {' '.join(words)}", score.value, score.low, score.high)
        for number, (words, _, report) in enumerate(points, 1)
        for score in (report.scores if report else ())
        if score.name == name and -1 <= score.value <= 1
    ]
    if not rows:
        return None
    best = max(range(len(rows)), key=lambda place: rows[place][1])
    caption = f"{name} with 95 % intervals" + (f"; the highest value is that of {rows[best][0]}." if rows[1:] else ".")
    return Figure(dots(rows, f"score-{''.join(filter(str.isalnum, name))}", name), caption)
