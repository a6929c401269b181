"""FER+ crowd votes over FER2013 faces, with valence and arousal made from the votes.

Barsoum et al. 2016, doi 10.1145/2993148.2993165. The faces lie in JPEG sheets of 50x50, 48 pixels each, beside
`labels.csv`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import attrs
import numpy as np

from affectlm import images
from affectlm.errors import ConfigError
from affectlm.types import Image, Pixels, Truth

LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
SIDE = 48
_COLUMNS = 50  # of a sheet
_UNCERTAIN = 5  # faces with so many votes for "unknown" or "not a face" are left out

# Valence and arousal of each label on AffectNet's scale: class means of its public validation set.
ANCHORS = np.array(
    [
        (-0.03, -0.02),
        (0.67, 0.08),
        (0.18, 0.70),
        (-0.63, -0.27),
        (-0.43, 0.55),
        (-0.68, 0.45),
        (-0.12, 0.76),
        (-0.51, 0.58),
    ]
)


def _one_path(value: object) -> str:
    # A bare word of the command line arrives as a list of one.
    return str(value[0]) if isinstance(value, list) and len(value) == 1 else str(value)


@attrs.frozen(kw_only=True, slots=False)
class FERPlus:
    """Faces of one split; truth has votes, the commonest labels, and the votes' mean valence and arousal.

    Args:
        path: the folder with `labels.csv` and `sheet_00.jpg`, `sheet_01.jpg`, ...
        split: train or validation.

    Raises:
        ConfigError: the folder does not hold them, or the split is unknown.
    """

    truth_is_derived: ClassVar[str] = "the valence and arousal of ferplus are made from its labels"

    path: str = attrs.field(converter=_one_path)
    split: str = "validation"

    def __attrs_post_init__(self) -> None:
        if not (self._folder / "labels.csv").is_file():
            raise ConfigError(f"found no labels.csv in '{self.path}', expected the FER+ folder; set dataset.path")
        splits = sorted({row["split"] for row in self._rows})
        if self.split not in splits:
            raise ConfigError(f"FER+ in '{self.path}' has no split '{self.split}'; splits: {', '.join(splits)}")

    def items(self) -> Iterator[Image]:
        """The faces of the split in file order, each sheet opened once."""
        number, sheet = -1, np.zeros((0, 0, 3), np.uint8)
        for row in self._rows:
            votes = np.array([int(row[label]) for label in LABELS], dtype=np.float64)
            if row["split"] != self.split or int(row["unknown"]) + int(row["NF"]) >= _UNCERTAIN or not votes.any():
                continue
            index = int(row["index"])
            if index // _COLUMNS**2 != number:
                number = index // _COLUMNS**2
                sheet, _ = images.read(self._folder / f"sheet_{number:02d}.jpg")
            yield Image(row["name"], _cut(sheet, index % _COLUMNS**2), _truth(votes))

    @property
    def _folder(self) -> Path:
        return Path(self.path).expanduser()

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        with (self._folder / "labels.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def _cut(sheet: Pixels, place: int) -> Pixels:
    top, left = (place // _COLUMNS) * SIDE, (place % _COLUMNS) * SIDE
    return sheet[top : top + SIDE, left : left + SIDE].copy()


def _truth(votes: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Truth:
    shares = votes / votes.sum()
    valence, arousal = shares @ ANCHORS
    commonest = tuple(label for label, share in zip(LABELS, shares, strict=True) if share == shares.max())
    return Truth(
        labels=commonest,
        valence=float(valence),
        arousal=float(arousal),
        votes=dict(zip(LABELS, shares.tolist(), strict=True)),
    )
