"""From pictures to faces: read, found, cut out; in windows, so that few pictures are in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import attrs
import numpy as np

from affectlm.contract import called, class_name
from affectlm.errors import ContractError, ImageError
from affectlm.line import images
from affectlm.types import Box, CountingDetector, Face, FaceDetector, Image, Outcome, Pixels, Record, Truth

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Place:
    """Where a face was found; field names as in `Record`."""

    image: str  # path or name of the picture
    image_sha256: str
    face: int  # rank among the faces of the picture, 0 the best
    box: Box
    others: int  # how many other faces the picture has
    too_small: int  # how many more faces the detector found but left out as too small


@attrs.frozen
class Found:
    """A face that was found but not measured yet."""

    face: Face
    place: Place


def find_faces(
    items: Iterable[Image], detector: FaceDetector, *, best_only: bool = False, batch_size: int = 8
) -> Iterator[Found | Record]:
    """The faces of pictures, cut out; a record for a picture without a face or one that cannot be read.

    If only one face is wanted (`has_one`), it is the best one, inside `region` if the picture has a region.
    """
    for window in windows(items, batch_size):
        read: list[tuple[Image, Pixels, str]] = []
        for image in window:
            try:
                read.append((image, *images.read(image.source)))
            except ImageError as error:
                reason, name = str(error), _name(image)
                outcome = Outcome.UNREADABLE_IMAGE
                yield Record(id=image.id, image=name, outcome=outcome, reason=reason, truth=image.truth)
        found = _detect(detector, [pixels for _, pixels, _ in read])
        for (image, pixels, sha256), (boxes, too_small) in zip(read, found, strict=True):
            one = has_one(image, best_only=best_only)
            yield from _faces(image, pixels, sha256, boxes, too_small=too_small, most=1 if one else len(boxes))


def has_one(image: Image, *, best_only: bool) -> bool:
    """Whether only one face of a picture is wanted: by choice, or because its truth is about one person."""
    return best_only or image.region is not None or image.truth != Truth(group=image.truth.group)


def _faces(
    image: Image, pixels: Pixels, sha256: str, boxes: Sequence[Box], *, too_small: int, most: int
) -> Iterator[Found | Record]:
    chosen = [(rank, box) for rank, box in enumerate(boxes) if image.region is None or _inside(box, image.region)]
    none = Record(
        id=image.id,
        image=_name(image),
        image_sha256=sha256,
        others=len(boxes),
        too_small=too_small,
        outcome=Outcome.NO_FACE,
        truth=image.truth,
    )
    if not chosen:
        small = f" but {too_small} smaller than detector.min_size" if too_small else ""
        where = " inside the given region" if boxes else small
        yield attrs.evolve(none, reason=f"no face was found{where}")
    for rank, box in chosen[:most]:
        others = len(boxes) - 1
        place = Place(image=none.image, image_sha256=sha256, face=rank, box=box, others=others, too_small=too_small)
        face_id = f"{image.id}#{rank}"
        try:
            face = Face(face_id, box, images.crop(pixels, box), image.truth)
        except ImageError as error:
            yield attrs.evolve(none, id=face_id, face=rank, box=box, others=others, reason=str(error))
        else:
            yield Found(face, place)


def _detect(detector: FaceDetector, pictures: Sequence[Pixels]) -> list[tuple[list[Box], int]]:
    """For each picture, its boxes and how many faces were left out as too small."""
    if not pictures:
        return []
    if isinstance(detector, CountingDetector):
        name, found = "detect_counting", called(detector.detect_counting, pictures)
    else:
        name, found = "detect", [(boxes, 0) for boxes in called(detector.detect, pictures)]
    where = f"{class_name(detector)}.{name}"
    if len(found) != len(pictures):
        raise ContractError(f"{where} returned {len(found)} lists of boxes for {len(pictures)} pictures")
    for pixels, (boxes, count) in zip(pictures, found, strict=True):
        if not isinstance(count, int) or count < 0:
            raise ContractError(f"{where} returned {count!r} with the boxes of a picture, expected a count of faces")
        for box in boxes:
            if not _fits(box, pixels):
                raise ContractError(f"{where} returned {box!r}, expected a Box in or near the picture")
    return found


def _fits(box: object, pixels: Pixels) -> bool:
    if not isinstance(box, Box):
        return False
    corners, longest = [box.left, box.top, box.right, box.bottom, box.score], max(pixels.shape)
    return all(math.isfinite(value) and abs(value) <= 8 * longest for value in corners)


def _inside(box: Box, region: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return region.left <= x < region.right and region.top <= y < region.bottom


def _name(image: Image) -> str:
    return str(image.source) if not isinstance(image.source, bytes | np.ndarray) else image.id


def windows(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Lists of `size` items, the last one possibly shorter; items are taken as they are needed."""
    iterator = iter(items)
    while window := list(islice(iterator, size)):
        yield window
