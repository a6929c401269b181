"""How good the probabilities of labels are, for `answer=choices`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs
import numpy as np

from affectlm.types import Record
from affectlm.validators import at_least
from affectlm_categories.accuracy import hits
from affectlm_categories.classes import BoolArray, FloatArray, Replies, ratio
from affectlm_categories.judging import CategoryMetric, RecordMean, finite


def among_likeliest(truth: BoolArray, probabilities: FloatArray, count: int) -> FloatArray:
    """1 if a true class is among the `count` likeliest, else 0, shape (n,); 0 if there are no probabilities.

    Of equally likely classes, those that come first in the label set are taken.

    Args:
        truth, probabilities: (n, k).
    """
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return (np.take_along_axis(truth, best, axis=1).any(axis=1) & np.isfinite(probabilities).all(axis=1)).astype(float)


def brier(truth: BoolArray, probabilities: FloatArray) -> FloatArray:
    """The sum over classes of (probability - truth)^2, from 0 to 2, shape (n,).

    The form for several classes, not halved: Brier 1950, Monthly Weather Review 78.

    Args:
        truth, probabilities: (n, k).
    """
    return np.asarray(((probabilities - truth) ** 2).sum(axis=1))


def calibration_error(confidence: FloatArray, right: FloatArray, weights: FloatArray, bins: int = 15) -> FloatArray:
    """Expected calibration error, from 0 to 1, shape (draws,).

    Sum over bins of |sum of (right - confidence) in the bin| / n, with bins of equal width; a confidence on a border
    belongs to the bin above, 1 to the last. Source: Guo et al. 2017, ICML (arXiv 1706.04599).

    Args:
        confidence: (n,), the probability of the named label.
        right: (n,), 1 or 0.
        weights: (draws, n).
    """
    places = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    gaps = np.zeros((len(right), bins))
    gaps[np.arange(len(right)), places] = right - confidence
    return ratio(np.abs(weights @ gaps).sum(axis=1), weights.sum(axis=1))


def average_precision(truth: BoolArray, scores: FloatArray, weights: FloatArray) -> FloatArray:
    """Average precision of each class, shape (draws, k); NaN if no face has it.

    The mean, over the faces with the class, of the precision among all faces with an equal or higher score; equal
    scores are taken together, without interpolation.

    Args:
        truth, scores: (n, k).
        weights: (draws, n), 0 or 1: without a face, not with it twice, which would raise average precision.
    """
    found = np.full((len(weights), truth.shape[1]), np.nan)
    for place, (true, score) in enumerate(zip(truth.T, scores.T, strict=True)):
        if not true.any():
            continue
        order = np.argsort(-score, kind="stable")
        last = np.append(np.diff(score[order]) != 0, True)  # the last of the faces with an equal score
        counted = weights[:, order]
        faces = np.cumsum(counted, axis=1)[:, last]
        hits = np.cumsum(counted * true[order], axis=1)[:, last]
        within = np.diff(hits, axis=1, prepend=0.0)
        precision = np.divide(hits, faces, out=np.zeros_like(hits), where=faces > 0)
        found[:, place] = ratio((precision * within).sum(axis=1), hits[:, -1])
    return found


@attrs.frozen(kw_only=True)
class TopK(RecordMean):
    """Score `top_<k>`: how often a true label is among the k likeliest; an answer without probabilities is wrong.

    Args:
        k: number of labels.
    """

    ranks: ClassVar[bool] = True
    k: int = attrs.field(default=3, validator=at_least(1), metadata={"key": "metric.top_k.k"})

    def fits(self, truth: BoolArray, replies: Replies) -> BoolArray:
        """Whether each face has a true label; all False if no face has probabilities."""
        return np.asarray(truth.any(axis=1) & np.isfinite(replies.probabilities).any())

    def score_names(self) -> tuple[str, ...]:
        """The name of its one score."""
        return (f"top_{self.k}",)

    def each(self, truth: BoolArray, replies: Replies) -> FloatArray:
        """1 per right record, 0 per wrong record."""
        return among_likeliest(truth, replies.probabilities, self.k)


class Calibration(CategoryMetric):
    """Scores `brier` and `ece`, less is better, over records with probabilities and exactly one true label.

    The probabilities are of the labels alone: the softmax of the run's `choice_score`. Of several true labels none has
    a true probability of 1, so such records are left out, and the part `several` counts them.
    """

    judges_answers: ClassVar[bool] = False
    ranks: ClassVar[bool] = True
    ends: ClassVar[Mapping[str, tuple[float, float]]] = {"brier": (2.0, 0.0), "ece": (1.0, 0.0)}

    def fits(self, truth: BoolArray, replies: Replies) -> BoolArray:
        """Whether each face has probabilities and exactly one true label."""
        return np.asarray((truth.sum(axis=1) == 1) & np.isfinite(replies.probabilities).all(axis=1))

    def parts(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, float]]:
        """As of every metric of categories, and the count of records with several true labels."""
        several = float((self.read(records)[1].sum(axis=1) > 1).sum())
        return {
            name: {**parts, **({"several": several} if several else {})}
            for name, parts in super().parts(records).items()
        }

    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """The mean Brier score and the calibration error; missing probabilities of a baseline count as 0."""
        given = np.nan_to_num(replies.probabilities)
        return {
            "brier": ratio(weights @ brier(truth, given), weights.sum(axis=1)),
            "ece": calibration_error(given.max(axis=1), hits(truth, given.argmax(axis=1)), weights),
        }


class AveragePrecision(CategoryMetric):
    """Score `map`: the mean over labels of the average precision of the faces ranked by probability.

    For records with one or several true labels. Labels that are never true are left out; missing probabilities count
    as 0.
    """

    ranks: ClassVar[bool] = True
    draws: ClassVar[int | None] = 1  # one is enough for thousands of faces, and sorting them takes time

    def fits(self, truth: BoolArray, replies: Replies) -> BoolArray:
        """Whether each face has a true label; all False if no face has probabilities."""
        return np.asarray(truth.any(axis=1) & np.isfinite(replies.probabilities).any())

    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """The mean over the labels that are true of any face."""
        found = average_precision(truth, np.nan_to_num(replies.probabilities), weights)
        known = np.isfinite(found)
        return {"map": ratio(np.where(known, found, 0.0).sum(axis=1), known.sum(axis=1))}

    def details(self, truth: BoolArray, replies: Replies) -> Mapping[str, Mapping[str, float]]:
        """Average precision by label."""
        [found] = average_precision(truth, np.nan_to_num(replies.probabilities), np.ones((1, len(truth))))
        return {"map": finite({f"ap: {name}": value for name, value in zip(replies.names, found, strict=True)})}
