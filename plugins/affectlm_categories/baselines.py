"""Baselines for every score of labels: what is possible without a model, or with valence and arousal alone.

`compare` lists the baselines; `covered` says how far a score gets from the simple ones towards the classifiers.
Predictions are made once for all metrics over the same faces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np

from affectlm.affect import nearness
from affectlm.types import Record
from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot

FOLDS = 10
LEAST = 3  # faces of a class; fewer say nothing about its spread in two dimensions
SEED = 0

Figures = Callable[[BoolArray, Replies], Mapping[str, float]]


def compare(
    figures: Figures,
    truth: BoolArray,
    names: tuple[str, ...],
    records: Sequence[Record],
    *,
    draws: int | None = None,
) -> dict[str, dict[str, float]]:
    """The value of every baseline, by score name and baseline name.

    chance: the mean over k random replies, which together give each face each of the k labels once.
    majority: always the commonest label; its probabilities are the shares of the labels.
    circumplex: the label whose published point is nearest, like the adapter of that name.
    gaussian, logistic: classifiers of the valence and arousal that the model was given; the classifier of a face never
    saw its pair of numbers. They show what these numbers allow (see `classifiers`).
    gaussian_truth_va, logistic_truth_va: the same with rated numbers, if every face has them and they differ.

    If faces have several true labels, each label is a question of its own, and a baseline names the likeliest label
    and all with a probability of at least 0.5; chance names one. Faces without numbers get no answer from them.

    Args:
        figures: computes scores by name from truth (n, k) and replies.
        truth: (n, k), each row with a true label.
        names: of the k classes.
        records: the n faces.
        draws: how many of the k random replies to use; all by default.
    """
    found: dict[str, dict[str, float]] = {}
    guesses = [figures(truth, guess) for guess in islice(chance(len(truth), names), draws)]
    for name in guesses[0]:
        found[name] = {"chance": float(np.mean([guess[name] for guess in guesses]))}
    several = bool((truth.sum(axis=1) > 1).any())
    for baseline, probabilities in likelihoods(truth, names, records).items():
        for name, value in figures(truth, Replies.likeliest(names, probabilities, several=several)).items():
            found[name][baseline] = value
    return found


def bounds(beside: Mapping[str, float], *, falling: bool = False) -> dict[str, float]:
    """`floor`, the better of chance and majority, and `ceiling`, the better of gaussian and logistic if there are any.

    Args:
        beside: the values of the baselines.
        falling: whether less is better.

    >>> bounds({"chance": 0.1, "majority": 0.3, "gaussian": 0.5, "logistic": 0.4})
    {'floor': 0.3, 'ceiling': 0.5}
    """
    better = min if falling else max
    learnt = [beside[name] for name in ("gaussian", "logistic") if name in beside]
    ceiling = {"ceiling": better(learnt)} if learnt else {}
    return {"floor": better(beside["chance"], beside["majority"]), **ceiling}


def covered(value: float, beside: Mapping[str, float], size: int, *, falling: bool = False) -> float:
    """(value - floor) / (ceiling - floor); NaN if there is no ceiling or it is hardly better than the floor.

    They must differ by more than 1 / sqrt(size), twice the largest standard error of a share of so many faces.

    Args:
        value: the score.
        beside: the values of the baselines.
        size: number of faces.
        falling: whether less is better.

    >>> covered(0.4, {"chance": 0.1, "majority": 0.3, "gaussian": 0.5, "logistic": 0.4}, 100)
    0.5
    """
    found = bounds(beside, falling=falling)
    floor, way = found["floor"], found.get("ceiling", math.nan) - found["floor"]
    if not (-way if falling else way) > 1 / math.sqrt(size):
        return math.nan
    return float(round((value - floor) / way, 12))


def chance(size: int, names: tuple[str, ...]) -> Iterator[Replies]:
    """Random replies to `size` faces, as many as there are classes; every face gets every class once."""
    classes = len(names)
    drawn = np.random.default_rng(SEED).integers(0, classes, size)
    for turn in range(classes):
        first = (drawn + turn) % classes
        behind = (np.arange(classes) - first[:, None]) % classes
        named = one_hot(first, classes)
        alike = np.asarray(1 / classes - 1e-9 * behind)  # tiny differences decide the order of the rest
        yield Replies(names, first, named, alike)


def likelihoods(truth: BoolArray, names: Sequence[str], records: Sequence[Record]) -> dict[str, FloatArray]:
    """The probabilities (n, k) of every baseline except chance; rows of NaN where it cannot answer."""
    given = _numbers([(record.valence, record.arousal) for record in records])
    rated = _numbers([(record.truth.valence, record.truth.arousal) for record in records])
    found = {"majority": np.broadcast_to(truth.mean(axis=0), truth.shape)}
    if nearness.has_point(names) and np.isfinite(given).any():
        found["circumplex"] = nearness.likelihoods(given, names)  # like the adapter of that name
    found |= _classified(truth, given)
    if np.isfinite(rated).all() and not np.array_equal(rated, given):
        found |= {f"{name}_truth_va": values for name, values in _classified(truth, rated).items()}
    return found


def _numbers(pairs: Sequence[tuple[float | None, float | None]]) -> FloatArray:
    return np.array(pairs, np.float64).reshape(-1, 2)  # None becomes NaN


def _classified(truth: BoolArray, affect: FloatArray) -> Mapping[str, FloatArray]:
    return _remembered(truth.tobytes(), affect.tobytes(), truth.shape[1])


@lru_cache(maxsize=4)  # all metrics over the same faces need the same
def _remembered(truth: bytes, affect: bytes, classes: int) -> Mapping[str, FloatArray]:
    return classifiers(
        np.frombuffer(truth, np.bool_).reshape(-1, classes), np.frombuffer(affect, np.float64).reshape(-1, 2)
    )


def classifiers(truth: BoolArray, affect: FloatArray) -> dict[str, FloatArray]:
    """The probabilities (n, k) of `gaussian` and `logistic`; empty if there is too little to learn from.

    `gaussian` is a normal distribution per class with full covariance, mixed with 1 % of the unit covariance;
    `logistic` is a logistic regression with scikit-learn's penalty. If faces have several true labels, there is one
    classifier per label. They are trained in at most 10 folds, and no pair of numbers is in two folds.

    Args:
        truth: (n, k).
        affect: (n, 2), valence and arousal; rows with NaN get NaN.
    """
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    known = np.isfinite(affect).all(axis=1)
    fold = folds(affect[known], truth[known])
    if fold is None:
        return {}
    several = bool((truth.sum(axis=1) > 1).any())
    solver = "newton-cholesky" if several else "lbfgs"  # by far the fastest for many faces and two classes
    found = {}
    for name, make in (
        ("gaussian", lambda: QuadraticDiscriminantAnalysis(reg_param=0.01)),
        ("logistic", lambda: LogisticRegression(solver=solver)),
    ):
        found[name] = np.full(truth.shape, np.nan)
        found[name][known] = _out_of_fold(make, affect[known], truth[known], fold, several=several)
    return found


def folds(affect: FloatArray, truth: BoolArray) -> IntArray | None:
    """The fold of each face, shape (n,), with first labels spread evenly; None if there are no two classes.

    Faces with equal valence and arousal share a fold. There are 10 folds, or as many as the second commonest first
    label has pairs of numbers, so there are always two classes to learn from.

    Args:
        affect: (n, 2), finite.
        truth: (n, k), each row with a true label.
    """
    if not len(affect):
        return None
    _, chosen, pair = np.unique(affect, axis=0, return_index=True, return_inverse=True)
    label = truth.argmax(axis=1)[chosen]
    count = min(FOLDS, int(np.sort(np.bincount(label, minlength=2))[-2]))
    if count < 2:
        return None
    order = np.lexsort((np.random.default_rng(SEED).random(len(label)), label))
    dealt = np.empty(len(label), np.intp)
    dealt[order] = np.arange(len(label)) % count
    return np.asarray(dealt[pair.ravel()])


def _out_of_fold(
    make: Callable[[], Any], affect: FloatArray, truth: BoolArray, fold: IntArray, *, several: bool
) -> FloatArray:
    """The probabilities (n, k) of each face by a classifier trained on the other folds."""
    learn = _each_label if several else _one_label
    found = np.empty(truth.shape)
    for turn in range(int(fold.max()) + 1):
        tested = fold == turn
        found[tested] = learn(make, affect[~tested], truth[~tested], affect[tested])
    return found


def _one_label(make: Callable[[], Any], affect: FloatArray, truth: BoolArray, asked: FloatArray) -> FloatArray:
    """The probabilities by one classifier of all classes; a class with too few faces gets 0."""
    found = np.zeros((len(asked), truth.shape[1]))
    classes = np.flatnonzero(truth.sum(axis=0) >= LEAST)
    if len(classes) < 2:
        return np.asarray(found + truth.mean(axis=0))
    rows = truth[:, classes].any(axis=1)
    found[:, classes] = _fitted(make, affect[rows], truth[rows].argmax(axis=1), asked)
    return found


def _each_label(make: Callable[[], Any], affect: FloatArray, truth: BoolArray, asked: FloatArray) -> FloatArray:
    """The probabilities by one classifier per class; a class that too few faces have, or lack, gets its share."""
    found = np.tile(truth.mean(axis=0), (len(asked), 1))
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
