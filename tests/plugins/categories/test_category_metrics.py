"""Metrics of labels against scikit-learn, on whole sets and at their edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs
import numpy as np
import pytest
from sklearn import metrics as reference

from affectlm.scores.scores import score_all
from affectlm.types import AnyMetric, Outcome, Record, Score, Truth
from affectlm_categories.accuracy import Accuracy, hits
from affectlm_categories.classes import Classes, one_hot
from affectlm_categories.classification import (
    Classification,
    balanced_accuracy,
    count,
    f1,
    kappa,
    macro_f1,
    share,
    weighted_f1,
)
from affectlm_categories.judging import CategoryMetric
from affectlm_categories.multilabel import MultiLabel, means, overlap
from affectlm_categories.open_set import OpenSet, group_of
from affectlm_categories.probabilities import (
    AveragePrecision,
    Calibration,
    TopK,
    among_likeliest,
    average_precision,
    brier,
    calibration_error,
)

LABELS = ("anger", "fear", "happiness", "sadness")
NONE = len(LABELS)


Answers: TypeAlias = tuple[np.ndarray, np.ndarray]  # true and named


def same(found: object, expected: object) -> None:
    """Equal to 1e-9, NaN to NaN."""
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=1e-9)


def record(
    label: str | tuple[str, ...] | None, *truth: str, probabilities: tuple[float, ...] | None = None, name: str = "a"
) -> Record:
    labels = (label,) if isinstance(label, str) else (label or ())
    given = dict(zip(LABELS, probabilities, strict=True)) if probabilities else None
    outcome = Outcome.OK if labels else Outcome.UNPARSEABLE
    return Record(id=name, outcome=outcome, labels=labels, truth=Truth(labels=truth), probabilities=given)


def scored(metric: AnyMetric, records: list[Record]) -> dict[str, Score]:
    return {score.name: score for score in score_all(records, [metric])}


@pytest.fixture(params=[0, 1, 2, "never named", "one class", "one face", "nothing read"])
def answers(request: pytest.FixtureRequest) -> Answers:
    """True and named classes of some faces, `NONE` where nothing could be read."""
    case = request.param
    generator = np.random.default_rng(case if isinstance(case, int) else 9)
    true, named = generator.integers(0, NONE, 60), generator.integers(0, NONE + 1, 60)
    if case == "never named":
        true, named = np.where(true == 2, 1, true), np.where(named == 1, 0, named)
    elif case == "one class":
        true[:] = 1
    elif case == "one face":
        true, named = true[:1], true[:1]
    elif case == "nothing read":
        named[:] = NONE
    return true, named


def counts(answers: Answers, weights: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    true, named = answers
    rows = np.ones((1, len(true))) if weights is None else weights
    return count(one_hot(true, NONE), one_hot(named, NONE), rows)


def test_accuracy_is_that_of_scikit_learn(answers: Answers) -> None:
    """The share of equal labels, an unreadable one equal to none."""
    true, named = answers
    assert hits(one_hot(true, NONE), named).mean() == pytest.approx(reference.accuracy_score(true, named), abs=1e-9)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
def test_balanced_accuracy_is_that_of_scikit_learn(answers: Answers) -> None:
    """The mean recall of the classes that are true of any face."""
    right, true, _ = counts(answers)
    same(balanced_accuracy(right, true), reference.balanced_accuracy_score(*answers))


@pytest.mark.parametrize(("ours", "average"), [(macro_f1, "macro"), (weighted_f1, "weighted")])
def test_f1_is_that_of_scikit_learn_over_the_classes_that_are_true(
    answers: Answers, ours: Callable[..., np.ndarray], average: str
) -> None:
    """A class that is named but never true is no class of its own; naming it costs the others recall."""
    true = sorted(set(answers[0]))
    expected = reference.f1_score(*answers, labels=true, average=average, zero_division=0)
    same(ours(*counts(answers)), expected)


def test_figures_by_class_are_those_of_scikit_learn(answers: Answers) -> None:
    """Precision, recall and F1 of each class, 0 where nothing is named or true."""
    right, true, named = counts(answers)
    expected = reference.precision_recall_fscore_support(*answers, labels=range(NONE), zero_division=0)
    ours = (share(right, named), share(right, true), f1(right, true, named), true)
    same(np.vstack(ours), np.vstack(expected))


def test_kappa_is_that_of_scikit_learn(answers: Answers) -> None:
    """Agreement beyond luck, no answer being a class of its own; undefined where luck alone agrees always."""
    expected = np.nan if len(set(answers[0]) | set(answers[1])) == 1 else reference.cohen_kappa_score(*answers)
    same(kappa(*counts(answers)), expected)


def test_weights_say_how_often_each_face_counts(answers: Answers) -> None:
    """A resample's figures are those of the faces repeated as often as it has them."""
    weights = np.random.default_rng(3).integers(0, 3, (5, len(answers[0]))).astype(float)
    weights[:, 0] += 1
    found = {name: function(*counts(answers, weights)) for name, function in (("macro", macro_f1), ("kappa", kappa))}
    for row, draw in enumerate(weights.astype(int)):
        repeated = (np.repeat(answers[0], draw), np.repeat(answers[1], draw))
        same(found["macro"][row], macro_f1(*counts(repeated))[0])
        same(found["kappa"][row], kappa(*counts(repeated))[0])


