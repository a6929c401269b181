"""FER+ crowd votes over FER2013 faces, with valence and arousal made from the votes.

Barsoum et al. 2016, doi 10.1145/2993148.2993165. The faces are in JPEG sheets of 50x50 faces, 48 pixels each, beside
`labels.csv`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import attrs
import numpy as np

from affectlm.affect.points import CLASS_MEANS
from affectlm.affect.taxonomies import FERPLUS as LABELS
from affectlm.errors import ConfigError
from affectlm.line import images
from affectlm.types import Image, Pixels, Truth
from affectlm_data.options import one_path
from affectlm_data.tables import Line, read_csv

SIDE = 48
_COLUMNS = 50  # of a sheet
_DOUBTS = ("unknown", "nf")  # votes for "unknown" and "not a face"
_UNCERTAIN = 5  # faces with this many such votes are left out
_POINTS = {anchor.word: (anchor.valence, anchor.arousal) for anchor in CLASS_MEANS}
_MEANS = np.array([_POINTS[label] for label in LABELS])  # (8, 2), valence and arousal


@attrs.frozen
class _Row:
    """One face: its number over all sheets, and its votes in the order of LABELS."""

    index: int
    name: str
    votes: tuple[int, ...]
    doubts: int

    @property
    def sheet(self) -> str:
        """The name of the sheet with the face."""
        return f"sheet_{self.index // _COLUMNS**2:02d}.jpg"


@attrs.frozen(kw_only=True)
class FERPlus:
    """Faces of one split; truth has votes, the commonest labels, and the votes' mean valence and arousal.

    Args:
        path: the folder with `labels.csv` and `sheet_00.jpg`, `sheet_01.jpg`, ...
        split: train or validation.

    Raises:
        ConfigError: a file is missing, a line is wrong, or the split is unknown.
    """

    truth_is_derived: ClassVar[str] = "the valence and arousal of ferplus are made from its labels"

    path: Path = attrs.field(converter=one_path)
    split: str = "validation"
    _rows: tuple[_Row, ...] = attrs.field(init=False, repr=False, eq=False)

    @_rows.default
    def _read(self) -> tuple[_Row, ...]:
        if not (self.path / "labels.csv").is_file():
            raise ConfigError(f"found no labels.csv in '{self.path}', expected the FER+ folder; set dataset.path")
        rows: dict[str, _Row] = {}
        splits: set[str] = set()
        for line in read_csv(self.path / "labels.csv", ("index", "name", "split", *LABELS, *_DOUBTS)):
            splits.add(line.cells["split"])
            if line.cells["split"] == self.split:
                row = _row(line)
                if rows.setdefault(row.name, row) is not row:
                    raise ConfigError(f"{line.place} repeats the name '{row.name}'; give each face its own name")
        if self.split not in splits:
            raise ConfigError(f"FER+ in '{self.path}' has no split '{self.split}'; splits: {', '.join(sorted(splits))}")
        for sheet in sorted({row.sheet for row in rows.values()}):
            if not (self.path / sheet).is_file():
                raise ConfigError(f"found no '{sheet}' in '{self.path}', which labels.csv names; fetch it again")
        return tuple(rows.values())

    def items(self) -> Iterator[Image]:
        """The faces of the split in file order, each sheet opened once."""
        name, sheet = "", np.zeros((0, 0, 3), np.uint8)
        for row in filter(_is_face, self._rows):
            if row.sheet != name:
                name, (sheet, _) = row.sheet, images.read(self.path / row.sheet)
            yield Image(row.name, _cut(sheet, row.index % _COLUMNS**2), _truth(np.array(row.votes, dtype=np.float64)))

    def __len__(self) -> int:
        """The number of faces."""
        return sum(map(_is_face, self._rows))

    def describe(self) -> Mapping[str, str]:
        """The number of rows and of faces in the split, and of rows left out because the raters were uncertain."""
        return {
            "rows": str(len(self._rows)),
            "faces": str(len(self)),
            "uncertain": str(len(self._rows) - len(self)),
        }


def _row(line: Line) -> _Row:
    index, *votes = (_count(line, name) for name in ("index", *LABELS, *_DOUBTS))
    return _Row(index, line.cells["name"], tuple(votes[: len(LABELS)]), sum(votes[len(LABELS) :]))


def _count(line: Line, name: str) -> int:
    cell = line.cells[name]
    if not (cell.isascii() and cell.isdecimal()):
        raise ConfigError(f"{line.place}: {name} is '{cell}'; expected a whole number")
    return int(cell)


def _is_face(row: _Row) -> bool:
    return row.doubts < _UNCERTAIN and any(row.votes)


def _cut(sheet: Pixels, place: int) -> Pixels:
    top, left = (place // _COLUMNS) * SIDE, (place % _COLUMNS) * SIDE
    return sheet[top : top + SIDE, left : left + SIDE].copy()


def _truth(votes: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Truth:
    shares = votes / votes.sum()
    valence, arousal = shares @ _MEANS
    commonest = tuple(label for label, share in zip(LABELS, shares, strict=True) if share == shares.max())
    return Truth(
        labels=commonest,
        valence=float(valence),
        arousal=float(arousal),
        votes=dict(zip(LABELS, shares.tolist(), strict=True)),
        raters=int(votes.sum()),
    )
