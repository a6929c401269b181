"""Common parts of all comparisons of answers with texts by people: which records count, and the floor of a score.

The floor is the score of answers beside texts about somebody else; only the difference from it is meaningful.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import compress
from typing import ClassVar, TypeAlias, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.types import Outcome, Record
from affectlm.validators import at_least

Floats: TypeAlias = NDArray[np.float64]
Figures: TypeAlias = dict[str, Floats]  # by their names
Places: TypeAlias = NDArray[np.intp]
Pair: TypeAlias = tuple[str, tuple[str, ...]]  # an answer, empty if missing, and what people wrote

_T = TypeVar("_T")

FLOOR_PAIRS = 10_000
_MOST_EXACT = 2_000_000  # pairs of records, however few different pairs of texts they are; 16 MB


@attrs.frozen(eq=False)
class Pairs:
    """Answers paired with the texts of their own records, and with those of others; equal pairs stand once."""

    rows: tuple[int, ...]  # the records with texts, in the order of their ids
    distinct: tuple[Pair, ...]
    own: Places  # (rows,): the place of each record's own pair in `distinct`
    others: Places  # (shuffles, rows): that of the pair with the texts of its partner; no shuffles without a floor
    partners: Places  # (shuffles, rows): the row whose texts are used


def pair_up(records: Sequence[Record], seed: int, floor_pairs: int = FLOOR_PAIRS) -> Pairs:
    """The pairs of the records with texts, and those of each answer with texts of others.

    If there are at most `floor_pairs` different pairs of an answer and texts, every record is paired with every other.
    Else there are enough shuffles for `floor_pairs` pairs, at least one. The result does not depend on the order of the
    records. There are no shuffles if all records have the same texts or `floor_pairs` is 0.
    """
    written = [tuple(filter(None, map(str.strip, record.truth.text))) for record in records]
    rows = sorted((row for row, texts in enumerate(written) if texts), key=lambda row: records[row].id)
    answers, said = _numbered([answer_of(records[row]) for row in rows])
    texts, wrote = _numbered([written[row] for row in rows])
    differ = len(set(map(frozenset, texts))) > 1
    few = len(answers) * len(texts) <= floor_pairs
    partners = shuffles(len(rows), seed, floor_pairs if differ else 0, exact=few)
    codes = np.vstack([wrote, wrote[partners]]) + said * len(texts)
    kept, places = np.unique(codes, return_inverse=True)
    distinct = tuple((answers[code // len(texts)], texts[code % len(texts)]) for code in kept.tolist())
    own, *others = places.reshape(codes.shape)
    return Pairs(tuple(rows), distinct, own, np.array(others, np.intp).reshape(partners.shape), partners)


def _numbered(values: Sequence[_T]) -> tuple[list[_T], Places]:
    """The different values, and the place of each value among them."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return list(places), np.array([places[value] for value in values], np.intp)


def answer_of(record: Record) -> str:
    """The answer of a record, empty unless the outcome is ok."""
    return record.answer.strip() if record.outcome is Outcome.OK else ""


def shuffles(count: int, seed: int, floor_pairs: int, *, exact: bool) -> Places:
    """A partner for each entry, shape (shuffles, count); no shuffles if count is below 2 or `floor_pairs` is 0.

    In each shuffle every entry is the partner of one other. If `exact` and memory allows, each is paired with each
    other exactly once. Else there are at least `floor_pairs` pairs, and all partners are equally likely, whatever they
    contain, so an answer that is the same for everybody is exactly at its floor.
    """
    if count < 2 or not floor_pairs:
        return np.empty((0, count), np.intp)
    if exact and count * (count - 1) <= _MOST_EXACT:
        return np.asarray((np.arange(count) + np.arange(1, count)[:, None]) % count)
    draws = math.ceil(floor_pairs / count)
    circles = np.random.default_rng(seed).permuted(np.tile(np.arange(count), (draws, 1)), axis=1)
    partners = np.empty_like(circles)
    np.put_along_axis(partners, circles, np.roll(circles, 1, axis=1), axis=1)
    return partners


