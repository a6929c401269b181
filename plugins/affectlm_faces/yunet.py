"""YuNet, a small face detector network (Wu et al. 2023), run by OpenCV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import attrs
import cv2

from affectlm.types import Box, Pixels
from affectlm.weights import named as weights
from affectlm_faces import affectlm_weights

if TYPE_CHECKING:
    from cv2.typing import MatLike

WEIGHTS = affectlm_weights()[0]
# Small pictures are enlarged to this: of 600 FER+ faces the network misses 125 at 48x48 pixels and 10 at 160; of 400
# others, 6 at 160 and 4 at 224.
_LEAST_SIDE = 224
_OVERLAP = 0.3  # of two boxes that overlap more, the better is kept
_CANDIDATES = 5000
_SCORE = 14  # column of the network's output: box 4, landmarks 10, score
_LEAST_FACE = 10  # pixels: the smallest face that the network can find

_positive = [attrs.validators.instance_of(int), attrs.validators.ge(1)]


@attrs.frozen(kw_only=True)
class YuNet:
    """Finds faces of any size; its box needs no adjustment.

    On 600 FER+ faces its median box is centred at (0.50, 0.51) of the picture and as high as the picture (1.00).
    """

    threshold: float = attrs.field(  # least score of a face
        default=0.6, converter=float, validator=[attrs.validators.gt(0), attrs.validators.lt(1)]
    )
    max_side: int = attrs.field(default=1024, validator=_positive)  # larger pictures are reduced to this
    min_size: int = attrs.field(default=16, validator=_positive)  # pixels; smaller faces are left out
    _network: cv2.FaceDetectorYN = attrs.field(init=False, repr=False, eq=False)
    _lock: Lock = attrs.field(factory=Lock, init=False, repr=False, eq=False)  # the network stores its input size

    def __attrs_post_init__(self) -> None:  # after the validators: a wrong option fetches nothing
        path = str(weights.obtain(WEIGHTS))
        network = cv2.FaceDetectorYN.create(path, "", (320, 320), self.threshold, _OVERLAP, _CANDIDATES)
        object.__setattr__(self, "_network", network)

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """The faces in each picture (height, width, 3), the best first."""
        return [boxes for boxes, _ in self.detect_counting(images)]

    def detect_counting(self, images: Sequence[Pixels]) -> list[tuple[list[Box], int]]:
        """The faces in each picture, the best first, and how many more are smaller than `min_size`."""
        return [self._find(image) for image in images]

    def describe(self) -> Mapping[str, str]:
        """The digest of the weights."""
        return {"weights": WEIGHTS.digest}

    def _find(self, image: Pixels) -> tuple[list[Box], int]:
        height, width = image.shape[:2]
        if min(height, width) < self.min_size:
            return [], 0
        longer = max(height, width)
        target = min(max(longer, _LEAST_SIDE), self.max_side)
        size = (max(1, round(width * target / longer)), max(1, round(height * target / longer)))
        if min(size) < _LEAST_FACE:  # no face fits, and OpenCV returns different boxes in every call
            return [], 0
        method = cv2.INTER_AREA if target < longer else cv2.INTER_LINEAR
        small = image if target == longer else cv2.resize(image, size, interpolation=method)
        with self._lock:
            self._network.setInputSize(size)
            _, found = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        faces = [] if found is None else _boxes(found, longer / target)
        kept = [box for box in faces if max(box.right - box.left, box.bottom - box.top) >= self.min_size]
        return kept, len(faces) - len(kept)


def _boxes(found: MatLike, scale: float) -> list[Box]:
    """The network's boxes in a picture that is `scale` times as large as its input, the best first."""
    boxes = []
    for row in sorted(found.tolist(), key=lambda row: -row[_SCORE]):
        left, top, width, height = (value * scale for value in row[:4])
        if min(width, height) > 0:
            boxes.append(Box(left, top, left + width, top + height, min(row[_SCORE], 1.0)))
    return boxes
