"""How well predicted valence or arousal agrees with ratings: one pure function per measure.

`predicted` and `rated` have the shape (n,) and the same unit. Results are float64; moments are divided by n and taken
over the whole set. `weights` (draws, n) says how often each draw contains each face and makes the result (draws,);
without it every face counts once and the result is 0-dimensional. An undefined value is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
Measure: TypeAlias = Callable[[FloatArray, FloatArray, FloatArray | None], FloatArray]

CONVENTIONS = (
    "Moments are divided by n and taken over the whole set in float64, not averaged over batches.",
    "CCC is undefined when predictions and ratings are both constant, as those of one face are, and 0 when only one of "
    "them is; PCC is undefined when one of them is constant.",
    "SAGR is the share of faces whose predicted and rated sign are equal; an exact 0 agrees only with 0.",
    "Spread ratio is the standard deviation of the predictions divided by that of the ratings; mean offset is "
    "predicted minus rated.",
    "Valence and arousal lie in [-1, 1].",
)
_ROUNDING = 1e-14  # a variance below this share of the mean square is the rounding of a constant


def ccc(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Concordance correlation, from -1 to 1; 1 only if the series are equal.

    2 cov(x, y) / (var x + var y + (mean x - mean y)^2) (Lin 1989, Biometrics 45). Undefined if both series are
    constant, as with one face; 0 if only one is.

    >>> round(float(ccc(np.array([2.5, 0, 2, 8]), np.array([3, -0.5, 2, 7]))), 4)
    0.9768
    """
    spread = _variance(predicted, weights) + _variance(rated, weights)
    apart = spread + mean_offset(predicted, rated, weights) ** 2
    return _share(2 * _covariance(predicted, rated, weights), np.where(spread > 0, apart, 0.0))


def pcc(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Pearson correlation, from -1 to 1; undefined if a series is constant."""
    spread = _variance(predicted, weights) * _variance(rated, weights)
    return np.clip(_share(_covariance(predicted, rated, weights), np.sqrt(spread)), -1, 1)


def rmse(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Root of the mean squared difference, 0 or more."""
    return np.sqrt(_mean((predicted - rated) ** 2, weights))


def mae(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Mean absolute difference, 0 or more."""
    return _mean(np.abs(predicted - rated), weights)


def sagr(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Share of faces with the same sign, from 0 to 1; an exact 0 agrees only with 0.

    Source: Nicolaou, Gunes & Pantic 2011, IEEE Trans. Affective Computing 2; zeros as in Toisoul et al. 2021.
    """
    return _mean((np.sign(predicted) == np.sign(rated)).astype(np.float64), weights)


def mean_offset(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Mean of predicted minus rated; a shift lowers the CCC."""
    return _mean(predicted - rated, weights)


def spread_ratio(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Standard deviation of the predictions divided by that of the ratings, which is undefined if it is 0.

    A ratio other than 1 lowers the CCC.
    """
    return _share(sd_predicted(predicted, rated, weights), sd_rated(predicted, rated, weights))


def sd_predicted(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Standard deviation of the predictions."""
    return np.sqrt(_variance(predicted, weights))


def sd_rated(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Standard deviation of the ratings."""
    return np.sqrt(_variance(rated, weights))


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "ccc": ccc,
        "pcc": pcc,
        "rmse": rmse,
        "mae": mae,
        "sagr": sagr,
        "spread_ratio": spread_ratio,
        "mean_offset": mean_offset,
        "sd_predicted": sd_predicted,
        "sd_rated": sd_rated,
    }
)

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        f"{name}_{axis}": ends
        for name, ends in {
            "ccc": (-1.0, 1.0),
            "pcc": (-1.0, 1.0),
            "sagr": (0.0, 1.0),
            "mae": (2.0, 0.0),
            "rmse": (2.0, 0.0),
            "mean_offset": (-2.0, 2.0),
            "sd_predicted": (0.0, 1.0),
            "sd_rated": (0.0, 1.0),
        }.items()
        for axis in ("valence", "arousal", "mean")
    }
)  # the ends of the measures that have any


def measures(predicted: FloatArray, rated: FloatArray, weights: FloatArray | None = None) -> dict[str, FloatArray]:
    """All measures of valence and arousal by name, such as `ccc_valence`, and `ccc_mean`, the mean of both CCCs.

    Args:
        predicted, rated: shape (n, 2), valence before arousal, n at least 1.
        weights: shape (draws, n); by default every face counts once.

    Raises:
        ValueError: shapes differ, or there is no face.
    """
    if predicted.shape != rated.shape or predicted.ndim != 2 or predicted.shape[1] != 2 or not len(predicted):
        raise ValueError(f"expected two arrays of one shape (n >= 1, 2), found {predicted.shape} and {rated.shape}")
    x, y = np.asarray(predicted, np.float64), np.asarray(rated, np.float64)
    found = {
        f"{name}_{axis}": measure(x[:, column], y[:, column], weights)
        for name, measure in MEASURES.items()
        for column, axis in enumerate(("valence", "arousal"))
    }
    return {**found, "ccc_mean": (found["ccc_valence"] + found["ccc_arousal"]) / 2}


def concordance(predicted: FloatArray, target: FloatArray) -> float:
    """The CCC as one number (see `ccc`); an undefined one is an error.

    Args:
        predicted, target: shape (n,), same unit, n at least 2.

    Raises:
        ValueError: shapes differ, n < 2, or both series are constant.

    >>> round(concordance(np.array([2.5, 0, 2, 8]), np.array([3, -0.5, 2, 7])), 4)
    0.9768
    """
    if predicted.shape != target.shape or predicted.ndim != 1 or len(predicted) < 2:
        raise ValueError(f"expected two series of one length n >= 2, found {predicted.shape} and {target.shape}")
    value = number(ccc(predicted, target))
    if value is None:
        raise ValueError("the concordance of two constants is undefined")
    return value


def number(value: FloatArray) -> float | None:
    """One value as a plain number for JSON; None if it is undefined."""
    return float(value) if math.isfinite(value) else None


def _mean(values: FloatArray, weights: FloatArray | None) -> FloatArray:
    return np.asarray(values.mean() if weights is None else weights @ values / weights.sum(axis=-1))


def _covariance(x: FloatArray, y: FloatArray, weights: FloatArray | None) -> FloatArray:
    # Relative to the first face, the sums lose no digits and a constant series gives exactly 0.
    x, y = x - x[0], y - y[0]
    return np.asarray(_mean(x * y, weights) - _mean(x, weights) * _mean(y, weights))


def _variance(x: FloatArray, weights: FloatArray | None) -> FloatArray:
    found = _covariance(x, x, weights)
    return np.where(found > _ROUNDING * _mean((x - x[0]) ** 2, weights), found, 0.0)


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """The quotient; NaN unless the divisor is above 0."""
    quotient: FloatArray = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return quotient
