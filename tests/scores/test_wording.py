"""Agreement over variants and the variance that options explain, against published and hand-computed tables."""

from __future__ import annotations

import numpy as np
import pytest

from affectlm.scores.wording import balanced, explained, nominal_alpha

# Krippendorff 2011, section D: four observers, twelve units, a dot where nothing was said.
PUBLISHED = ("1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 .")


def test_alpha_has_the_published_value() -> None:
    """0.743 for nominal data with missing values; the unit with a single value counts for nothing."""
    labels = [[None if word == "." else word for word in row.split()] for row in PUBLISHED]

    assert nominal_alpha(labels) == pytest.approx([0.743], abs=5e-4)


def test_a_unit_that_weighs_two_counts_twice() -> None:
    """Intervals leave units out by weights of 0."""
    labels = [["a", "b", "b", "a"], ["a", "b", "a", "b"]]
    twice = [[*row, row[0]] for row in labels]
    without = [row[1:] for row in labels]

    found = nominal_alpha(labels, np.array([[2.0, 1, 1, 1], [0.0, 1, 1, 1]]))

    assert found == pytest.approx([*nominal_alpha(twice), *nominal_alpha(without)])


def test_agreement_on_one_label_alone_is_undefined() -> None:
    """Nobody can say whether coders who always say the same could tell anything apart."""
    assert np.isnan(nominal_alpha([["a", "a"], ["a", "a"]]))


def test_shares_are_those_of_a_two_way_table_by_hand() -> None:
    """2 x 3 runs: sums of squares 6 of a, 28 of b, 4 of both together, 38 in all."""
    values = np.array([1.0, 3, 5, 1, 7, 7])
    factors = {"a": list("xxxyyy"), "b": list("123123")}

    found = explained(values, factors)

    assert found == pytest.approx({"a": 6 / 38, "b": 28 / 38, "rest": 4 / 38})


def test_runs_that_lack_a_combination_are_not_balanced() -> None:
    """Then the shares of factors would overlap."""
    assert balanced({"a": list("xxyy"), "b": list("1212")})
    assert not balanced({"a": list("xxy"), "b": list("121")})
    assert explained(np.ones(4), {"a": list("xxyy")}) == {}
