"""Tables as CSV or JSON lines: their lines and cells. Empty cells and those in `MISSING` mean unknown."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import attrs

from affectlm.errors import ConfigError
from affectlm.store.files import MOST_TABLE, open_file

UNIT = (-1.0, 1.0)
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan")  # how R, spreadsheets and pandas write unknown values
_LISTS = ("label", "text")  # columns that may have several values
_decode = json.JSONDecoder(object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=str).decode


@attrs.frozen
class Line:
    """One line of a table: its cells, by column names in lower case; unknown values are empty."""

    number: int
    place: str  # "line 3 of 'm.csv'", for messages
    cells: Mapping[str, str]


def read_csv(manifest: Path, needed: Sequence[str], aliases: Mapping[str, str] | None = None) -> Iterator[Line]:
    """The lines below the header of a CSV in UTF-8, each with a cell for every column; empty lines are skipped.

    The separator is comma or semicolon, whichever is more frequent in the header.

    Args:
        manifest: the file.
        needed: columns that it must have.
        aliases: other names, each with the column that it stands for if that is missing.

    Raises:
        ConfigError: the file cannot be read, a column is missing or repeated, or a line has too few or too many cells.
    """
    with _opened(manifest) as file:
        reader = csv.reader(file, strict=True, delimiter=_delimiter(file))
        try:
            columns = _columns(manifest, next(filter(None, reader), []), needed, aliases or {})
            for cells in filter(any, reader):
                place = f"line {reader.line_num} of '{manifest}'"
                if len(cells) != len(columns):
                    raise ConfigError(f"{place} has {len(cells)} cells; expected {len(columns)}: {', '.join(columns)}")
                found = {name: said(cell) for name, cell in zip(columns, cells, strict=True)}
                yield Line(reader.line_num, place, found)
        except csv.Error as error:
            raise ConfigError(f"line {reader.line_num} of '{manifest}' is not valid CSV: {error}") from error


def read_json_lines(manifest: Path) -> Iterator[Line]:
    """The lines of a file of JSON objects in UTF-8, numbers as written; null becomes empty, blank lines are skipped.

    Raises:
        ConfigError: the file cannot be read, or a line is not an object, repeats a key, or has a value that is neither
            text nor a number.
    """
    with _opened(manifest) as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                place = f"line {number} of '{manifest}'"
                yield Line(number, place, _json_cells(place, text))


def said(cell: str) -> str:
    """The text of a cell without spaces around it; empty if it means unknown.

    >>> said(" joy "), said("NA"), said("Nan")
    ('joy', '', 'Nan')
    """
    text = cell.strip()
    return "" if text in MISSING else text


def several(cell: str) -> tuple[str, ...]:
    """The values in a cell, separated by "|".

    >>> several("joy | surprise | NA")
    ('joy', 'surprise')
    """
    return tuple(filter(None, map(said, cell.split("|"))))


def rating(line: Line, name: str, scale: tuple[float, float], otherwise: str = "") -> float:
    """The rating in a column, mapped to [-1, 1].

    Args:
        line: the line with the rating.
        name: of the column.
        scale: lowest and highest rating.
        otherwise: what else the column may have, for the error message.

    Raises:
        ConfigError: the cell is not a number, or is outside the scale.
    """
    cell, (low, high) = line.cells.get(name, ""), scale
    value = number_in(cell)
    if value is None or not low <= value <= high:
        other = scale == UNIT and value is not None and math.isfinite(value)
        hint = "; for ratings from 1 to 9 add dataset.scale=[1,9]" if other else ""
        expected = f"a number in [{low:g}, {high:g}]{otherwise}"
        found = f"'{cell}'" if cell else "missing"
        raise ConfigError(f"{line.place}: {name} is {found}; expected {expected}{hint}")
    return value if scale == UNIT else min(1.0, max(-1.0, (2 * value - low - high) / (high - low)))  # for rounding


def number_in(cell: str) -> float | None:
    """The number in a text, including NaN and infinity; None if it is not a number."""
    try:
        return None if "_" in cell else float(cell)  # float takes 1_000
    except ValueError:
        return None


@contextmanager
def _opened(manifest: Path) -> Iterator[TextIO]:
    """The file, with or without a byte-order mark; raises ConfigError if it cannot be read."""
    try:
        with TextIOWrapper(open_file(manifest, MOST_TABLE), encoding="utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise ConfigError(f"'{manifest}' cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"'{manifest}' is not in UTF-8, first in line {_undecodable(manifest)}; save it in UTF-8"
        ) from error


def _delimiter(file: TextIO) -> str:
    header = next((line for line in file if line.strip()), "")
    file.seek(0)
    return max(",;", key=header.count)


def _undecodable(manifest: Path) -> int:
    """The number of the first line that is not in UTF-8, or 0."""
    raw = manifest.read_bytes()
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return raw.count(b"\n", 0, error.start) + 1
    return 0


def _columns(manifest: Path, header: list[str], needed: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    given = [name.strip().lower() for name in header]
    columns = [name if aliases.get(name, name) in given else aliases[name] for name in given]
    if not set(needed) <= set(columns) or len(set(columns)) < len(columns):
        names = " and ".join(f"'{name}'" for name in needed)
        found = ", ".join(columns) or "nothing"
        raise ConfigError(
            f"'{manifest}' has the columns {found}; expected each once, {names} among them{_hint(columns, needed)}"
        )
    return columns


def _hint(columns: Sequence[str], needed: Sequence[str]) -> str:
    """What to type if a table of ratings was given as a table of pictures."""
    rated = "path" in needed and "path" not in columns and {"valence", "arousal"} <= set(columns)
    return "; to ask about these ratings without pictures add dataset=manifest" if rated else ""


def _json_cells(place: str, text: str) -> dict[str, str]:
    try:
        pairs = _decode(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{place} is not JSON: {error.msg.lower()}, at character {error.colno}") from error
    except RecursionError as error:
        raise ConfigError(f"{place} is nested too deeply; expected an object of texts and numbers") from error
    if not isinstance(pairs, tuple):
        raise ConfigError(
            f'{place} is not an object; expected one per line: {{"id": "a", "valence": 0.5, "arousal": -0.2}}'
        )
    cells: dict[str, str] = {}
    for key, value in pairs:
        name = key.strip().lower()
        if name in cells:
            raise ConfigError(f"{place} has '{name}' twice; expected each key once")
        cells[name] = _json_cell(place, name, value)
    return cells


def _json_cell(place: str, name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return said(value)
        case list() if name in _LISTS and all(isinstance(part, str) and "|" not in part for part in value):
            return "|".join(value)
    found = "a list" if isinstance(value, list) else "an object"
    more = ", or a list of texts without '|'" if name in _LISTS else ""
    raise ConfigError(f"{place}: {name} is {found}; expected text or a number{more}")
