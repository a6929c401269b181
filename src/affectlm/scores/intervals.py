"""Intervals of scores over records that are not independent, and the CCC as one number."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.scores import agreement
from affectlm.types import Statistic

DRAWS = 2000
_AT_ONCE = 1_000_000  # weights in memory at a time, 8 MB

Interval = tuple[float, float] | None


@attrs.frozen(eq=False)
class Resamples:
    """Resamples of clusters, drawn once for all scores over the same records.

    Source: Field & Welsh 2007, J. R. Statist. Soc. B 69, the cluster bootstrap.
    """

    counts: NDArray[np.uint8]  # (draws, clusters): how often each resample contains each cluster
    member: NDArray[np.intp]  # (n,): the cluster of each record

    @classmethod
    def draw(cls, clusters: Sequence[object], generator: np.random.Generator, draws: int = DRAWS) -> Resamples:
        """Resamples, each with as many clusters as there are, drawn with replacement.

        Args:
            clusters: what each record belongs to (a subject, a picture, a prompt), one entry per record; at least one.
            generator: the source of randomness.
            draws: the number of resamples.
        """
        _, member = np.unique([str(cluster) for cluster in clusters], return_inverse=True)
        count = int(member.max()) + 1
        counts = np.empty((draws, count), np.uint8)
        for row in counts:
            row[:] = np.bincount(generator.integers(0, count, count), minlength=count)
        return cls(counts, member)

    def mean(self, values: NDArray[np.float64]) -> Interval:
        """The 95 % percentile-bootstrap interval of the mean of values (n,); NaN values are left out.

        None if fewer than two clusters have a value.
        """
        known = np.isfinite(values)
        if len(set(self.member[known])) < 2:
            return None
        size = self.counts.shape[1]
        sums = np.bincount(self.member, np.where(known, values, 0.0), size)
        sizes = np.bincount(self.member, known, size)

        def mean(counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
            with np.errstate(invalid="ignore"):
                return {"mean": counts @ sums / (counts @ sizes)}

        return self._percentiles(mean, np.arange(size))["mean"]

    def intervals(self, statistic: Statistic, rows: NDArray[np.intp] | None = None) -> dict[str, Interval]:
        """The 95 % percentile-bootstrap interval of each score, by name.

        Resamples in which a score is undefined (NaN) are left out. The interval is None if there are fewer than two
        clusters or if the score is undefined in all resamples.

        Args:
            statistic: from weights (d, n), how often each of d resamples contains each record, to scores by name, each
                of shape (d,).
            rows: the records that the scores are about; all by default.
        """
        member = self.member if rows is None else self.member[rows]
        if len(set(member)) < 2:
            return dict.fromkeys(statistic(np.ones((1, len(member)))))
        return self._percentiles(statistic, member)

    def _percentiles(self, statistic: Statistic, columns: NDArray[np.intp]) -> dict[str, Interval]:
        """The interval of each score over some columns of `counts`, with `_AT_ONCE` weights in memory at a time."""
        size = max(1, _AT_ONCE // len(columns))
        parts = [
            statistic(self.counts[start : start + size, columns].astype(np.float64))
            for start in range(0, len(self.counts), size)
        ]
        return {name: _percentiles(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def interval(
    values: NDArray[np.float64], clusters: Sequence[object], generator: np.random.Generator, draws: int = DRAWS
) -> Interval:
    """The interval of a mean of finite values (n,); see `Resamples.mean`."""
    return Resamples.draw(clusters, generator, draws).mean(values)


def intervals(
    statistic: Statistic, clusters: Sequence[object], generator: np.random.Generator, draws: int = DRAWS
) -> dict[str, Interval]:
    """The interval of each score, all over the same resamples; see `Resamples.intervals`."""
    return Resamples.draw(clusters, generator, draws).intervals(statistic)


def _percentiles(values: NDArray[np.float64]) -> Interval:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def concordance(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """The CCC as one number (see `affectlm.scores.agreement.ccc`); an undefined one is an error.

    Args:
        predicted, target: shape (n,), same unit, n at least 2.

    Raises:
        ValueError: shapes differ, n < 2, or both series are constant.

    >>> round(concordance(np.array([2.5, 0, 2, 8]), np.array([3, -0.5, 2, 7])), 4)
    0.9768
    """
    if predicted.shape != target.shape or predicted.ndim != 1 or len(predicted) < 2:
        raise ValueError(f"expected two series of one length n >= 2, found {predicted.shape} and {target.shape}")
    value = agreement.number(agreement.ccc(predicted, target))
    if value is None:
        raise ValueError("the concordance of two constants is undefined")
    return value