@pytest.fixture(params=[0, 1, "one face", "nothing named", "a label nobody has"])
def sets(request: pytest.FixtureRequest) -> Answers:
    """Which of four labels are true (at least one) and named, of some faces."""
    generator = np.random.default_rng(5)
    truth, named = generator.random((40, 4)) < 0.4, generator.random((40, 4)) < 0.3
    truth[np.arange(40), generator.integers(0, 3, 40)] = True
    if request.param == "one face":
        truth, named = truth[:1], named[:1]
    elif request.param == "nothing named":
        named[:] = False
    elif request.param == "a label nobody has":
        truth[:, 3] = False
    return truth, named


def test_overlap_by_face_is_that_of_scikit_learn(sets: Answers) -> None:
    """Means over faces of precision, recall, F1 and Jaccard index."""
    found = overlap(*sets)
    scores = reference.precision_recall_fscore_support(*sets, average="samples", zero_division=0)
    expected = [*scores[:3], reference.jaccard_score(*sets, average="samples", zero_division=0)]
    same([values.mean() for values in found.values()], expected)


def test_figures_by_label_are_averaged_over_the_labels_that_are_true(sets: Answers) -> None:
    """As scikit-learn's macro average with those labels."""
    truth, named = sets
    weights = np.ones((1, len(truth)))
    records = [
        record(tuple(np.array(LABELS)[said]), *np.array(LABELS)[true]) for true, said in zip(truth, named, strict=True)
    ]
    labels = np.flatnonzero(truth.any(axis=0))
    expected = reference.precision_recall_fscore_support(truth, named, labels=labels, average="macro", zero_division=0)
    [(known, statistic)] = MultiLabel(labels=LABELS).statistics(records)
    found = statistic(weights[:, known])
    names = ("precision_labels", "recall_labels", "f1_labels")
    same([found[name][0] for name in names], expected[:3])


def test_a_mean_follows_the_weights() -> None:
    """The mean of a resample counts a face as often as the resample has it."""
    assert means({"x": np.array([1.0, 0.0, 0.0])}, np.array([[2.0, 1.0, 1.0]]))["x"] == [0.5]


@pytest.fixture
def distributions() -> Answers:
    """True classes and probabilities of 80 faces."""
    generator = np.random.default_rng(2)
    return generator.integers(0, 4, 80), generator.dirichlet(np.ones(4), 80)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_is_that_of_scikit_learn(distributions: Answers, k: int) -> None:
    """How often the true class is among the k likeliest."""
    true, probabilities = distributions
    expected = reference.top_k_accuracy_score(true, probabilities, k=k)
    found = among_likeliest(one_hot(true, 4), probabilities, k).mean()
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_brier_score_is_that_of_scikit_learn_for_several_classes(distributions: Answers) -> None:
    """The sum over classes, not halved."""
    true, probabilities = distributions
    expected = reference.brier_score_loss(true, probabilities, scale_by_half=False)
    assert brier(one_hot(true, 4), probabilities).mean() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_that_of_scikit_learn(distributions: Answers, ties: bool) -> None:
    """By label, equal scores taken together; a label nobody has gives none."""
    truth = np.random.default_rng(8).random((80, 4)) < [0.5, 0.1, 0.02, 0.0]
    scores = distributions[1].round(1) if ties else distributions[1]
    truth[5, 2] = True
    [found] = average_precision(truth, scores, np.ones((1, 80)))
    expected = [reference.average_precision_score(truth[:, place], scores[:, place]) for place in range(3)]
    same(found, [*expected, np.nan])


def test_average_precision_without_a_face_is_that_of_the_others(distributions: Answers) -> None:
    """Weights of 0 leave faces out; rounded scores have ties."""
    truth, scores = np.random.default_rng(8).random((80, 4)) < [0.5, 0.1, 0.3, 0.2], distributions[1].round(1)
    weights = (np.random.default_rng(9).random((5, 80)) < 0.8).astype(float)
    found = average_precision(truth, scores, weights)
    for row, kept in enumerate(weights.astype(bool)):
        expected = [reference.average_precision_score(truth[kept, place], scores[kept, place]) for place in range(4)]
        same(found[row], expected)


