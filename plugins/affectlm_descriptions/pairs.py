"""What all comparisons of answers with texts by people share: which records count, and the floor of a likeness.

The floor is what answers reach that have nothing to do with whom they are about: a likeness means as much as it lies
above that.
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
Pair: TypeAlias = tuple[str, tuple[str, ...]]  # an answer, empty when it is missing, and what people wrote

FLOOR_PAIRS = 2000


@attrs.frozen
class Pairs:
    """Answers beside the texts of their own records, and beside those of others."""

    rows: tuple[int, ...]  # which of the records have texts, by their ids
    own: tuple[Pair, ...]  # one a row
    partners: NDArray[np.intp]  # (shuffles, rows): beside whose texts; none where all rows have the same texts
    others: tuple[tuple[Pair, ...], ...]  # a shuffle each


def pair_up(records: Sequence[Record], seed: int, floor_pairs: int = FLOOR_PAIRS) -> Pairs:
    """The pairs of the records with texts; `others` are as many shuffles as make `floor_pairs` pairs, at least one.

    The same whatever order the records come in; no shuffles with `floor_pairs` 0.
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
    """The answer, empty where the outcome is not ok."""
    return record.answer.strip() if record.outcome is Outcome.OK else ""


def shuffles(count: int, seed: int, floor_pairs: int) -> NDArray[np.intp]:
    """For each entry the place of another one, shape (shuffles, count), `floor_pairs` or more in all; none below two.

    In each shuffle every entry is the partner of one other, any being as likely, whatever it holds: so an answer that
    is the same for everybody is exactly at its floor. Without partners that hold the same it would lie above.
    """
    draws = math.ceil(floor_pairs / count) if count > 1 else 0
    circles = np.random.default_rng(seed).permuted(np.tile(np.arange(count), (draws, 1)), axis=1)
    partners = np.empty_like(circles)
    np.put_along_axis(partners, circles, np.roll(circles, 1, axis=1), axis=1)
    return partners


def floor(figures: Floats, partners: NDArray[np.intp]) -> Floats:
    """One value a record, shape (n,), of what shuffles gave, shape (shuffles, n); their mean is the floor.

    A record's value is what its answer reached, and what others reached beside its texts, less the mean: so that the
    values vary as the floor does from one set of people to another, as intervals need it. In a single shuffle what the
    answers reached does so by itself. Source: Hoeffding 1948, Ann. Math. Statist. 19.
    """
    if len(figures) == 1:
        return np.asarray(figures[0])
    met = np.empty_like(figures)
    np.put_along_axis(met, partners, figures, axis=1)
    return np.asarray((figures + met).mean(axis=0) - figures.mean())


def best(names: Sequence[str], pairs: Sequence[Pair], alike: Callable[[str, str], Sequence[float]]) -> Figures:
    """What each pair's answer reaches beside the text it is most like, separately for each of the named figures.

    `alike` gives them for two texts, and is asked once about two, however many pairs hold them.
    """
    known = cache(alike)
    rows = [
        [max(column) for column in zip(*(known(answer, text) for text in texts), strict=True)]
        for answer, texts in pairs
    ]
    return dict(zip(names, np.array(rows, dtype=np.float64).reshape(-1, len(names)).T, strict=True))


@attrs.frozen(kw_only=True)
class Shuffling:
    """What all metrics with a floor share.

    Args:
        seed: of the shuffles.
        floor_pairs: how many shuffled pairs the floor is the mean of, at least one a record; 0 leaves it out.
    """

    judges_answers: ClassVar[bool] = True  # so the core scores the records with an answer once more
    seed: int = attrs.field(default=0, validator=at_least(0))
    floor_pairs: int = attrs.field(default=FLOOR_PAIRS, validator=at_least(0))


@attrs.frozen(kw_only=True)
class TextMetric(Shuffling):
    """Means over the records with texts by people; a subclass says how alike an answer and texts are.

    A missing answer is like nothing, 0. Each figure has a floor, `<name>_floor`, unless all texts are the same.
    """

    judges_by: ClassVar[str] = "text"

    def compare(self, pairs: Sequence[Pair]) -> Figures:
        """How alike each answer and its texts are, for each figure shape (pairs,); every pair has an answer."""
        raise TypeError(f"{type(self).__name__} does not say how alike texts are")

    def score_names(self) -> tuple[str, ...]:
        """Every figure and its floor."""
        return with_floors(self.compare([]))

    def values(self, records: Sequence[Record]) -> Figures:
        """For each figure and floor one value a record, shape (n,); NaN where people wrote nothing."""
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
    """The names of figures, each with that of its floor.

    >>> with_floors(["bleu"])
    ('bleu', 'bleu_floor')
    """
    return tuple(each for name in names for each in (name, f"{name}_floor"))


def spread(figures: Floats, rows: Sequence[int], count: int) -> Floats:
    """Figures of some rows as one value a record, NaN for the others."""
    values = np.full(count, np.nan)
    values[list(rows)] = figures
    return values


def means(values: Figures) -> list[Score]:
    """The mean of each figure over the records that have it."""
    found = {name: figures[np.isfinite(figures)] for name, figures in values.items()}
    return [Score(name, float(known.mean()), len(known)) for name, known in found.items() if len(known)]
