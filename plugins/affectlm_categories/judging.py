"""What all metrics of labels have in common.

True labels that were not asked for are passed over, and records that have no other true label are left out and counted
in the part `outside`.
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
from affectlm.types import Outcome, Record, Score, Statistic
from affectlm.validators import flag
from affectlm_categories.baselines import bounds, compare, covered
from affectlm_categories.classes import BoolArray, Classes, FloatArray, Replies


def _asked(labels: str | Sequence[str] | None) -> tuple[str, ...]:
    return label_set(labels) if labels else ()


@attrs.frozen(kw_only=True)
class CategoryMetric(ABC):
    """What a metric of labels does with records; the figures are the business of those that derive from it.

    Args:
        labels: a taxonomy's name or a list, those asked for; without it, all labels that are true of any record.
        crosswalk: whether labels of other sets, true or named, count as those of `labels` that they are a kind of.
    """

    judges_answers: ClassVar[bool] = True
    judges_by: ClassVar[str] = "labels"
    falling: ClassVar[frozenset[str]] = frozenset()  # figures of which less is better
    ranks: ClassVar[bool] = False  # whether probabilities are looked at
    takes_open: ClassVar[bool] = False  # whether answers to open questions, which name no label of a set, are judged
    draws: ClassVar[int | None] = None  # how many random replies tell what chance gets; one for each class by default
    labels: tuple[str, ...] = attrs.field(default=(), converter=_asked)
    crosswalk: bool = attrs.field(default=False, validator=flag)

    @abstractmethod
    def figures(self, truth: BoolArray, replies: Replies) -> Mapping[str, float]:
        """Each figure of all faces that fit; NaN where undefined."""

    def score_names(self) -> tuple[str, ...]:
        """The names of the figures, those of two faces that are told apart."""
        names, truth = ("a", "b"), np.eye(2, dtype=np.bool_)
        return tuple(self.figures(truth, Replies.likeliest(names, truth.astype(np.float64), several=False)))

    def details(self, truth: BoolArray, replies: Replies) -> Mapping[str, Mapping[str, float]]:
        """For each figure's name its parts by class; none by default."""
        return {}

    def fits(self, truth: BoolArray, replies: Replies) -> BoolArray:
        """Which faces the figures are about, shape (n,): those with a true label among the classes."""
        return np.asarray(truth.any(axis=1))

    def classes(self, records: Sequence[Record]) -> Classes:
        """What is told apart."""
        return Classes.of(self.labels or (label for record in records for label in record.truth.labels))

    def read(self, records: Sequence[Record]) -> tuple[Classes, BoolArray, Replies]:
        """The classes, which of them are true (n, k), and what the model says; none is where no label was asked for."""
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

    def score(self, records: Sequence[Record]) -> list[Score]:
        """Each figure over the faces that fit, without an interval."""
        _, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        found = self.figures(truth[rows], replies.of(rows)) if rows.any() else {}
        return [Score(name, value, int(rows.sum())) for name, value in found.items() if np.isfinite(value)]

    def parts(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, float]]:
        """Floor, ceiling, every baseline, the share `covered`, details by class, and how many records are `outside`."""
        classes, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        if not rows.any():
            return {}
        outside = sum(bool(record.truth.labels) for record in records) - int(truth.any(axis=1).sum())
        left_out = {"outside": float(outside)} if outside else {}
        truth, replies = truth[rows], replies.of(rows)
        details = self.details(truth, replies)
        beside = compare(
            self.figures,
            truth,
            classes.names,
            [records[row] for row in np.flatnonzero(rows).tolist()],
            draws=self.draws,
        )
        return {
            name: finite(
                {
                    **bounds(beside[name], falling=name in self.falling),
                    **beside[name],
                    "covered": covered(value, beside[name], len(truth), falling=name in self.falling),
                    **left_out,
                    **details.get(name, {}),
                }
            )
            for name, value in self.figures(truth, replies).items()
        }


def _walked(labels: Iterable[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """What the labels are in terms of the names; those that are nothing there stay as they are."""
    return tuple(dict.fromkeys(chain.from_iterable(crosswalk(label, names) or (label,) for label in labels)))


def _shared(given: Mapping[str, float], names: tuple[str, ...]) -> Mapping[str, float]:
    """The probabilities of the names; a compound's goes to its kinds in equal parts."""
    found: dict[str, float] = {}
    for label, value in given.items():
        kinds = crosswalk(label, names) or (label,)
        for kind in kinds:
            found[kind] = found.get(kind, 0.0) + value / len(kinds)
    return found


def finite(parts: Mapping[str, float]) -> dict[str, float]:
    """Those that are defined."""
    return {name: float(value) for name, value in parts.items() if np.isfinite(value)}


class RecordMean(CategoryMetric):
    """A metric that is a mean over records."""

    @abstractmethod
    def each(self, truth: BoolArray, replies: Replies) -> Mapping[str, FloatArray]:
        """For each figure one value a face that fits, shape (n,); NaN where its truth has none, whatever the reply."""

    def figures(self, truth: BoolArray, replies: Replies) -> Mapping[str, float]:
        """The means; NaN where no face has a value."""
        found = {name: values[np.isfinite(values)] for name, values in self.each(truth, replies).items()}
        return {name: float(values.mean()) if len(values) else np.nan for name, values in found.items()}

    def score(self, records: Sequence[Record]) -> list[Score]:
        """The mean of each figure over the faces that have a value, without an interval."""
        found = {name: values[np.isfinite(values)] for name, values in self.values(records).items()}
        return [Score(name, float(values.mean()), len(values)) for name, values in found.items() if len(values)]

    def values(self, records: Sequence[Record]) -> Mapping[str, FloatArray]:
        """One value a record, shape (n,); NaN where it does not fit."""
        _, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        columns = {}
        for name, values in self.each(truth[rows], replies.of(rows)).items():
            columns[name] = np.full(len(records), np.nan)
            columns[name][rows] = values
        return columns


class Counted(CategoryMetric):
    """A metric that is no mean, but follows from sums over records."""

    @abstractmethod
    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """Each figure of shape (draws,), weights (draws, n) saying how often each draw has each face."""

    def figures(self, truth: BoolArray, replies: Replies) -> Mapping[str, float]:
        """The figures of each face once."""
        found = self.over(truth, replies, np.ones((1, len(truth))))
        return {name: float(values[0]) for name, values in found.items()}

    def statistics(self, records: Sequence[Record]) -> Sequence[tuple[BoolArray, Statistic]]:
        """The figures over the records that fit."""
        _, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        truth, replies = truth[rows], replies.of(rows)
        return [(rows, lambda weights: self.over(truth, replies, weights))]