def test_calibration_error_is_the_gap_of_each_bin() -> None:
    """Two bins: one of three faces at 0.75 with two right, one of a face at 0.25 that is right."""
    confidence, right = np.array([0.75, 0.75, 0.75, 0.25]), np.array([1.0, 1.0, 0.0, 1.0])
    expected = (3 * abs(2 / 3 - 0.75) + 1 * abs(1 - 0.25)) / 4
    assert calibration_error(confidence, right, np.ones((1, 4)), bins=2)[0] == pytest.approx(expected, abs=1e-12)
    assert calibration_error(np.ones(1), np.ones(1), np.ones((1, 1)))[0] == 0


def test_a_label_counts_in_any_of_its_forms_and_in_any_case() -> None:
    """A data set's "happy" is the set's "happiness", and so is an answer's "Joy"."""
    records = [record("happiness", "Happy"), record("Joy", "happy"), record("sad", "Sadness"), record("fear", "angry")]
    assert scored(Accuracy(labels=LABELS), records)["accuracy"].value == 0.75


def test_probabilities_are_found_under_any_form_of_a_label() -> None:
    """Probabilities of "happy" are those of "happiness"; what is no class is left out."""
    found = Classes.of(["fear", "happiness"]).probabilities([{"happy": 0.7, "fear": 0.2, "calm": 0.1}, None])
    np.testing.assert_array_equal(found, [[0.2, 0.7], [np.nan, np.nan]])


def test_faces_whose_labels_were_not_asked_for_are_left_out_and_counted() -> None:
    """A contemptuous face asked about with a set without contempt is nobody's mistake."""
    records = [record("anger", "contempt"), record("fear", "fear"), record("fear", "fear", "contempt")]
    for metric in (Accuracy(labels=LABELS), Classification(labels=LABELS), MultiLabel(labels=LABELS)):
        for score in scored(metric, records).values():
            assert (score.count, score.parts["outside"]) == (2, 1)
    assert scored(Accuracy(), records)["accuracy"].count == 3


def test_one_label_is_asked_of_the_f1_family_and_several_are_left_out() -> None:
    """Accuracy takes any of several true labels; balanced accuracy needs one."""
    records = [record("fear", "fear", "anger"), record("fear", "fear"), record("anger", "fear")]
    assert scored(Accuracy(labels=LABELS), records)["accuracy"].value == pytest.approx(2 / 3)
    assert scored(Classification(labels=LABELS), records)["balanced_accuracy"].count == 2


@pytest.mark.parametrize("metric", [Accuracy, Classification, MultiLabel, TopK, OpenSet])
def test_a_missing_answer_counts_as_wrong_and_the_answered_are_scored_again(metric: type[CategoryMetric]) -> None:
    """Silence lowers each score but precision by label; that over the answered records stands beside it."""
    right = [
        record("anger", "anger", probabilities=(0.7, 0.1, 0.1, 0.1)),
        record("fear", "fear", probabilities=(0.1, 0.7, 0.1, 0.1)),
    ]
    found = scored(OpenSet() if metric is OpenSet else metric(labels=LABELS), [*right, record(None, "anger")])
    names = {name for name in found if not name.endswith("_answered")} - {"precision_labels"}
    assert names
    assert all(found[name].value < found[f"{name}_answered"].value == 1 for name in names)


def test_records_without_an_answer_or_a_truth_give_finite_scores_or_none() -> None:
    """Nothing read, nothing true, one record, none: scores and parts are finite wherever there are any."""
    named: list[type[CategoryMetric]] = [Accuracy, Classification, MultiLabel, TopK, Calibration]
    metrics: list[CategoryMetric] = [metric(labels=LABELS) for metric in named]
    metrics += [AveragePrecision(labels=LABELS), OpenSet(), Accuracy(), Classification()]
    given = (0.7, 0.1, 0.1, 0.1)
    for records in ([], [record("fear")], [record(None, "fear")], [record("fear", "fear", probabilities=given)]):
        for score in score_all(records, metrics):
            assert np.isfinite([score.value, *score.parts.values()]).all()
    assert score_all([record("fear")], metrics) == score_all([], metrics) == []
    assert all(score_all([record(None, "fear")], [metric])[0].value == 0 for metric in metrics[:3])


def test_scores_of_few_among_many_have_no_interval_and_say_why() -> None:
    """Two faces of one label among many of several are two clusters."""
    given = (0.7, 0.1, 0.1, 0.1)
    pairs = [("anger", "fear")] * 40 + [("anger",), ("fear",)]
    records = [record("anger", *true, probabilities=given, name=str(place)) for place, true in enumerate(pairs)]
    for metric in (Classification(labels=LABELS), Calibration(labels=LABELS)):
        for score in scored(metric, records).values():
            assert (score.count, score.low, score.parts["clusters"]) == (2, None, 2)


