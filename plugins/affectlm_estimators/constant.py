"""A baseline: the same valence and arousal for every face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from affectlm.types import VA, Pixels


def _in_range(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, int | float) or not -1 <= value <= 1:
        raise ValueError(f"{attribute.name} is {value!r}; expected a number from -1 to 1")


@attrs.frozen(kw_only=True)
class Constant:
    """One point for every face: what an estimator must beat.

    Args:
        valence, arousal: in [-1, 1].
    """

    valence: float = attrs.field(default=0.0, validator=_in_range)
    arousal: float = attrs.field(default=0.0, validator=_in_range)

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        """The point once per face, (batch, 2)."""
        return np.tile(np.array([self.valence, self.arousal], dtype=np.float32), (len(faces), 1))
