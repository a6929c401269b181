"""The frontal-face cascade from the OpenCV wheel (Viola and Jones 2001, Lienhart's `alt2`); needs no weights.

A quick search covers the whole picture. If it finds nothing, or a close-up, a thorough search looks for a face that
fills the picture, also a tilted one. That search adds a border; without it such faces are missed or found too small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import attrs
import cv2
import cv2.data

from affectlm.types import Box, Pixels

if TYPE_CHECKING:
    from cv2.typing import MatLike

Grey: TypeAlias = "MatLike"  # (height, width), uint8

_CASCADE = "haarcascade_frontalface_alt2.xml"
_WINDOW = 20  # pixels, the cascade's own
_TIGHT_SIDE = 96  # pixels: shorter side of the picture in the thorough search
_TIGHT_FACE = 0.4  # smallest face there, as a share of the shorter side
_BORDER = 0.25  # share of the shorter side
_CLOSE = 0.5  # share of the shorter side above which a face is a close-up
_TILTS = (0, 15, -15)  # degrees
_LONGEST = 4  # times the shorter side; a longer picture is not a portrait
# The box grows by a factor, and its centre moves down by a share of its side, so that crops agree with YuNet's: on 21
# faces of photographs the raw squares are 1.00 times as large and 0.01 higher, on 270 framed FER+ faces 0.94 and 0.03.
SCALE, SHIFT = 1.03, 0.02
_CENTRAL_WEIGHT = 54.5  # of the last stage: false hits have 54 to 55.6, nine of ten FER+ faces more than 55

_positive = [attrs.validators.instance_of(int), attrs.validators.ge(1)]


@attrs.frozen
class Hit:
    """One square that the cascade took for a face."""

    x: float  # centre
    y: float
    side: float
    weight: float  # sum of the last stage

    def scaled(self, border: float, scale: float) -> Hit:
        """The hit in the coordinates of the original, if a copy scaled by `scale` with a border was searched."""
        return attrs.evolve(self, x=(self.x - border) / scale, y=(self.y - border) / scale, side=self.side / scale)


@attrs.frozen(kw_only=True)
class Haar:
    """Finds upright frontal faces without a network."""

    max_side: int = attrs.field(default=400, validator=_positive)  # larger pictures are reduced to this
    min_size: int = attrs.field(default=16, validator=_positive)  # pixels; smaller faces are left out
    neighbours: int = attrs.field(default=2, validator=_positive)  # hits per face; more give fewer false faces
    _cascade: cv2.CascadeClassifier = attrs.field(init=False, repr=False, eq=False)
    _lock: Lock = attrs.field(factory=Lock, init=False, repr=False, eq=False)  # the cascade stores its picture

    @_cascade.default
    def _load(self) -> cv2.CascadeClassifier:
        return cv2.CascadeClassifier(cv2.data.haarcascades + _CASCADE)

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """The faces in each picture (height, width, 3), the best first."""
        return [boxes for boxes, _ in self.detect_counting(images)]

    def detect_counting(self, images: Sequence[Pixels]) -> list[tuple[list[Box], int]]:
        """The faces in each picture, the best first, and how many more are smaller than `min_size`."""
        return [self._find(image) for image in images]

    def _find(self, image: Pixels) -> tuple[list[Box], int]:
        if min(image.shape[:2]) < self.min_size:
            return [], 0
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        hits = self._search(grey)
        if not hits or hits[0].side > _CLOSE * min(grey.shape):
            hits = _apart([*self._search_thoroughly(grey), *hits])
        kept = [_box(hit) for hit in hits if hit.side * SCALE >= self.min_size]
        return kept, len(hits) - len(kept)

    def _search(self, grey: Grey) -> list[Hit]:
        small, scale = _shrink(grey, self.max_side / max(grey.shape))
        hits = self._hits(small, 1.2, self.neighbours, _WINDOW)
        return [hit.scaled(0, scale) for hit in _best(hits)]

    def _search_thoroughly(self, grey: Grey) -> list[Hit]:
        if max(grey.shape) > _LONGEST * min(grey.shape):
            return []
        small, scale = _shrink(grey, _TIGHT_SIDE / min(grey.shape), enlarge=True)
        border = round(_BORDER * _TIGHT_SIDE)
        framed = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
        hits = []
        for tilt in _TILTS:
            found = self._hits(_turn(framed, tilt), 1.05, 2, round(_TIGHT_FACE * _TIGHT_SIDE))
            hits += [_turned_back(hit, framed.shape, tilt) for hit in found]
        return [hit.scaled(border, scale) for hit in _best(hits)]

    def _hits(self, grey: Grey, step: float, neighbours: int, smallest: int) -> list[Hit]:
        with self._lock:
            rectangles, _, weights = self._cascade.detectMultiScale3(
                grey, step, neighbours, minSize=(smallest, smallest), outputRejectLevels=True
            )
        return [Hit(x + w / 2, y + w / 2, w, s) for (x, y, w, _), s in zip(rectangles, weights, strict=True)]


def _shrink(grey: Grey, scale: float, *, enlarge: bool = False) -> tuple[Grey, float]:
    """The picture at the scale, enlarged only with `enlarge`, and the scale that was used."""
    if scale == 1 or (scale > 1 and not enlarge):
        return grey, 1.0
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), scale


def _turn(grey: Grey, degrees: float) -> Grey:
    if not degrees:
        return grey
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(grey, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _turned_back(hit: Hit, shape: tuple[int, ...], degrees: float) -> Hit:
    """A hit in the turned picture, in the coordinates of the upright picture."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x, y = hit.x - shape[1] / 2, hit.y - shape[0] / 2
    return attrs.evolve(hit, x=cosine * x - sine * y + shape[1] / 2, y=sine * x + cosine * y + shape[0] / 2)


def _best(hits: list[Hit]) -> list[Hit]:
    """The hit with the most weight on each face, the best first."""
    return _apart(sorted(hits, key=lambda hit: -hit.weight))


def _apart(hits: list[Hit]) -> list[Hit]:
    """The hits whose centre is more than half a face away from every earlier one."""
    kept: list[Hit] = []
    for hit in hits:
        if all(math.hypot(hit.x - other.x, hit.y - other.y) > max(hit.side, other.side) / 2 for other in kept):
            kept.append(hit)
    return kept


def _box(hit: Hit) -> Box:
    """The box around face and hairline, with a score in (0, 1)."""
    half = hit.side * SCALE / 2
    y = hit.y + hit.side * SHIFT
    return Box(hit.x - half, y - half, hit.x + half, y + half, 1 / (1 + math.exp(_CENTRAL_WEIGHT - hit.weight)))
