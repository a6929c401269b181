"""Manifests of pictures: a CSV with `path` (or `image`), and optionally `label` and `text` (several separated by "|"),
`valence`, `arousal`, `split`, and `left`, `top`, `right`, `bottom`, the person's box in pixels; any other column, such
as `group` or `subject`, becomes a group under its own name.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from pathlib import Path

import attrs

from affectlm.errors import ConfigError
from affectlm.types import Box, Truth
from affectlm_data.tables import UNIT, Line, number_in, rating, read_csv, several

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
    """The rows of a manifest of pictures, or those of one split; the pictures need not exist.

    Args:
        manifest: a CSV in UTF-8.
        split: a value of the column `split`, or None for all rows.
        scale: lowest and highest rating; ratings are mapped from there to [-1, 1].

    Raises:
        ConfigError: the file cannot be read, has no such split, or a line is wrong.
    """
    rows = list(_rows(manifest, scale))
    if not rows:
        raise ConfigError(f"manifest '{manifest}' names no pictures; expected one line per picture")
    check_split(manifest, split, {row.split for row in rows})
    return [row for row in rows if split in (None, row.split)]


def check_split(manifest: Path, split: str | None, known: Collection[str]) -> None:
    """Raises ConfigError if no line has the wanted split."""
    if split is not None and split not in known:
        names = ", ".join(sorted(filter(None, known))) or "none; it needs a column 'split'"
        raise ConfigError(f"manifest '{manifest}' has no split '{split}'; splits: {names}")


def scale_ends(value: object) -> tuple[float, float]:
    """The lowest and the highest rating from the option `scale`.

    Raises:
        ConfigError: the value is not two numbers in order.
    """
    match value:
        case [int() | float() as low, int() | float() as high] if -math.inf < low < high < math.inf:
            return float(low), float(high)
    raise ConfigError(f"scale is '{value}'; expected the lowest and the highest rating, as in dataset.scale=[1,9]")


def _rows(manifest: Path, scale: tuple[float, float]) -> Iterator[Row]:
    seen: dict[tuple[str, Box | None], int] = {}
    for line in read_csv(manifest, ("path",), {"image": "path"}):
        path, region = line.cells["path"], _region(line)
        if not path:
            raise ConfigError(f"{line.place} has no path")
        if (earlier := seen.setdefault((path, region), line.number)) != line.number:
            raise ConfigError(f"{line.place} repeats '{path}' of line {earlier}")
        yield Row(path, line.cells.get("split", ""), _truth(line, scale), region)


def _truth(line: Line, scale: tuple[float, float]) -> Truth:
    return Truth(
        labels=several(line.cells.get("label", "")),
        valence=_rating_if_any(line, "valence", scale),
        arousal=_rating_if_any(line, "arousal", scale),
        text=several(line.cells.get("text", "")),
        group={name: cell for name, cell in line.cells.items() if name not in _KNOWN and cell},
    )


def _rating_if_any(line: Line, name: str, scale: tuple[float, float]) -> float | None:
    return rating(line, name, scale, " or nothing") if line.cells.get(name) else None


def _region(line: Line) -> Box | None:
    """The person's box, or None if all four cells are empty or missing."""
    cells = [line.cells.get(side, "") for side in _SIDES]
    if not any(cells):
        return None
    left, top, right, bottom = (math.nan if value is None else value for value in map(number_in, cells))
    if not (-math.inf < left < right < math.inf and -math.inf < top < bottom < math.inf):
        found = ", ".join(f"'{cell}'" for cell in cells)
        raise ConfigError(
            f"{line.place}: left, top, right, bottom are {found}; expected four numbers that make a rectangle"
        )
    return Box(left, top, right, bottom)
