"""How often the first label of an answer is true."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import numpy as np

from affectlm.types import Record, Statistic, Truth
from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot, ratio
from affectlm_categories.judging import RecordMean


def hits(truth: BoolArray, first: IntArray) -> FloatArray:
    """1 if the class named first is true, else 0, shape (n,).

    Args:
        truth: (n, k).
        first: (n,); k if no class is named.
    """
    return (truth & one_hot(first, truth.shape[1])).any(axis=1).astype(float)


def human_agreement(truth: Truth) -> float:
    """How often one rater's vote is the commonest vote of the others, or one of these; NaN without two raters.

    The mean over the raters, each left out in turn.

    >>> human_agreement(Truth(votes={"joy": 0.6, "fear": 0.4}, raters=5))  # joy against 2 : 2, fear against 3 : 1
    0.6
    """
    counts = [round(share * truth.raters) for share in truth.votes.values()]
    if truth.raters < 2 or sum(counts) != truth.raters:
        return float("nan")
    others = ((count, max([count - 1, *counts[:place], *counts[place + 1 :]])) for place, count in enumerate(counts))
    return sum(count for count, most in others if count and count - 1 == most) / truth.raters


class Accuracy(RecordMean):
    """Share of records whose first label is among the true labels; an unreadable answer counts as wrong.

    Where every record has several raters' votes, the part `human` is how often one rater agrees with the others.
    """

    def statistics(self, records: Sequence[Record]) -> Sequence[tuple[BoolArray, Statistic]]:
        """The share with its baselines and, if there are votes, `human`."""
        return [(rows, _beside_people(rows, statistic, records)) for rows, statistic in super().statistics(records)]

    def score_names(self) -> tuple[str, ...]:
        """The name of its one score."""
        return ("accuracy",)

    def each(self, truth: BoolArray, replies: Replies) -> FloatArray:
        """1 per right record, 0 per wrong record."""
        return hits(truth, replies.first)


def _beside_people(rows: BoolArray, statistic: Statistic, records: Sequence[Record]) -> Statistic:
    """The statistic with the agreement of one rater with the others, if every row has it."""
    people = np.array([human_agreement(record.truth) for record in compress(records, rows)])
    if not np.isfinite(people).all():
        return statistic
    return lambda weights: {**statistic(weights), "accuracy: human": ratio(weights @ people, weights.sum(axis=1))}
