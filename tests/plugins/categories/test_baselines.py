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
from affectlm.types import AnyMetric, Outcome, Record, Request, Sample, Truth
from affectlm_categories.accuracy import Accuracy, human_agreement
from affectlm_categories.baselines import Contest, baselines, chance
from affectlm_categories.classes import Replies, one_hot
from affectlm_categories.classification import Classification
from affectlm_categories.classifiers import Learnt, Seen, folds, learnt
from affectlm_categories.decisions import constants, decide, rules
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


def seen(affect: np.ndarray) -> Seen:
    """Faces of different pictures, those with equal numbers in one group."""
    group = np.unique(affect, axis=0, return_inverse=True)[1].ravel()
    return Seen(affect, group, np.arange(len(affect)))


def classified(truth: np.ndarray, affect: np.ndarray) -> Learnt:
    return learnt(truth, seen(affect))


def parts(records: list[Record], metric: AnyMetric | None = None, name: str = "accuracy") -> dict[str, float]:
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
        [
            Classification().over(truth, reply, np.ones((1, 900)))["f1_macro"]
            for reply in chance(len(truth), ("a", "b", "c"))
        ]
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
    fold = folds(one_hot(places, 3), seen(affect))
    assert fold is not None
    expected = np.empty((200, 3))
    for turn in range(10):
        model = LogisticRegression().fit(affect[fold != turn], places[fold != turn])
        expected[fold == turn] = model.predict_proba(affect[fold == turn])
    np.testing.assert_allclose(classified(one_hot(places, 3), affect).probabilities["logistic"], expected, atol=1e-6)


def test_the_gaussian_tells_apart_what_no_line_does() -> None:
    """A class inside a ring of another has the same mean and another spread."""
    generator = np.random.default_rng(0)
    inner, angle = generator.normal(0, 0.05, (100, 2)), generator.uniform(0, 6.28, 100)
    affect = np.vstack([inner, np.column_stack([np.cos(angle), np.sin(angle)]) * 0.8])
    truth = one_hot(np.repeat([0, 1], 100), 2)
    found = {
        name: truth[np.arange(200), given.argmax(axis=1)].mean()
        for name, given in classified(truth, affect).probabilities.items()
    }
    assert found["gaussian"] == 1 > 0.8 > found["logistic"]


def test_faces_of_equal_numbers_share_a_fold_and_classes_are_spread() -> None:
    """No pair of valence and arousal is both learnt from and asked about."""
    places, affect = faces(300)
    affect = affect.round(1)
    fold = folds(one_hot(places, 3), seen(affect))
    assert fold is not None
    pairs = {(*pair, turn) for pair, turn in zip(affect.tolist(), fold.tolist(), strict=True) for pair in [tuple(pair)]}
    assert len(pairs) == len(np.unique(affect, axis=0))
    free = folds(one_hot(places, 3), seen(faces(300)[1]))
    assert free is not None
    sizes = np.array([np.bincount(free[places == place], minlength=10) for place in range(3)])
    assert (sizes.max(axis=1) - sizes.min(axis=1) <= 1).all()


@pytest.mark.parametrize("counts", [(5, 0), (5, 1), (0, 0), (1, 1)])
def test_nothing_is_learnt_from_too_little(counts: tuple[int, int]) -> None:
    """Two classes with two pairs of numbers each are the least."""
    places = np.repeat([0, 1], counts)
    affect = np.linspace(-1, 1, 2 * len(places)).reshape(-1, 2)
    assert classified(one_hot(places, 2), affect).probabilities == {}


def test_classes_of_very_few_faces_do_not_stop_the_others() -> None:
    """A class of one face is never named, and warns of nothing."""
    places, affect = faces(60)
    truth = np.hstack([one_hot(places, 3), np.zeros((60, 1), bool)])
    truth[7] = [False, False, False, True]
    for given in classified(truth, affect).probabilities.values():
        assert (given[:, 3] == 0).all()
        np.testing.assert_allclose(given.sum(axis=1), 1)


