"""How likely labels are, by a face's distance from their published points; no language model is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from affectlm.affect.points import find_anchor

FloatArray: TypeAlias = NDArray[np.float64]

FARTHEST = 8.0  # squared distance of the plane's opposite corners
SPREAD = 0.3  # about the standard deviation of ratings of one label


def has_point(labels: Sequence[str]) -> bool:
    """Whether any of the labels has a published point."""
    return any(map(find_anchor, labels))


def distances(affect: FloatArray, labels: Sequence[str]) -> FloatArray:
    """The squared distance of each face from each label's point, shape (n, k).

    A label without a point is as far away as the plane allows, so it is never nearer than a label with a point. A face
    without numbers gets NaN.

    Args:
        affect: (n, 2), valence and arousal in [-1, 1]; NaN if unknown.
        labels: the k labels.

    >>> distances(np.array([[-0.63, 0.27]]), ["sadness", "esteem"]).round(2).tolist()
    [[0.29, 8.0]]
    """
    anchors = [find_anchor(label) for label in labels]
    points = np.array([(anchor.valence, anchor.arousal) if anchor else (np.nan, np.nan) for anchor in anchors])
    found = np.asarray(((affect[:, None] - points) ** 2).sum(axis=2))
    pointless = np.array([anchor is None for anchor in anchors])
    found[np.isfinite(affect).all(axis=1, keepdims=True) & pointless] = FARTHEST
    return found


def log_likelihoods(affect: FloatArray, labels: Sequence[str], spread: float = SPREAD) -> FloatArray:
    """The log-probability of each label, (n, k); the probabilities of a row add up to 1.

    Each label is a normal distribution around its point, and all labels are equally likely; see `distances`.

    Args:
        affect: (n, 2).
        labels: the k labels.
        spread: standard deviation of the distributions.

    >>> log_likelihoods(np.array([[0.81, 0.51]]), ["happiness", "surprise"]).round(3).tolist()
    [[-0.293, -1.369]]
    """
    relative = _relative(affect, labels, spread)
    return np.asarray(relative - np.log(np.exp(relative).sum(axis=1, keepdims=True)))


def likelihoods(affect: FloatArray, labels: Sequence[str], spread: float = SPREAD) -> FloatArray:
    """The probability of each label, (n, k); see `log_likelihoods`."""
    shares = np.exp(_relative(affect, labels, spread))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _relative(affect: FloatArray, labels: Sequence[str], spread: float) -> FloatArray:
    """The log-density of each label minus that of the likeliest label."""
    squares = distances(affect, labels)
    return np.asarray((squares.min(axis=1, keepdims=True) - squares) / (2 * spread**2))
