"""What the report of a run says, section by section; `pages.py` turns it into HTML and Markdown.

To add a section, write a function from a `Run` to a `Section` and add it to `SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

from affectlm.line.omissions import told
from affectlm.report.choices import held
from affectlm.report.noise import noise
from affectlm.report.questions import asked
from affectlm.store.records import EXPLANATIONS, Report
from affectlm.types import Record

EMBEDDED = 20  # explanations inside report.html, some 100 KB each


@attrs.frozen
class Run:
    """What a report is made from."""

    report: Report
    records: Sequence[Record]  # the first ones
    total: int  # number of all records
    pictures: Sequence[tuple[str, Path]]  # id of a face, and the picture that explains it


Cell: TypeAlias = "str | int | float | None"


@attrs.frozen
class Table:
    """Rows of cells under column names."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def numeric(self) -> list[bool]:
        """For each column, whether it holds numbers only."""
        return [all(not isinstance(row[place], str) for row in self.rows) for place in range(len(self.columns))]


@attrs.frozen
class Picture:
    """A picture in the run's folder; Markdown links to it."""

    caption: str
    path: Path
    embedded: bool  # whether the HTML page contains it


Block: TypeAlias = "str | Table | Picture"  # a string is a paragraph


@attrs.frozen
class Section:
    """Blocks under a title; a section without blocks is left out."""

    title: str
    blocks: Sequence[Block]


def components(run: Run) -> Section:
    """The components, and how much was asked."""
    rows = [(kind, _options(component)) for kind, component in run.report.components.items()]
    usage = run.report.usage
    counts = ("requests", "cache_hits", "prompt_tokens", "completion_tokens", "cost", "seconds")
    found = (f"{name.replace('_', ' ')} {usage[name]:,.6g}" for name in counts if name in usage)
    asking = [f"Asking: {', '.join(found)}."] if usage else []
    return Section("Components", [Table(("kind", "component"), rows), *asking])


def outcomes(run: Run) -> Section:
    """How many records ended in which way, and what was left out."""
    report = run.report
    blocks: list[Block] = [Table(("outcome", "records"), list(report.outcomes.items()))]
    blocks += [f"{sentence}." for sentence in (asked(report), held(report), noise(report)) if sentence]
    if report.left_out:
        blocks.append(f"Left out: {told(report.left_out)}.")
    return Section("Outcomes", blocks)


def scores(run: Run) -> Section:
    """Each score with its interval and its parts."""
    columns = ("score", "value", "low", "high", "n", "parts")
    rows = [
        (score.name, score.value, score.low, score.high, score.count, _parts(score.parts))
        for score in run.report.scores
    ]
    return Section("Scores", [*([Table(columns, rows)] if rows else []), *_remarks(run.report)])


def _remarks(report: Report) -> Iterator[str]:
    """What to know before reading the scores."""
    if report.scores and report.human_text:
        yield f"Metrics of texts compare answers with {report.human_text}."
    names = [score.name for score in report.scores if score.name.startswith("polarity")]
    echoes = ", ".join(name for name in names if "_floor" not in name)
    if echoes and report.questions.get("style") in ("words", "both"):
        yield f"The prompt's own words name the polarity, so these are an echo of it: {echoes}. Type style=numbers."
    if unscored := ", ".join(report.unscored):
        yield f"No score, because no record has what they need: {unscored}."


def records(run: Run) -> Section:
    """The first records."""
    columns = ("id", "valence", "arousal", "answer", "outcome")
    rows = [
        (record.id, record.valence, record.arousal, record.answer or record.reason, record.outcome.value)
        for record in run.records
    ]
    shown = len(run.records)
    more = f"The first {shown} of {run.total} records; all are in records.jsonl."
    return Section("Records", [Table(columns, rows), *([more] if run.total > shown else [])])


def explanations(run: Run) -> Section:
    """The pictures that `explain=true` made."""
    pictures = [Picture(name, path, place < EMBEDDED) for place, (name, path) in enumerate(run.pictures)]
    more = f"All of them are in the folder {EXPLANATIONS} of the run."
    return Section("Explanations", [*pictures, *([more] if len(pictures) > EMBEDDED else [])])


SECTIONS: tuple[Callable[[Run], Section], ...] = (components, outcomes, scores, records, explanations)


def sections(run: Run) -> list[Section]:
    """All sections that have blocks."""
    return [section for make in SECTIONS if (section := make(run)).blocks]


def _parts(values: Mapping[str, float]) -> str:
    """The parts about the whole score; parts about single labels, "name: label", are only in report.json."""
    whole = [name for name in values if ":" not in name and not name.endswith(("_low", "_high"))]
    return ", ".join(f"{name} {_brief(values[name])}{_interval(values, name)}" for name in whole)


def _interval(values: Mapping[str, float], name: str) -> str:
    low, high = values.get(f"{name}_low"), values.get(f"{name}_high")
    return "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"


def _brief(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and value > 1 else f"{value:.3f}"  # counts, and shares


def _options(component: object) -> str:
    if not isinstance(component, dict):
        return str(component)
    return ", ".join(f"{key}={value}" for key, value in component.items())
