"""Intervals and agreement, against independent references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats as reference

from affectlm.scores.agreement import ccc
from affectlm.scores.intervals import concordance, interval, intervals
from affectlm.scores.scores import score_all
from affectlm.testing import record
from affectlm.types import Outcome, Record


def test_concordance_has_its_published_form() -> None:
    """2 r s_x s_y / (s_x^2 + s_y^2 + (m_x - m_y)^2) with moments divided by n; n - 1 would be seen."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=12), generator.normal(0.5, 2, size=12)
    r = reference.pearsonr(x, y).statistic
    expected = 2 * r * x.std() * y.std() / (x.std() ** 2 + y.std() ** 2 + (x.mean() - y.mean()) ** 2)

    assert concordance(x, y) == pytest.approx(expected, abs=1e-12)


def test_a_constant_prediction_has_no_concordance_with_a_varying_target() -> None:
    """It explains nothing."""
    assert concordance(np.zeros(3), np.array([0.0, 1.0, 2.0])) == 0


@pytest.mark.parametrize("pair", [(np.zeros(1), np.zeros(1)), (np.zeros(2), np.zeros(3)), (np.ones(3), np.zeros(3))])
def test_undefined_concordance_is_an_error(pair: Any) -> None:
    """No number is better than a wrong one."""
    with pytest.raises(ValueError, match=r"expected two series|undefined"):
        concordance(*pair)


def test_the_interval_of_independent_values_is_that_of_the_normal_theory() -> None:
    """With one value a cluster, the bootstrap finds 1.96 standard errors."""
    values = np.random.default_rng(1).normal(size=400)

    low, high = interval(values, range(400), np.random.default_rng(2)) or (0, 0)

    error = values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_copies_of_a_value_add_no_certainty() -> None:
    """Ten copies of each record give the interval of the originals."""
    values = np.random.default_rng(1).normal(size=40)

    once = interval(values, range(40), np.random.default_rng(3))
    copied = interval(np.repeat(values, 10), np.repeat(np.arange(40), 10).tolist(), np.random.default_rng(3))

    assert copied == pytest.approx(once)


def test_one_cluster_has_no_interval() -> None:
    """Nothing varies."""
    assert interval(np.ones(5), ["a"] * 5, np.random.default_rng(0)) is None


def test_intervals_are_those_of_scipys_bootstrap() -> None:
    """The percentile interval of a concordance, up to the chance of two different draws."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=200)
    y = 0.7 * x + generator.normal(0.2, 0.6, 200)
    expected = reference.bootstrap(
        (x, y), concordance, paired=True, vectorized=False, method="percentile", n_resamples=2000, rng=generator
    ).confidence_interval

    found = intervals(lambda weights: {"ccc": ccc(x, y, weights)}, range(200), np.random.default_rng(1), 2000)["ccc"]

    assert found == pytest.approx((expected.low, expected.high), abs=0.1 * (expected.high - expected.low))


def test_resamples_of_a_single_face_do_not_pull_an_interval_to_zero() -> None:
    """One in nine resamples of three faces holds one face only and says nothing about agreement."""
    x = np.array([0.1, 0.5, 0.9])

    found = intervals(lambda weights: {"ccc": ccc(x, x - 0.01, weights)}, range(3), np.random.default_rng(0))["ccc"]

    assert found is not None
    assert found[0] > 0.99


def test_intervals_do_not_depend_on_how_many_weights_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn in pieces or at once, the resamples are the same, and no piece is larger than allowed."""
    values, sizes = np.random.default_rng(0).normal(size=20), []

    def mean(weights: Any) -> dict[str, Any]:
        sizes.append(weights.size)
        return {"mean": weights @ values / weights.sum(axis=1)}

    at_once = intervals(mean, range(20), np.random.default_rng(2), 50)
    monkeypatch.setattr("affectlm.scores.intervals._AT_ONCE", 140)
    in_pieces = intervals(mean, range(20), np.random.default_rng(2), 50)

    assert in_pieces["mean"] == pytest.approx(at_once["mean"])
    assert sizes == [1000, *[140] * 7, 20]


def test_resamples_without_a_value_are_left_out() -> None:
    """What no resample defines has no interval; what some define has one."""
    some = intervals(
        lambda weights: {
            "some": np.where(weights[:, 0] > 0, 1.0, np.nan),
            "none": np.full(len(weights), np.nan),
        },
        range(5),
        np.random.default_rng(0),
    )

    assert some == {"some": (1.0, 1.0), "none": None}


class Macro:
    """Mean of two shares, each over its own half of the records: no mean over records."""

    judges_answers = True

    def statistics(self, records: Sequence[Record]) -> list[Any]:
        known = np.array([bool(record.truth.labels) for record in records], bool)
        right = np.array([record.labels == record.truth.labels for record in records])[known]
        of = np.array([[record.truth.labels == (label,) for record in records] for label in "ab"])[:, known]

        def macro(weights: Any) -> dict[str, Any]:
            shares = [weights[:, each] @ right[each] / weights[:, each].sum(axis=1) for each in of]
            return {"macro": (shares[0] + shares[1]) / 2}

        return [(known, macro)]

    def parts(self, records: Sequence[Record]) -> dict[str, Any]:
        return {"macro": {"chance": 0.5}}


def test_a_weighted_metric_gets_an_interval_parts_and_its_answered_twin() -> None:
    """The figure is that of weights of one; records without an answer are left out of the twin."""
    records = [
        record(
            id=f"{label}{number}",
            label=label if number < 8 else None,
            truth=label,
            outcome=Outcome.OK if number < 8 else Outcome.REFUSED,
        )
        for label in "ab"
        for number in range(10)
    ]

    metric: Any = Macro()
    whole, answered = score_all(records, [metric])

    assert (whole.name, whole.value, whole.count, whole.parts) == ("macro", 0.8, 20, {"chance": 0.5})
    assert whole.low is not None
    assert whole.high is not None
    assert whole.low < 0.8 < whole.high
    assert (answered.name, answered.value, answered.count) == ("macro_answered", 1.0, 16)
