"""Labels and replies as arrays over classes; a label is found in any of its forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.affect.labels import folded, spellings

BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.intp]


@attrs.frozen(eq=False)
class Classes:
    """The labels that count as classes, and the place of each form in which they may be written, folded."""

    names: tuple[str, ...]
    forms: Mapping[str, int]

    @classmethod
    def of(cls, labels: Iterable[str]) -> Classes:
        """The classes of a label set, or of the labels that were found."""
        names = tuple(dict.fromkeys(map(folded, labels)))
        return _classes(names)

    def place(self, label: str) -> int:
        """The place of a label among the k names; k if it is not one of them."""
        return self.forms.get(folded(label), len(self.names))

    def members(self, labels: Sequence[tuple[str, ...]]) -> BoolArray:
        """Which classes each of n tuples names, shape (n, k)."""
        places = {label: self.place(label) for label in set(chain.from_iterable(labels))}
        table = np.zeros((len(labels), len(self.names) + 1), np.bool_)
        rows = np.repeat(np.arange(len(labels)), [len(named) for named in labels])
        table[rows, [places[label] for named in labels for label in named]] = True
        return table[:, :-1]

    def first(self, labels: Sequence[tuple[str, ...]]) -> IntArray:
        """The place of the first label of each of n tuples, shape (n,); k if there is none or it is not a class."""
        places = {label: self.place(label) for label in {named[0] for named in labels if named}}
        return np.array([places[named[0]] if named else len(self.names) for named in labels], np.intp)

    def probabilities(self, given: Sequence[Mapping[str, float] | None]) -> FloatArray:
        """The value of each class in each of n mappings, shape (n, k); rows of NaN for missing mappings."""
        table = np.full((len(given), len(self.names) + 1), np.nan)
        alike: dict[tuple[str, ...], list[int]] = {}
        for row, values in enumerate(given):
            alike.setdefault(tuple(values or ()), []).append(row)
        for labels, rows in alike.items():
            if labels:
                table[rows] = 0
                table[np.ix_(rows, [self.place(label) for label in labels])] = [
                    list((given[row] or {}).values()) for row in rows
                ]
        return table[:, :-1]


@lru_cache(maxsize=64)
def _classes(names: tuple[str, ...]) -> Classes:
    places = {name: place for place, name in enumerate(names)}
    return Classes(names, {form: places[name] for form, name in spellings(names).items()})


@attrs.frozen(eq=False)
class Replies:
    """The answers of a model or a baseline about n faces, over k classes."""

    names: tuple[str, ...]
    first: IntArray  # (n,): the class named first; k if none is
    named: BoolArray  # (n, k): all classes named
    probabilities: FloatArray  # (n, k): NaN if none are given

    @classmethod
    def likeliest(cls, names: tuple[str, ...], probabilities: FloatArray, *, several: bool) -> Replies:
        """Replies that name the likeliest class, the first of equals, and with `several` all of at least 0.5.

        A row of NaN names nothing.
        """
        size = probabilities.shape[1]
        best = np.where(np.isfinite(probabilities), probabilities, -1.0).argmax(axis=1)
        first = np.where(np.isfinite(probabilities).any(axis=1), best, size)
        named = one_hot(first, size)
        return cls(names, first, named | (probabilities >= 0.5) if several else named, probabilities)

    def of(self, rows: BoolArray) -> Replies:
        """The replies about some of the faces."""
        return Replies(self.names, self.first[rows], self.named[rows], self.probabilities[rows])


def one_hot(places: IntArray, size: int) -> BoolArray:
    """Whether each of n places is each of k, shape (n, k); a row of False if a place is not one of them."""
    return np.asarray(places[:, None] == np.arange(size))


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Each part / whole; NaN where the whole is 0, as in resamples without a suitable face."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.abs(whole) > 1e-12))
