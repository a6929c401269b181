"""The figures of agreement, against independent references and in degenerate cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as reference
from sklearn import metrics

from affectlm.scores import agreement as quality
from affectlm.scores.agreement import MEASURES, ccc, mae, mean_offset, measures, number, pcc, rmse, sagr, spread_ratio


def series(n: int = 12) -> Any:
    generator = np.random.default_rng(0)
    return generator.normal(0.1, 0.3, n), generator.normal(-0.2, 0.5, n)


def test_ccc_has_its_published_form() -> None:
    """2 r s_x s_y / (s_x^2 + s_y^2 + (m_x - m_y)^2) with moments divided by n; n - 1 would be seen."""
    x, y = series()
    r = reference.pearsonr(x, y).statistic

    expected = 2 * r * x.std() * y.std() / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)

    assert float(ccc(x, y)) == pytest.approx(expected, abs=1e-12)
    assert expected != pytest.approx(2 * r * x.std() * y.std() / (x.var(ddof=1) + y.var(ddof=1)), abs=1e-3)


def test_pcc_rmse_and_mae_are_those_of_scipy_and_scikit_learn() -> None:
    """Same numbers, same order of arguments."""
    x, y = series()

    assert float(pcc(x, y)) == pytest.approx(reference.pearsonr(x, y).statistic, abs=1e-12)
    assert float(rmse(x, y)) == pytest.approx(metrics.root_mean_squared_error(y, x), abs=1e-12)
    assert float(mae(x, y)) == pytest.approx(metrics.mean_absolute_error(y, x), abs=1e-12)


def test_what_ccc_lost_is_told_by_spread_and_offset() -> None:
    """A prediction of half the spread, shifted by 0.1, says 0.5 and 0.1; population standard deviations."""
    _, y = series()

    assert float(spread_ratio(y / 2, y)) == pytest.approx(0.5, abs=1e-12)
    assert float(mean_offset(y + 0.1, y)) == pytest.approx(0.1, abs=1e-12)
    assert float(quality.sd_rated(y / 2, y)) == pytest.approx(y.std(), abs=1e-12)
    assert float(quality.sd_predicted(y / 2, y)) == pytest.approx(y.std() / 2, abs=1e-12)


def test_signs_agree_and_zero_agrees_with_zero_only() -> None:
    """Of five faces the first, the second and the zeros agree."""
    predicted, rated = np.array([0.1, -0.2, 0.0, 0.0, 0.3]), np.array([0.9, -0.1, 0.0, 0.4, -0.3])

    assert float(sagr(predicted, rated)) == pytest.approx(3 / 5)


@pytest.mark.parametrize("name", MEASURES)
def test_a_face_of_weight_three_counts_as_three_faces(name: Any) -> None:
    """Each row of weights gives what the repeated faces give."""
    x, y = series()
    weights = np.random.default_rng(1).integers(0, 4, (5, len(x)))

    found = MEASURES[name](x, y, weights.astype(float))

    expected = [float(MEASURES[name](np.repeat(x, row), np.repeat(y, row), None)) for row in weights]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("predicted", "rated", "concordance", "correlation"),
    [
        ([0.1] * 10, [0.1] * 10, None, None),
        ([0.1], [0.3], None, None),
        ([0.1] * 10, [0.3] * 10, None, None),
        ([0.1] * 10, [*[0.1] * 9, 0.7], 0.0, None),
        ([*[0.1] * 9, 0.7], [0.1] * 10, 0.0, None),
        ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], 1.0, 1.0),
        ([0.1, 0.2, 0.3], [0.3, 0.2, 0.1], -1.0, -1.0),
        ([0.5, 0.5 + 1e-9], [0.5, 0.5 + 1e-9], 1.0, 1.0),
    ],
)
def test_degenerate_series_have_the_stated_value_or_none(
    predicted: Any, rated: Any, concordance: float | None, correlation: float | None
) -> None:
    """A constant explains nothing, two constants are undefined, and tiny spreads are still spreads."""
    x, y = np.array(predicted), np.array(rated)

    assert number(ccc(x, y)) == (concordance if concordance is None else pytest.approx(concordance, abs=1e-6))
    assert number(pcc(x, y)) == (correlation if correlation is None else pytest.approx(correlation, abs=1e-6))


def test_a_resample_of_one_value_is_as_undefined_as_a_constant() -> None:
    """Rounding must not make a correlation out of copies of one face."""
    x, y = series()
    weights = np.zeros((1, len(x)))
    weights[0, 3] = len(x)

    assert math.isnan(pcc(x, y, weights)[0])
    assert math.isnan(ccc(x, x, weights)[0])
    assert math.isnan(ccc(x, y, weights)[0])


def test_figures_come_for_both_axes_with_the_mean_of_the_two_ccc() -> None:
    """Valence is the first column."""
    predicted, rated = np.stack(series(), axis=1), np.stack(series()[::-1], axis=1) / 2

    found = measures(predicted, rated)

    assert set(found) == {*(f"{name}_{axis}" for name in MEASURES for axis in ("valence", "arousal")), "ccc_mean"}
    assert found["ccc_valence"] == ccc(predicted[:, 0], rated[:, 0])
    assert found["mae_arousal"] == mae(predicted[:, 1], rated[:, 1])
    assert float(found["ccc_mean"]) == pytest.approx(
        (ccc(predicted[:, 0], rated[:, 0]) + ccc(predicted[:, 1], rated[:, 1])) / 2, abs=1e-12
    )


def test_outputs_in_single_precision_are_judged_in_double() -> None:
    """The same figures as after a cast."""
    predicted: Any = np.stack(series(4000), axis=1).astype(np.float32)

    assert measures(predicted, predicted * np.float32(0.5))["ccc_valence"].dtype == np.float64
    assert measures(predicted, predicted / 2) == measures(predicted.astype(float), predicted.astype(float) / 2)


@pytest.mark.parametrize("shapes", [((3, 2), (4, 2)), ((3,), (3,)), ((0, 2), (0, 2)), ((3, 3), (3, 3))])
def test_other_shapes_are_errors(shapes: tuple[tuple[int, ...], ...]) -> None:
    """Broadcasting would give a number that means nothing."""
    with pytest.raises(ValueError, match=r"expected two arrays of one shape \(n >= 1, 2\), found"):
        measures(*(np.zeros(shape) for shape in shapes))
