"""What a page needs from a run's folder, finished or not, also if an older version wrote it or a disk damaged it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from affectlm.errors import RunFolderError
from affectlm.store.cache import parsed
from affectlm.store.fields import as_object
from affectlm.store.records import RECORDS, REPORT, Report, from_json, read_report, to_json
from affectlm.types import Outcome, Record, Truth

MOST_ANSWER = 4000  # characters of an answer that are kept; a page shows fewer
_EMPTY = to_json(Record(id="", outcome=Outcome.OK))
_TRUTH = [each.name for each in attrs.fields(Truth)]


@attrs.define
class Readings:
    """The records of a run without their large fields, the first prompt, and how many lines are no records."""

    records: list[Record] = attrs.field(factory=list)
    prompt: str = ""
    damaged: int = 0


def read(folder: Path) -> Readings:
    """The records in a folder; lines that are no records are counted, not raised.

    Raises:
        RunFolderError: the file cannot be read.
    """
    found, seen = Readings(), set[str]()
    for line in _lines(folder / RECORDS):
        try:
            record = _record(line)
        except (TypeError, ValueError):
            found.damaged += 1
            continue
        if record.id not in seen:
            seen.add(record.id)
            found.prompt = found.prompt or record.prompt or ""
            found.records.append(attrs.evolve(record.slim(), answer=record.answer[:MOST_ANSWER]))
    return found


def read_any_report(folder: Path) -> Report:
    """The report in a folder with what it has, and one made of the records if there is none.

    Raises:
        RunFolderError: it has neither report nor records, or what its report says is not a report.
    """
    path = folder / REPORT
    if path.exists():
        return read_report(folder, lenient=True)
    if not (folder / RECORDS).is_file():
        raise RunFolderError(f"'{folder}' is not the folder of a run: it has neither {REPORT} nor {RECORDS}")
    outcomes = Counter(record.outcome.value for record in read(folder).records)
    return Report(status="unknown", outcomes=dict(sorted(outcomes.items())), folder=folder)


def _lines(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise RunFolderError(f"'{path}' cannot be read: {error.strerror or error}") from error


def _record(line: bytes) -> Record:
    """The record of a line; fields that this version does not know are left out, missing ones are empty."""
    fields: Mapping[str, Any] = as_object(parsed(line), "id", "outcome")
    truth = as_object(fields.get("truth") or {})
    known = {name: fields[name] for name in _EMPTY if name in fields}
    return from_json({**_EMPTY, **known, "truth": {name: truth[name] for name in _TRUTH if name in truth}})
