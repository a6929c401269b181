"""Intervals of scores over records that are not independent.

One rule for all scores. The variance comes from leaving out one cluster at a time (the jackknife; Efron & Stein 1981,
Ann. Statist. 9). For a score between two bounds the interval is Wilson's (1927, J. Am. Statist. Assoc. 22): that of a
share, on the way from one bound to the other, of as many independent records as have the same variance (effective size;
Korn & Graubard 1998, Survey Methodology 24). For a score without bounds it is symmetric. Both use the quantile of
Student's t for the effective number of clusters (Kish 1965, Survey Sampling) less one. Nothing is drawn, so an interval
depends neither on a seed nor on the order of the records. docs/metrics.md shows how often such intervals hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.types import Statistic

LEAST = 6  # clusters; fewer say too little about how clusters differ
GROUPS = 200  # of more clusters, so many groups are left out in turn instead
_AT_ONCE = 1_000_000  # weights in memory at a time, 8 MB
_TINY = 1e-12  # a variance that is rounding alone

Interval: TypeAlias = "tuple[float, float] | None"
Range: TypeAlias = tuple[float, float]  # the two ends of a score, in any order
UNIT, SIGNED = (0.0, 1.0), (-1.0, 1.0)


@attrs.frozen(eq=False)
class Clusters:
    """Which records belong together (to a person, a picture, a prompt), for the intervals of scores over them."""

    member: NDArray[np.intp]  # (n,): the cluster of each record

    @classmethod
    def of(cls, names: Sequence[object]) -> Clusters:
        """The clusters of records that belong to things of these names, one entry per record."""
        return cls(np.unique([str(name) for name in names], return_inverse=True)[1].ravel())

    def mean(self, values: NDArray[np.float64]) -> Interval:
        """The 95 % interval of the mean of values (n,); see `intervals`. NaN values are left out."""
        rows = np.flatnonzero(np.isfinite(values))
        known = values[rows]
        ends = {"mean": found} if (found := ends_of(known)) else {}
        return self.intervals(lambda weights: {"mean": weights @ known / weights.sum(axis=1)}, ends, rows)["mean"]

    def intervals(
        self, statistic: Statistic, ends: Mapping[str, Range], rows: NDArray[np.intp] | None = None
    ) -> dict[str, Interval]:
        """The 95 % interval of each score, by name; None if it is undefined or there are fewer than 6 clusters.

        Args:
            statistic: from weights (d, n), how often each record counts, to scores by name, each of shape (d,).
            ends: the least and greatest value of each score; without an entry it has none.
            rows: the records that the scores are about; all by default.
        """
        member = self.member if rows is None else self.member[rows]
        whole = statistic(np.ones((1, len(member))))
        sizes = self.sizes(rows)
        if len(sizes) < LEAST:
            return dict.fromkeys(whole)
        freedom = float(sizes.sum() ** 2 / (sizes**2).sum()) - 1
        left_out = _replicates(statistic, _groups(member))
        return {
            name: _interval(float(values[0]), left_out[name], freedom, ends.get(name)) for name, values in whole.items()
        }

    def sizes(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """How many of the records each cluster has, without those that have none."""
        return np.unique(self.member if rows is None else self.member[rows], return_counts=True)[1].astype(np.float64)


def ends_of(values: NDArray[np.float64]) -> Range | None:
    """The ends of values that all lie in [0, 1] or in [-1, 1]; None if they do not, or there is none."""
    inside = (each for each in (UNIT, SIGNED) if len(values) and each[0] <= values.min() and values.max() <= each[1])
    return next(inside, None)


def _groups(member: NDArray[np.intp]) -> NDArray[np.intp]:
    """The group of each record, (n,): its cluster, or one of `GROUPS` groups that the clusters are dealt into."""
    clusters, place = np.unique(member, return_inverse=True)
    dealt = np.random.default_rng(0).permutation(len(clusters)) if len(clusters) > GROUPS else np.arange(len(clusters))
    return np.asarray(dealt[place.ravel()] % GROUPS)


def _replicates(statistic: Statistic, groups: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """The scores without each group in turn, by name, (groups,), with `_AT_ONCE` weights in memory at a time."""
    names, size = np.unique(groups), max(1, _AT_ONCE // len(groups))
    parts = [
        statistic((groups != names[start : start + size, None]).astype(np.float64))
        for start in range(0, len(names), size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _interval(value: float, left_out: NDArray[np.float64], freedom: float, ends: Range | None) -> Interval:
    """The interval of a score from its values without each group in turn."""
    from scipy.stats import t as student  # takes its time to load

    defined = left_out[np.isfinite(left_out)]
    if not np.isfinite(value) or len(defined) < LEAST:
        return None
    variance = (len(defined) - 1) / len(defined) * float(((defined - value) ** 2).sum())
    quantile = float(student.ppf(0.975, max(1.0, min(freedom, len(defined) - 1))))
    if ends is None:
        half = quantile * variance**0.5
        return value - half, value + half
    low, high = sorted(ends)
    width = high - low
    share, variance = (value - low) / width, variance / width**2
    spread = share * (1 - share)
    size = spread / variance if variance > _TINY and spread > 0 else freedom + 1  # without variance, the clusters
    below, above = wilson(share, size, quantile)
    return low + width * below, low + width * above


def wilson(share: float, size: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of so many independent records.

    Args:
        share: from 0 to 1.
        size: number of records, which need not be whole.
        quantile: of the standardised share; 1.96 for 95 %.
    """
    spread = share * (1 - share)
    pull = quantile**2 / size
    centre = (share + pull / 2) / (1 + pull)
    half = (pull * spread + pull**2 / 4) ** 0.5 / (1 + pull)
    return max(0.0, centre - half), min(1.0, centre + half)
