"""Manifests: a CSV that names pictures and says what is known about them.

Columns: `path` (or `image`), and if wanted `label` and `text` (several separated by "|"), `valence`, `arousal`,
`split`, and `left`, `top`, `right`, `bottom`, which say in pixels where in the picture the person is; any other column,
such as `group` or `subject`, becomes a group under its own name.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import attrs

from affectlm.errors import ConfigError
from affectlm.types import Box, Truth

UNIT = (-1.0, 1.0)
_SIDES = ("left", "top", "right", "bottom")
_KNOWN = ("path", "label", "valence", "arousal", "text", "split", *_SIDES)


@attrs.frozen
class Row:
    """One picture of a manifest, or one person in it."""

    path: str  # as written
    split: str
    truth: Truth
    region: Box | None = None


def read_manifest(manifest: Path, split: str | None = None, scale: tuple[float, float] = UNIT) -> list[Row]:
    """The rows of a manifest in UTF-8, or those of one split; whether the pictures exist is not looked at.

    Args:
        manifest: the file.
        split: a value of the column `split`, or None for all rows.
        scale: lowest and highest rating; ratings are brought from there to [-1, 1].

    Raises:
        ConfigError: it cannot be read, has no such split, or a line is wrong.
    """
    rows = list(_rows(manifest, scale))
    if not rows:
        raise ConfigError(f"manifest '{manifest}' names no pictures; give one line for each")
    if split is None:
        return rows
    chosen = [row for row in rows if row.split == split]
    if not chosen:
        known = ", ".join(sorted({row.split for row in rows if row.split})) or "none; it needs a column 'split'"
        raise ConfigError(f"manifest '{manifest}' has no split '{split}'; splits: {known}")
    return chosen


def _rows(manifest: Path, scale: tuple[float, float]) -> Iterator[Row]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            yield from _parsed(manifest, file, scale)
    except OSError as error:
        raise ConfigError(f"manifest '{manifest}' cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"manifest '{manifest}' is not in UTF-8; save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise ConfigError(f"manifest '{manifest}' is no CSV: {error}") from error


def _parsed(manifest: Path, file: TextIO, scale: tuple[float, float]) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    columns = [name.strip().lower() for name in next(reader, [])]
    columns = ["path" if name == "image" and "path" not in columns else name for name in columns]
    if "path" not in columns or len(set(columns)) < len(columns):
        found = ", ".join(columns) or "nothing"
        raise ConfigError(f"manifest '{manifest}' has the columns {found}; expected each once, 'path' among them")
    seen: dict[tuple[str, Box | None], int] = {}
    for cells in reader:
        line = f"line {reader.line_num} of '{manifest}'"
        if not cells:
            continue
        if len(cells) != len(columns):
            raise ConfigError(f"{line} has {len(cells)} cells; expected {len(columns)}: {', '.join(columns)}")
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        if not row["path"]:
            raise ConfigError(f"{line} names no path")
        region = _region(line, row)
        if (earlier := seen.setdefault((row["path"], region), reader.line_num)) != reader.line_num:
            raise ConfigError(f"{line} names '{row['path']}' again; line {earlier} did already")
        yield Row(row["path"], row.get("split", ""), _truth(line, row, scale), region)


def _truth(line: str, row: Mapping[str, str], scale: tuple[float, float]) -> Truth:
    return Truth(
        labels=_several(row.get("label", "")),
        valence=_rating(line, "valence", row.get("valence", ""), scale),
        arousal=_rating(line, "arousal", row.get("arousal", ""), scale),
        text=_several(row.get("text", "")),
        group={name: cell for name, cell in row.items() if name not in _KNOWN and cell},
    )


def _several(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())


def _rating(line: str, name: str, cell: str, scale: tuple[float, float]) -> float | None:
    """The rating in [-1, 1], None for an empty cell."""
    if not cell:
        return None
    value, (low, high) = _number(cell), scale
    if not low <= value <= high:
        hint = "" if scale != UNIT or math.isnan(value) else "; for ratings from 1 to 9 add dataset.scale=[1,9]"
        raise ConfigError(f"{line}: {name} is '{cell}'; expected a number in [{low:g}, {high:g}] or nothing{hint}")
    return value if scale == UNIT else min(1.0, max(-1.0, (2 * value - low - high) / (high - low)))  # for rounding


def _region(line: str, row: Mapping[str, str]) -> Box | None:
    """Where the person is, None when all four cells are empty or not there."""
    cells = [row.get(side, "") for side in _SIDES]
    if not any(cells):
        return None
    left, top, right, bottom = (_number(cell) for cell in cells)
    if not (-math.inf < left < right < math.inf and -math.inf < top < bottom < math.inf):
        found = ", ".join(f"'{cell}'" for cell in cells)
        raise ConfigError(f"{line}: left, top, right, bottom are {found}; expected four numbers that make a rectangle")
    return Box(left, top, right, bottom)


def _number(cell: str) -> float:
    """The number in a cell, NaN when there is none."""
    try:
        return float(cell)
    except ValueError:
        return math.nan
