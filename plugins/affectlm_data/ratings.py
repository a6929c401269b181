"""Ratings without pictures, to ask language models about valence and arousal that people gave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import attrs

from affectlm.errors import ConfigError
from affectlm.types import Sample, Truth
from affectlm_data.manifest import check_split, scale_ends
from affectlm_data.options import one_path
from affectlm_data.tables import UNIT, Line, number_in, rating, read_csv, read_json_lines, several

_RATED = ("valence", "arousal")
_KNOWN = ("id", "label", "text", "split", *_RATED)


@attrs.frozen(kw_only=True)
class Manifest:
    """Rated faces from a CSV or JSON lines, in the order of the file.

    Columns: `valence` and `arousal`, and optionally `id` (by default "1", "2", ...), `label`, `text`, `group` and
    `split`; several labels or texts are separated by "|", or a list in JSON. Other columns with only numbers go to a
    sample's `extra`, without empty cells; those with words become groups under their own name.

    The whole file is checked when this is built, and read again in each pass: it may be larger than memory.

    Args:
        path: .csv, .jsonl or .ndjson, in UTF-8.
        split: a value of the column `split`, or None for all rows.
        scale: lowest and highest rating; ratings are mapped from there to [-1, 1].

    Raises:
        ConfigError: the file cannot be read, has no such split, or a line is wrong.
    """

    has_pictures: ClassVar[bool] = False
    path: Path = attrs.field(converter=one_path)
    split: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))
    scale: tuple[float, float] = attrs.field(default=UNIT, converter=scale_ends)
    _numbers: frozenset[str] = attrs.field(init=False, repr=False, eq=False)  # columns with only numbers

    @_numbers.default
    def _check(self) -> frozenset[str]:
        seen: dict[str, int] = {}
        splits: set[str] = set()
        columns = _Columns()
        for row, line in enumerate(self._lines(), 1):
            sample = self._sample(row, line, frozenset())
            if (earlier := seen.setdefault(sample.id, line.number)) != line.number:
                raise ConfigError(f"{line.place} has the id '{sample.id}' of line {earlier}; give each line its own")
            splits.add(line.cells.get("split", ""))
            columns.add(line)
        if not seen:
            raise ConfigError(f"manifest '{self.path}' has no ratings; expected one line per face")
        check_split(self.path, self.split, splits)
        return columns.numeric()

    def items(self) -> Iterator[Sample]:
        """One sample per row of the split; its values are the ratings."""
        for row, line in enumerate(self._lines(), 1):
            if self._has(line):
                yield self._sample(row, line, self._numbers)

    def __len__(self) -> int:
        """The number of rows in the split; reads the file again."""
        return sum(map(self._has, self._lines()))

    def _has(self, line: Line) -> bool:
        return self.split in (None, line.cells.get("split", ""))

    def _lines(self) -> Iterator[Line]:
        match self.path.suffix.lower():
            case ".csv":
                return read_csv(self.path, _RATED)
            case ".jsonl" | ".ndjson":
                return read_json_lines(self.path)
        raise ConfigError(f"manifest '{self.path}' has an unknown format; expected a .csv, .jsonl or .ndjson file")

    def _sample(self, row: int, line: Line, numbers: frozenset[str]) -> Sample:
        cells = line.cells
        valence, arousal = (rating(line, name, self.scale) for name in _RATED)
        others = {name: cell for name, cell in cells.items() if cell and name not in _KNOWN}
        truth = Truth(
            labels=several(cells.get("label", "")),
            valence=valence,
            arousal=arousal,
            text=several(cells.get("text", "")),
            group={name: cell for name, cell in others.items() if name not in numbers},
        )
        extra = {name: float(cell) for name, cell in others.items() if name in numbers}
        return Sample(cells.get("id") or str(row), valence, arousal, extra, truth)


@attrs.frozen
class _Columns:
    """The further columns, of words or numbers; `group` counts as words even if they look like numbers."""

    all: set[str] = attrs.field(factory=set)
    words: set[str] = attrs.field(factory=lambda: {"group"})
    odd: dict[str, str] = attrs.field(factory=dict)  # column -> error message for its first number that is not finite

    def add(self, line: Line) -> None:
        for name, cell in line.cells.items():
            if not name:
                raise ConfigError(f"{line.place} has a column without a name; name it or leave it out")
            if not cell or name in _KNOWN:
                continue
            self.all.add(name)
            value = number_in(cell)
            if value is None:
                self.words.add(name)
            elif not math.isfinite(value):
                self.odd.setdefault(name, f"{line.place}: {name} is '{cell}'; expected a finite number or nothing")

    def numeric(self) -> frozenset[str]:
        """The columns with only numbers; raises ConfigError if a number in them is not finite."""
        for name, complaint in self.odd.items():
            if name not in self.words:
                raise ConfigError(complaint)
        return frozenset(self.all - self.words)
