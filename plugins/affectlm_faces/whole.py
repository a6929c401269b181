"""The whole picture as the face, for pictures that are cropped faces already."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from affectlm.types import Box, Pixels


@attrs.frozen(kw_only=True)
class Whole:
    """Treats every picture as one face."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """The box around each whole picture (height, width, 3)."""
        return [[Box(0, 0, image.shape[1], image.shape[0])] for image in images]