def test_numbers_without_spread_are_no_failure() -> None:
    """A class at one point, and all arousal equal."""
    places, affect = faces(60)
    affect[:, 1] = 0
    affect[places == 2] = 0.25
    for given in classified(one_hot(places, 3), affect).probabilities.values():
        assert np.isfinite(given).all()


def test_several_true_labels_make_each_label_a_question_of_its_own() -> None:
    """Probabilities need not add up to 1, and all that are likely are named."""
    places, affect = faces(200)
    truth = np.hstack([one_hot(places, 3), (affect[:, :1] < 0)])
    for given in classified(truth, affect).probabilities.values():
        assert (given.sum(axis=1) > 1.5).any()
    people = [
        attrs.evolve(record, labels=("anger", "pain"), truth=Truth(labels=tuple(np.array([*LABELS, "pain"])[true])))
        for record, true in zip(records(200), truth, strict=True)
    ]
    assert parts(people, MultiLabel(), "jaccard_samples")["logistic"] > 0.8


def test_a_face_without_numbers_gets_no_answer_from_them() -> None:
    """Where no face was found every classifier is wrong, as the model is."""
    people = records()
    half = [attrs.evolve(record, valence=None, arousal=None) for record in people[::2]] + people[1::2]
    assert parts(half)["gaussian"] <= 0.5
    ends = {f"{name}{end}" for name in ("chance", "majority", "floor", "gain") for end in ("", "_low", "_high")}
    assert parts(records(told=False)).keys() == ends


def test_rated_numbers_stand_beside_measured_ones() -> None:
    """Only where every face has them and they differ."""
    assert "gaussian_truth_va" in parts(records(rated=True))
    assert "gaussian_truth_va" not in parts(records())
    same = [
        attrs.evolve(record, truth=attrs.evolve(record.truth, valence=record.valence, arousal=record.arousal))
        for record in records()
    ]
    assert "gaussian_truth_va" not in parts(same)


def test_floor_and_ceiling_are_the_better_baselines() -> None:
    """Of two that know nothing of the face, and of two that have learnt from its numbers; the other way for errors."""
    given = {"anger": 0.5, "happiness": 0.3, "sadness": 0.2}
    people = [attrs.evolve(record, probabilities=given) for record in records()]
    found = parts(people)
    assert found["floor"] == max(found["chance"], found["majority"])
    assert found["ceiling"] == max(found["gaussian"], found["logistic"])
    assert found["floor_low"] < found["floor"] < found["floor_high"]
    errors = parts(people, Calibration(labels=LABELS), "brier")
    assert errors["floor"] == min(errors["chance"], errors["majority"])
    assert errors["ceiling"] == min(errors["gaussian"], errors["logistic"])
    assert errors["gain"] == errors["floor"] - score_all(people, [Calibration(labels=LABELS)])[0].value


