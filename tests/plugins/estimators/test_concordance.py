"""The metric of measured against rated valence and arousal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from affectlm.scores.intervals import Resamples, concordance
from affectlm.scores.scores import clusters, score_all
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

    scores: dict[str, Any] = {score.name: score for score in Concordance().score([*rated, *others])}

    check_metric(Concordance(), rated)
    assert (scores["ccc_valence"].value, scores["ccc_valence"].count) == (pytest.approx(expected), 6)
    assert (scores["ccc_arousal"].value, scores["ccc_arousal"].count) == (0, 7)


def test_the_interval_is_that_of_a_bootstrap_of_pictures() -> None:
    """The core draws; the figure of each draw is the concordance of the faces it has, as often as it has them."""
    generator = np.random.default_rng(1)
    pairs = np.clip(generator.normal(0, 0.4, (40, 1)) + generator.normal(0, 0.2, (40, 2)), -1, 1).tolist()
    people = [
        record(id=str(n), image=f"{n // 2}.png", box=BOX, valence=x, arousal=0.0, truth=Truth(valence=y))
        for n, (x, y) in enumerate(pairs)
    ]
    resamples = Resamples.draw(clusters(people), np.random.default_rng(5))
    drawn = [np.repeat(pairs, counts[resamples.member], axis=0) for counts in resamples.counts]

    [score] = score_all(people, [Concordance()], seed=5)

    expected = np.quantile([concordance(*each.T) for each in drawn], [0.025, 0.975])
    assert (score.low, score.high) == pytest.approx(tuple(expected), rel=1e-9)
    assert score.parts == {"clusters": 20}
