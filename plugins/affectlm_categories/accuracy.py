"""How often the first label of an answer is a true one."""

from __future__ import annotations

from collections.abc import Mapping

from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot
from affectlm_categories.judging import RecordMean


def hits(truth: BoolArray, first: IntArray) -> FloatArray:
    """1 where the class named first is a true one, else 0, shape (n,).

    Args:
        truth: (n, k).
        first: (n,), k for no class.
    """
    return (truth & one_hot(first, truth.shape[1])).any(axis=1).astype(float)


class Accuracy(RecordMean):
    """Share of records whose first label is among the true labels; an unreadable answer is a wrong one."""

    def each(self, truth: BoolArray, replies: Replies) -> Mapping[str, FloatArray]:
        """1 for a right and 0 for a wrong record."""
        return {"accuracy": hits(truth, replies.first)}
