"""Intervals of means whose records are not independent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000


def interval(
    values: NDArray[np.float64], clusters: Sequence[object], generator: np.random.Generator, draws: int = DRAWS
) -> tuple[float, float] | None:
    """The 95 % percentile-bootstrap interval of a mean, drawn by cluster, or None with fewer than two clusters.

    Args:
        values: shape (n,), finite.
        clusters: what belongs together (a subject, a picture, a prompt), one entry a value.
        generator: where the randomness comes from.
        draws: resamples.

    Source: Field & Welsh 2007, J. R. Statist. Soc. B 69, the cluster bootstrap.
    """
    _, member = np.unique([str(cluster) for cluster in clusters], return_inverse=True)
    count = int(member.max()) + 1 if len(member) else 0
    if count < 2:
        return None
    sums = np.bincount(member, weights=values, minlength=count)
    sizes = np.bincount(member, minlength=count).astype(np.float64)
    weights = generator.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    means = (weights @ sums) / (weights @ sizes)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def concordance(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Agreement of two series, from -1 to 1; 1 only when they are equal.

    2 cov(x, y) / (var x + var y + (mean x - mean y)^2), moments divided by n (Lin 1989, Biometrics 45).

    Args:
        predicted, target: shape (n,), same unit, n at least 2.

    Raises:
        ValueError: shapes differ, n < 2, or both are constant and equal (then it is undefined).

    >>> round(concordance(np.array([2.5, 0, 2, 8]), np.array([3, -0.5, 2, 7])), 4)
    0.9768
    """
    if predicted.shape != target.shape or predicted.ndim != 1 or len(predicted) < 2:
        raise ValueError(f"expected two series of one length n >= 2, found {predicted.shape} and {target.shape}")
    difference = predicted.mean() - target.mean()
    spread = predicted.var() + target.var() + difference**2
    if spread == 0:
        raise ValueError("the concordance of two equal constants is undefined")
    return float(2 * np.mean((predicted - predicted.mean()) * (target - target.mean())) / spread)
