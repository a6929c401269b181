"""The prompt for one label of a set, the reading of replies, and accuracy."""

from __future__ import annotations

import random

import numpy as np
import pytest

from affectlm.errors import ConfigError
from affectlm.records import Record
from affectlm.registry import Registry
from affectlm.types import Completion, Outcome, Sample, Truth
from affectlm_categories.accuracy import Accuracy
from affectlm_categories.labels import FORMS, OTHERS, TAXONOMIES
from affectlm_categories.prompt import Categories
from affectlm_categories.reading import read_labels

BASIC = TAXONOMIES["basic"]
EMOTIC = ("Anger", "Doubt/Confusion", "Fatigue", "Pleasure", "Excitement", "Peace")


def record(label: str | None, *truth: str) -> Record:
    outcome = Outcome.OK if label else Outcome.UNPARSEABLE
    return Record(id="a", outcome=outcome, labels=(label,) if label else (), truth=Truth(labels=truth))


def test_the_registry_builds_prompt_and_metric() -> None:
    """The hooks offer both under their names."""
    registry = Registry.installed()

    assert isinstance(registry.build("prompt", {"name": "categories", "labels": ["joy", "fear"]}), Categories)
    assert isinstance(registry.build("metric", {"name": "accuracy"}), Accuracy)


def test_the_question_lists_every_label_and_offers_them_as_choices() -> None:
    """What the reply may be is known to the model and to the core."""
    request = Categories(labels="basic7").render(Sample("a", 0.5, 0.5))

    assert request.choices == (*BASIC, "neutral")
    assert "anger, disgust, fear, happiness, sadness, surprise, neutral" in request.messages[0].text


def test_the_words_for_valence_and_arousal_give_no_basic_label_away() -> None:
    """A prompt that names the answer asks nothing."""
    for valence in (-0.9, -0.5, -0.2, 0, 0.2, 0.5, 0.9):
        text = Categories().render(Sample("a", valence, -valence)).messages[0].text
        assert not set(BASIC).intersection(read_labels(text.split(". ")[2], BASIC))


@pytest.mark.parametrize(
    ("labels", "message"),
    [("basik", "basic, basic7"), ([], "empty"), (["joy", " "], "word"), (["joy", "Joy"], "twice"), ([1], "word")],
)
def test_impossible_label_sets_are_refused(labels: object, message: str) -> None:
    """The message says what labels may be."""
    with pytest.raises(ConfigError, match=message):
        Registry.installed().build("prompt", {"name": "categories", "labels": labels})


@pytest.mark.parametrize(
    ("reply", "labels"),
    [
        ("sadness", ("sadness",)),
        (" Sadness.\n", ("sadness",)),
        ('"Sadness"', ("sadness",)),
        ("**sadness**", ("sadness",)),
        ("Answer: sadness", ("sadness",)),
        ('{"emotion": "sadness"}', ("sadness",)),
        ('```json\n{"emotion": "sadness", "why": "no joy"}\n```', ("sadness",)),
        ('{"emotions": ["fear", "sadness"]}', ("fear", "sadness")),
        ("The person seems sad.", ("sadness",)),
        ("He is Angry!", ("anger",)),
        ("She looks scared and surprised.", ("fear", "surprise")),
        ("happy, not sad", ("happiness",)),
        ("The person doesn't look sad or angry, but disgusted.", ("disgust",)),
        ("neither happy nor sad", ()),
        ("No doubt happy", ("happiness",)),
        ("not only sad but angry", ("sadness", "anger")),
        ("It could be fear or anger. Answer: anger", ("anger",)),
        ("<think>happy? no</think>fear", ("fear",)),
        ("ｆｅａｒ", ("fear",)),
        ("anger, disgust, fear, happiness, sadness, surprise", ()),
        ("Contempt", ("contempt",)),
        ("The emotion is calm.", ("calm",)),
        ("I cannot tell.", ()),
        ("fearless sadist", ()),
        ("", ()),
        ("{" * 2000, ()),
        ("\ud800 fear", ("fear",)),
    ],
)
def test_labels_are_found_however_they_are_dressed(reply: str, labels: tuple[str, ...]) -> None:
    """Bare, quoted, JSON, inside a sentence; negated ones are not named, others are out of the set."""
    assert read_labels(reply, BASIC) == labels


@pytest.mark.parametrize(
    ("reply", "labels"),
    [("confused", ("Doubt/Confusion",)), ("doubt/confusion", ("Doubt/Confusion",)), ("ANGRY", ("Anger",))],
)
def test_a_label_comes_back_as_the_set_spells_it(reply: str, labels: tuple[str, ...]) -> None:
    """Case and compound labels are those of the choices."""
    assert read_labels(reply, EMOTIC) == labels


def test_adjectives_in_the_set_are_found_by_their_noun() -> None:
    """The table works both ways."""
    assert read_labels("sadness", ("happy", "sad")) == ("sad",)


def test_a_choice_keeps_its_own_word() -> None:
    """Where joy and happiness are both offered, joy is joy."""
    assert read_labels("joy", ("happiness", "joy")) == ("joy",)


def test_every_word_of_the_table_stands_for_one_emotion() -> None:
    """No form is listed twice."""
    listed = [word for label, forms in FORMS.items() for word in (label, *forms)] + list(OTHERS)

    assert len(listed) == len(set(listed))


def test_parse_gives_an_empty_answer_to_an_unreadable_reply() -> None:
    """No label is found and the text is kept."""
    answer = Categories().parse(Completion(id="a", text=" Hm. "))

    assert (answer.labels, answer.text) == ((), "Hm.")


def test_no_string_makes_reading_fail() -> None:
    """Whatever a model says, labels or nothing come back."""
    draw = random.Random(0)  # noqa: S311
    pieces = [*BASIC, "not ", "{", "}", '"emotion":', "answer: ", "<think>", "\n", "\ud800", "İ"]
    for _ in range(300):
        noise = (chr(draw.randrange(0x110000)) for _ in range(5))
        text = "".join(draw.choice([*pieces, *noise]) for _ in range(draw.randrange(20)))
        assert set(read_labels(text, BASIC)) <= set(BASIC)


def test_accuracy_counts_unreadable_answers_as_wrong() -> None:
    """A reply without a label lowers accuracy; it is not left out."""
    [score] = Accuracy().score([record("fear", "fear"), record(None, "fear")])

    assert (score.name, score.value, score.count) == ("accuracy", 0.5, 2)


def test_accuracy_takes_any_of_several_true_labels() -> None:
    """A face with two true labels is right with either, whatever the case."""
    values = Accuracy().values([record("Fear", "anger", "fear"), record("joy", "anger", "fear")])

    np.testing.assert_array_equal(values["accuracy"], [1.0, 0.0])


def test_accuracy_leaves_out_records_without_truth() -> None:
    """Their value is NaN, and without any truth there is no score."""
    assert np.isnan(Accuracy().values([record("fear")])["accuracy"]).all()
    assert Accuracy().score([record("fear")]) == []


def test_accuracy_of_no_records_has_the_right_shape() -> None:
    """An empty run gives an empty column of numbers."""
    values = Accuracy().values([])["accuracy"]

    assert values.shape == (0,)
    assert values.dtype == np.float64
