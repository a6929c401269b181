"""How much the way of asking matters: agreement of runs on labels, and what of a score each varied option explains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
REST = "rest"
_FLAT = 1e-12  # a sum of squares that is rounding alone


def nominal_alpha(labels: Sequence[Sequence[str | None]], weights: Floats | None = None) -> Floats:
    """Krippendorff's alpha of named labels: 1 is agreement on every unit, 0 what chance would give; NaN if undefined.

    1 - (n - 1) sum of o / sum of n_c n_k over different labels c and k, where o counts pairs of values of a unit, each
    as 1 / (values of the unit - 1), and n all values of units that have two or more.

    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.

    Args:
        labels: one row per coder, one label per unit; None where a coder said nothing.
        weights: how often each unit counts, shape (draws, units); once by default.

    Returns:
        shape (draws,).

    >>> nominal_alpha([["a", "b", "b", None], ["a", "b", "a", "c"]])
    array([0.44444444])
    """
    names = sorted({label for row in labels for label in row if label is not None})
    counts = np.array([[[label == name for name in names] for label in row] for row in labels], float).sum(axis=0)
    counts = counts.reshape(len(labels[0]), len(names))
    sizes = counts.sum(axis=1)
    pairable = sizes >= 2
    counts[~pairable] = 0
    unlike = np.where(pairable, sizes**2 - (counts**2).sum(axis=1), 0) / np.maximum(sizes - 1, 1)
    weights = np.ones((1, len(sizes))) if weights is None else weights
    by_name = weights @ counts
    whole = by_name.sum(axis=1)
    by_chance = whole**2 - (by_name**2).sum(axis=1)
    found = np.full(len(weights), np.nan)
    return np.asarray(1 - np.divide((whole - 1) * (weights @ unlike), by_chance, out=found, where=by_chance > 0))


def factors_of(overrides: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The value that each run has of every option that the runs vary; empty where a run leaves it at its default.

    >>> factors_of([["seed=1", "llm=a"], ["llm=b", "seed=1"]])
    {'llm': ['a', 'b']}
    """
    given = [dict(word.split("=", 1) for word in words if "=" in word) for words in overrides]
    keys = dict.fromkeys(key for each in given for key in each)
    values = {key: [each.get(key, "") for each in given] for key in keys}
    return {key: each for key, each in values.items() if len(set(each)) > 1}


def balanced(factors: Mapping[str, Sequence[str]]) -> bool:
    """Whether the runs have every combination of the factors' values, and each equally often."""
    found = Counter(zip(*factors.values(), strict=True))
    return len(found) == np.prod([len(set(each)) for each in factors.values()]) and len(set(found.values())) == 1


def explained(values: Floats, factors: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The share of the variance of a score that each factor explains by itself, and the `rest`; they add up to 1.

    The sum of squares between the means of a factor's values, as a share of that between all runs (eta squared of a
    crossed analysis of variance; Fisher 1925). The rest is what factors do together, and what repeats differ in.

    Args:
        values: the score of each run, shape (runs,).
        factors: the value that each run has of each factor; `balanced`.

    Returns:
        an empty mapping if all values are equal.
    """
    away = values - values.mean()
    whole = float(away @ away)
    if whole < _FLAT:
        return {}
    found = {}
    for name, levels in factors.items():
        places = [[place for place, each in enumerate(levels) if each == level] for level in sorted(set(levels))]
        found[name] = float(sum(len(rows) * away[rows].mean() ** 2 for rows in places)) / whole
    return {**found, REST: max(0.0, 1 - sum(found.values()))}
