"""From a dataset to findings: what of a run happens before a language model is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from affectlm.config.components import NO_PICTURES, Parts
from affectlm.config.settings import Settings
from affectlm.errors import ConfigError, ContractError
from affectlm.line.faces import Finding, Step, Watch, about_one, estimate, find_faces
from affectlm.line.workers import Notice
from affectlm.store.cache import Store
from affectlm.store.run_folder import Earlier
from affectlm.types import Image, Outcome, Record, Sample

if TYPE_CHECKING:
    from affectlm.types import Metric, VAEstimator

AHEAD = 64  # items that are looked at before the first question


def steps(
    chosen: Settings, parts: Parts, earlier: Earlier, *, key: object, folder: Path, notice: Notice
) -> Iterator[Step]:
    """Measured findings and finished records of a run, not yet asked about.

    Args:
        chosen: the settings of the run.
        parts: its components.
        earlier: what is finished and left out.
        key: what makes the estimator's numbers its own, for the store.
        folder: what `explain` draws into.
        notice: told of metrics whose truth the dataset seems to lack.
    """
    items = _foretold(unique(islice(parts.dataset.items(), chosen.limit)), parts.metrics, notice)
    noise = _Noise(chosen.va_sd, chosen.seed)
    if parts.detector is None or parts.estimator is None:
        return (noise(_rated(item)) for item in items if item.id not in earlier.ids)
    best_only = chosen.faces == "best"
    images = (
        _image(item)
        for item in items
        if not earlier.finished(item.id, all_faces=not (best_only or (isinstance(item, Image) and about_one(item))))
    )
    found = find_faces(images, parts.detector, best_only=best_only, batch_size=chosen.batch_size)
    fresh = (step for step in found if _id(step) not in earlier.ids)
    store = Store("affect", chosen.cache)
    watch = _explainer(chosen, parts.estimator, folder)
    measured = estimate(
        fresh,
        parts.estimator,
        batch_size=chosen.batch_size,
        store=store,
        key=key,
        watch=watch,
        keep_faces=chosen.send_images,
    )
    return (noise(step) for step in measured)


def _explainer(chosen: Settings, estimator: VAEstimator, folder: Path) -> Watch:
    if not chosen.explain:
        return lambda *_: None
    from affectlm.report.explain import Explainer  # draws with matplotlib, which takes its time to load

    return Explainer(estimator, folder, batch_size=chosen.batch_size)


@attrs.frozen
class _Noise:
    """Adds the same noise to the same face in every run: how sure must valence and arousal be?"""

    deviation: float
    seed: int

    def __call__(self, step: Step) -> Step:
        if self.deviation <= 0 or isinstance(step, Record):
            return step
        record = step.record
        generator = np.random.default_rng([self.seed, *record.id.encode()])
        moved = np.clip(generator.normal((record.valence or 0.0, record.arousal or 0.0), self.deviation), -1, 1)
        return Finding(attrs.evolve(record, valence=float(moved[0]), arousal=float(moved[1])), step.face)


def unique(items: Iterable[Image | Sample]) -> Iterator[Image | Sample]:
    """The items as they come.

    Raises:
        ContractError: two have the same id.
    """
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise ContractError(f"the dataset gave the id '{item.id}' twice, expected one item an id")
        seen.add(item.id)
        yield item


def _foretold(
    items: Iterator[Image | Sample], metrics: Mapping[str, Metric], notice: Notice
) -> Iterator[Image | Sample]:
    """The items as they come, after word of the metrics whose truth the first of them lack."""
    judges_by = {name: metric.judges_by for name, metric in metrics.items() if hasattr(metric, "judges_by")}
    first = list(islice(items, AHEAD if judges_by else 0))  # a live source may be slow to give its first items
    known = {field for field in judges_by.values() if any(getattr(item.truth, field, None) for item in first)}
    unknown = set(judges_by.values()) - known
    if first and unknown:
        names = ", ".join(name for name, field in judges_by.items() if field in unknown)
        notice(
            f"without a score unless later items of the dataset differ: {names}; the first {len(first)} have no "
            f"{' and no '.join(sorted(unknown))} by people"
        )
    return chain(first, items)


def _image(item: Image | Sample) -> Image:
    if isinstance(item, Sample):
        raise ConfigError(NO_PICTURES)
    return item


def _rated(item: Image | Sample) -> Step:
    truth = item.truth
    values = (item.valence, item.arousal) if isinstance(item, Sample) else (truth.valence, truth.arousal)
    record = Record(id=item.id, outcome=Outcome.SKIPPED, valence=values[0], arousal=values[1], truth=truth)
    if None in values:
        return attrs.evolve(record, reason="it has no rated valence and arousal, which dataset.va=truth needs")
    extra = item.extra if isinstance(item, Sample) else {}
    if not all(math.isfinite(value) for value in extra.values()):
        raise ContractError(f"the dataset gave '{item.id}' numbers that are not finite: {dict(extra)}")
    return Finding(attrs.evolve(record, extra=extra))


def _id(step: Step) -> str:
    return step.id if isinstance(step, Record) else step.record.id
