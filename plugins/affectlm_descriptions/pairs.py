"""Common parts of all comparisons of answers with texts by people: which records count, and the floor of a score.

The floor is the score of answers beside texts about somebody else; only the difference from it is meaningful.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import ClassVar, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.types import Outcome, Record, Score
from affectlm.validators import at_least

Floats: TypeAlias = NDArray[np.float64]
Figures: TypeAlias = dict[str, Floats]  # by their names
Pair: TypeAlias = tuple[str, tuple[str, ...]]  # an answer, empty if missing, and what people wrote

FLOOR_PAIRS = 2000


@attrs.frozen
class Pairs:
    """Answers paired with the texts of their own records, and with those of others."""

    rows: tuple[int, ...]  # the records with texts, in the order of their ids
    own: tuple[Pair, ...]  # one per row
    partners: NDArray[np.intp]  # (shuffles, rows): the row whose texts are used; empty if all rows have the same texts
    others: tuple[tuple[Pair, ...], ...]  # one tuple per shuffle


def pair_up(records: Sequence[Record], seed: int, floor_pairs: int = FLOOR_PAIRS) -> Pairs:
    """The pairs of the records with texts; `others` has enough shuffles for `floor_pairs` pairs, at least one.

    The result does not depend on the order of the records; with `floor_pairs` 0 there are no shuffles.
    """
    written = [tuple(filter(None, map(str.strip, record.truth.text))) for record in records]
    rows = sorted((row for row, texts in enumerate(written) if texts), key=lambda row: records[row].id)
    own = tuple((answer_of(records[row]), written[row]) for row in rows)
    differ = len({frozenset(texts) for _, texts in own}) > 1
    partners = shuffles(len(own) if differ else 0, seed, floor_pairs)
    others = tuple(
        tuple((answer, own[partner][1]) for (answer, _), partner in zip(own, draw, strict=True)) for draw in partners
    )
    return Pairs(tuple(rows), own, partners, others)


def answer_of(record: Record) -> str:
    """The answer of a record, empty unless the outcome is ok."""
    return record.answer.strip() if record.outcome is Outcome.OK else ""


def shuffles(count: int, seed: int, floor_pairs: int) -> NDArray[np.intp]:
    """A partner for each entry, shape (shuffles, count), at least `floor_pairs` in all; empty if count is below 2.

    In each shuffle every entry is the partner of one other. All are equally likely, whatever they contain, so an answer
    that is the same for everybody is exactly at its floor; without partners of equal content it would be above it.
    """
    draws = math.ceil(floor_pairs / count) if count > 1 else 0
    circles = np.random.default_rng(seed).permuted(np.tile(np.arange(count), (draws, 1)), axis=1)
    partners = np.empty_like(circles)
    np.put_along_axis(partners, circles, np.roll(circles, 1, axis=1), axis=1)
    return partners


def floor(figures: Floats, partners: NDArray[np.intp]) -> Floats:
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
        floor_pairs: number of shuffled pairs for the floor, at least one per record; 0 leaves the floor out.
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
        """One value per record, for each score and floor, shape (n,); NaN if people wrote nothing."""
        pairs = pair_up(records, self.seed, self.floor_pairs)
        distinct = dict.fromkeys(pair for part in (pairs.own, *pairs.others) for pair in part if pair[0])
        places = {pair: place for place, pair in enumerate(distinct)}
        own, *others = ([places.get(pair, -1) for pair in part] for part in (pairs.own, *pairs.others))
        found = {}
        for name, figures in self.compare(list(distinct)).items():
            known = np.append(figures, 0.0)  # the last for missing answers
            found[name] = spread(known[own], pairs.rows, len(records))
            if others:
                found[f"{name}_floor"] = spread(floor(known[others], pairs.partners), pairs.rows, len(records))
        return found

    def score(self, records: Sequence[Record]) -> list[Score]:
        """The means over the records with texts."""
        return means(self.values(records))


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


def means(values: Figures) -> list[Score]:
    """The mean of each score over the records that have it."""
    found = {name: figures[np.isfinite(figures)] for name, figures in values.items()}
    return [Score(name, float(known.mean()), len(known)) for name, known in found.items() if len(known)]
