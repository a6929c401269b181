"""Intervals and agreement, against independent references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats as reference

from affectlm.errors import ConfigError
from affectlm.scores.agreement import ccc, concordance
from affectlm.scores.intervals import Clusters
from affectlm.scores.scores import score_all
from affectlm.testing import record
from affectlm.types import Outcome, Record, Truth
from affectlm_categories.accuracy import Accuracy
from affectlm_categories.multilabel import MultiLabel


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


def mean_of(values: Any) -> Any:
    return lambda weights: {"mean": weights @ values / weights.sum(axis=1)}


def test_the_interval_of_independent_values_is_students() -> None:
    """Values without bounds: the mean plus and minus t standard errors, with n - 1 under both."""
    values = np.random.default_rng(1).normal(size=40)

    found = Clusters.of(range(40)).mean(values)

    assert found == pytest.approx(reference.t.interval(0.95, 39, values.mean(), reference.sem(values)), rel=1e-9)


@pytest.mark.parametrize(("right", "size"), [(0, 59), (3, 40), (60, 150), (150, 150)])
def test_the_interval_of_a_share_is_wilsons(right: int, size: int) -> None:
    """Also where all are right or none is; t instead of the normal quantile makes it a little wider."""
    expected = reference.binomtest(right, size).proportion_ci(0.95, "wilson")

    found = Clusters.of(range(size)).mean((np.arange(size) < right).astype(float))

    assert found is not None
    assert found == pytest.approx((expected.low, expected.high), abs=0.06 * (expected.high - expected.low))
    assert found[1] - found[0] > expected.high - expected.low


def test_the_interval_of_a_mean_of_clusters_is_that_of_their_sums() -> None:
    """Near the linearised variance of a ratio of sums by cluster (Cochran 1977, Sampling Techniques, 11.8)."""
    generator = np.random.default_rng(4)
    sizes = generator.integers(1, 6, 60)
    member = np.repeat(np.arange(60), sizes)
    values = generator.normal(size=60)[member] * 3 + generator.normal(size=len(member))
    residual = np.bincount(member, values - values.mean())
    error = np.sqrt(60 / 59 * (residual**2).sum()) / len(member)
    freedom = sizes.sum() ** 2 / (sizes**2).sum() - 1

    found = Clusters.of(member.tolist()).mean(values)

    assert found == pytest.approx(reference.t.interval(0.95, freedom, values.mean(), error), abs=0.03 * error)


def test_copies_of_a_value_add_no_certainty() -> None:
    """Ten copies of each record give the interval of the originals."""
    values = np.random.default_rng(1).normal(size=40)

    once = Clusters.of(range(40)).mean(values)
    copied = Clusters.of(np.repeat(np.arange(40), 10).tolist()).mean(np.repeat(values, 10))

    assert copied == pytest.approx(once)


@pytest.mark.parametrize(("clusters", "given"), [(1, False), (5, False), (6, True)])
def test_fewer_than_six_clusters_have_no_interval(clusters: int, given: bool) -> None:
    """They say too little about how clusters differ, however many records they have."""
    values = np.random.default_rng(0).random(60)

    found = Clusters.of((np.arange(60) % clusters).tolist()).mean(values)

    assert (found is not None) == given


def test_an_interval_stays_between_the_ends_of_its_score() -> None:
    """Near them it is not symmetric."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=12)
    y = x + generator.normal(0, 0.05, 12)

    found = Clusters.of(range(12)).intervals(lambda weights: {"ccc": ccc(x, y, weights)}, {"ccc": (-1, 1)})["ccc"]

    assert found is not None
    value = concordance(x, y)
    assert found[0] < value < found[1] < 1
    assert value - found[0] > 1.2 * (found[1] - value)


def test_the_interval_of_a_concordance_is_near_that_of_its_bootstrap() -> None:
    """With many faces all ways agree: BCa by scipy."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=200)
    y = 0.7 * x + generator.normal(0.2, 0.6, 200)
    expected = reference.bootstrap(
        (x, y), concordance, paired=True, vectorized=False, n_resamples=2000, rng=generator
    ).confidence_interval

    found = Clusters.of(range(200)).intervals(lambda weights: {"ccc": ccc(x, y, weights)}, {"ccc": (-1, 1)})["ccc"]

    assert found == pytest.approx((expected.low, expected.high), abs=0.1 * (expected.high - expected.low))


def test_of_more_than_two_hundred_clusters_groups_are_left_out() -> None:
    """The interval hardly changes, and its cost does not grow."""
    values, asked = np.random.default_rng(0).normal(size=1000), []

    def counted(weights: Any) -> Any:
        asked.append(len(weights))
        return mean_of(values)(weights)

    found = Clusters.of(range(1000)).intervals(counted, {})["mean"]

    expected = reference.t.interval(0.95, 999, values.mean(), reference.sem(values))
    assert found == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]))
    assert sum(asked) == 1 + 200


def test_intervals_do_not_depend_on_how_many_weights_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces or at once, the weights are the same, and no piece is larger than allowed."""
    values, sizes = np.random.default_rng(0).normal(size=20), []

    def mean(weights: Any) -> Any:
        sizes.append(weights.size)
        return mean_of(values)(weights)

    at_once = Clusters.of(range(20)).intervals(mean, {})
    monkeypatch.setattr("affectlm.scores.intervals._AT_ONCE", 140)
    in_pieces = Clusters.of(range(20)).intervals(mean, {})

    assert in_pieces["mean"] == pytest.approx(at_once["mean"])
    assert sizes == [20, 400, 20, 140, 140, 120]