def overlapping(count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """One common and one rare class whose numbers overlap, as truth and valence and arousal."""
    generator = np.random.default_rng(0)
    rare = generator.random(count) < 0.12
    affect = np.clip(generator.normal(np.where(rare, 0.3, -0.1)[:, None], 0.3, (count, 2)), -1, 1)
    return np.column_stack([~rare, rare]), affect


def test_what_is_named_depends_on_the_score() -> None:
    """For accuracy the likeliest; for balanced accuracy what is likelier than usual, as equal priors ask."""
    truth, affect = overlapping()
    known = classified(truth, affect)
    given = known.probabilities["logistic"]
    ways = list(rules(given, truth.mean(axis=0), ("a", "b"), several=False))
    metric, weights = Classification(), np.ones((1, len(truth)))

    chosen = decide(metric.over, truth, ways, known.fold)["balanced_accuracy"]

    equal = metric.over(truth, Replies.likeliest(("a", "b"), given / truth.mean(axis=0), several=False), weights)
    likeliest = metric.over(truth, ways[0], weights)
    found = metric.over(truth, chosen, weights)["balanced_accuracy"]
    assert found == pytest.approx(equal["balanced_accuracy"], abs=0.02)
    assert found > likeliest["balanced_accuracy"] + 0.1


def several_labels(count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which each face has about three, some common and some rare, as truth and valence and arousal."""
    generator = np.random.default_rng(1)
    affect = generator.uniform(-1, 1, (count, 2))
    slopes, shares = generator.normal(0, 1, (2, 8)), np.array([1.5, 1, 0.5, 0, -0.5, -1, -1.5, -2])
    truth = generator.random((count, 8)) < 1 / (1 + np.exp(-(affect @ slopes + shares)))
    truth[~truth.any(axis=1), 0] = True
    return truth, affect


def test_the_number_of_labels_is_chosen_where_several_may_be_named() -> None:
    """F1 of the chosen rule is far above that of the likeliest label, and of all above one half."""
    truth, affect = several_labels()
    known = classified(truth, affect)
    names = tuple("abcdefgh")
    given = known.probabilities["logistic"]
    metric, weights = MultiLabel(), np.ones((1, len(truth)))
    half = metric.over(truth, Replies.likeliest(names, given, several=True), weights)

    chosen = decide(metric.over, truth, list(rules(given, truth.mean(axis=0), names, several=True)), known.fold)

    for name in ("f1_samples", "jaccard_samples", "f1_labels"):
        assert metric.over(truth, chosen[name], weights)[name] > half[name] + 0.01


def test_the_rule_of_a_fold_is_chosen_on_the_others() -> None:
    """A rule that is perfect in one fold alone is not the rule of that fold."""
    truth = np.tile(np.eye(2, dtype=bool), (10, 1))
    fold = np.repeat([0, 1], 10)
    right, wrong = truth.argmax(axis=1), 1 - truth.argmax(axis=1)
    replies = [
        Replies(("a", "b"), first, one_hot(first, 2), np.full((20, 2), 0.5))
        for first in (np.where(fold == 0, right, wrong), np.where(fold == 1, right, wrong))
    ]

    chosen = decide(Accuracy().over, truth, replies, fold)["accuracy"]

    assert Accuracy().over(truth, chosen, np.ones((1, 20)))["accuracy"] == 0


def test_recall_is_compared_at_equal_effort() -> None:
    """Naming every label finds all; a baseline of recall names no more on average than the model did."""
    truth, affect = several_labels()
    names = tuple("abcdefgh")
    people = [
        Record(
            id=f"{row:03}",
            outcome=Outcome.OK,
            labels=("a", "b"),
            valence=valence,
            arousal=arousal,
            truth=Truth(labels=tuple(np.array(names)[true])),
        )
        for row, (true, (valence, arousal)) in enumerate(zip(truth, affect.tolist(), strict=True))
    ]

    found = parts(people, MultiLabel(labels=list(names)), "recall_samples")

    constant = metric_of_constant(truth, names, 2)
    assert found["majority"] == pytest.approx(constant)
    assert found["ceiling"] < 0.9


def metric_of_constant(truth: np.ndarray, names: tuple[str, ...], count: int) -> float:
    """The recall of always naming the commonest labels."""
    replies = list(constants(truth.mean(axis=0), len(truth), names, several=True))[count - 1]
    return float(MultiLabel().over(truth, replies, np.ones((1, len(truth))))["recall_samples"][0])


def test_the_best_constant_answer_may_have_several_labels() -> None:
    """Always the commonest few, where the model named several too; else one label."""
    truth, _ = several_labels()
    names = tuple("abcdefgh")
    metric, weights = MultiLabel(), np.ones((1, len(truth)))
    best = max(
        metric.over(truth, each, weights)["f1_samples"][0]
        for each in constants(truth.mean(axis=0), len(truth), names, several=True)
    )
    people = [Record(id=str(row), outcome=Outcome.OK) for row in range(len(truth))]

    single = Contest(over=metric.over, truth=truth, names=names)
    several = attrs.evolve(single, several=True)
    found, alone = (baselines(each, people)["majority"](weights)["f1_samples"] for each in (several, single))

    assert found == best > alone


def test_under_words_the_ceiling_knows_no_more_than_the_words() -> None:
    """Six prompts for many different numbers: one answer per prompt is all that anybody could give."""
    places, affect = faces(300, spread=0.4)
    people = [
        attrs.evolve(record, prompt_sha256=f"{(record.valence or 0) > 0} {place % 3}")
        for place, record in enumerate(records_of(places, affect))
    ]
    truth, prompt = one_hot(places, 3), np.array([record.prompt_sha256 for record in people])
    possible = sum(truth[prompt == each].sum(axis=0).max() for each in set(prompt.tolist())) / len(people)

    assert parts(people)["ceiling"] <= possible
    assert parts(records_of(places, affect))["ceiling"] > possible


def records_of(places: np.ndarray, affect: np.ndarray) -> list[Record]:
    return [
        Record(
            id=f"{row:03}",
            outcome=Outcome.OK,
            labels=("anger",),
            valence=valence,
            arousal=arousal,
            truth=Truth(labels=(LABELS[place],)),
        )
        for row, (place, (valence, arousal)) in enumerate(zip(places.tolist(), affect.tolist(), strict=True))
    ]


def test_faces_of_one_picture_teach_nothing_about_each_other() -> None:
    """Pictures in which all feel the same by chance: numbers that are noise decide nothing."""
    generator = np.random.default_rng(3)
    picture = np.repeat(np.arange(60), 5)
    places = generator.integers(0, 2, 60)[picture]
    noise = np.clip(generator.normal(0, 0.4, (60, 2))[picture] + generator.normal(0, 0.01, (300, 2)), -1, 1)
    truth, alone = one_hot(places, 2), np.unique(noise, axis=0, return_inverse=True)[1].ravel()
    known = learnt(truth, Seen(noise, alone, picture))
    leaked = learnt(truth, Seen(noise, alone, np.arange(300)))

    def right(found: Learnt) -> float:
        return float((found.probabilities["gaussian"].argmax(axis=1) == places).mean())

    assert right(known) < right(leaked)


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


def test_numbers_derived_from_the_labels_are_no_baseline_for_them() -> None:
    """They give the labels away."""
    derived = [attrs.evolve(each, truth=attrs.evolve(each.truth, derived=True)) for each in records(rated=True)]

    assert "gaussian_truth_va" not in parts(derived)


def test_a_rater_is_compared_with_the_others_alone() -> None:
    """Every vote of small tables is taken out and compared with the rest by hand; a rater is no judge of himself."""
    for counts in ((5, 0, 0), (3, 2, 0), (2, 2, 1), (1, 1, 1), (6, 4, 0), (8, 1, 1), (1, 1, 0)):
        votes = [place for place, count in enumerate(counts) for _ in range(count)]
        agreed = []
        for row, vote in enumerate(votes):
            others = np.bincount(votes[:row] + votes[row + 1 :], minlength=3)
            agreed.append(others[vote] == others.max())
        shares = {label: count / len(votes) for label, count in zip(LABELS, counts, strict=True)}

        assert human_agreement(Truth(votes=shares, raters=len(votes))) == pytest.approx(np.mean(agreed))


def test_people_stand_beside_a_model_where_every_face_has_votes() -> None:
    """With an interval, beside chance and ceiling; not where some faces have one rater."""
    voted = [
        attrs.evolve(each, truth=attrs.evolve(each.truth, votes={each.truth.labels[0]: 0.8, "other": 0.2}, raters=5))
        for each in records()
    ]

    [score] = score_all(voted, [Accuracy(labels=LABELS)])

    assert score.parts["human"] == pytest.approx(0.8)
    assert score.parts["human_low"] < 0.8 < score.parts["human_high"]
    [fewer] = score_all([*voted[1:], *records()[:1]], [Accuracy(labels=LABELS)])
    assert "human" not in fewer.parts