def test_the_parts_of_balanced_accuracy_are_the_cells_of_the_confusion_matrix() -> None:
    """How often a truth got an answer, unreadable ones under none; empty cells are left out."""
    records = [record("fear", "anger"), record("fear", "anger"), record(None, "anger"), record("fear", "fear")]
    parts = scored(Classification(labels=LABELS), records)["balanced_accuracy"].parts
    cells = {name: value for name, value in parts.items() if name.startswith("answers: ")}
    assert cells == {"answers: anger -> fear": 2, "answers: anger -> none": 1, "answers: fear -> fear": 1}


def test_the_parts_of_macro_f1_are_figures_by_class() -> None:
    """Precision, recall, F1 and number of every class that is true of a face."""
    parts = scored(Classification(labels=LABELS), [record("fear", "anger"), record("fear", "fear")])["f1_macro"].parts
    assert (parts["precision: fear"], parts["recall: fear"], parts["n: anger"]) == (0.5, 1, 1)
    assert "f1: sadness" not in parts


def test_without_probabilities_there_is_no_score_of_them() -> None:
    """Answers that were generated are neither ranked nor calibrated."""
    metrics: list[CategoryMetric] = [TopK(labels=LABELS), Calibration(labels=LABELS), AveragePrecision(labels=LABELS)]
    assert score_all([record("fear", "fear"), record("fear", "anger")], metrics) == []


def test_a_face_without_probabilities_is_ranked_last_and_not_calibrated() -> None:
    """Where the others have them."""
    records = [record("anger", "anger", probabilities=(0.7, 0.1, 0.1, 0.1)), record(None, "fear")]
    assert scored(TopK(labels=LABELS, k=1), records)["top_1"].value == 0.5
    assert scored(Calibration(labels=LABELS), records)["brier"].count == 1
    assert scored(AveragePrecision(labels=LABELS), records)["map"].parts["ap: fear"] == pytest.approx(0.5)


def test_a_face_with_several_true_labels_is_counted_and_not_calibrated() -> None:
    """No label of several has a true probability of 1."""
    likely = (0.7, 0.1, 0.1, 0.1)
    one = record("anger", "anger", probabilities=likely)
    brier = scored(Calibration(labels=LABELS), [one, record("anger", "anger", "fear", probabilities=likely)])["brier"]
    assert (brier.count, brier.parts["several"]) == (1, 1)
    assert "several" not in scored(Calibration(labels=LABELS), [one])["brier"].parts


def test_an_open_answer_counts_by_groups_of_words() -> None:
    """Grief and sorrow are sadness; pride is a word of its own."""
    found = scored(OpenSet(), [record(("grief", "pride"), "Sad", "anxious")])
    assert {name: score.value for name, score in found.items()} == {
        "open_precision": 0.5,
        "open_recall": 0.5,
        "open_f1": 0.5,
    }


def test_an_open_question_asks_for_no_label() -> None:
    """A description without an emotion word is no wrong answer to the question which label fits."""
    described = Record(id="a", outcome=Outcome.OK, truth=Truth(labels=("fear",)))

    assert score_all([described], [Accuracy(), Classification(), MultiLabel()]) == []
    assert scored(Accuracy(), [described, record("fear", "fear", name="b")])["accuracy"].value == 0.5
    assert scored(OpenSet(), [described])["open_recall"].value == 0


def test_groups_can_be_added() -> None:
    """A word of one's own joins a group of the table, in any case."""
    assert scored(OpenSet(groups={"Sadness": ["Blue"]}), [record("blue", "grief")])["open_f1"].value == 1
    assert group_of("blue") is None
    with pytest.raises(ValueError, match="expected a list"):
        OpenSet(groups={"sadness": "blue"})


def _figures(metric: CategoryMetric, records: list[Record]) -> list[float]:
    """The scores of a metric, which the core would call with sorted records."""
    [(rows, statistic)] = metric.statistics(records)
    found = statistic(np.ones((1, int(rows.sum()))))
    return [float(found[name][0]) for name in metric.score_names()]


def test_metrics_are_the_same_whatever_the_order_of_the_records(answers: Answers) -> None:
    """Figures of records turned round."""
    names = (*LABELS, None)
    records = [
        attrs.evolve(record(names[said], LABELS[true], name=str(place)), valence=place / 100, arousal=-place / 100)
        for place, (true, said) in enumerate(zip(*answers, strict=True))
    ]
    for metric in (Classification(labels=LABELS), MultiLabel(labels=LABELS)):
        there, back = (_figures(metric, each) for each in (records, records[::-1]))
        assert there == pytest.approx(back, abs=1e-12, nan_ok=True)
