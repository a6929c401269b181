"""EMOTIC's annotations as most people have them: one table per split, with lists in Python's notation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from affectlm.errors import ConfigError
from affectlm_data.emotic.people import Entry
from affectlm_data.tables import Line, number_in, read_csv, said

_COLUMNS = ("folder", "filename", "bbox", "categorical_labels", "continuous_labels")


def table_entries(path: Path) -> Iterator[Entry]:
    """The entry of each person in a table.

    Raises:
        ConfigError: the table cannot be read or lacks a column, or a cell is not a list.
    """
    return map(_entry, read_csv(path, _COLUMNS))


def _entry(line: Line) -> Entry:
    cells = line.cells
    return Entry(
        line.place,
        cells["folder"],
        cells["filename"],
        _numbers(line, "bbox", 4),
        list(filter(None, _list(line, "categorical_labels"))),
        _numbers(line, "continuous_labels", 3),
        cells.get("gender", ""),
        cells.get("age", ""),
    )


def _list(line: Line, column: str) -> list[str]:
    """The items of a list, empty if unknown; `ast.literal_eval` takes ten times as long."""
    cell = line.cells[column] or "[]"
    if not (cell.startswith("[") and cell.endswith("]")):
        raise ConfigError(f"{line.place}: {column} is '{cell[:80]}'; expected a list in brackets")
    return [said(part.strip().strip("'\"")) for part in cell[1:-1].split(",") if part.strip()]


def _numbers(line: Line, column: str, count: int) -> list[float]:
    """The numbers of a list, some perhaps NaN: `count` of them, or none."""
    values = [number_in(part) if part else math.nan for part in _list(line, column)]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or len(known) not in (0, count):
        raise ConfigError(f"{line.place}: {column} is '{line.cells[column][:80]}'; expected {count} numbers")
    return known
