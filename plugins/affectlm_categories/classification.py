"""How well answers tell classes apart, where one label is true.

Each function takes counts by class: how often a class was named and true (`right`), was true, was named; any shape
(..., k), so that many resamples are judged at once. Averages are over the classes that occur in the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot, ratio
from affectlm_categories.judging import Counted

Counts = tuple[FloatArray, FloatArray, FloatArray]


def count(truth: BoolArray, named: BoolArray, weights: FloatArray) -> Counts:
    """How often each class is right, true, and named, each of shape (draws, k).

    Args:
        truth, named: (n, k).
        weights: (draws, n).
    """
    columns = np.hstack([truth & named, truth, named]).astype(np.float64)
    right, true, said = np.split(weights @ columns, 3, axis=1)
    return right, true, said


def share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Each part of its whole; 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def mean_over_true(values: FloatArray, true: FloatArray) -> FloatArray:
    """The mean of values (..., k) over the classes that occur in the truth, shape (...); NaN where none does."""
    occurs = true > 0
    return ratio((values * occurs).sum(axis=-1), occurs.sum(axis=-1))


def f1(right: FloatArray, true: FloatArray, named: FloatArray) -> FloatArray:
    """2 right / (true + named) of each class: the harmonic mean of precision and recall; 0 where nothing is right."""
    return share(2 * right, true + named)


def balanced_accuracy(right: FloatArray, true: FloatArray) -> FloatArray:
    """The mean recall, right / true, of the classes that occur.

    Source: Brodersen et al. 2010, ICPR.
    """
    return mean_over_true(share(right, true), true)


def macro_f1(right: FloatArray, true: FloatArray, named: FloatArray) -> FloatArray:
    """The mean F1 of the classes that occur in the truth, all alike."""
    return mean_over_true(f1(right, true, named), true)


def weighted_f1(right: FloatArray, true: FloatArray, named: FloatArray) -> FloatArray:
    """The mean F1, each class counting as often as it is true."""
    return ratio((f1(right, true, named) * true).sum(axis=-1), true.sum(axis=-1))


def kappa(right: FloatArray, true: FloatArray, named: FloatArray) -> FloatArray:
    """(p - e) / (1 - e), p the share that is right and e = sum true named / n^2 that of luck; NaN where e is 1.

    Answers that name no class add nothing to p and e. Source: Cohen 1960, Educ. Psychol. Meas. 20.
    """
    size = true.sum(axis=-1)
    agreed = ratio(right.sum(axis=-1), size)
    lucky = ratio((true * named).sum(axis=-1), size**2)
    return ratio(agreed - lucky, 1 - lucky)


class Classification(Counted):
    """Balanced accuracy, macro and weighted F1, and Cohen's kappa of the first labels.

    Only records with exactly one true label among the classes count; an unreadable answer is a wrong one. Parts of
    `f1_macro`: precision, recall and F1 by class. Parts of `balanced_accuracy`: how often each answer met each truth.
    """

    def fits(self, truth: BoolArray, replies: Replies) -> BoolArray:
        """Those with exactly one true label."""
        return np.asarray(truth.sum(axis=1) == 1)

    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """The four figures."""
        right, true, named = count(truth, one_hot(replies.first, truth.shape[1]), weights)
        return {
            "balanced_accuracy": balanced_accuracy(right, true),
            "f1_macro": macro_f1(right, true, named),
            "f1_weighted": weighted_f1(right, true, named),
            "kappa": kappa(right, true, named),
        }

    def details(self, truth: BoolArray, replies: Replies) -> Mapping[str, Mapping[str, float]]:
        """Figures by class, and the cells of the confusion matrix that are not empty."""
        counts = count(truth, one_hot(replies.first, truth.shape[1]), np.ones((1, len(truth))))
        return {
            "balanced_accuracy": confusion(truth, replies.first, replies.names),
            "f1_macro": by_class(counts, replies.names),
        }


def by_class(counts: Counts, names: Sequence[str]) -> dict[str, float]:
    """Precision, recall, F1 and number of each class that occurs in the truth, of counts (1, k)."""
    right, true, named = (column[0] for column in counts)
    columns = {"precision": share(right, named), "recall": share(right, true), "f1": f1(right, true, named), "n": true}
    return {
        f"{figure}: {names[place]}": float(values[place])
        for figure, values in columns.items()
        for place in np.flatnonzero(true).tolist()
    }


def confusion(truth: BoolArray, first: IntArray, names: Sequence[str]) -> dict[str, float]:
    """How often faces of one true class got each answer, as "answers: TRUE -> ANSWER"; "none" for no class."""
    said = (*names, "none")
    cells, sizes = np.unique(np.stack([truth.argmax(axis=1), first]), axis=1, return_counts=True)
    return {
        f"answers: {names[true]} -> {said[answer]}": float(size)
        for true, answer, size in zip(*cells.tolist(), sizes, strict=True)
    }
