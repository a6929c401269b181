"""What stands beside every score of labels: chance, majority, the circumplex, classifiers of valence and arousal."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from affectlm.affect.nearness import likelihoods
from affectlm.affect.taxonomies import EMOTIC
from affectlm.scores.scores import score_all
from affectlm.types import Metric, Outcome, Record, Request, Sample, Truth
from affectlm_categories.accuracy import Accuracy
from affectlm_categories.baselines import chance, classifiers, compare, covered, folds
from affectlm_categories.classes import one_hot
from affectlm_categories.classification import Classification
from affectlm_categories.judging import CategoryMetric
from affectlm_categories.multilabel import MultiLabel
from affectlm_categories.open_set import OpenSet
from affectlm_categories.probabilities import AveragePrecision, Calibration, TopK
from affectlm_chat.circumplex import Circumplex

LABELS = ("anger", "happiness", "sadness")
CENTRES = np.array([(-0.5, 0.6), (0.8, 0.5), (-0.6, -0.3)])


def faces(count: int, *, spread: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Places of three classes, the first the commonest, and valence and arousal around their points."""
    generator = np.random.default_rng(seed)
    places = generator.choice(3, count, p=[0.5, 0.3, 0.2])
    return places, np.clip(CENTRES[places] + generator.normal(0, spread, (count, 2)), -1, 1)


def records(count: int = 120, *, told: bool = True, rated: bool = False, answer: str = "anger") -> list[Record]:
    places, affect = faces(count)
    return [
        Record(
            id=str(row),
            outcome=Outcome.OK,
            labels=(answer,),
            valence=valence if told else None,
            arousal=arousal if told else None,
            truth=Truth(
                labels=(LABELS[place],),
                valence=CENTRES[place, 0] if rated else None,
                arousal=row / 500 if rated else None,
            ),
        )
        for row, (place, (valence, arousal)) in enumerate(zip(places.tolist(), affect.tolist(), strict=True))
    ]


def parts(records: list[Record], metric: Metric | None = None, name: str = "accuracy") -> dict[str, float]:
    metric = metric or Accuracy(labels=LABELS)
    return dict(next(score for score in score_all(records, [metric]) if score.name == name).parts)


def test_chance_is_one_in_as_many_as_there_are_classes() -> None:
    """Exactly, whatever the shares of the classes: every face gets every class once."""
    found = parts(records(), Classification(labels=LABELS), "balanced_accuracy")
    assert found["chance"] == pytest.approx(1 / 3, abs=1e-12)
    assert parts(records())["chance"] == pytest.approx(1 / 3, abs=1e-12)
    given = {"anger": 0.5, "happiness": 0.3, "sadness": 0.2}
    people = [attrs.evolve(record, probabilities=given) for record in records()]
    assert parts(people, TopK(labels=LABELS, k=2), "top_2")["chance"] == pytest.approx(2 / 3, abs=1e-12)


def test_chance_of_macro_f1_is_that_of_random_answers() -> None:
    """Near the mean of many random answers by scikit-learn."""
    places, affect = faces(900)
    guesses = [DummyClassifier(strategy="uniform", random_state=seed) for seed in range(40)]
    drawn = [f1_score(places, guess.fit(affect, [0, 1, 2] * 300).predict(affect), average="macro") for guess in guesses]
    truth = one_hot(places, 3)
    found = np.mean(
        [Classification().figures(truth, reply)["f1_macro"] for reply in chance(len(truth), ("a", "b", "c"))]
    )
    assert found == pytest.approx(np.mean(drawn), abs=0.015)


def test_the_majority_is_the_share_of_the_commonest_class() -> None:
    """And in balanced accuracy no better than chance."""
    people = records()
    share = sum(record.truth.labels == ("anger",) for record in people) / len(people)
    assert parts(people)["majority"] == pytest.approx(share)
    found = parts(people, Classification(labels=LABELS), "balanced_accuracy")
    assert found["majority"] == pytest.approx(1 / 3)


