"""AffectNet: faces from the web with an expression, valence and arousal (Mollahosseini et al. 2019,
doi 10.1109/TAFFC.2017.2740923), in the layout of its eight-label release.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np

from affectlm.affect.taxonomies import AFFECTNET as EXPRESSIONS
from affectlm.errors import ConfigError
from affectlm.store.files import open_file
from affectlm.types import Image, Truth
from affectlm_data.options import one_path, split_name

_FURTHER = range(len(EXPRESSIONS), 11)  # none, uncertain, no face: how they feel is unknown
_NOT_RATED = -2.0
_ENDING = "_exp.npy"
_MOST_BYTES = 10_000  # of a file with one number


def _split(value: object) -> str | None:
    return None if value is None else split_name(value)


@attrs.frozen(kw_only=True)
class AffectNet:
    """The cropped faces of a split; truth has the expression and, if rated, valence and arousal.

    Faces marked none, uncertain or no face are skipped. The annotations of a face are read when its turn comes, because
    there are hundreds of thousands.

    Args:
        path: the folder with train_set and val_set, each with `images/ID.jpg` and `annotations/ID_exp.npy`,
            `ID_val.npy`, `ID_aro.npy`; without a split, one such set itself.
        split: train, val (or validation), or None.

    Raises:
        ConfigError: these folders or the annotations are missing.
    """

    path: Path = attrs.field(converter=one_path)
    split: str | None = attrs.field(default="val", converter=_split)
    _ids: tuple[str, ...] = attrs.field(init=False, repr=False, eq=False)

    @_ids.default
    def _find(self) -> tuple[str, ...]:
        for name in ("annotations", "images"):
            if not (self._folder / name).is_dir():
                raise ConfigError(
                    f"found no folder '{name}' in '{self._folder}', expected AffectNet's; set dataset.path to the "
                    "folder above train_set and val_set, or dataset.split=null and the path to one of them"
                )
        with os.scandir(self._folder / "annotations") as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
        ids = [name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING)]
        if not ids:
            raise ConfigError(f"found no annotations such as 0{_ENDING} in '{self._folder / 'annotations'}'")
        return tuple(sorted(ids, key=lambda name: (len(name), name)))  # by number: 9 before 10

    def items(self) -> Iterator[Image]:
        """The faces in the order of their numbers, which are their ids.

        Raises:
            ConfigError: an annotation is missing or is not a valid number.
        """
        for name in self._ids:
            code = self._number(name, "exp")
            if code in _FURTHER:
                continue
            if code not in range(len(EXPRESSIONS)):
                raise ConfigError(f"annotation '{name}{_ENDING}' is {code:g}; expected a whole number from 0 to 10")
            valence, arousal = self._rating(name, "val"), self._rating(name, "aro")
            truth = Truth(labels=(EXPRESSIONS[int(code)],), valence=valence, arousal=arousal)
            yield Image(name, self._folder / "images" / f"{name}.jpg", truth)

    def describe(self) -> Mapping[str, str]:
        """The number of annotated faces, including those that are skipped."""
        return {"annotations": str(len(self._ids))}

    @property
    def _folder(self) -> Path:
        return self.path / f"{self.split}_set" if self.split else self.path

    def _rating(self, name: str, what: str) -> float | None:
        value = self._number(name, what)
        if value == _NOT_RATED:
            return None
        if not -1 <= value <= 1:
            raise ConfigError(f"annotation '{name}_{what}.npy' is {value:g}; expected a number in [-1, 1], or -2")
        return value

    def _number(self, name: str, what: str) -> float:
        """The number in a file, stored as a number or as text."""
        file = self._folder / "annotations" / f"{name}_{what}.npy"
        try:
            with open_file(file, _MOST_BYTES) as opened:
                return float(np.load(opened, allow_pickle=False).item())
        except OSError as error:
            raise ConfigError(
                f"annotation '{file}' cannot be read: {(error.strerror or str(error)).lower()}"
            ) from error
        except Exception as error:  # the reader raises errors of many kinds on damaged files
            raise ConfigError(f"annotation '{file}' is not a single number; fetch it again") from error
