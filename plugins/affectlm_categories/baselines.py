"""Baselines for every score of labels: what is possible without a model, or with valence and arousal alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from types import MappingProxyType

import numpy as np

from affectlm.affect import nearness
from affectlm.types import Record, Statistic
from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot
from affectlm_categories.classifiers import SEED, Seen, learnt, pairs
from affectlm_categories.decisions import Over, constants, decide, rules


def baselines(
    over: Over,
    truth: BoolArray,
    names: tuple[str, ...],
    records: Sequence[Record],
    *,
    falling: Collection[str] = (),
    limits: Mapping[str, float] = MappingProxyType({}),
    several: bool = False,
    ranks: bool = False,
    draws: int | None = None,
) -> dict[str, Statistic]:
    """The scores of each baseline by its name, as functions of weights (draws, n).

    chance: the mean over k random replies, which together give each face each of the k labels once.
    majority: the constant reply that is best for the score: the commonest label or, with `several`, the commonest few.
    circumplex: the label whose published point is nearest, like the adapter of that name.
    gaussian, logistic: classifiers of the valence and arousal in the questions (see `classifiers`), which name what is
    best for the score (see `decisions`); the classifier of a face never saw its pair of numbers, nor its picture.
    gaussian_truth_va, logistic_truth_va: the same with rated numbers, if every face has them and they differ; not with
    numbers derived from the labels, which would give these away.

    Faces without numbers get no answer from the classifiers.

    Args:
        over: the scores of replies, by name, for weights (draws, n).
        truth: (n, k), each row with a true label.
        names: of the k classes.
        records: the n faces.
        falling: scores for which less is better.
        limits: of some scores, how many labels the replies may name on average (see `decisions.decide`).
        several: whether a reply may name several labels.
        ranks: whether the scores depend on probabilities alone, so that nothing is to be decided.
        draws: how many of the k random replies to use; all by default.
    """
    shares = truth.mean(axis=0)
    at_once = np.zeros(len(truth), np.intp)
    decided = partial(_of, over, truth, falling=falling, limits=limits, most=1 if ranks else None)
    found = {
        "chance": _mean(over, truth, list(islice(chance(len(truth), names), draws))),
        "majority": decided(constants(shares, len(truth), names, several=several), at_once),
    }
    asked, rated = Seen.asked(records), Seen.rated(records)
    numbers = pairs([(record.valence, record.arousal) for record in records])
    if nearness.has_point(names) and np.isfinite(numbers).any():
        near = Replies.likeliest(names, nearness.likelihoods(numbers, names), several=several)
        found["circumplex"] = lambda weights: over(truth, near, weights)
    by_what = {"": asked}
    derived = any(record.truth.derived for record in records)
    if np.isfinite(rated.affect).all() and not derived and not np.array_equal(rated.affect, numbers):
        by_what["_truth_va"] = rated
    for suffix, seen in by_what.items():
        known = learnt(truth, seen)
        for name, given in known.probabilities.items():
            found[f"{name}{suffix}"] = decided(rules(given, shares, names, several=several), known.fold)
    return found


def with_bounds(baselines: Mapping[str, Statistic], falling: Collection[str]) -> Statistic:
    """All baselines and bounds of each score, by "SCORE: BASELINE".

    `floor` is the better of chance and majority, `ceiling` the better of gaussian and logistic if there are any.
    """

    def beside(weights: FloatArray) -> dict[str, FloatArray]:
        found: dict[str, FloatArray] = {}
        figures = {baseline: statistic(weights) for baseline, statistic in baselines.items()}
        for name in figures["chance"]:
            better = np.minimum if name in falling else np.maximum
            values = {baseline: each[name] for baseline, each in figures.items()}
            found[f"{name}: floor"] = better(values["chance"], values["majority"])
            if "gaussian" in values:
                found[f"{name}: ceiling"] = better(values["gaussian"], values["logistic"])
            found |= {f"{name}: {baseline}": each for baseline, each in values.items()}
        return found

    return beside


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


def _mean(over: Over, truth: BoolArray, replies: Sequence[Replies]) -> Statistic:
    def mean(weights: FloatArray) -> dict[str, FloatArray]:
        figures = [over(truth, each, weights) for each in replies]
        return {name: np.mean([each[name] for each in figures], axis=0) for name in figures[0]}

    return mean


def _of(
    over: Over,
    truth: BoolArray,
    ways: Iterator[Replies],
    fold: IntArray,
    *,
    falling: Collection[str],
    limits: Mapping[str, float],
    most: int | None,
) -> Statistic:
    """Each score of the replies that are best for it, of the first `most` ways; equal replies are scored once."""
    chosen = decide(over, truth, list(islice(ways, most)), fold, falling=falling, limits=limits)

    def of(weights: FloatArray) -> dict[str, FloatArray]:
        figures = {id(replies): over(truth, replies, weights) for replies in chosen.values()}
        return {name: figures[id(replies)][name] for name, replies in chosen.items()}

    return of