def floor(figures: Floats, partners: Places) -> Floats:
    """One value per record, shape (n,), from the scores of shuffles (shuffles, n); their mean is the floor.

    A record's value is the score of its answer, plus that of other answers with its texts, minus the overall mean. The
    values vary like the floor does between sets of people, which intervals need. In a single shuffle the scores of the
    answers do so by themselves. Source: Hoeffding 1948, Ann. Math. Statist. 19.
    """
    if len(figures) == 1:
        return np.asarray(figures[0])
    met = np.empty_like(figures)
    np.put_along_axis(met, partners, figures, axis=1)
    return np.asarray((figures + met).mean(axis=0) - figures.mean())


def best(names: Sequence[str], pairs: Sequence[Pair], alike: Callable[[str, str], Sequence[float]]) -> Figures:
    """The scores of each pair's answer with its best text, separately for each named score.

    `alike` returns the scores of two texts; it is called once per combination, however many pairs have it.
    """
    known = cache(alike)
    rows = [
        [max(column) for column in zip(*(known(answer, text) for text in texts), strict=True)]
        for answer, texts in pairs
    ]
    return dict(zip(names, np.array(rows, dtype=np.float64).reshape(-1, len(names)).T, strict=True))


@attrs.frozen(kw_only=True)
class Shuffling:
    """Base of all metrics with a floor.

    Args:
        seed: of the shuffles.
        floor_pairs: up to how many different pairs of an answer and texts the floor is exact; else the number of
            shuffled pairs, at least one per record. 0 leaves the floor out.
    """

    judges_answers: ClassVar[bool] = True  # so the core also scores only the records with an answer
    seed: int = attrs.field(default=0, validator=at_least(0))
    floor_pairs: int = attrs.field(default=FLOOR_PAIRS, validator=at_least(0))


@attrs.frozen(kw_only=True)
class TextMetric(Shuffling):
    """Means over the records with texts by people; a subclass scores how alike an answer and texts are.

    A missing answer scores 0. Each score has a floor, `<name>_floor`, unless all texts are the same.
    """

    judges_by: ClassVar[str] = "text"

    def compare(self, pairs: Sequence[Pair]) -> Figures:
        """How alike each answer and its texts are, per score, shape (pairs,); every pair has an answer."""
        raise TypeError(f"{type(self).__name__} does not implement compare")

    def score_names(self) -> tuple[str, ...]:
        """The names of the scores and their floors."""
        return with_floors(self.compare([]))

    def values(self, records: Sequence[Record]) -> Figures:
        """One value per record, for each score, its floor and its gain, shape (n,); NaN if people wrote nothing."""
        pairs = pair_up(records, self.seed, self.floor_pairs)
        answered = np.array([bool(answer) for answer, _ in pairs.distinct], np.bool_)
        found: Figures = {}
        for name, figures in self.compare(list(compress(pairs.distinct, answered))).items():
            known = np.zeros(len(answered))
            known[answered] = figures
            beside = floor(known[pairs.others], pairs.partners) if len(pairs.others) else None
            found |= with_gain(name, known[pairs.own], beside)
        return {name: spread(values, pairs.rows, len(records)) for name, values in found.items()}


def with_gain(name: str, own: Floats, beside: Floats | None) -> Figures:
    """The values of a score, and if it has a floor, those of the floor and of the difference, `gain`."""
    return {name: own} if beside is None else {name: own, f"{name}_floor": beside, f"{name}: gain": own - beside}


def with_floors(names: Iterable[str]) -> tuple[str, ...]:
    """The names of scores, each followed by that of its floor.

    >>> with_floors(["bleu"])
    ('bleu', 'bleu_floor')
    """
    return tuple(each for name in names for each in (name, f"{name}_floor"))


def spread(figures: Floats, rows: Sequence[int], count: int) -> Floats:
    """The values of some rows as one value per record, with NaN for the others."""
    values = np.full(count, np.nan)
    values[list(rows)] = figures
    return values
