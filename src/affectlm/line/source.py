"""From a dataset to items: unique ids, notices about missing truth, ratings instead of faces, noise, and repeats."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice

import attrs
import numpy as np

from affectlm.contract import class_name, failure
from affectlm.errors import AffectlmError, ContractError
from affectlm.line.measure import Measured, Step
from affectlm.line.workers import Notice
from affectlm.types import AnyMetric, Dataset, DerivedDataset, Image, Outcome, Record, Sample, TruthMetric

ITEMS_CHECKED_FIRST = 64  # before the first question


def items(dataset: Dataset, limit: int | None = None) -> Iterator[Image | Sample]:
    """The items of a dataset as they come, at most `limit`; their truth says whether its numbers are derived.

    Raises:
        ContractError: two items have the same id, or the dataset failed.
    """
    seen: set[str] = set()
    derived = isinstance(dataset, DerivedDataset) and bool(dataset.truth_is_derived)
    for item in islice(_items_of(dataset), limit):
        if item.id in seen:
            raise ContractError(f"the dataset gave the id '{item.id}' twice, expected one item per id")
        seen.add(item.id)
        yield attrs.evolve(item, truth=attrs.evolve(item.truth, derived=True)) if derived else item


def _items_of(dataset: Dataset) -> Iterator[Image | Sample]:
    try:
        yield from dataset.items()
    except AffectlmError:
        raise
    except Exception as error:  # such as a rating that Truth refuses
        raise failure(f"{class_name(dataset)}.items", error) from error


def warn_of_missing_truth(
    items: Iterator[Image | Sample], metrics: Mapping[str, AnyMetric], notice: Notice
) -> Iterator[Image | Sample]:
    """The items as they come, after a notice about metrics that need a truth which the first items lack."""
    judges_by = {name: metric.judges_by for name, metric in metrics.items() if isinstance(metric, TruthMetric)}
    # A live source may be slow to give its first items.
    first = list(islice(items, ITEMS_CHECKED_FIRST if judges_by else 0))
    known = {field for field in judges_by.values() if any(getattr(item.truth, field, None) for item in first)}
    unknown = set(judges_by.values()) - known
    if first and unknown:
        names = ", ".join(name for name, field in judges_by.items() if field in unknown)
        notice(
            f"no score for {names} unless later items of the dataset differ; the first {len(first)} have no "
            f"{' and no '.join(sorted(unknown))} by people"
        )
    return chain(first, items)


def rated(item: Image | Sample) -> Step:
    """An item with its ratings instead of measured values; a skipped record if it has none.

    Raises:
        ContractError: `extra` of a sample has numbers that are not finite.
    """
    truth = item.truth
    valence, arousal = (item.valence, item.arousal) if isinstance(item, Sample) else (truth.valence, truth.arousal)
    if valence is None or arousal is None:
        reason = "it has no rated valence and arousal, which dataset.va=truth needs"
        return Record(id=item.id, outcome=Outcome.SKIPPED, valence=valence, arousal=arousal, truth=truth, reason=reason)
    extra = item.extra if isinstance(item, Sample) else {}
    if not all(math.isfinite(value) for value in extra.values()):
        raise ContractError(f"the dataset gave '{item.id}' numbers that are not finite: {dict(extra)}")
    return Measured(Sample(item.id, valence, arousal, extra, truth))


@attrs.frozen
class Noise:
    """Adds noise to valence and arousal, the same for the same face in every run, to see how exact they must be."""

    deviation: float
    seed: int

    def __call__(self, step: Step) -> Step:
        """The step with noise on valence and arousal, clipped to [-1, 1]; it keeps what was measured."""
        if self.deviation <= 0 or isinstance(step, Record):
            return step
        sample = step.sample
        generator = np.random.default_rng([self.seed, *sample.id.encode()])
        measured = sample.valence, sample.arousal
        valence, arousal = np.clip(generator.normal(measured, self.deviation), -1, 1).tolist()
        return attrs.evolve(step, sample=attrs.evolve(sample, valence=valence, arousal=arousal), measured=measured)


def repeated(steps: Iterable[Step], times: int, finished: Collection[str] = ()) -> Iterator[Step]:
    """Each measured face as often as its question is to be asked, without the repeats whose ids are in `finished`."""
    for step in steps:
        if isinstance(step, Record):
            yield step
            continue
        repeats = (attrs.evolve(step, repeat=repeat) for repeat in range(1, times + 1))
        yield from (each for each in repeats if each.id not in finished)
