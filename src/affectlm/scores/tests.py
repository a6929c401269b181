"""Tests of the difference between two runs over the same records, and sizes of effects."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

DRAWS = 9999  # exchanges that are drawn; with at most as many possible ones, each is taken once
_AT_ONCE = 200_000  # exchanged records in memory at a time
_EQUAL = 1e-9  # relative difference of two sums that only rounding tells apart

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Differences: TypeAlias = Callable[[Bools], Mapping[str, Floats]]


def exchange_test(
    differences: Differences, member: NDArray[np.intp], *, seed: int = 0, draws: int = DRAWS
) -> dict[str, float]:
    """The two-sided p of each difference: how often it is as large when whole clusters are exchanged between the runs.

    If the runs are alike, either could have given either reply, so each exchange is as likely as what was found. Of at
    most `draws` + 1 possible exchanges all are taken and p is exact; else p = (1 + as large) / (1 + draws), which is
    never 0 (Phipson & Smyth 2010). An exchange for which a score is undefined counts as large.

    Source: Pitman 1937, Suppl. J. R. Statist. Soc. 4; as `scipy.stats.permutation_test` with "samples".

    Args:
        differences: from which records are exchanged (draws, n) to differences by name, each of shape (draws,).
        member: the cluster of each record, shape (n,).
        seed: of the draws.
        draws: how many.
    """
    clusters, place = np.unique(member, return_inverse=True)
    found = {name: abs(float(value[0])) for name, value in differences(np.zeros((1, len(member)), np.bool_)).items()}
    large = dict.fromkeys(found, 0)
    exact = len(clusters) < 60 and 2 ** len(clusters) <= draws + 1
    whole = 2 ** len(clusters) if exact else draws
    size = max(1, _AT_ONCE // max(1, len(member)))
    generator = np.random.default_rng(seed)
    for start in range(0, whole, size):
        count = min(size, whole - start)
        bits = np.arange(start, start + count)[:, None] >> np.arange(len(clusters)) & 1 if exact else None
        swapped = (
            bits.astype(np.bool_) if bits is not None else generator.integers(0, 2, (count, len(clusters)), np.bool_)
        )
        for name, values in differences(swapped[:, place.ravel()]).items():
            large[name] += int((~(np.abs(values) < found[name] * (1 - _EQUAL) - _EQUAL**2)).sum())
    return {name: count / whole if exact else (1 + count) / (1 + whole) for name, count in large.items()}


def mcnemar(first: Floats, second: Floats) -> tuple[int, int, float]:
    """How often only the first run is right, how often only the second is, and McNemar's exact two-sided p.

    p is that of a fair coin which shows one side so often among the records that only one run has right; 1 without any.

    Source: McNemar 1947, Psychometrika 12; exact as in Dixon & Mood 1946.

    Args:
        first, second: 1 where a run is right, 0 where it is wrong, shape (n,).
    """
    from scipy.stats import binomtest  # takes its time to load

    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    either = only_first + only_second
    return only_first, only_second, float(binomtest(only_first, either).pvalue) if either else 1.0


def holm(chances: Sequence[float]) -> list[float]:
    """The p-values of several tests, each raised so that one false alarm among all is as rare as p says.

    Source: Holm 1979, Scand. J. Statist. 6.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    raised = [min(1.0, chances[place] * (len(chances) - rank)) for rank, place in enumerate(order)]
    by_place = dict(zip(order, itertools.accumulate(raised, max), strict=True))
    return [by_place[place] for place in range(len(chances))]


def cohens_h(first: Floats, second: Floats) -> Floats:
    """The difference of two shares as angles, 2 asin sqrt(first) - 2 asin sqrt(second), from -pi to pi.

    0.2 is small, 0.5 medium, 0.8 large (Cohen 1988, Statistical Power Analysis, chapter 6).
    """
    return np.asarray(2 * np.arcsin(np.sqrt(np.clip(first, 0, 1))) - 2 * np.arcsin(np.sqrt(np.clip(second, 0, 1))))