def test_the_circumplex_answers_as_the_adapter_of_that_name() -> None:
    """The same labels and probabilities, also where labels have no point."""
    _, affect = faces(30, spread=0.5)
    adapter = Circumplex()
    asked = [Request(str(row), (), choices=EMOTIC, sample=Sample(str(row), *pair)) for row, pair in enumerate(affect)]
    expected = [completion.choice_logprobs for completion in adapter.score_choices(asked)]
    found = likelihoods(affect, EMOTIC)
    np.testing.assert_allclose(np.log(found), [list(given.values()) for given in expected if given], atol=1e-9)
    named = [EMOTIC[place] for place in found.argmax(axis=1)]
    assert named == [completion.text for completion in adapter.complete(asked)]


def test_labels_without_points_have_no_circumplex() -> None:
    """There is no nearest of none."""
    people = [attrs.evolve(record, truth=Truth(labels=("esteem",))) for record in records()[:4]]
    assert "circumplex" not in parts(people, Accuracy(labels=["esteem", "yearning"]))


def test_classifiers_are_those_of_scikit_learn_out_of_fold() -> None:
    """Each fold by a logistic regression of the others."""
    places, affect = faces(200, spread=0.5)
    fold = folds(affect, one_hot(places, 3))
    assert fold is not None
    expected = np.empty((200, 3))
    for turn in range(10):
        model = LogisticRegression().fit(affect[fold != turn], places[fold != turn])
        expected[fold == turn] = model.predict_proba(affect[fold == turn])
    np.testing.assert_allclose(classifiers(one_hot(places, 3), affect)["logistic"], expected, atol=1e-6)


def test_the_gaussian_tells_apart_what_no_line_does() -> None:
    """A class inside a ring of another has the same mean and another spread."""
    generator = np.random.default_rng(0)
    inner, angle = generator.normal(0, 0.05, (100, 2)), generator.uniform(0, 6.28, 100)
    affect = np.vstack([inner, np.column_stack([np.cos(angle), np.sin(angle)]) * 0.8])
    truth = one_hot(np.repeat([0, 1], 100), 2)
    found = {
        name: truth[np.arange(200), given.argmax(axis=1)].mean() for name, given in classifiers(truth, affect).items()
    }
    assert found["gaussian"] == 1 > 0.8 > found["logistic"]


def test_faces_of_equal_numbers_share_a_fold_and_classes_are_spread() -> None:
    """No pair of valence and arousal is both learnt from and asked about."""
    places, affect = faces(300)
    affect = affect.round(1)
    fold = folds(affect, one_hot(places, 3))
    assert fold is not None
    pairs = {(*pair, turn) for pair, turn in zip(affect.tolist(), fold.tolist(), strict=True) for pair in [tuple(pair)]}
    assert len(pairs) == len(np.unique(affect, axis=0))
    free = folds(faces(300)[1], one_hot(places, 3))
    assert free is not None
    sizes = np.array([np.bincount(free[places == place], minlength=10) for place in range(3)])
    assert (sizes.max(axis=1) - sizes.min(axis=1) <= 1).all()


@pytest.mark.parametrize("counts", [(5, 0), (5, 1), (0, 0), (1, 1)])
def test_nothing_is_learnt_from_too_little(counts: tuple[int, int]) -> None:
    """Two classes with two pairs of numbers each are the least."""
    places = np.repeat([0, 1], counts)
    assert classifiers(one_hot(places, 2), np.linspace(-1, 1, 2 * len(places)).reshape(-1, 2)) == {}


def test_classes_of_very_few_faces_do_not_stop_the_others() -> None:
    """A class of one face is never named, and warns of nothing."""
    places, affect = faces(60)
    truth = np.hstack([one_hot(places, 3), np.zeros((60, 1), bool)])
    truth[7] = [False, False, False, True]
    for given in classifiers(truth, affect).values():
        assert (given[:, 3] == 0).all()
        np.testing.assert_allclose(given.sum(axis=1), 1)


