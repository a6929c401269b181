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
from affectlm.types import Outcome, Record, Score, Statistic
from affectlm.validators import flag
from affectlm_categories.baselines import bounds, compare, covered
from affectlm_categories.classes import BoolArray, Classes, FloatArray, Replies


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
    falling: ClassVar[frozenset[str]] = frozenset()  # scores for which less is better
    ranks: ClassVar[bool] = False  # whether the scores use probabilities
    takes_open: ClassVar[bool] = False  # whether to score answers to open questions, which name no label of a set
    draws: ClassVar[int | None] = None  # random replies for the chance baseline; one per class by default
    labels: tuple[str, ...] = attrs.field(default=(), converter=_asked)
    crosswalk: bool = attrs.field(default=False, validator=flag)

    @abstractmethod
    def figures(self, truth: BoolArray, replies: Replies) -> Mapping[str, float]:
        """Each score over the given faces, by name; NaN if undefined."""

    def score_names(self) -> tuple[str, ...]:
        """The names of the scores, taken from an example of two faces."""
        names, truth = ("a", "b"), np.eye(2, dtype=np.bool_)
        return tuple(self.figures(truth, Replies.likeliest(names, truth.astype(np.float64), several=False)))

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

    def score(self, records: Sequence[Record]) -> list[Score]:
        """Each score over the faces that count, without an interval."""
        _, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        found = self.figures(truth[rows], replies.of(rows)) if rows.any() else {}
        return [Score(name, value, int(rows.sum())) for name, value in found.items() if np.isfinite(value)]

    def parts(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, float]]:
        """Floor, ceiling, every baseline, the share `covered`, the count of records `outside`, and details by class."""
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


class RecordMean(CategoryMetric):
    """A metric that is a mean over records."""

    @abstractmethod
    def each(self, truth: BoolArray, replies: Replies) -> Mapping[str, FloatArray]:
        """One value per face and score, shape (n,); NaN if its truth allows none, whatever the reply."""

    def figures(self, truth: BoolArray, replies: Replies) -> Mapping[str, float]:
        """The means; NaN if no face has a value."""
        found = {name: values[np.isfinite(values)] for name, values in self.each(truth, replies).items()}
        return {name: float(values.mean()) if len(values) else np.nan for name, values in found.items()}

    def score(self, records: Sequence[Record]) -> list[Score]:
        """The mean of each score over the faces with a value, without an interval."""
        found = {name: values[np.isfinite(values)] for name, values in self.values(records).items()}
        return [Score(name, float(values.mean()), len(values)) for name, values in found.items() if len(values)]

    def values(self, records: Sequence[Record]) -> Mapping[str, FloatArray]:
        """One value per record and score, shape (n,); NaN if the record does not count."""
        _, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        columns = {}
        for name, values in self.each(truth[rows], replies.of(rows)).items():
            columns[name] = np.full(len(records), np.nan)
            columns[name][rows] = values
        return columns


class Counted(CategoryMetric):
    """A metric that is not a mean but is computed from sums over records."""

    @abstractmethod
    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """Each score, shape (draws,); weights (draws, n) say how often each draw has each face."""

    def figures(self, truth: BoolArray, replies: Replies) -> Mapping[str, float]:
        """The scores with each face once."""
        found = self.over(truth, replies, np.ones((1, len(truth))))
        return {name: float(values[0]) for name, values in found.items()}

    def statistics(self, records: Sequence[Record]) -> Sequence[tuple[BoolArray, Statistic]]:
        """The scores over the records that count."""
        _, truth, replies = self.read(records)
        rows = self.fits(truth, replies)
        truth, replies = truth[rows], replies.of(rows)
        return [(rows, lambda weights: self.over(truth, replies, weights))]
