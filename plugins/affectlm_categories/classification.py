"""Scores of answers if exactly one label is true.

The functions take counts per class: how often it was named and true (`right`), was true, was named; of any shape
(..., k), so that many resamples are scored at once. Averages are over the classes that occur in the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot, ratio
from affectlm_categories.judging import CategoryMetric

Counts = tuple[FloatArray, FloatArray, FloatArray]


def count(truth: BoolArray, named: BoolArray, weights: FloatArray) -> Counts:
    """How often each class is right, true and named, three arrays of shape (draws, k).

    Args:
        truth, named: (n, k).
        weights: (draws, n).
    """
    columns = np.hstack([truth & named, truth, named]).astype(np.float64)
    right, true, said = np.split(weights @ columns, 3, axis=1)
    return right, true, said


def share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Each part / whole; 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def mean_over_true(values: FloatArray, true: FloatArray) -> FloatArray:
    """The mean of values (..., k) over the classes that occur in the truth, shape (...); NaN if none does."""
    occurs = true > 0
    return ratio((values * occurs).sum(axis=-1), occurs.sum(axis=-1))


def f1(right: FloatArray, true: FloatArray, named: FloatArray) -> FloatArray:
    """2 right / (true + named) of each class: the harmonic mean of precision and recall; 0 if nothing is right."""
    return share(2 * right, true + named)


def balanced_accuracy(right: FloatArray, true: FloatArray) -> FloatArray:
    """The mean recall, right / true, of the classes that occur.

    Source: Brodersen et al. 2010, ICPR.
    """
    return mean_over_true(share(right, true), true)


def macro_f1(right: FloatArray, true: FloatArray, named: FloatArray) -> FloatArray:
    """The unweighted mean F1 of the classes that occur in the truth."""
    return mean_over_true(f1(right, true, named), true)


def weighted_f1(right: FloatArray, true: FloatArray, named: FloatArray) -> FloatArray:
    """The mean F1, weighted by how often each class is true."""
    return ratio((f1(right, true, named) * true).sum(axis=-1), true.sum(axis=-1))


def kappa(right: FloatArray, true: FloatArray, named: FloatArray) -> FloatArray:
    """(p - e) / (1 - e): p is the share that is right, e = sum true named / n^2 the share by luck; NaN if e is 1.

    Answers that name no class add nothing to p and e. Source: Cohen 1960, Educ. Psychol. Meas. 20.
    """
    size = true.sum(axis=-1)
    agreed = ratio(right.sum(axis=-1), size)
    lucky = ratio((true * named).sum(axis=-1), size**2)
    return ratio(agreed - lucky, 1 - lucky)


class Classification(CategoryMetric):
    """Balanced accuracy, macro and weighted F1, and Cohen's kappa of the first labels.

    Only records with exactly one true label among the classes count; an unreadable answer counts as wrong. Parts of
    `f1_macro`: precision, recall and F1 by class. Parts of `balanced_accuracy`: how often each true label got each
    answer.
    """

    ends: ClassVar[Mapping[str, tuple[float, float]]] = {"kappa": (-1.0, 1.0)}

    def fits(self, truth: BoolArray, replies: Replies) -> BoolArray:
        """Whether each face has exactly one true label."""
        return np.asarray(truth.sum(axis=1) == 1)

    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """The four scores."""
        right, true, named = count(truth, one_hot(replies.first, truth.shape[1]), weights)
        return {
            "balanced_accuracy": balanced_accuracy(right, true),
            "f1_macro": macro_f1(right, true, named),
            "f1_weighted": weighted_f1(right, true, named),
            "kappa": kappa(right, true, named),
        }

    def details(self, truth: BoolArray, replies: Replies) -> Mapping[str, Mapping[str, float]]:
        """Scores by class, and the cells of the confusion matrix that are not empty."""
        counts = count(truth, one_hot(replies.first, truth.shape[1]), np.ones((1, len(truth))))
        return {
            "balanced_accuracy": confusion(truth, replies.first, replies.names),
            "f1_macro": by_class(counts, replies.names),
        }


def by_class(counts: Counts, names: Sequence[str]) -> dict[str, float]:
    """Precision, recall, F1 and count of each class that occurs in the truth, from counts (1, k)."""
    right, true, named = (column[0] for column in counts)
    columns = {"precision": share(right, named), "recall": share(right, true), "f1": f1(right, true, named), "n": true}
    return {
        f"{column}: {names[place]}": float(values[place])
        for column, values in columns.items()
        for place in np.flatnonzero(true).tolist()
    }


def confusion(truth: BoolArray, first: IntArray, names: Sequence[str]) -> dict[str, float]:
    """How often each true class got each answer, by "answers: TRUE -> ANSWER"; the answer is "none" for no class."""
    said = (*names, "none")
    cells, sizes = np.unique(np.stack([truth.argmax(axis=1), first]), axis=1, return_counts=True)
    return {
        f"answers: {names[true]} -> {said[answer]}": float(size)
        for true, answer, size in zip(*cells.tolist(), sizes, strict=True)
    }
