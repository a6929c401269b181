"""From faces to valence and arousal; the estimator gets batches of the faces whose values are not stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import numpy as np

from affectlm.contract import called, class_name
from affectlm.errors import ContractError
from affectlm.line.faces import Found, Place, windows
from affectlm.store.cache import Store, digest, is_finite
from affectlm.types import VA, Box, DetailedEstimator, Details, Face, Outcome, Pixels, Record, Sample, VAEstimator


@attrs.frozen
class Measured:
    """A sample to ask about, and where its face was found."""

    sample: Sample
    place: Place | None = None  # None if ratings are used instead of pictures
    pixels: Pixels | None = attrs.field(default=None, eq=False, repr=False)  # only if a language model may see the face
    measured: tuple[float, float] | None = None  # valence and arousal before noise moved those of the sample
    repeat: int = 1

    @property
    def id(self) -> str:
        """The id of the request and the record."""
        return self.sample.id if self.repeat == 1 else f"{self.sample.id}~{self.repeat}"

    def record(self, outcome: Outcome, **further: Any) -> Record:
        """A record of what is known, with further fields."""
        sample = self.sample
        known: dict[str, Any] = {} if self.place is None else attrs.asdict(self.place, recurse=False)
        known |= {"valence": sample.valence, "arousal": sample.arousal, "extra": sample.extra, "truth": sample.truth}
        if self.measured is not None:
            known["measured_valence"], known["measured_arousal"] = self.measured
        return Record(id=self.id, outcome=outcome, repeat=self.repeat, **known, **further)


Step: TypeAlias = Measured | Record  # still under way, or finished
Watch: TypeAlias = Callable[[Sample, Face], None]


def unwatched(sample: Sample, face: Face) -> None:
    """Does nothing."""


def estimate(
    steps: Iterable[Found | Record],
    estimator: VAEstimator,
    *,
    batch_size: int = 32,
    store: Store | None = None,
    key: object = "",
    watch: Watch = unwatched,
    keep_faces: bool = False,
) -> Iterator[Step]:
    """One step per face or record: faces are measured, records pass through.

    Args:
        steps: the output of `find_faces`.
        estimator: measures the faces.
        batch_size: faces measured at once.
        store: keeps measured values, under the picture's hash, the box and `key`.
        key: identifies the estimator: its name, options and weights.
        watch: called with each face, whether measured now or stored, before its pixels are dropped.
        keep_faces: keep the pixels, for a language model that may see them.
    """
    for window in windows(steps, batch_size):
        values = iter(_values([step for step in window if isinstance(step, Found)], estimator, store, key))
        for step in window:
            if isinstance(step, Record):
                yield step
                continue
            sample = Sample(step.face.id, truth=step.face.truth, **next(values))  # type: ignore[arg-type]
            watch(sample, step.face)
            yield Measured(sample, step.place, step.face.pixels if keep_faces else None)


def _values(
    found: Sequence[Found], estimator: VAEstimator, store: Store | None, key: object
) -> list[Mapping[str, object]]:
    """Valence, arousal and extra of each face, stored or measured; faces with the same key are measured once."""
    keys = [digest([each.place.image_sha256, _corners(each.place.box), key]) for each in found]
    stored = {each: store.load(each) for each in keys} if store else {}
    known = {each: value for each, value in stored.items() if value is not None and _is_affect(value)}
    missing = {each: step.face for each, step in zip(keys, found, strict=True) if each not in known}
    for each, value in zip(missing, _measure(estimator, list(missing.values())), strict=True):
        known[each] = value
        if store:
            store.save(each, value)
    return [known[each] for each in keys]


def _is_affect(value: Mapping[str, object]) -> bool:
    """Whether a stored value has the form that `_measure` returns; any program may have written it."""
    if set(value) != {"valence", "arousal", "extra"} or not isinstance(value["extra"], dict):
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


def _corners(box: Box) -> list[float]:
    return [box.left, box.top, box.right, box.bottom]
