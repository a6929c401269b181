"""How far wrong answers are from the truth, by published relations between emotions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import numpy as np

from affectlm.affect.relations import FARTHEST, crosswalk, opposites, place, tree_distance
from affectlm.affect.taxonomies import PLUTCHIK
from affectlm_categories.classes import BoolArray, FloatArray, Replies
from affectlm_categories.judging import RecordMean


@lru_cache(maxsize=64)
def distances(names: tuple[str, ...]) -> FloatArray:
    """The steps from each answer to each truth, shape (k + 1, k), the last row for no answer; NaN for unknown truths.

    A missing answer, or one that is not in the tree, is as far away as the tree allows.
    """
    table = np.full((len(names) + 1, len(names)), float(FARTHEST))
    for row, answer in enumerate(names):
        for column, true in enumerate(names):
            steps = tree_distance(answer, true)
            table[row, column] = FARTHEST if steps is None else steps
    table[:, [not place(name) for name in names]] = np.nan
    return table


@lru_cache(maxsize=64)
def across(names: tuple[str, ...]) -> BoolArray:
    """Whether each answer is across Plutchik's wheel from each truth, shape (k + 1, k), the last row for no answer."""
    kinds = [set(crosswalk(name, PLUTCHIK)) for name in names]
    table = [[bool(opposites(answer) & true) for true in kinds] for answer in names]
    return np.array([*table, [False] * len(names)], np.bool_)


class TreeDistance(RecordMean):
    """Steps along Parrott's tree from the first label to the nearest true one, 0 to 6; less is better.

    Records without a true label in the tree are left out.
    """

    ends: ClassVar[Mapping[str, tuple[float, float]]] = {"tree_distance": (float(FARTHEST), 0.0)}

    def score_names(self) -> tuple[str, ...]:
        """The name of its one score."""
        return ("tree_distance",)

    def each(self, truth: BoolArray, replies: Replies) -> FloatArray:
        """The steps per record."""
        steps = np.where(truth, distances(replies.names)[replies.first], np.nan)
        return np.asarray(np.fmin.reduce(steps, axis=1))


class Opposites(RecordMean):
    """Share of records whose first label is across Plutchik's wheel from a true one; less is better.

    Records without a true label that is on the wheel, or a kind of one there, are left out.
    """

    ends: ClassVar[Mapping[str, tuple[float, float]]] = {"opposite": (1.0, 0.0)}

    def score_names(self) -> tuple[str, ...]:
        """The name of its one score."""
        return ("opposite",)

    def each(self, truth: BoolArray, replies: Replies) -> FloatArray:
        """1 per opposite answer, 0 per other answer."""
        on_wheel = truth @ np.array([bool(opposites(name)) for name in replies.names])
        hit = (truth & across(replies.names)[replies.first]).any(axis=1)
        return np.where(on_wheel, hit, np.nan)
