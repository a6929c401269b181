"""The whole picture as the face, for pictures that are faces cut out already."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from affectlm.types import Box, Pixels


@attrs.frozen(kw_only=True)
class Whole:
    """Takes every picture for one face."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """For each picture (height, width, 3) the box around all of it."""
        return [[Box(0, 0, image.shape[1], image.shape[0])] for image in images]
