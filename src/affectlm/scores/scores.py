"""Scores with intervals from records, and the comparison of scores with thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.contract import called, class_name, failure
from affectlm.errors import ConfigError, ContractError
from affectlm.registry import closest
from affectlm.scores import clusters
from affectlm.scores.bounds import bounded, ends, shown
from affectlm.scores.intervals import LEAST, Clusters, Range, ends_of
from affectlm.store.records import Report
from affectlm.types import (
    AnswerMetric,
    AnyMetric,
    NamedMetric,
    Outcome,
    PartedMetric,
    RangedMetric,
    Record,
    Score,
    Statistic,
    ValuedMetric,
    WeightedMetric,
)

OnNothing = Callable[[AnyMetric], None]


def score_all(
    records: Sequence[Record],
    metrics: Iterable[AnyMetric],
    *,
    by: str = clusters.PICTURE,
    on_nothing: OnNothing = lambda _: None,
) -> list[Score]:
    """All scores; means and weighted scores have intervals, whose clusters are what `by` names (see `clusters`).

    Metrics that judge answers count a missing or unreadable answer as wrong. If there are such records, they also score
    only the records with an answer, as `<name>_answered`. `on_nothing` is called with each metric that has no score.
    The scores do not depend on the order of the records.
    """
    metrics, records = list(metrics), sorted(records, key=lambda record: record.id)
    answered = [record for record in records if record.outcome is Outcome.OK]
    about_answers = [metric for metric in metrics if judges_answers(metric)]
    scores = _scores(records, metrics, by, on_nothing)
    if len(answered) < len(records):
        scores += [
            attrs.evolve(score, name=f"{score.name}_answered")
            for score in _scores(answered, about_answers, by, lambda _: None)
        ]
    for score in scores:
        if not math.isfinite(score.value):
            raise ContractError(f"a metric gave {score.value} as '{score.name}', expected a finite number or no score")
    return scores


def judges_answers(metric: AnyMetric) -> bool:
    """Whether a missing answer counts as wrong."""
    return isinstance(metric, AnswerMetric) and metric.judges_answers


def _scores(records: Sequence[Record], metrics: Iterable[AnyMetric], by: str, on_nothing: OnNothing) -> list[Score]:
    together = Clusters.of(clusters.of(records, by)) if records else Clusters.of([])
    found: list[Score] = []
    for metric in metrics:
        scores = _scores_of(metric, records, together)
        if not scores:
            on_nothing(metric)
        found += scores
    return found


def _scores_of(metric: AnyMetric, records: Sequence[Record], together: Clusters) -> list[Score]:
    ranges = called(metric.ranges) if isinstance(metric, RangedMetric) else {}
    if isinstance(metric, ValuedMetric):
        columns = called(metric.values, records)
        groups = [mean_of(name, values) for name, values in columns.items()]
        ranges = {**_ranges_of(columns), **ranges}
    elif isinstance(metric, WeightedMetric):
        groups = [
            (known, bounded(named(metric, statistic), ranges))
            for known, statistic in called(metric.statistics, records)
        ]
    else:
        return _with_parts(metric, records, called(metric.score, records))
    scores = [
        score for known, statistic in groups if known.any() for score in _weighted(known, statistic, ranges, together)
    ]
    return _with_parts(metric, records, _joined(scores))


def _with_parts(metric: AnyMetric, records: Sequence[Record], scores: Sequence[Score]) -> list[Score]:
    parts = called(metric.parts, records) if scores and isinstance(metric, PartedMetric) else {}
    return [attrs.evolve(score, parts={**score.parts, **parts.get(score.name, {})}) for score in scores]


def mean_of(name: str, values: NDArray[np.float64]) -> tuple[NDArray[np.bool_], Statistic]:
    """The mean of the values that are not NaN, as a group of a `WeightedMetric`."""
    known = np.isfinite(values)
    kept = values[known]
    return known, lambda weights: {name: weights @ kept / weights.sum(axis=1)}


def _ranges_of(columns: Mapping[str, NDArray[np.float64]]) -> dict[str, Range]:
    """The ends of the columns whose values all lie in [0, 1] or [-1, 1]."""
    found = {name: ends_of(values[np.isfinite(values)]) for name, values in columns.items()}
    return {name: ends for name, ends in found.items() if ends is not None}


def _weighted(
    known: NDArray[np.bool_], statistic: Statistic, ranges: Mapping[str, Range], together: Clusters
) -> list[Score]:
    """The defined figures of a group of records, each with its interval and the number of its clusters."""
    rows = np.flatnonzero(known)
    count, groups = len(rows), len(together.sizes(rows))
    figures = statistic(np.ones((1, count)))
    intervals = together.intervals(statistic, ends(figures, ranges), rows)
    note = {"clusters": float(groups)} if groups < max(count, LEAST) else {}
    defined = {name: float(values[0]) for name, values in figures.items() if np.isfinite(values[0])}
    bare = [Score(name, value, count, parts=note) for name, value in defined.items()]
    return [
        attrs.evolve(score, low=around[0], high=around[1]) if (around := intervals[score.name]) else score
        for score in bare
    ]


def _joined(scores: Iterable[Score]) -> list[Score]:
    """The scores, with "SCORE: PART" as parts of their scores: PART, PART_low and PART_high."""
    whole: dict[str, Score] = {}
    for score in scores:
        name, _, part = score.name.partition(": ")
        if not part:
            whole[name] = score
        elif name in whole:
            around = {f"{part}_low": score.low, f"{part}_high": score.high}
            known = {key: value for key, value in around.items() if value is not None}
            whole[name] = attrs.evolve(whole[name], parts={**whole[name].parts, part: score.value, **known})
    return [attrs.evolve(score, parts=shown(score.parts)) for score in whole.values()]


def named(metric: WeightedMetric, statistic: Statistic) -> Statistic:
    """The statistic, which names its metric when it fails."""

    def told(weights: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
        try:
            return statistic(weights)
        except Exception as error:
            raise failure(f"{class_name(metric)}.statistics", error) from error

    return told


def check_thresholds(thresholds: Iterable[str], metrics: Iterable[AnyMetric]) -> None:
    """Raises ConfigError if a threshold is for a score that no metric gives; checks only if all name their scores."""
    known: list[str] = []
    answered: list[str] = []
    for metric in metrics:
        if not isinstance(metric, NamedMetric):
            return
        names = metric.score_names()
        known += names
        answered += [f"{name}_answered" for name in names if judges_answers(metric)]
    for name in thresholds:
        if name not in (*known, *answered):
            raise ConfigError(
                f"fail_under names '{name}', a score that no metric of this run gives{closest(name, known)}; "
                f"scores: {', '.join(known) or 'none'}; add a metric as in metric=[accuracy]"
            )


def missed(report: Report, thresholds: Mapping[str, float]) -> list[str]:
    """A sentence per `fail_under` threshold that a report misses; a missing score misses its threshold."""
    found = {score.name: score.value for score in report.scores}
    found |= {f"{name}_answered": value for name, value in found.items() if f"{name}_answered" not in found}
    return [
        f"{name} is {found[name]:.4f}, below {least}"
        if name in found
        else f"there is no score '{name}', expected at least {least}"
        for name, least in thresholds.items()
        if found.get(name, float("-inf")) < least
    ]