def test_numbers_without_spread_are_no_failure() -> None:
    """A class at one point, and all arousal equal."""
    places, affect = faces(60)
    affect[:, 1] = 0
    affect[places == 2] = 0.25
    for given in classifiers(one_hot(places, 3), affect).values():
        assert np.isfinite(given).all()


def test_several_true_labels_make_each_label_a_question_of_its_own() -> None:
    """Probabilities need not add up to 1, and all that are likely are named."""
    places, affect = faces(200)
    truth = np.hstack([one_hot(places, 3), (affect[:, :1] < 0)])
    for given in classifiers(truth, affect).values():
        assert (given.sum(axis=1) > 1.5).any()
    people = [
        attrs.evolve(record, truth=Truth(labels=tuple(np.array([*LABELS, "pain"])[true])))
        for record, true in zip(records(200), truth, strict=True)
    ]
    assert parts(people, MultiLabel(), "jaccard_samples")["logistic"] > 0.8


def test_a_face_without_numbers_gets_no_answer_from_them() -> None:
    """Where no face was found every classifier is wrong, as the model is."""
    people = records()
    half = [attrs.evolve(record, valence=None, arousal=None) for record in people[::2]] + people[1::2]
    assert parts(half)["gaussian"] <= 0.5
    assert parts(records(told=False)).keys() == {"chance", "majority", "floor"}


def test_rated_numbers_stand_beside_measured_ones() -> None:
    """Only where every face has them and they differ."""
    assert "gaussian_truth_va" in parts(records(rated=True))
    assert "gaussian_truth_va" not in parts(records())
    same = [
        attrs.evolve(record, truth=attrs.evolve(record.truth, valence=record.valence, arousal=record.arousal))
        for record in records()
    ]
    assert "gaussian_truth_va" not in parts(same)


def test_covered_is_the_share_of_the_way_from_floor_to_ceiling() -> None:
    """0 at the better of chance and majority, 1 at the better classifier; the other way round where less is better."""
    beside = {"chance": 0.2, "majority": 0.4, "gaussian": 0.5, "logistic": 0.8}
    assert [covered(value, beside, 100) for value in (0.4, 0.6, 0.8, 0.2)] == [0, 0.5, 1, -0.5]
    assert covered(0.5, {"chance": 0.9, "majority": 0.8, "gaussian": 0.2}, 100, falling=True) == 0.5
    assert np.isnan(covered(0.5, {"chance": 0.2, "majority": 0.4}, 100))


def test_nothing_is_covered_where_the_ceiling_is_hardly_above_the_floor() -> None:
    """A gap that chance explains would make any score many times as large."""
    beside = {"chance": 0.2, "majority": 0.4, "gaussian": 0.45}

    assert np.isnan(covered(0.3, beside, 100))
    assert covered(0.3, beside, 10_000) == -2


def test_every_score_has_its_baselines() -> None:
    """Whatever the metric, and the better classifier covers the way."""
    given = {"anger": 0.5, "happiness": 0.3, "sadness": 0.2}
    people = [attrs.evolve(record, probabilities=given) for record in records()]
    named: list[type[CategoryMetric]] = [Accuracy, Classification, MultiLabel, TopK, Calibration, AveragePrecision]
    metrics = [OpenSet(), *(metric(labels=LABELS) for metric in named)]
    scores = score_all(people, metrics)
    assert len(scores) == 20
    for score in scores:
        assert {"chance", "majority", "circumplex", "gaussian", "logistic"} <= score.parts.keys()


def test_baselines_are_the_same_twice() -> None:
    """Nothing is drawn anew."""
    people = records()
    truth = one_hot(faces(120)[0], 3)
    figures = Classification().figures
    assert compare(figures, truth, LABELS, people) == compare(figures, truth, LABELS, people)
