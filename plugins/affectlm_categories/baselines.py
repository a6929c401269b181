"""Baselines for every score of labels: what is possible without a model, or with valence and arousal alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

import attrs
import numpy as np

from affectlm.affect import nearness
from affectlm.types import Record, Statistic
from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot
from affectlm_categories.classifiers import SEED, Seen, learnt, pairs
from affectlm_categories.decisions import Over, constants, decide, rules


@attrs.frozen(kw_only=True, eq=False)
class Contest:
    """What replies about n faces are judged by."""

    over: Over  # the scores of replies, by name, for weights (draws, n)
    truth: BoolArray  # (n, k), each row with a true label
    names: tuple[str, ...]  # of the k labels
    falling: Collection[str] = ()  # scores for which less is better
    limits: Mapping[str, float] = MappingProxyType({})  # of some scores, how many labels replies may name on average
    several: bool = False  # whether a reply may name several labels
    ranks: bool = False  # whether the scores depend on probabilities alone, so that nothing is to be decided

    def mean(self, replies: Sequence[Replies]) -> Statistic:
        """The mean scores of several replies."""

        def mean(weights: FloatArray) -> dict[str, FloatArray]:
            figures = [self.over(self.truth, each, weights) for each in replies]
            return {name: np.mean([each[name] for each in figures], axis=0) for name in figures[0]}

        return mean

    def best(self, ways: Iterator[Replies], fold: IntArray) -> Statistic:
        """Each score of the replies that are best for it (see `decisions.decide`); equal replies are scored once."""
        given = list(islice(ways, 1 if self.ranks else None))
        chosen = decide(self.over, self.truth, given, fold, falling=self.falling, limits=self.limits)

        def best(weights: FloatArray) -> dict[str, FloatArray]:
            figures = {id(replies): self.over(self.truth, replies, weights) for replies in chosen.values()}
            return {name: figures[id(replies)][name] for name, replies in chosen.items()}

        return best


def baselines(contest: Contest, records: Sequence[Record], *, draws: int | None = None) -> dict[str, Statistic]:
    """The scores of each baseline by its name, as functions of weights (draws, n).

    chance: the mean over k random replies, which together give each face each of the k labels once.
    majority: the constant reply that is best for the score: the commonest label or, of several, the commonest few.
    circumplex: the label whose published point is nearest, like the adapter of that name.
    gaussian, logistic: classifiers of the valence and arousal in the questions (see `classifiers`), which name what is
    best for the score; the classifier of a face never saw its pair of numbers, nor its picture.
    gaussian_truth_va, logistic_truth_va: the same with rated numbers, if every face has them and they differ; not with
    numbers derived from the labels, which would give these away.

    Faces without numbers get no answer from the classifiers. `draws` limits the number of random replies.
    """
    truth, names, several = contest.truth, contest.names, contest.several
    shares, size = truth.mean(axis=0), len(truth)
    found = {
        "chance": contest.mean(list(islice(chance(size, names), draws))),
        "majority": contest.best(constants(shares, size, names, several=several), np.zeros(size, np.intp)),
    }
    asked = pairs([(record.valence, record.arousal) for record in records])
    if nearness.has_point(names) and np.isfinite(asked).any():
        found["circumplex"] = contest.mean(
            [Replies.likeliest(names, nearness.likelihoods(asked, names), several=several)]
        )
    for suffix, seen in _seen(records, asked).items():
        known = learnt(truth, seen)
        for name, given in known.probabilities.items():
            found[f"{name}{suffix}"] = contest.best(rules(given, shares, names, several=several), known.fold)
    return found


def _seen(records: Sequence[Record], asked: FloatArray) -> dict[str, Seen]:
    """What classifiers may see, by the end of their names."""
    rated = Seen.rated(records)
    derived = any(record.truth.derived for record in records)
    told = np.isfinite(rated.affect).all() and not derived and not np.array_equal(rated.affect, asked)
    return {"": Seen.asked(records), **({"_truth_va": rated} if told else {})}


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
