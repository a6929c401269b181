"""Scores with intervals from records, and the comparison of scores with thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.contract import called, class_name, failure
from affectlm.errors import ConfigError, ContractError
from affectlm.registry import closest
from affectlm.scores.intervals import Resamples
from affectlm.store.records import Report
from affectlm.types import (
    AnswerMetric,
    Metric,
    NamedMetric,
    Outcome,
    PartedMetric,
    Record,
    Score,
    Statistic,
    ValuedMetric,
    WeightedMetric,
)

OnNothing = Callable[[Metric], None]


def score_all(
    records: Sequence[Record], metrics: Iterable[Metric], *, seed: int = 0, on_nothing: OnNothing = lambda _: None
) -> list[Score]:
    """All scores; means and weighted scores have intervals, drawn by picture (by prompt if there are no pictures).

    Metrics that judge answers count a missing or unreadable answer as wrong. If there are such records, they also score
    only the records with an answer, as `<name>_answered`. `on_nothing` is called with each metric that has no score.
    """
    metrics = list(metrics)
    answered = [record for record in records if record.outcome is Outcome.OK]
    about_answers = [metric for metric in metrics if _judges_answers(metric)]
    scores = _scores(records, metrics, seed, on_nothing)
    if len(answered) < len(records):
        scores += [
            attrs.evolve(score, name=f"{score.name}_answered")
            for score in _scores(answered, about_answers, seed, lambda _: None)
        ]
    for score in scores:
        if not math.isfinite(score.value):
            raise ContractError(f"a metric gave {score.value} as '{score.name}', expected a finite number or no score")
    return scores


def _judges_answers(metric: Metric) -> bool:
    return isinstance(metric, AnswerMetric) and metric.judges_answers


def clusters(records: Sequence[Record]) -> list[str]:
    """What each record belongs to: its picture, or else its prompt, or else its own id."""
    return [record.image or record.prompt_sha256 or record.id for record in records]


def _scores(records: Sequence[Record], metrics: Iterable[Metric], seed: int, on_nothing: OnNothing) -> list[Score]:
    belonging = clusters(records)
    resamples = cache(lambda: Resamples.draw(belonging, np.random.default_rng(seed)))  # drawn when first needed
    found: list[Score] = []
    for metric in metrics:
        scores = _scores_of(metric, records, resamples)
        if not scores:
            on_nothing(metric)
        found += scores
    groups = len(set(belonging))
    return [_clustered(score, groups) if groups < len(records) else score for score in found]


def _clustered(score: Score, groups: int) -> Score:
    """The score with the number of its clusters (pictures or prompts) as a part, if it has an interval."""
    return score if score.low is None else attrs.evolve(score, parts={**score.parts, "clusters": float(groups)})


def _scores_of(metric: Metric, records: Sequence[Record], resamples: Callable[[], Resamples]) -> list[Score]:
    if isinstance(metric, ValuedMetric):
        scores = _means(called(metric.values, records), resamples)
    elif isinstance(metric, WeightedMetric):
        scores = _weighted(metric, records, resamples)
    else:
        scores = called(metric.score, records)
    parts = called(metric.parts, records) if scores and isinstance(metric, PartedMetric) else {}
    return [attrs.evolve(score, parts={**score.parts, **parts.get(score.name, {})}) for score in scores]


def _means(columns: Mapping[str, NDArray[np.float64]], resamples: Callable[[], Resamples]) -> list[Score]:
    known = {name: values[np.isfinite(values)] for name, values in columns.items()}
    return [
        Score(name, float(known[name].mean()), len(known[name]), *(resamples().mean(values) or (None, None)))
        for name, values in columns.items()
        if len(known[name])
    ]


def _weighted(metric: WeightedMetric, records: Sequence[Record], resamples: Callable[[], Resamples]) -> list[Score]:
    scores: list[Score] = []
    for known, statistic in called(metric.statistics, records):
        told = _named(metric, statistic)
        found = once([(known, told)])
        bounds = resamples().intervals(told, np.flatnonzero(known)) if found else {}
        scores += [Score(each.name, each.value, each.count, *(bounds[each.name] or ())) for each in found]
    return scores


def _named(metric: WeightedMetric, statistic: Statistic) -> Statistic:
    """The statistic, which names its metric when it fails."""

    def told(weights: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
        try:
            return statistic(weights)
        except Exception as error:
            raise failure(f"{class_name(metric)}.statistics", error) from error

    return told


def once(groups: Iterable[tuple[NDArray[np.bool_], Statistic]]) -> list[Score]:
    """The defined figures of a `WeightedMetric`'s groups, each record counted once, without intervals."""
    return [
        Score(name, float(values[0]), int(known.sum()))
        for known, statistic in groups
        if known.any()
        for name, values in statistic(np.ones((1, int(known.sum())))).items()
        if np.isfinite(values[0])
    ]


def check_thresholds(thresholds: Iterable[str], metrics: Iterable[Metric]) -> None:
    """Raises ConfigError if a threshold is for a score that no metric gives; checks only if all name their scores."""
    known: list[str] = []
    answered: list[str] = []
    for metric in metrics:
        if not isinstance(metric, NamedMetric):
            return
        names = metric.score_names()
        known += names
        answered += [f"{name}_answered" for name in names if _judges_answers(metric)]
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
