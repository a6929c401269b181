"""Classifiers that have learnt labels from valence and arousal, out of fold: what these two numbers allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import attrs
import numpy as np

from affectlm.types import Record
from affectlm_categories.classes import BoolArray, FloatArray, IntArray

FOLDS = 10
LEAST = 3  # faces of a class; fewer say nothing about its spread in two dimensions
SEED = 0


@attrs.frozen(eq=False)
class Seen:
    """What a classifier sees of n faces, and which of them it may not learn from one another."""

    affect: FloatArray  # (n, 2), valence and arousal; a row of NaN without them
    group: IntArray  # (n,): faces of one group look the same to a model, so they are in one fold
    picture: IntArray  # (n,): a face is never classified by what was learnt from another of its picture

    @classmethod
    def asked(cls, records: Sequence[Record]) -> Seen:
        """What the questions said: faces with one prompt have one pair of numbers, the mean of theirs.

        So where words stand for numbers, a classifier knows no more than the words.
        """
        affect = pairs([(record.valence, record.arousal) for record in records])
        group = _joined(_places([record.prompt_sha256 or record.id for record in records]), _rows(affect))
        sizes = np.bincount(group)
        means = [np.bincount(group, column) / sizes for column in affect.T]
        return cls(np.stack(means, axis=1)[group], group, _pictures(records))

    @classmethod
    def rated(cls, records: Sequence[Record]) -> Seen:
        """The ratings by people."""
        affect = pairs([(record.truth.valence, record.truth.arousal) for record in records])
        return cls(affect, _rows(affect), _pictures(records))


@attrs.frozen(eq=False)
class Learnt:
    """The probabilities (n, k) of each classifier by name, and the fold of each face, -1 for a face without numbers."""

    probabilities: Mapping[str, FloatArray] = attrs.field(factory=dict)
    fold: IntArray = attrs.field(factory=lambda: np.empty(0, np.intp))


def pairs(numbers: Sequence[tuple[float | None, float | None]]) -> FloatArray:
    """The pairs as an array (n, 2); NaN where a number is missing."""
    return np.array(numbers, np.float64).reshape(-1, 2)


def learnt(truth: BoolArray, seen: Seen) -> Learnt:
    """`gaussian` and `logistic`; nothing if there is too little to learn from.

    `gaussian` is a normal distribution per class with full covariance, mixed with 1 % of the unit covariance;
    `logistic` is a logistic regression with scikit-learn's penalty. If faces have several true labels, there is one
    classifier per label.

    Args:
        truth: (n, k).
        seen: of the n faces.
    """
    arrays = (seen.affect, seen.group, seen.picture)
    return _remembered(truth.tobytes(), *(array.tobytes() for array in arrays), truth.shape[1])


@lru_cache(maxsize=4)  # all metrics over the same faces need the same
def _remembered(truth: bytes, affect: bytes, group: bytes, picture: bytes, classes: int) -> Learnt:
    seen = Seen(
        np.frombuffer(affect, np.float64).reshape(-1, 2),
        np.frombuffer(group, np.intp),
        np.frombuffer(picture, np.intp),
    )
    return _learn(np.frombuffer(truth, np.bool_).reshape(-1, classes), seen)


def _learn(truth: BoolArray, seen: Seen) -> Learnt:
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    fold = folds(truth, seen)
    if fold is None:
        return Learnt()
    several = bool((truth.sum(axis=1) > 1).any())
    solver = "newton-cholesky" if several else "lbfgs"  # by far the fastest for many faces and two classes
    makers = {
        "gaussian": lambda: QuadraticDiscriminantAnalysis(reg_param=0.01),
        "logistic": lambda: LogisticRegression(solver=solver),
    }
    learn = _each_label if several else _one_label
    return Learnt({name: _out_of_fold(learn, make, truth, seen, fold) for name, make in makers.items()}, fold)


def folds(truth: BoolArray, seen: Seen) -> IntArray | None:
    """The fold of each face, shape (n,), with first labels spread evenly; None if there are no two classes.

    Faces of one group share a fold. There are 10 folds, or as many as there are groups with the second most widespread
    first label, so that there are two classes to learn from. A face without numbers has the fold -1.

    Args:
        truth: (n, k), each row with a true label.
        seen: of the n faces.
    """
    known = np.isfinite(seen.affect).all(axis=1)
    if not known.any():
        return None
    groups, group = np.unique(seen.group[known], return_inverse=True)
    table = np.zeros((len(groups), max(2, truth.shape[1])), np.intp)  # how many faces of a group have a first label
    np.add.at(table, (group.ravel(), truth[known].argmax(axis=1)), 1)
    count = min(FOLDS, int(np.sort((table > 0).sum(axis=0))[-2]))
    if count < 2:
        return None
    order = np.lexsort((np.random.default_rng(SEED).random(len(groups)), table.argmax(axis=1)))
    dealt = np.empty(len(groups), np.intp)
    dealt[order] = np.arange(len(groups)) % count
    found = np.full(len(truth), -1, np.intp)
    found[known] = dealt[group.ravel()]
    return found


def _out_of_fold(
    learn: Callable[..., FloatArray], make: Callable[[], Any], truth: BoolArray, seen: Seen, fold: IntArray
) -> FloatArray:
    """The probabilities (n, k) of each face by a classifier of the other folds' faces in other pictures."""
    found = np.full(truth.shape, np.nan)
    for turn in range(int(fold.max()) + 1):
        tested = fold == turn
        used = (fold >= 0) & ~tested & ~np.isin(seen.picture, seen.picture[tested])
        found[tested] = learn(make, seen.affect[used], truth[used], seen.affect[tested])
    return found


