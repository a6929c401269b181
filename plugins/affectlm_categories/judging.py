"""The common base of all metrics of labels.

True labels that were not asked for are ignored; records without any other true label are left out and counted in the
part `outside`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import ClassVar

import attrs
import numpy as np

from affectlm.affect.relations import crosswalk
from affectlm.affect.taxonomies import label_set
from affectlm.types import Outcome, Record, Statistic
from affectlm.validators import flag
from affectlm_categories.baselines import Contest, baselines, with_bounds
from affectlm_categories.classes import BoolArray, Classes, FloatArray, Replies, ratio


def _asked(labels: str | Sequence[str] | None) -> tuple[str, ...]:
    return label_set(labels) if labels else ()


@attrs.frozen(kw_only=True)
class CategoryMetric(ABC):
    """A metric of labels; subclasses compute its scores.

    Args:
        labels: the labels asked for, a taxonomy's name or a list; by default all true labels of any record.
        crosswalk: whether true or named labels of other sets count as those of `labels` that they are a kind of.
    """

    judges_answers: ClassVar[bool] = True
    judges_by: ClassVar[str] = "labels"
    ends: ClassVar[Mapping[str, tuple[float, float]]] = {}  # the worst and the best value, by default 0 and 1
    by_effort: ClassVar[tuple[str, ...]] = ()  # scores of which naming every label would give the best
    ranks: ClassVar[bool] = False  # whether the scores use probabilities instead of labels
    takes_open: ClassVar[bool] = False  # whether to score answers to open questions, which name no label of a set
    draws: ClassVar[int | None] = None  # random replies for the chance baseline; one per class by default
    labels: tuple[str, ...] = attrs.field(default=(), converter=_asked)
    crosswalk: bool = attrs.field(default=False, validator=flag)

    @abstractmethod
    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """Each score by name, shape (draws,), NaN if undefined; weights (draws, n): how often each draw has a face."""

    def score_names(self) -> tuple[str, ...]:
        """The names of the scores, taken from an example of two faces."""
        names, truth = ("a", "b"), np.eye(2, dtype=np.bool_)
        replies = Replies.likeliest(names, truth.astype(np.float64), several=False)
        return tuple(self.over(truth, replies, np.ones((1, 2))))

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The worst and the best value of each score."""
        return {name: self.ends.get(name, (0.0, 1.0)) for name in self.score_names()}

    def details(self, truth: BoolArray, replies: Replies) -> Mapping[str, Mapping[str, float]]:
        """The parts by class of each score, by its name; empty by default."""
        return {}

    def fits(self, truth: BoolArray, replies: Replies) -> BoolArray:
        """Which faces count, shape (n,): those with a true label among the classes."""
        return np.asarray(truth.any(axis=1))

    def classes(self, records: Sequence[Record]) -> Classes:
        """The classes: the labels asked for, or all true labels."""
        return Classes.of(self.labels or (label for record in records for label in record.truth.labels))

    def read(self, records: Sequence[Record]) -> tuple[Classes, BoolArray, Replies]:
        """The classes, which of them are true (n, k), and the model's replies; none is true if no label was asked."""
        classes = self.classes(records)
        answered = [record for record in records if record.outcome is Outcome.OK]
        asked = self.takes_open or not answered or any(record.labels for record in answered)
        truth = [record.truth.labels if asked else () for record in records]
        answers = [record.labels for record in records]
        probabilities = [record.probabilities if self.ranks else None for record in records]
        if self.crosswalk:
            truth, answers = ([_walked(labels, classes.names) for labels in each] for each in (truth, answers))
            probabilities = [given and _shared(given, classes.names) for given in probabilities]
        replies = Replies(
            classes.names, classes.first(answers), classes.members(answers), classes.probabilities(probabilities)
        )
        return classes, classes.members(truth), replies

    def bare_statistics(self, records: Sequence[Record]) -> Sequence[tuple[BoolArray, Statistic]]:
        """The scores over the records that count, without their baselines, which have to be learnt."""
        _, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        truth, replies = truth[rows], replies.of(rows)
        return [(rows, lambda weights: self.over(truth, replies, weights))] if rows.any() else []

    def statistics(self, records: Sequence[Record]) -> Sequence[tuple[BoolArray, Statistic]]:
        """The scores over the records that count, with their baselines, floors and ceilings as parts."""
        classes, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        if not rows.any():
            return []
        truth, replies = truth[rows], replies.of(rows)
        falling = [name for name, (worst, best) in self.ends.items() if worst > best]
        kept = [records[row] for row in np.flatnonzero(rows).tolist()]
        sizes = replies.named.sum(axis=1)
        contest = Contest(
            over=self.over,
            truth=truth,
            names=classes.names,
            falling=falling,
            limits=dict.fromkeys(self.by_effort, float(sizes.mean())),
            several=bool((sizes > 1).any()),
            ranks=self.ranks,
        )
        beside = with_bounds(baselines(contest, kept, draws=self.draws), falling)
        return [(rows, lambda weights: {**self.over(truth, replies, weights), **beside(weights)})]

    def parts(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, float]]:
        """The details by class, and the count of records `outside`."""
        _, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        if not rows.any():
            return {}
        outside = sum(bool(record.truth.labels) for record in records) - int(truth.any(axis=1).sum())
        left_out = {"outside": float(outside)} if outside else {}
        details = self.details(truth[rows], replies.of(rows))
        return {name: finite({**left_out, **details.get(name, {})}) for name in self.score_names()}


class RecordMean(CategoryMetric):
    """A metric with one score, a mean over records."""

    @abstractmethod
    def each(self, truth: BoolArray, replies: Replies) -> FloatArray:
        """One value per face, shape (n,); NaN if its truth allows none, whatever the reply."""

    @abstractmethod
    def score_names(self) -> tuple[str, ...]:
        """The name of the score."""

    def fits(self, truth: BoolArray, replies: Replies) -> BoolArray:
        """Which faces have a value."""
        return np.asarray(super().fits(truth, replies) & np.isfinite(self.each(truth, replies)))

    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """The mean."""
        [name] = self.score_names()
        return {name: ratio(weights @ self.each(truth, replies), weights.sum(axis=1))}


def _walked(labels: Iterable[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """The labels translated into the given names; those without a translation stay as they are."""
    return tuple(dict.fromkeys(chain.from_iterable(crosswalk(label, names) or (label,) for label in labels)))


def _shared(given: Mapping[str, float], names: tuple[str, ...]) -> Mapping[str, float]:
    """The probabilities of the names; that of a compound is shared equally among its kinds."""
    found: dict[str, float] = {}
    for label, value in given.items():
        kinds = crosswalk(label, names) or (label,)
        for kind in kinds:
            found[kind] = found.get(kind, 0.0) + value / len(kinds)
    return found


def finite(parts: Mapping[str, float]) -> dict[str, float]:
    """The parts that are defined."""
    return {name: float(value) for name, value in parts.items() if np.isfinite(value)}
