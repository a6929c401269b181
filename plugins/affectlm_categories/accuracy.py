"""How often the first label of an answer is true."""

from __future__ import annotations

from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot
from affectlm_categories.judging import RecordMean


def hits(truth: BoolArray, first: IntArray) -> FloatArray:
    """1 if the class named first is true, else 0, shape (n,).

    Args:
        truth: (n, k).
        first: (n,); k if no class is named.
    """
    return (truth & one_hot(first, truth.shape[1])).any(axis=1).astype(float)


class Accuracy(RecordMean):
    """Share of records whose first label is among the true labels; an unreadable answer counts as wrong."""

    def score_names(self) -> tuple[str, ...]:
        """The name of its one score."""
        return ("accuracy",)

    def each(self, truth: BoolArray, replies: Replies) -> FloatArray:
        """1 per right record, 0 per wrong record."""
        return hits(truth, replies.first)
