"""Intervals of figures over records that are not independent, and agreement as one number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from affectlm import quality

DRAWS = 2000
_AT_ONCE = 4_000_000  # weights held at a time, 32 MB

Interval = tuple[float, float] | None
Statistic = Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]


def interval(
    values: NDArray[np.float64], clusters: Sequence[object], generator: np.random.Generator, draws: int = DRAWS
) -> Interval:
    """The 95 % percentile-bootstrap interval of a mean, drawn by cluster, or None with fewer than two clusters.

    Args:
        values: shape (n,), finite.
        clusters: what belongs together (a subject, a picture, a prompt), one entry a value.
        generator: where the randomness comes from.
        draws: resamples.
    """

    def mean(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"mean": weights @ values / weights.sum(axis=1)}

    return intervals(mean, clusters, generator, draws)["mean"]


def intervals(
    statistic: Statistic, clusters: Sequence[object], generator: np.random.Generator, draws: int = DRAWS
) -> dict[str, Interval]:
    """The 95 % percentile-bootstrap interval of each figure, all over the same resamples of clusters.

    None where there are fewer than two clusters, or where no resample defines the figure; resamples in which it is
    undefined (NaN) are left out.

    Args:
        statistic: from weights (d, n), how often each of d resamples has each record, to each figure's values (d,).
        clusters: what belongs together, one entry a record; at least one.
        generator: where the randomness comes from.
        draws: resamples.

    Source: Field & Welsh 2007, J. R. Statist. Soc. B 69, the cluster bootstrap.
    """
    if len({str(cluster) for cluster in clusters}) < 2:
        return dict.fromkeys(statistic(np.ones((1, len(clusters)))))
    parts = [statistic(weights) for weights in _resamples(clusters, generator, draws)]
    return {name: _percentiles(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def _resamples(clusters: Sequence[object], generator: np.random.Generator, draws: int) -> Iterator[NDArray[np.float64]]:
    """Weights (d, n) of `draws` resamples, as many at a time as memory should hold."""
    _, member = np.unique([str(cluster) for cluster in clusters], return_inverse=True)
    count = int(member.max()) + 1
    size = max(1, _AT_ONCE // len(member))
    for start in range(0, draws, size):
        rows = range(start, min(start + size, draws))
        drawn = [np.bincount(generator.integers(0, count, count), minlength=count) for _ in rows]
        yield np.stack(drawn).astype(np.float64)[:, member]


def _percentiles(values: NDArray[np.float64]) -> Interval:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def concordance(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """`affectlm.quality.ccc` as one number, for callers to whom an undefined one is an error.

    Args:
        predicted, target: shape (n,), same unit, n at least 2.

    Raises:
        ValueError: shapes differ, n < 2, or both are constant (then it is undefined).

    >>> round(concordance(np.array([2.5, 0, 2, 8]), np.array([3, -0.5, 2, 7])), 4)
    0.9768
    """
    if predicted.shape != target.shape or predicted.ndim != 1 or len(predicted) < 2:
        raise ValueError(f"expected two series of one length n >= 2, found {predicted.shape} and {target.shape}")
    value = quality.number(quality.ccc(predicted, target))
    if value is None:
        raise ValueError("the concordance of two constants is undefined")
    return value
