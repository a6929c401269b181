"""Scores of answers with one or several labels against several true labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from affectlm_categories.accuracy import hits
from affectlm_categories.classes import BoolArray, FloatArray, Replies, ratio
from affectlm_categories.classification import by_class, count, f1, mean_over_true, share
from affectlm_categories.judging import CategoryMetric


def overlap(truth: BoolArray, named: BoolArray) -> dict[str, FloatArray]:
    """Precision, recall, F1 and Jaccard index of each face's true set T and named set N, each of shape (n,).

    |T and N| / |N|, |T and N| / |T|, 2 |T and N| / (|T| + |N|), |T and N| / |T or N|; 0 where the divisor is 0.

    Args:
        truth, named: (n, k).
    """
    both, true, said = (table.sum(axis=1, dtype=np.float64) for table in (truth & named, truth, named))
    return {
        "precision": share(both, said),
        "recall": share(both, true),
        "f1": share(2 * both, true + said),
        "jaccard": share(both, true + said - both),
    }


def means(values: Mapping[str, FloatArray], weights: FloatArray) -> dict[str, FloatArray]:
    """The mean of each array (n,) for each row of weights (draws, n), shape (draws,)."""
    sums = (weights @ np.stack(list(values.values()), axis=1)).T
    return dict(zip(values, ratio(sums, weights.sum(axis=1)), strict=True))


class MultiLabel(CategoryMetric):
    """Named labels against true labels, by face and by label, and how often the first label is true.

    Scores: `precision_samples`, `recall_samples`, `f1_samples`, `jaccard_samples` (means over faces);
    `precision_labels`, `recall_labels`, `f1_labels` (means over the labels that are true of any face); `hit_rate`.
    """

    by_effort: ClassVar[tuple[str, ...]] = ("recall_samples", "recall_labels")

    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """The eight scores."""
        by_face = {f"{name}_samples": values for name, values in overlap(truth, replies.named).items()}
        by_face["hit_rate"] = hits(truth, replies.first)
        right, true, named = count(truth, replies.named, weights)
        return {
            **means(by_face, weights),
            "precision_labels": mean_over_true(share(right, named), true),
            "recall_labels": mean_over_true(share(right, true), true),
            "f1_labels": mean_over_true(f1(right, true, named), true),
        }

    def details(self, truth: BoolArray, replies: Replies) -> Mapping[str, Mapping[str, float]]:
        """Precision, recall and F1 by label."""
        return {"f1_labels": by_class(count(truth, replies.named, np.ones((1, len(truth)))), replies.names)}
