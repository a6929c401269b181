"""Tests of differences, against scipy and worked examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats as reference

from affectlm.scores.tests import cohens_h, exchange_test, holm, mcnemar


def mean_difference(first: Any, second: Any) -> Any:
    """The difference of two runs' means, as `exchange_test` takes it."""
    return lambda swapped: {"mean": np.where(swapped, second - first, first - second).mean(axis=1)}


def test_the_exact_p_is_that_of_scipys_permutation_test_on_cluster_sums() -> None:
    """Clusters of unequal size are exchanged as wholes, and with few of them every exchange is taken once."""
    generator = np.random.default_rng(2)
    member = np.repeat(np.arange(9), [1, 2, 3, 1, 2, 3, 1, 2, 5])
    first, second = generator.normal(0.4, 1, 20), generator.normal(0, 1, 20)

    found = exchange_test(mean_difference(first, second), member)

    sums = [np.bincount(member, values) for values in (first, second)]
    expected = reference.permutation_test(
        sums, lambda a, b, axis: (a - b).sum(axis), permutation_type="samples", vectorized=True
    )
    assert found == {"mean": pytest.approx(expected.pvalue, abs=1e-12)}


def test_a_drawn_p_is_close_to_the_exact_one_and_never_zero() -> None:
    """4,000 draws of 4,096 exchanges; the same seed gives the same p."""
    first, second = np.random.default_rng(3).normal(0.3, 1, (2, 12))
    difference, member = mean_difference(first, second), np.arange(12)

    exact = exchange_test(difference, member)["mean"]
    drawn = exchange_test(difference, member, draws=4000, seed=1)

    assert drawn["mean"] == pytest.approx(exact, abs=0.03)
    assert drawn == exchange_test(difference, member, draws=4000, seed=1)
    assert exchange_test(mean_difference(np.ones(40), np.zeros(40)), np.arange(40))["mean"] == 1 / 10_000


def test_runs_without_a_difference_have_p_one() -> None:
    """Every exchange is as large as nothing."""
    assert exchange_test(mean_difference(np.ones(5), np.ones(5)), np.arange(5)) == {"mean": 1.0}


def test_mcnemar_is_the_exact_sign_test_of_the_records_that_only_one_run_has_right() -> None:
    """8 against 1 of 9: 2 * (1 + 9) / 2^9; records that both or neither has right say nothing."""
    first = np.array([1.0] * 8 + [0.0] + [1.0] * 20 + [0.0] * 10)
    second = np.array([0.0] * 8 + [1.0] + [1.0] * 20 + [0.0] * 10)

    assert mcnemar(first, second) == pytest.approx((8, 1, 20 / 512))
    assert mcnemar(first, first) == (0, 0, 1.0)


def test_holm_gives_the_values_of_rs_p_adjust() -> None:
    """p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") and an unsorted one; the order stays, nothing exceeds 1."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.6, 0.001, 0.7]) == pytest.approx([1.0, 0.003, 1.0])
    assert holm([]) == []


def test_cohens_h_has_the_values_of_cohens_table() -> None:
    """Table 6.2.2 of Cohen 1988: phi is 1.571 at .50 and 0.927 at .20."""
    assert cohens_h(np.array([0.5, 1.0]), np.array([0.2, 0.0])) == pytest.approx([1.571 - 0.927, np.pi], abs=1e-3)