def _one_label(make: Callable[[], Any], affect: FloatArray, truth: BoolArray, asked: FloatArray) -> FloatArray:
    """The probabilities by one classifier of all classes; a class with too few faces gets 0."""
    found = np.zeros((len(asked), truth.shape[1]))
    classes = np.flatnonzero(truth.sum(axis=0) >= LEAST)
    if len(classes) < 2:
        return np.asarray(found + (truth.mean(axis=0) if len(truth) else 0.0))
    rows = truth[:, classes].any(axis=1)
    found[:, classes] = _fitted(make, affect[rows], truth[rows].argmax(axis=1), asked)
    return found


def _each_label(make: Callable[[], Any], affect: FloatArray, truth: BoolArray, asked: FloatArray) -> FloatArray:
    """The probabilities by one classifier per class; a class that too few faces have, or lack, gets its share."""
    found = np.tile(truth.mean(axis=0) if len(truth) else np.zeros(truth.shape[1]), (len(asked), 1))
    for place, has in enumerate(truth.T):
        if LEAST <= has.sum() <= len(has) - LEAST:
            found[:, place] = _fitted(make, affect, has, asked)[:, 1]
    return found


def _fitted(
    make: Callable[[], Any], affect: FloatArray, classes: BoolArray | IntArray, asked: FloatArray
) -> FloatArray:
    """The probabilities of the classes, in their order, for the faces in `asked`."""
    from sklearn import config_context

    with config_context(assume_finite=True, skip_parameter_validation=True):
        return np.asarray(make().fit(affect, classes).predict_proba(asked))


def _pictures(records: Sequence[Record]) -> IntArray:
    return _places([record.image or record.id for record in records])


def _places(names: Sequence[str]) -> IntArray:
    """A number per name, equal for equal names."""
    return np.asarray(np.unique(names, return_inverse=True)[1].ravel(), np.intp)


def _rows(affect: FloatArray) -> IntArray:
    """A number per row, equal for equal rows; rows with NaN are equal to one another."""
    return np.asarray(np.unique(np.nan_to_num(affect, nan=9.0), axis=0, return_inverse=True)[1].ravel(), np.intp)


def _joined(first: IntArray, second: IntArray) -> IntArray:
    """Groups of faces that are linked by an equal number in one array or the other, shape (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(first):
        return first
    size = int(first.max()) + 1
    links = coo_array((np.ones(len(first)), (first, size + second)), shape=(size + int(second.max()) + 1,) * 2)
    return np.asarray(connected_components(links, directed=False)[1][first], np.intp)
