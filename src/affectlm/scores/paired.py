"""How the scores of two runs over the same records differ, with intervals and tests by cluster.

Both runs' records stand in one list, the first run's before the second's, so that any score whose records can be
weighed may take each reply from either run: that is what an exchange of clusters needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.contract import called
from affectlm.scores.intervals import Clusters, Interval, Range
from affectlm.scores.scores import mean_of, named
from affectlm.scores.tests import DRAWS, Bools, Floats, cohens_h, exchange_test, mcnemar
from affectlm.types import AnyMetric, BareMetric, RangedMetric, Record, Statistic, ValuedMetric, WeightedMetric

_BITS = 32  # records whose right and wrong one sum can tell: well inside the 53 bits of a float
_FLAT = 1e-12  # width of an interval that is rounding alone


@attrs.frozen(kw_only=True)
class Difference:
    """One score of two runs; `difference` is first minus second."""

    score: str
    first: float
    second: float
    difference: float
    low: float | None = None  # of the difference; none with fewer than 6 clusters, or if no cluster differs from others
    high: float | None = None
    p: float  # of the exchange of clusters
    count: int  # records
    clusters: int
    h: float | None = None  # Cohen's h, for shares of right records
    h_low: float | None = None
    h_high: float | None = None
    only_first: int | None = None  # records that only the first run has right; none unless each is a cluster of its own
    only_second: int | None = None
    p_mcnemar: float | None = None


def compare_pair(
    metric: AnyMetric,
    first: Sequence[Record],
    second: Sequence[Record],
    together: Sequence[str],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> list[Difference]:
    """How the scores of a metric differ; none for a score that either run lacks, or if the metric weighs no records.

    Args:
        metric: scores both runs.
        first, second: the records of the runs; row i of both is about the same face.
        together: the cluster of each row.
        seed, draws: of the exchanges of clusters.
    """
    ranges = called(metric.ranges) if isinstance(metric, RangedMetric) else {}
    member, found = Clusters.of(together).member, list[Difference]()
    for known, statistic in _stacked(metric, first, second):
        rows = known.reshape(2, -1).any(axis=0)
        if rows.any():
            pair = _Pair(member[rows], known.reshape(2, -1)[:, rows].ravel(), statistic, ranges)
            found += pair.differences(seed, draws)
    return found


def _stacked(metric: AnyMetric, first: Sequence[Record], second: Sequence[Record]) -> Iterator[tuple[Bools, Statistic]]:
    """Which rows of both runs have what scores need, shape (2 n,), and the scores; parts other than `gain` left out."""
    if isinstance(metric, ValuedMetric):
        both = [called(metric.values, records) for records in (first, second)]
        for name in both[0]:
            if name in both[1] and not name.endswith("_floor"):
                yield mean_of(name, np.concatenate([np.asarray(columns[name]) for columns in both]))
    elif isinstance(metric, WeightedMetric):
        make = metric.bare_statistics if isinstance(metric, BareMetric) else metric.statistics
        for known, statistic in called(make, [*first, *second]):
            yield np.asarray(known, np.bool_), _without_parts(named(metric, statistic))


def _without_parts(statistic: Statistic) -> Statistic:
    def bare(weights: Floats) -> dict[str, Floats]:
        return {
            name: values for name, values in statistic(weights).items() if ":" not in name and name[-6:] != "_floor"
        }

    return bare


@attrs.frozen(eq=False)
class _Pair:
    """A group of scores over n rows of two runs."""

    member: NDArray[np.intp]  # (n,)
    known: Bools  # (2 n,)
    statistic: Statistic  # of weights (draws, rows of both runs that are known)
    ranges: Mapping[str, Range]

    def both(self, weights: Floats, swapped: Bools) -> tuple[Mapping[str, Floats], Mapping[str, Floats]]:
        """The scores of each run for weights (draws, n), where the replies of some rows are exchanged."""
        moved = weights * swapped
        kept = weights - moved
        with np.errstate(all="ignore"):  # a draw without any weight has no score
            first, second = (self._scores(np.hstack(halves)) for halves in ((kept, moved), (moved, kept)))
        return first, second

    def _scores(self, weights: Floats) -> Mapping[str, Floats]:
        return self.statistic(weights if self.known.all() else weights[:, self.known])

    def between(self, weights: Floats, swapped: Bools) -> dict[str, Floats]:
        """The difference of each score."""
        first, second = self.both(weights, swapped)
        return {name: np.asarray(values - second[name]) for name, values in first.items()}

    def differences(self, seed: int, draws: int) -> list[Difference]:
        """Every score that both runs have."""
        ones, unmoved = np.ones((1, len(self.member))), np.zeros((1, len(self.member)), np.bool_)
        first, second = self.both(ones, unmoved)
        chances = exchange_test(lambda swapped: self.between(ones, swapped), self.member, seed=seed, draws=draws)
        right = _right_or_wrong(self.statistic, int(self.known.sum()))
        around = self._intervals(list(right))
        found = []
        for name, chance in chances.items():
            values = float(first[name][0]), float(second[name][0])
            if np.isfinite(values).all():
                low, high = self._inside(name, around[name])
                share = self._share(right[name], around[f"{name}: h"], values) if name in right else {}
                found.append(
                    Difference(
                        score=name,
                        first=values[0],
                        second=values[1],
                        difference=values[0] - values[1],
                        low=low,
                        high=high,
                        p=chance,
                        count=len(self.member),
                        clusters=len(np.unique(self.member)),
                        **share,  # type: ignore[arg-type]
                    )
                )
        return found

    def _intervals(self, shares: Sequence[str]) -> dict[str, Interval]:
        """The intervals of all differences, and for shares of Cohen's h, as "NAME: h"."""

        def statistic(weights: Floats) -> dict[str, Floats]:
            first, second = self.both(weights, np.zeros(weights.shape, np.bool_))
            found = {name: np.asarray(values - second[name]) for name, values in first.items()}
            return found | {f"{name}: h": cohens_h(first[name], second[name]) for name in shares}

        return Clusters(self.member).intervals(statistic, {})

    def _inside(self, name: str, around: Interval) -> tuple[float | None, float | None]:
        """The interval between the ends of a difference; none if all clusters agree on it, and so say nothing of it."""
        if around is None or around[1] - around[0] < _FLAT:
            return None, None
        ends = self.ranges.get(name)
        width = abs(ends[1] - ends[0]) if ends else np.inf
        return max(-width, around[0]), min(width, around[1])

    def _share(self, right: Floats, around: Interval, values: tuple[float, float]) -> dict[str, float | int | None]:
        """Cohen's h of two shares, and McNemar's test if no cluster has two rows."""
        low, high = around if around is not None and around[1] - around[0] >= _FLAT else (None, None)
        h = float(cohens_h(np.array(values[0]), np.array(values[1])))
        found: dict[str, float | int | None] = {"h": h, "h_low": low, "h_high": high}
        if len(np.unique(self.member)) < len(self.member):
            return found
        each = np.full(len(self.known), np.nan)
        each[self.known] = right
        first, second = each.reshape(2, -1)
        only_first, only_second, chance = mcnemar(first, second)
        return found | {"only_first": only_first, "only_second": only_second, "p_mcnemar": chance}


def _right_or_wrong(statistic: Statistic, size: int) -> dict[str, Floats]:
    """1 or 0 per row, shape (size,), of each score that is the share of its rows that are right.

    A metric does not say so. If a score is such a share, then with the weights 1, 2, 4, ... of a few rows it spells out
    which of them are right; whether what was read is right is checked with random weights. If all rows or none are
    right, nothing tells a share from another score.
    """
    places = np.arange(size)
    weights = np.zeros((-(-size // _BITS), size))
    weights[places // _BITS, places] = 2.0 ** (places % _BITS)
    probes = np.random.default_rng(0).random((3, size)) + 0.5
    with np.errstate(all="ignore"):
        spelt, probed = statistic(weights), statistic(probes)
    found = {}
    for name, values in spelt.items():
        sums = np.nan_to_num(np.rint(values * weights.sum(axis=1)), nan=0, posinf=0, neginf=0)
        bits = (np.clip(sums, 0, 2.0**_BITS - 1).astype(np.int64)[places // _BITS] >> places % _BITS & 1).astype(float)
        if 0 < bits.sum() < size and np.allclose(
            probes @ bits / probes.sum(axis=1), probed[name], rtol=1e-9, atol=1e-12
        ):
            found[name] = bits
    return found
