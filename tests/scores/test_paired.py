"""Scores of two runs over the same records: values, intervals and tests against independent references."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats as reference
from sklearn.metrics import cohen_kappa_score

from affectlm.scores.paired import compare_pair
from affectlm.scores.scores import score_all
from affectlm.testing import record
from affectlm.types import AnyMetric, Outcome, Record
from affectlm_categories.accuracy import Accuracy
from affectlm_categories.classification import Classification
from affectlm_categories.multilabel import MultiLabel
from affectlm_categories.probabilities import AveragePrecision, Calibration
from affectlm_estimators.metrics import Concordance

LABELS = ("anger", "fear", "happiness", "sadness")


def replies(skill: float, size: int = 60, seed: int = 0) -> list[Record]:
    """Records of which a share names the true label; the truth is the same for every skill and seed."""
    truth = np.random.default_rng(99).choice(LABELS, size)
    generator = np.random.default_rng(seed)
    found = []
    for place, true in enumerate(truth.tolist()):
        label = true if generator.random() < skill else str(generator.choice(LABELS))
        shares = dict(zip(LABELS, generator.dirichlet(np.ones(4)).tolist(), strict=True))
        found.append(record(id=f"{place:03}", truth=true, label=label, probabilities=shares))
    return found


def names(records: Sequence[Record]) -> list[str]:
    """Every record a cluster of its own."""
    return [each.id for each in records]


@pytest.mark.parametrize("metric", [Accuracy(), Classification(), MultiLabel(), AveragePrecision(), Calibration()])
def test_both_values_are_those_of_the_runs_own_reports(metric: AnyMetric) -> None:
    """That the records of both runs stand in one list changes no score."""
    first, second = replies(0.7), replies(0.3, seed=1)

    found = compare_pair(metric, first, second, names(first), draws=9)

    own, other = ({each.name: each.value for each in score_all(records, [metric])} for records in (first, second))
    assert {each.score: each.first for each in found} == pytest.approx(own)
    assert {each.score: each.second for each in found} == pytest.approx(other)


def test_the_interval_of_a_difference_is_that_of_a_paired_t_test() -> None:
    """Of independent records; a correlation between the runs makes it narrower than either run's own."""
    first, second = replies(0.8), replies(0.4, seed=1)
    right = [np.array([each.labels == each.truth.labels for each in run], float) for run in (first, second)]

    [found] = compare_pair(Accuracy(), first, second, names(first), draws=9)

    expected = reference.ttest_rel(*right).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.difference == pytest.approx(right[0].mean() - right[1].mean())
    assert (found.only_first, found.only_second) == ((right[0] > right[1]).sum(), (right[1] > right[0]).sum())
    assert found.h == pytest.approx(2 * np.arcsin(right[0].mean() ** 0.5) - 2 * np.arcsin(right[1].mean() ** 0.5))


def test_the_p_of_a_score_that_is_no_mean_is_scipys() -> None:
    """Kappa of scikit-learn, each of 2^8 exchanges of replies between the runs."""
    first, second = replies(0.9, 8), replies(0.1, 8, seed=5)
    truth = [each.truth.labels[0] for each in first]
    said = [np.array([LABELS.index(each.labels[0]) for each in run]) for run in (first, second)]
    true = np.array([LABELS.index(each) for each in truth])

    found = {each.score: each for each in compare_pair(Classification(labels=LABELS), first, second, names(first))}

    expected = reference.permutation_test(
        said,
        lambda a, b: cohen_kappa_score(true, a) - cohen_kappa_score(true, b),
        permutation_type="samples",
        vectorized=False,
    )
    assert found["kappa"].difference == pytest.approx(expected.statistic)
    assert found["kappa"].p == pytest.approx(expected.pvalue)
    assert found["kappa"].h is None


def test_whole_clusters_are_exchanged_and_mcnemar_needs_one_record_in_each() -> None:
    """With 5 clusters no p is below 2 / 2^5, however many records there are; and there is no interval."""
    first, second = replies(1.0), replies(0.0, seed=1)

    [found] = compare_pair(Accuracy(), first, second, [str(place % 5) for place in range(60)])

    assert found.p == 2 / 2**5
    assert (found.clusters, found.count) == (5, 60)
    assert found.low is None
    assert found.p_mcnemar is None


def test_equal_runs_differ_by_nothing_and_have_no_interval() -> None:
    """Records that all agree say nothing of how much others would differ."""
    first = replies(0.5)

    [found] = compare_pair(Accuracy(), first, first, names(first))

    assert (found.difference, found.p, found.p_mcnemar, found.low, found.high) == (0, 1, 1, None, None)


def test_a_score_that_one_run_lacks_is_left_out() -> None:
    """Constant measurements of a constant truth have no concordance; nor has a run without ratings."""
    unrated = [record(id=str(place), valence=0.1, arousal=0.1) for place in range(8)]

    assert compare_pair(Concordance(), unrated, unrated, names(unrated)) == []
    assert compare_pair(Accuracy(), unrated[:1], unrated[:1], ["0"]) == []


def test_runs_that_do_not_differ_are_called_different_as_rarely_as_p_says() -> None:
    """200 simulated pairs of equally good runs: about 5 % of the p values are below 0.05."""
    chances = []
    for seed in range(200):
        first, second = replies(0.5, 40, seed=2 * seed + 1), replies(0.5, 40, seed=2 * seed + 2)
        chances += [each.p for each in compare_pair(Accuracy(), first, second, names(first), draws=399)]

    assert np.mean(np.array(chances) <= 0.05) <= 0.09


def test_a_score_that_is_the_same_everywhere_is_no_share() -> None:
    """Kappa is 0 where nothing was answered, but no number of right records."""
    silent = [record(id=each.id, truth=each.truth, outcome=Outcome.UNPARSEABLE) for each in replies(0.5)]

    found = compare_pair(Classification(labels=LABELS), silent, silent, names(silent), draws=9)

    assert {each.score: each.p_mcnemar for each in found}["kappa"] is None
