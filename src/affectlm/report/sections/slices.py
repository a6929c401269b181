"""Scores of single classes, and how often answers are right for single groups of people or pictures."""

from __future__ import annotations

from affectlm.report.content import Figure, Run, Section, Table
from affectlm.report.drawing import Row, dots
from affectlm.scores.intervals import wilson
from affectlm.types import Record

MOST_VALUES = 12  # of a column of the dataset; with more it is no group but an identity
MOST_ROWS = 40  # in a figure
_NORMAL = 1.959964  # quantile of the normal distribution for 95 %


def classes(run: Run) -> Section:
    """The parts of scores about single labels, such as "f1: label"."""
    rows: list[tuple[str, str, str, float, float | None, float | None]] = []
    for score in run.report.scores:
        for name, value in score.parts.items():
            measure, colon, label = name.partition(": ")
            if colon and " -> " not in name and not name.endswith(("_low", "_high")):
                ends = (score.parts.get(f"{name}_low"), score.parts.get(f"{name}_high"))
                rows.append((score.name, measure, label, value, *ends))
    drawn = [row for row in rows if row[:2] == rows[0][:2] and 0 <= row[3] <= 1][:MOST_ROWS]
    if not drawn:
        return Section("", [])
    drawn.sort(key=lambda row: -row[3])
    title = f"{drawn[0][1]} of each class"
    figure = Figure(dots([row[2:] for row in drawn], "classes", title), f"{title}, as in {drawn[0][0]}.")
    columns = ("score", "measure", "label", "value", "low", "high")
    return Section("By class", [figure, Table(columns, rows, name="classes", folded="Numbers")])


def groups(run: Run) -> Section:
    """The share of answers that are a true label, by each value of the dataset's columns with few values."""
    judged = [record for record in run.records if record.truth.labels and (record.labels or not record.answer)]
    rows = [row for name in _columns(judged) for row in _shares(judged, name)]
    if not rows:
        return Section("", [])
    drawn: list[Row] = [(f"{name}: {value}", share, low, high) for name, value, _, share, low, high in rows[:MOST_ROWS]]
    caption = "Share of faces whose first label is a true one, with Wilson's 95 % intervals of independent records."
    table = Table(("column", "value", "n", "right", "low", "high"), rows, name="groups", folded="Numbers")
    return Section("By group", [Figure(dots(drawn, "groups", "share of right answers by group"), caption), table])


def is_right(record: Record) -> bool:
    """Whether the first label of the answer is true."""
    return bool(record.labels) and record.labels[0] in record.truth.labels


def _columns(records: list[Record]) -> list[str]:
    values: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.truth.group.items():
            values.setdefault(name, set()).add(value)
    return [name for name, found in values.items() if 1 < len(found) <= MOST_VALUES]


def _shares(records: list[Record], name: str) -> list[tuple[str, str, int, float, float, float]]:
    found: dict[str, list[bool]] = {}
    for record in records:
        if name in record.truth.group:
            found.setdefault(record.truth.group[name], []).append(is_right(record))
    return [
        (name, value, len(right), sum(right) / len(right), *wilson(sum(right) / len(right), len(right), _NORMAL))
        for value, right in sorted(found.items())
    ]
