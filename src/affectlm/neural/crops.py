"""Crops as networks expect them: one size, grey or colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from affectlm.types import Pixels


def resize(face: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A crop (h, w) or (h, w, 3) in another size: averaged if it shrinks, else bilinear.

    Bilinear sampling alone skips pixels of large crops, and which ones depends on the size.
    """
    shrinks = face.shape[0] > height and face.shape[1] > width
    return cv2.resize(face, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def as_grey(face: Pixels) -> NDArray[np.uint8]:
    """An RGB crop (h, w, 3) in grey, (h, w)."""
    return cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)  # type: ignore[return-value]
