"""The part of a run before a language model is asked: the steps of the line, joined as the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from affectlm.config.components import NO_PICTURES, RunComponents
from affectlm.config.settings import RunSettings
from affectlm.errors import ConfigError
from affectlm.line.faces import Found, find_faces, has_one
from affectlm.line.measure import Step, Watch, estimate, unwatched
from affectlm.line.source import Noise, items, rated, repeated, warn_of_missing_truth
from affectlm.line.workers import Notice, silent
from affectlm.store.cache import Store
from affectlm.store.run_folder import Earlier
from affectlm.types import Image, Record, Sample


def stream(
    chosen: RunSettings,
    parts: RunComponents,
    earlier: Earlier,
    *,
    key: object,
    watch: Watch = unwatched,
    notice: Notice = silent,
) -> Iterator[Step]:
    """The measured faces of a run to ask about, and records of pictures that are done.

    Args:
        chosen: the settings of the run.
        parts: the components of the run.
        earlier: what is finished already and therefore left out.
        key: identifies the estimator in the store.
        watch: called with each measured face.
        notice: called with a sentence about metrics whose truth the dataset seems to lack.
    """
    found = warn_of_missing_truth(items(parts.dataset, chosen.limit), parts.metrics, notice)
    noisy = map(Noise(chosen.va_sd, chosen.seed), _measured(chosen, parts, earlier, found, key, watch))
    return repeated(noisy, chosen.repeats, earlier.records)


def _measured(
    chosen: RunSettings,
    parts: RunComponents,
    earlier: Earlier,
    found: Iterable[Image | Sample],
    key: object,
    watch: Watch,
) -> Iterator[Step]:
    if parts.detector is None or parts.estimator is None:
        return (rated(item) for item in found if item.id not in earlier.ids)
    best_only = chosen.faces == "best"
    images = (
        image
        for image in map(_as_image, found)
        if not earlier.finished(image.id, all_faces=not has_one(image, best_only=best_only))
    )
    faces = find_faces(images, parts.detector, best_only=best_only, batch_size=chosen.batch_size)
    return estimate(
        (step for step in faces if _id(step) not in earlier.ids),
        parts.estimator,
        batch_size=chosen.batch_size,
        store=Store("affect", chosen.cache),
        key=key,
        watch=watch,
        keep_faces=chosen.send_images,
    )


def _as_image(item: Image | Sample) -> Image:
    if isinstance(item, Sample):
        raise ConfigError(NO_PICTURES)
    return item


def _id(step: Found | Record) -> str:
    return step.id if isinstance(step, Record) else step.face.id