def test_draws_without_a_value_are_left_out() -> None:
    """What no draw defines has no interval; what most define has one."""
    some = Clusters.of(range(10)).intervals(
        lambda weights: {
            "some": np.where(weights[:, 0] > 0, 1.0, np.nan),
            "none": np.full(len(weights), np.nan),
        },
        {},
    )

    assert some == {"some": (1.0, 1.0), "none": None}


def test_scores_do_not_depend_on_the_order_of_records() -> None:
    """Answers come in any order, and from the cache in another."""
    generator = np.random.default_rng(0)
    people = [
        record(
            id=f"{place}",
            image=f"{place // 2}",
            label=str(generator.choice(["fear", "anger"])),
            truth=str(generator.choice(["fear", "anger", "sadness"])),
            valence=generator.uniform(-1, 1),
            arousal=generator.uniform(-1, 1),
        )
        for place in range(80)
    ]
    metrics = [Accuracy(), MultiLabel()]

    assert score_all(people, metrics) == score_all([people[place] for place in generator.permutation(80)], metrics)


@pytest.mark.parametrize(("by", "groups"), [("picture", 20), ("person", 0), ("prompt", 8), ("group.subject", 10)])
def test_what_belongs_together_can_be_chosen(by: str, groups: int) -> None:
    """Each person of 40 is a cluster of one; 20 pictures, 8 prompts, 10 subjects."""
    people = [
        record(
            id=f"{place}",
            image=f"{place // 2}",
            label="fear",
            prompt_sha256=f"{place % 8}",
            truth=Truth(labels=("fear" if place % 3 else "anger",), group={"Subject": f"{place % 10}"}),
        )
        for place in range(40)
    ]

    [score] = [each for each in score_all(people, [Accuracy()], by=by) if each.name == "accuracy"]

    assert score.parts.get("clusters", 0) == groups
    assert score.low is not None


def test_too_few_clusters_are_counted_beside_a_score_without_an_interval() -> None:
    """So a reader sees why there is none."""
    people = [record(id=str(place), image=str(place % 5), label="fear", truth="fear") for place in range(40)]

    [score] = score_all(people, [Accuracy()])

    assert (score.value, score.low, score.high, score.parts["clusters"]) == (1, None, None, 5)


def test_a_group_that_no_record_has_is_one_sentence() -> None:
    """With the groups there are."""
    people = [record(id="a", truth=Truth(labels=("fear",), group={"age": "Adult"}))]

    with pytest.raises(ConfigError, match=r"no record has a group 'subject'.*groups: age"):
        score_all(people, [Accuracy()], by="group.subject")


class Bounded:
    """A share of right answers with a floor and a ceiling; less is better if `falling`."""

    def __init__(self, floor: float, ceiling: float, *, falling: bool = False) -> None:
        self.floor, self.ceiling, self.falling = floor, ceiling, falling

    def ranges(self) -> dict[str, tuple[float, float]]:
        return {"share": (1.0, 0.0) if self.falling else (0.0, 1.0)}

    def statistics(self, records: Sequence[Record]) -> list[Any]:
        right = np.array([record.labels == record.truth.labels for record in records], float)
        known = np.ones(len(records), bool)
        beside = {"share: floor": self.floor, "share: ceiling": self.ceiling}

        def figures(weights: Any) -> dict[str, Any]:
            fixed = {name: np.full(len(weights), value) for name, value in beside.items()}
            return {"share": mean_of(right)(weights)["mean"], **fixed}

        return [(known, figures)]


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


def shares(right: int) -> list[Record]:
    return [record(id=f"{place:03}", label="fear" if place < right else "anger", truth="fear") for place in range(100)]


def test_gain_and_covered_follow_from_floor_and_ceiling() -> None:
    """60 of 100 right between 40 and 80: half of the way, and the interval of the gain is that of the score."""
    [score] = score_all(shares(60), [Bounded(0.4, 0.8)])

    assert score.parts["gain"] == pytest.approx(0.2)
    assert score.parts["covered"] == pytest.approx(0.5)
    assert score.low is not None
    assert score.parts["gain_low"] == pytest.approx(score.low - 0.4, abs=0.01)
    assert score.parts["covered_low"] < 0.5 < score.parts["covered_high"]
    assert "room" not in score.parts


def test_where_less_is_better_the_gain_is_floor_minus_score() -> None:
    """And so is the room."""
    [score] = score_all(shares(20), [Bounded(0.6, 0.1, falling=True)])

    assert score.parts["gain"] == pytest.approx(0.4)
    assert score.parts["covered"] == pytest.approx(0.8)


@pytest.mark.parametrize(("right", "floor", "ceiling"), [(60, 0.5, 0.5), (60, 0.5, 0.4), (20, 0.5, 0.9)])
def test_nothing_is_covered_without_room_or_below_the_floor(right: int, floor: float, ceiling: float) -> None:
    """A quotient of noise, or of the wrong sign, would be as large as anybody likes."""
    [score] = score_all(shares(right), [Bounded(floor, ceiling)])

    assert not {"covered", "covered_low"} & score.parts.keys()
    assert score.parts["gain"] == pytest.approx(right / 100 - floor)
