"""The first records, and the pictures that explain faces."""

from __future__ import annotations

from affectlm.report.content import Picture, Run, Section, Table
from affectlm.store.records import EXPLANATIONS
from affectlm.text import shortened

EMBEDDED = 20  # explanations inside report.html, some 100 KB each
SHOWN = 200  # records on the page
UNFOLDED = 30  # a longer list is folded
MOST_ANSWER = 300  # characters; records.jsonl has all of them


def records(run: Run) -> Section:
    """The first records."""
    columns = ("id", "valence", "arousal", "answer", "outcome")
    shown, total = run.records[:SHOWN], len(run.records)
    rows = [
        (each.id, each.valence, each.arousal, shortened(each.answer or each.reason, MOST_ANSWER), each.outcome.value)
        for each in shown
    ]
    folded = f"{len(shown)} records" if len(shown) > UNFOLDED else ""
    more = f"The first {len(shown)} of {total} records; all are in records.jsonl."
    blocks = [Table(columns, rows, folded=folded)] if rows else []
    return Section("Records", [*blocks, *([more] if total > len(shown) else [])])


def explanations(run: Run) -> Section:
    """The pictures that `explain=true` made."""
    pictures = [Picture(name, path, place < EMBEDDED) for place, (name, path) in enumerate(run.pictures)]
    more = f"All of them are in the folder {EXPLANATIONS} of the run."
    return Section("Explanations", [*pictures, *([more] if len(pictures) > EMBEDDED else [])])
