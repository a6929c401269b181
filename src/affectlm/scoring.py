"""Records to scores with intervals, and scores against thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import attrs
import numpy as np

from affectlm.errors import ContractError
from affectlm.pipeline import called
from affectlm.records import Record, Report
from affectlm.stats import interval
from affectlm.types import Metric, Outcome, Score, ValuedMetric


def judge(records: Sequence[Record], metrics: Iterable[Metric], *, seed: int = 0) -> list[Score]:
    """All scores; those that are means get an interval, drawn by picture (by prompt where there is no picture).

    What judges answers counts a missing or unreadable answer as wrong; where there are such records it is scored again
    as `<name>_answered` over the records with an answer.
    """
    metrics = list(metrics)
    answered = [record for record in records if record.outcome is Outcome.OK]
    about_answers = [metric for metric in metrics if getattr(metric, "judges_answers", False)]
    scores = _scores(records, metrics, seed)
    if len(answered) < len(records):
        scores += [
            attrs.evolve(score, name=f"{score.name}_answered") for score in _scores(answered, about_answers, seed)
        ]
    for score in scores:
        if not math.isfinite(score.value):
            raise ContractError(f"a metric gave {score.value} as '{score.name}', expected a finite number or no score")
    return scores


def _scores(records: Sequence[Record], metrics: Iterable[Metric], seed: int) -> list[Score]:
    scores: list[Score] = []
    clusters = [record.image or record.prompt_sha256 or record.id for record in records]
    for metric in metrics:
        if not isinstance(metric, ValuedMetric):
            scores += called(metric.score, records)
            continue
        for name, values in called(metric.values, records).items():
            known = np.isfinite(values)
            if not known.any():
                continue
            chosen = [cluster for cluster, use in zip(clusters, known, strict=True) if use]
            bounds = interval(values[known], chosen, np.random.default_rng(seed)) or (None, None)
            scores.append(Score(name, float(values[known].mean()), int(known.sum()), *bounds))
    return scores


def missed(report: Report, thresholds: Mapping[str, float]) -> list[str]:
    """The thresholds of `fail_under` that a report does not reach, as sentences; a score that is missing misses."""
    found = {score.name: score.value for score in report.scores}
    return [
        f"{name} is {found[name]:.4f}, below {least}"
        if name in found
        else f"there is no score '{name}', {least} wanted"
        for name, least in thresholds.items()
        if found.get(name, float("-inf")) < least
    ]
