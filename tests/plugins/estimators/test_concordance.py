"""The metric of measured against rated valence and arousal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from affectlm.scores.agreement import concordance
from affectlm.scores.scores import score_all
from affectlm.testing import check_metric, record
from affectlm.types import Box, Truth
from affectlm_estimators.metrics import Concordance

BOX = Box(0, 0, 1, 1)


def test_the_metric_is_the_concordance_over_rated_faces() -> None:
    """Faces without a rating, and ratings without a face, are left out."""
    rated = [
        record(id=str(n), box=BOX, valence=n / 10, arousal=0.1, truth=Truth(valence=(n + n % 2) / 10, arousal=n / 10))
        for n in range(6)
    ]
    others = [
        record(box=BOX, valence=0.5, arousal=0.5),
        record(valence=1, arousal=1, truth=Truth(valence=1, arousal=1)),
        record(box=BOX, valence=0.3, arousal=0.1, truth=Truth(arousal=0.9)),
    ]
    expected = concordance(np.arange(6) / 10, np.array([0, 2, 2, 4, 4, 6]) / 10)

    scores: dict[str, Any] = {score.name: score for score in score_all([*rated, *others], [Concordance()])}

    check_metric(Concordance(), rated)
    assert (scores["ccc_valence"].value, scores["ccc_valence"].count) == (pytest.approx(expected), 6)
    assert (scores["ccc_arousal"].value, scores["ccc_arousal"].count) == (0, 7)


def test_the_estimator_is_judged_by_what_it_measured() -> None:
    """Noise for the language model is no fault of the estimator."""
    noisy = [
        record(
            id=str(n), box=BOX, valence=0.5, arousal=0.5, measured_valence=n / 10, measured_arousal=n / 10,
            truth=Truth(valence=n / 10, arousal=n / 10),
        )
        for n in range(6)
    ]  # fmt: skip

    assert [score.value for score in score_all(noisy, [Concordance()])] == pytest.approx([1, 1])


def test_the_interval_is_that_of_pictures_left_out_in_turn() -> None:
    """The jackknife of the concordance over pictures, on the way between -1 and 1."""
    generator = np.random.default_rng(1)
    pairs = np.clip(generator.normal(0, 0.4, (40, 1)) + generator.normal(0, 0.2, (40, 2)), -1, 1)
    people = [
        record(id=f"{n:02}", image=f"{n // 2}.png", box=BOX, valence=x, arousal=0.0, truth=Truth(valence=y))
        for n, (x, y) in enumerate(pairs.tolist())
    ]
    without = [concordance(*np.delete(pairs, [2 * n, 2 * n + 1], axis=0).T) for n in range(20)]
    value = concordance(*pairs.T)
    variance = 19 / 20 * sum((each - value) ** 2 for each in without)

    [score] = score_all(people, [Concordance()])

    assert score.low is not None
    assert score.high is not None
    assert (score.high - score.low) / 2 == pytest.approx(t.ppf(0.975, 19) * variance**0.5, rel=0.1)
    assert value - score.low > score.high - value
    assert score.parts == {"clusters": 20}
