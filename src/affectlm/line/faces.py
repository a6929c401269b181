"""The line from pictures to measured faces: find_faces -> estimate, each a generator over bounded windows.

What is finished travels as a Record, what is still under way as a Finding; nothing here knows files or settings.
Asking about the measured faces is `asking.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias, TypeVar

import attrs
import numpy as np

from affectlm.contract import called, class_name
from affectlm.errors import ContractError, ImageError
from affectlm.line import images
from affectlm.store.cache import Store, digest, is_finite
from affectlm.types import (
    VA,
    Box,
    CountingDetector,
    DetailedEstimator,
    Details,
    Face,
    FaceDetector,
    Image,
    Outcome,
    Pixels,
    Record,
    Truth,
    VAEstimator,
)

_T = TypeVar("_T")


@attrs.frozen
class Finding:
    """A face on its way down the line: what is known of it so far, and its pixels until it is measured."""

    record: Record
    face: Face | None = None


Step: TypeAlias = Finding | Record
Watch: TypeAlias = Callable[[Record, Face], None]


def find_faces(
    items: Iterable[Image], detector: FaceDetector, *, best_only: bool = False, batch_size: int = 8
) -> Iterator[Step]:
    """The faces of pictures, cut out; a record where there is none or the picture cannot be read.

    A picture with truth gives its best face only (inside `region` when it has one): the truth is about one person.
    """
    for window in _windows(items, batch_size):
        read: list[tuple[Image, Pixels, str]] = []
        for image in window:
            try:
                read.append((image, *images.read(image.source)))
            except ImageError as error:
                reason = str(error)
                yield Record(
                    id=image.id, image=_name(image), outcome=Outcome.UNREADABLE_IMAGE, reason=reason, truth=image.truth
                )
        found = _detect(detector, [pixels for _, pixels, _ in read])
        for (image, pixels, sha256), (boxes, too_small) in zip(read, found, strict=True):
            base = Record(
                id=image.id,
                image=_name(image),
                image_sha256=sha256,
                too_small=too_small,
                outcome=Outcome.NO_FACE,
                truth=image.truth,
            )
            yield from _faces(image, pixels, base, boxes, best_only=best_only)


def _detect(detector: FaceDetector, pictures: Sequence[Pixels]) -> list[tuple[list[Box], int]]:
    """For each picture its boxes, and how many faces were left out as too small."""
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
                raise ContractError(f"{where} returned {box!r}, expected a Box about the picture")
    return found


def _fits(box: object, pixels: Pixels) -> bool:
    if not isinstance(box, Box):
        return False
    corners, longest = [box.left, box.top, box.right, box.bottom, box.score], max(pixels.shape)
    return all(math.isfinite(value) and abs(value) <= 8 * longest for value in corners)


def _faces(image: Image, pixels: Pixels, base: Record, boxes: Sequence[Box], *, best_only: bool) -> Iterator[Step]:
    chosen = [(rank, box) for rank, box in enumerate(boxes) if image.region is None or _inside(box, image.region)]
    if best_only or about_one(image):
        chosen = chosen[:1]
    if not chosen:
        small = f" but {base.too_small} smaller than detector.min_size" if base.too_small else ""
        where = " inside the given region" if boxes else small
        yield attrs.evolve(base, others=len(boxes), reason=f"no face was found{where}")
    for rank, box in chosen:
        record = attrs.evolve(base, id=f"{image.id}#{rank}", face=rank, box=box, others=len(boxes) - 1)
        try:
            face = Face(record.id, box, images.crop(pixels, box), image.truth)
        except ImageError as error:
            yield attrs.evolve(record, reason=str(error))
        else:
            yield Finding(attrs.evolve(record, outcome=Outcome.SKIPPED), face)


def about_one(image: Image) -> bool:
    """Whether what is known of a picture is known of one person in it."""
    return image.region is not None or image.truth != Truth(group=image.truth.group)


def _inside(box: Box, region: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return region.left <= x < region.right and region.top <= y < region.bottom


def _name(image: Image) -> str:
    return str(image.source) if not isinstance(image.source, bytes | np.ndarray) else image.id


def estimate(
    steps: Iterable[Step],
    estimator: VAEstimator,
    *,
    batch_size: int = 32,
    store: Store | None = None,
    key: object = "",
    watch: Watch = lambda *_: None,
    keep_faces: bool = False,
) -> Iterator[Step]:
    """Measures the faces that pass; the estimator sees batches, and never a face whose value is in the store.

    Args:
        steps: what `find_faces` gives.
        estimator: what measures.
        batch_size: faces measured at once.
        store: where measured values are kept, under the picture's hash, the box and `key`.
        key: what identifies the estimator: its name, options and weights.
        watch: called with each measured face, stored or not, before its pixels go.
        keep_faces: the pixels go on with the finding, for a language model that may see them.
    """
    for window in _windows(steps, batch_size):
        waiting = [step for step in window if isinstance(step, Finding) and step.face is not None]
        keys = [digest([step.record.image_sha256, _corners(step.record.box), key]) for step in waiting]
        known: dict[str, Mapping[str, object]] = {}
        for each in keys if store else ():
            if _is_affect(value := store.load(each)):  # type: ignore[union-attr]
                known[each] = value  # type: ignore[assignment]
        missing = [(each, step) for each, step in zip(keys, waiting, strict=True) if each not in known]
        measured = _measure(estimator, [step.face for _, step in missing if step.face is not None])
        for (each, _), value in zip(missing, measured, strict=True):
            known[each] = value
            if store:
                store.save(each, value)
        values = dict(zip((step.record.id for step in waiting), (known[each] for each in keys), strict=True))
        for step in window:
            if isinstance(step, Finding) and step.face is not None:
                record = attrs.evolve(step.record, **values[step.record.id])  # type: ignore[arg-type]
                watch(record, step.face)
                yield Finding(record, step.face if keep_faces else None)
            else:
                yield step


def _is_affect(value: Mapping[str, object] | None) -> bool:
    """Whether a stored value is what `_measure` stores, whoever wrote it."""
    if value is None or set(value) != {"valence", "arousal", "extra"} or not isinstance(value["extra"], dict):
        return False
    numbers = [value["valence"], value["arousal"]]
    extra = value["extra"].values()
    return all(isinstance(each, float) and -1 <= each <= 1 for each in numbers) and all(map(is_finite, extra))


def _measure(estimator: VAEstimator, faces: Sequence[Face]) -> list[Mapping[str, object]]:
    """Valence, arousal and extra of each face, checked."""
    if not faces:
        return []
    crops = [face.pixels for face in faces]
    details: Details = {}
    if isinstance(estimator, DetailedEstimator):
        affect, details = called(estimator.details, crops)
    else:
        affect = called(estimator.estimate, crops)
    name = class_name(estimator)
    affect = _checked(name, np.asarray(affect), faces)
    for key, column in details.items():
        if np.shape(column) != (len(faces),) or not np.all(np.isfinite(column)):
            raise ContractError(f"{name}: bad detail '{key}', expected {len(faces)} finite numbers")
    return [
        {
            "valence": float(valence),
            "arousal": float(arousal),
            "extra": {key: float(column[row]) for key, column in details.items()},
        }
        for row, (valence, arousal) in enumerate(affect.tolist())
    ]


def _checked(name: str, affect: VA, faces: Sequence[Face]) -> VA:
    if affect.shape != (len(faces), 2):
        raise ContractError(f"{name}: bad returned shape {affect.shape}, expected ({len(faces)}, 2): valence, arousal")
    for row, face in enumerate(faces):
        if not np.all(np.isfinite(affect[row])):
            raise ContractError(f"{name}: returned {affect[row].tolist()} for '{face.id}', expected finite numbers")
        if np.any(np.abs(affect[row]) > 1):
            raise ContractError(
                f"{name}: returned valence, arousal {affect[row].tolist()} for face '{face.id}', expected [-1, 1]"
            )
    return affect


def _windows(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while window := list(islice(iterator, size)):
        yield window


def _corners(box: Box | None) -> list[float] | None:
    return None if box is None else [box.left, box.top, box.right, box.bottom]
