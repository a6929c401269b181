"""What the report of a run says, section by section; how it looks as HTML or Markdown is the business of `pages.py`.

A new section is a function from a `Run` to a `Section`, and a line in `SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

from affectlm.line.omissions import told
from affectlm.store.records import EXPLANATIONS, Report
from affectlm.types import Record

EMBEDDED = 20  # explanations inside report.html, some 100 KB each


@attrs.frozen
class Run:
    """What there is to tell of a run."""

    report: Report
    records: Sequence[Record]  # the first
    total: int  # records
    pictures: Sequence[tuple[str, Path]]  # id of a face, and the picture that explains it


Cell: TypeAlias = "str | int | float | None"


@attrs.frozen
class Table:
    """Rows of cells under the names of their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@attrs.frozen
class Picture:
    """A picture in the run's folder; Markdown links to it."""

    caption: str
    path: Path
    embedded: bool  # whether the page holds it


Block: TypeAlias = "str | Table | Picture"  # a text is a paragraph


@attrs.frozen
class Section:
    """Blocks under a title; left out where there are none."""

    title: str
    blocks: Sequence[Block]


def parts(run: Run) -> Section:
    """The components, and what asking took."""
    rows = [(kind, _described(part)) for kind, part in run.report.components.items()]
    usage = run.report.usage
    counts = ("requests", "cache_hits", "prompt_tokens", "completion_tokens", "cost", "seconds")
    found = (f"{name.replace('_', ' ')} {usage[name]:,.6g}" for name in counts if name in usage)
    return Section("Parts", [Table(("kind", "component"), rows), *([f"Asking: {', '.join(found)}."] if usage else [])])


def outcomes(run: Run) -> Section:
    """How the records ended, and what was not looked at."""
    report = run.report
    blocks: list[Block] = [Table(("outcome", "records"), list(report.outcomes.items()))]
    if report.asked:
        blocks.append(f"{report.asked}.")
    if report.left_out:
        blocks.append(f"Left out: {told(report.left_out)}.")
    return Section("Outcomes", blocks)


def scores(run: Run) -> Section:
    """Each score with its interval, and what stands beside it."""
    columns = ("score", "value", "low", "high", "n", "beside it")
    rows = [
        (score.name, score.value, score.low, score.high, score.count, _beside(score.parts))
        for score in run.report.scores
    ]
    unscored = ", ".join(run.report.unscored)
    sentence = [f"Without a score, as no record has what they need: {unscored}."] if unscored else []
    return Section("Scores", [*([Table(columns, rows)] if rows else []), *sentence])


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
    more = f"All are in the folder {EXPLANATIONS} of the run."
    return Section("Explanations", [*pictures, *([more] if len(pictures) > EMBEDDED else [])])


SECTIONS: tuple[Callable[[Run], Section], ...] = (parts, outcomes, scores, records, explanations)


def sections(run: Run) -> list[Section]:
    """All sections that have something to say."""
    return [section for make in SECTIONS if (section := make(run)).blocks]


def _beside(values: Mapping[str, float]) -> str:
    """The parts of a score that stand for it as a whole; those of single labels, "name: label", are in report.json."""
    return ", ".join(f"{name} {_brief(value)}" for name, value in values.items() if ":" not in name)


def _brief(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and value > 1 else f"{value:.3f}"  # counts, and shares


def _described(part: object) -> str:
    return ", ".join(f"{key}={value}" for key, value in part.items()) if isinstance(part, dict) else str(part)
