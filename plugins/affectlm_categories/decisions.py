"""From probabilities to the labels that are best for a score: which score is judged decides what to name.

The likeliest label is best for accuracy; a label that is likelier than usual for balanced accuracy; several of them for
F1 against several true labels. So the rule is chosen per score, and per fold on the other folds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from affectlm_categories.classes import BoolArray, FloatArray, IntArray, Replies, one_hot

Over = Callable[[BoolArray, Replies, FloatArray], Mapping[str, FloatArray]]

POWERS = (0.0, 0.5, 1.0)  # how far the usual share of a label is divided out of its probability
MOST = 8  # labels of rules that name the same number for each face
AVERAGES = (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 13)  # labels per face of rules with a threshold


def rules(probabilities: FloatArray, shares: FloatArray, names: tuple[str, ...], *, several: bool) -> Iterator[Replies]:
    """The replies of each rule, the simplest first.

    Args:
        probabilities: (n, k); a row of NaN names nothing.
        shares: (k,), how often each label is true.
        names: of the k labels.
        several: whether a rule may name several labels.
    """
    known = np.asarray(np.isfinite(probabilities).all(axis=1))[:, None]
    size = probabilities.shape[1]
    for power in POWERS:
        scale = shares**power
        strength = np.divide(probabilities, scale, out=np.zeros_like(probabilities), where=known & (scale > 0))
        order = np.argsort(-strength, axis=1, kind="stable")
        first = np.where(known[:, 0], order[:, 0], size)
        likeliest = one_hot(first, size)
        yield Replies(names, first, likeliest, probabilities)
        if not several:
            continue
        rank = np.argsort(order, axis=1, kind="stable")
        for count in range(2, min(MOST, size) + 1):
            yield Replies(names, first, known & (rank < count), probabilities)
        for average in (each for each in AVERAGES if each < size):
            least = np.quantile(strength[known[:, 0]], 1 - average / size) if known.any() else 0.0
            yield Replies(names, first, known & (likeliest | (strength >= least)), probabilities)


def constants(shares: FloatArray, size: int, names: tuple[str, ...], *, several: bool) -> Iterator[Replies]:
    """The same reply about each of `size` faces: one label, or with `several` also the commonest two, three, ...

    Args:
        shares: (k,), how often each label is true; they are the probabilities of the replies.
        size: number of faces.
        names: of the k labels.
        several: whether a reply may name several labels.
    """
    order = np.argsort(-shares, kind="stable")
    probabilities = np.broadcast_to(shares, (size, len(shares)))
    for place, label in enumerate(order.tolist()):
        named = np.zeros(len(shares), np.bool_)
        named[order[: place + 1] if several else label] = True
        first = np.full(size, order[0] if several else label)
        yield Replies(names, first, np.broadcast_to(named, (size, len(shares))), probabilities)


def decide(
    over: Over,
    truth: BoolArray,
    replies: Sequence[Replies],
    fold: IntArray,
    *,
    falling: Collection[str] = (),
    limits: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Replies]:
    """The best replies for each score; those of a fold follow the rule that is best on all other folds.

    Args:
        over: the scores of replies, for weights (draws, n).
        truth: (n, k).
        replies: of each rule, the simplest first; of equally good rules the first is taken.
        fold: (n,), -1 for a face that always counts; if all are 0, the best rule on all faces is taken.
        falling: scores for which less is better.
        limits: of some scores, how many labels the rules may name on average; the first rule may always be taken.
    """
    count = int(fold.max()) + 1
    weights = (fold != np.arange(count)[:, None]).astype(np.float64) if count > 1 else np.ones((1, len(fold)))
    figures = [over(truth, each, weights) for each in replies]
    sizes = np.array([each.named.sum() / len(truth) for each in replies])
    sizes[0] = 0
    mixed: dict[tuple[int, ...], Replies] = {}
    found = {}
    for name in figures[0]:
        values = np.stack([each[name] for each in figures]) * (-1.0 if name in falling else 1.0)
        values[np.isnan(values) | (sizes > limits.get(name, np.inf))[:, None]] = -np.inf
        best = tuple(values.argmax(axis=0).tolist())
        if best not in mixed:
            mixed[best] = _mixed(replies, np.array(best)[fold])
        found[name] = mixed[best]
    return found


def _mixed(replies: Sequence[Replies], rule: IntArray) -> Replies:
    """The replies whose row i is that of rule `rule[i]`."""
    base = replies[int(rule[0])]
    first, named = np.array(base.first), np.array(base.named)
    for each in np.unique(rule).tolist():
        rows = rule == each
        first[rows], named[rows] = replies[each].first[rows], replies[each].named[rows]
    return Replies(base.names, first, named, base.probabilities)
