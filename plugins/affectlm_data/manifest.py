"""Manifests: a CSV that names pictures and says what is known about them.

Columns: `path`, and if wanted `label` and `text` (several separated by "|"), `valence`, `arousal`, `split`; any other
column, such as `group` or `subject`, becomes a group under its own name.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import attrs

from affectlm.errors import ConfigError
from affectlm.types import Truth

_KNOWN = ("path", "label", "valence", "arousal", "text", "split")


@attrs.frozen
class Row:
    """One picture of a manifest."""

    path: str  # as written
    split: str
    truth: Truth


def read_manifest(manifest: Path, split: str | None = None) -> list[Row]:
    """The rows of a manifest in UTF-8, or those of one split; whether the pictures exist is not looked at.

    Raises:
        ConfigError: it cannot be read, has no such split, or a line is wrong.
    """
    rows = list(_rows(manifest))
    if not rows:
        raise ConfigError(f"manifest '{manifest}' names no pictures; give one line for each")
    if split is None:
        return rows
    chosen = [row for row in rows if row.split == split]
    if not chosen:
        known = ", ".join(sorted({row.split for row in rows if row.split})) or "none; it needs a column 'split'"
        raise ConfigError(f"manifest '{manifest}' has no split '{split}'; splits: {known}")
    return chosen


def _rows(manifest: Path) -> Iterator[Row]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            yield from _parsed(manifest, file)
    except OSError as error:
        raise ConfigError(f"manifest '{manifest}' cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"manifest '{manifest}' is not in UTF-8; save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise ConfigError(f"manifest '{manifest}' is no CSV: {error}") from error


def _parsed(manifest: Path, file: TextIO) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    columns = [name.strip().lower() for name in next(reader, [])]
    if "path" not in columns or len(set(columns)) < len(columns):
        found = ", ".join(columns) or "nothing"
        raise ConfigError(f"manifest '{manifest}' has the columns {found}; expected each once, 'path' among them")
    seen: dict[str, int] = {}
    for cells in reader:
        line = f"line {reader.line_num} of '{manifest}'"
        if not cells:
            continue
        if len(cells) != len(columns):
            raise ConfigError(f"{line} has {len(cells)} cells; expected {len(columns)}: {', '.join(columns)}")
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        if not row["path"]:
            raise ConfigError(f"{line} names no path")
        if row["path"] in seen:
            raise ConfigError(f"{line} names '{row['path']}' again; line {seen[row['path']]} did already")
        seen[row["path"]] = reader.line_num
        yield Row(row["path"], row.get("split", ""), _truth(line, row))


def _truth(line: str, row: Mapping[str, str]) -> Truth:
    return Truth(
        labels=_several(row.get("label", "")),
        valence=_number(line, "valence", row.get("valence", "")),
        arousal=_number(line, "arousal", row.get("arousal", "")),
        text=_several(row.get("text", "")),
        group={name: cell for name, cell in row.items() if name not in _KNOWN and cell},
    )


def _several(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())


def _number(line: str, name: str, cell: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not -1 <= value <= 1:
        raise ConfigError(f"{line}: {name} is '{cell}'; expected a number in [-1, 1] or nothing")
    return value
