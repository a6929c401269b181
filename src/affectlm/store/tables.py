"""Tables for spreadsheets: `records.csv` of a run, with cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from affectlm.store.records import read_records, to_json
from affectlm.text import shortened
from affectlm.types import Record

TABLE = "records.csv"
LONGEST = 300  # characters of an answer or a reason; records.jsonl has all of them
_PLAIN = (
    *("id", "repeat", "image", "image_sha256", "face", "left", "top", "right", "bottom", "score", "others"),
    *("too_small", "valence", "arousal", "measured_valence", "measured_arousal"),
    *("prompt_sha256", "style", "structured", "model", "outcome", "entropy", "choice_mass"),
)
_COLUMNS = (*_PLAIN, "answer", "labels", "reason", "truth.labels", "truth.valence", "truth.arousal")
_OBEYED = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four full-width
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def harmless(cell: object) -> object:
    """A cell that spreadsheets show as text: an apostrophe is put before what would begin a formula.

    >>> [harmless(cell) for cell in ("=1+1", "-0.5", "-a", 0.5, "smile")]
    ["'=1+1", '-0.5', "'-a", 0.5, 'smile']
    """
    if isinstance(cell, str) and cell.startswith(_OBEYED) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def write_table(folder: Path) -> None:
    """Writes `records.csv` beside the records, without prompts, replies and the scores of choices.

    Each named number has its own column, such as "probability.fear". The records are read twice, one at a time.
    """
    further = dict.fromkeys(name for record in read_records(folder) for name, _ in _further(record))
    path = folder / TABLE
    part = path.with_suffix(".csv.part")
    with part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.DictWriter(file, [*_COLUMNS, *further], lineterminator="\n")
        table.writeheader()
        for record in read_records(folder):
            table.writerow({name: harmless(cell) for name, cell in (*_cells(record), *_further(record))})
    part.replace(path)


def _cells(record: Record) -> Iterator[tuple[str, object]]:
    line, truth = to_json(record), record.truth
    yield from ((name, line[name]) for name in _PLAIN)
    yield from (("answer", shortened(record.answer, LONGEST)), ("reason", shortened(record.reason, LONGEST)))
    yield from (("labels", _joined(record.labels)), ("truth.labels", _joined(truth.labels)))
    yield from (("truth.valence", truth.valence), ("truth.arousal", truth.arousal))


def _further(record: Record) -> Iterator[tuple[str, object]]:
    """The columns and cells of a record's named numbers and groups."""
    named = {
        "extra": record.extra,
        "probability": record.probabilities or {},
        "truth.votes": record.truth.votes,
        "group": record.truth.group,
    }
    for kind, values in named.items():
        yield from ((f"{kind}.{name}", value) for name, value in values.items())


def _joined(labels: Iterable[str]) -> str:
    return "|".join(labels)
