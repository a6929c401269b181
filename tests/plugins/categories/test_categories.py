"""The prompt for one label of a set, the reading of replies, and accuracy."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import numpy as np
import pytest

from affectlm.affect.labels import FORMS, OTHERS, folded, known_words
from affectlm.affect.taxonomies import TAXONOMIES
from affectlm.affect.wording import words
from affectlm.errors import ConfigError
from affectlm.registry import Registry
from affectlm.scores.scores import score_all
from affectlm.types import Completion, Outcome, Record, Sample, Truth
from affectlm_categories.accuracy import Accuracy
from affectlm_categories.prompt import Categories
from affectlm_categories.reading import read_labels
from affectlm_categories.unmapped import Unmapped

BASIC = TAXONOMIES["basic"]
EMOTIC_STYLE = ("Anger", "Doubt/Confusion", "Fatigue", "Pleasure", "Excitement", "Peace")


def record(label: str | None, *truth: str) -> Record:
    outcome = Outcome.OK if label else Outcome.UNPARSEABLE
    return Record(id="a", outcome=outcome, labels=(label,) if label else (), truth=Truth(labels=truth))


def test_the_registry_builds_prompt_and_metrics() -> None:
    """The hooks offer all under their names."""
    registry = Registry.installed()

    assert isinstance(registry.build("prompt", {"name": "categories", "labels": ["joy", "fear"]}), Categories)
    assert isinstance(registry.build("metric", {"name": "accuracy"}), Accuracy)
    assert isinstance(registry.build("metric", {"name": "unmapped"}), Unmapped)


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


DRESSED = [
    ("sadness", "sadness"),
    (" Sadness.\n", "sadness"),
    ('"Sadness"', "sadness"),
    ("“Sadness”", "sadness"),
    ("**sadness**", "sadness"),
    ("_sad_", "sadness"),
    ("Answer: sadness", "sadness"),
    ("Answer:\n\nSadness", "sadness"),
    ("The correct emotion is:\n\n**Sadness**\n\nBecause joy and fear do not fit.", "sadness"),
    ("**Emotion:** fear", "fear"),
    ("**Emotion**: fear", "fear"),
    ("<emotion>fear</emotion>", "fear"),
    (r"$\boxed{\text{Fear}}$", "fear"),
    ("The person seems sad.", "sadness"),
    ("He is Angry!", "anger"),
    ("sadness, fear", "sadness fear"),
    ("sadness/fear", "sadness fear"),
    ("Sadness > fear", "sadness fear"),
    ("a sad-looking man", "sadness"),
    ("- sad\n- afraid", "sadness fear"),
    ("1. Sadness\n2. Fear", "sadness fear"),
    ("Emotions:\n- fear\n- sadness\n", "fear sadness"),
    ("She looks scared and surprised.", "fear surprise"),
    ("She is happy, happy, happy", "happiness"),
    ("ｆｅａｒ", "fear"),
    ("s\u200bad\u200dness", "sadness"),
    ("😢 Sadness", "sadness"),
    ("Contempt", "contempt"),
    ("Hm.", ""),
    ("fearless sadist", ""),
    ("", ""),
    ("\ud800 fear", "fear"),
]

JSON = [
    ('{"emotion": "sadness"}', "sadness"),
    ('```json\n{"emotion": "sadness", "why": "no joy"}\n```', "sadness"),
    ('{"emotion": "sadness", "secondary_emotion": "fear"}', "sadness"),
    ('{"emotions": ["fear", "sadness"]}', "fear sadness"),
    ('["fear", "sadness"]', "fear sadness"),
    ('[{"emotion": "fear", "score": 0.9}, {"emotion": "anger", "score": 0.1}]', "fear"),
    ('[{"label": "fear", "score": 0.1}, {"label": "anger", "score": 0.7}]', "anger"),
    ('{"emotion": {"primary": "fear", "secondary": "anger"}}', "fear anger"),
    ('Such as {"emotion": "anger"}. Mine: {"emotion": "fear"}', "fear"),
    ('{"emotion": "sadness", "explanation": "The joy is m', "sadness"),
    ('{"emotions": ["fear", "sad', "fear sadness"),
    ('{"emo', ""),
    ("{'emotion': 'sadness', 'why': 'no'}", "sadness"),
    ("{“emotion”: “sadness”}", "sadness"),
    (r'"{\"emotion\": \"sad\"}"', "sadness"),
    (r'{"emotion": "s\u0061d"}', "sadness"),
    ('{"happiness": 0.8, "sadness": 0.1}', "happiness"),
    ('{"happiness": 0.6, "sadness": 0.8, "fear": 0}', "sadness happiness"),
    ('{"scores": {"fear": 0.2, "anger": 0.7}}', "anger"),
    ('{"fear": true, "anger": false}', "fear"),
    ('{"fear": NaN, "anger": 0.5}', "anger"),
    ("Anger: 10%\nFear: 70%\nJoy: 20%", "fear"),
    ("Anger: 10%\nFear: 40%\nJoy: 50%", "happiness fear"),
    ("| Emotion | Score |\n|---|---|\n| Anger | 0.1 |\n| Fear | .8 |", "fear"),
    ("{" * 2000, ""),
]

DENIED = [
    ("happy, not sad", "happiness"),
    ("not sad", ""),
    ("isn’t happy", ""),
    ("not sad, angry", "anger"),
    ("The person doesn't look sad or angry, but disgusted.", "disgust"),
    ("neither happy nor sad", ""),
    ("far from happy", ""),
    ("anything but happy, sad", "sadness"),
    ("no sign of anger", ""),
    ("no anger, fear, or disgust; she is happy", "happiness"),
    ("absence of fear, so happy", "happiness"),
    ("It rules out anger and fear: surprise", "surprise"),
    ("sad rather than angry", "sadness"),
    ("more sad than angry", "sadness"),
    ("less angry than sad", "sadness"),
    ("anger is unlikely; fear", "fear"),
    ("Happiness? No. Sadness.", "sadness"),
    ("Happy? Not at all.", ""),
    ("Fear: no. Anger: yes.", "anger"),
    ("Fear \u2717\nAnger \u2713", "anger"),
    ("There is nothing sad about it: anger", "anger"),
    ("not so much fear as anger", "anger"),
    ("I choose anger over fear.", "anger"),
    ("It could be sadness, but it isn't happiness", "sadness"),
    ("I cannot tell whether the person is happy or sad.", ""),
    ("I can't name emotions, nor identify feelings such as joy, sadness or anger.", ""),
    ("No doubt happy", "happiness"),
    ("not only sad but angry", "sadness anger"),
    ("more than happy", "happiness"),
    ("couldn't be happier", "happiness"),
    ("She cannot hide her joy", "happiness"),
    ("nothing but fear", "fear"),
    ("I can't say for sure, but probably sad", "sadness"),
]

PLACES = [
    ("It could be fear or anger. Answer: anger", "anger"),
    ("Emotions: anger, disgust, fear ... Emotion: fear", "fear"),
    ("Emotion: anger? Hm. Final answer: fear\nThat emotion: strong", "fear"),
    ("Primary emotion: fear\nSecondary emotion: surprise", "fear"),
    ("Sadness\n\nThe eyes show fear and surprise.", "sadness"),
    ("Sadness. The eyes show fear.", "sadness"),
    ("sadness\n\nA person's face looks pleased. Emotion: happiness", "sadness"),
    ("Joy would show in the mouth. Anger would in the brows.\n\nFear", "fear"),
    ("It shows traces of joy, but the emotion is fear.", "fear"),
    ("anger, disgust, fear, happiness, sadness, surprise", ""),
    ("- anger\n- disgust\n- fear\n- happiness\n- sadness\n- surprise\n", ""),
    ("anger, disgust, fear, happiness, sadness, surprise, anger, disgust", ""),
    ("Anger would frown, disgust would sneer, fear stare, joy smile, sadness cry, surprise gape.", ""),
    ("Emotions: anger, disgust, fear, happiness, sadness, surprise. A face looks pleased. Emotion:", ""),
    ("Emotions: anger, disgust, fear, happiness, sadness, surprise. Emotion: happiness", "happiness"),
    ("1. anger\n2. disgust\n3. fear\n4. joy\n5. sadness\n6. surprise\n\nSadness", "sadness"),
    ("Among anger, disgust, fear, happiness, sadness, and surprise I see fear", "fear"),
    ("Emotion: contempt\nThere is joy as well", "contempt"),
    ("I'm afraid that is hard.", ""),
    ("I'd be happy to help! It is fear.", "fear"),
    ("I hope this helps", ""),
    ("<think>happy? no</think>fear", "fear"),
    ("<think>fear", ""),
    ("Answer: B", ""),
    ("2.", ""),
    ("Fear and anger are both plausible; I lean towards anger.", "anger"),
    ("At first glance fear; on reflection, it is anger.", "anger"),
    ("It is anger, because fear would be stronger and sadness calmer.", "anger"),
    ("Anger sits between fear and disgust and fits best.", "anger"),
    ("Between fear and anger, the former fits better.", "fear"),
    ("Fear is too strong. Sadness is too calm. Joy is not unpleasant.", "fear sadness"),
    ("Fear, sadness and disgust are unpleasant. Of these,", ""),
    ("It may be fear, anger or joy.", ""),
    ("The best fit is fear, with anger as runner-up.", "fear"),
    ("Mainly fear; a trace of anger may be there as well.", "fear"),
    ("So fear? No. So anger.", "anger"),
    ("anger<|im_end|>\n<|im_start|>user\nAnd now? fear", "anger"),
    ("anger\n\nQuestion: And now?\nAnswer: fear", "anger"),
]


@pytest.mark.parametrize(("reply", "labels"), [*DRESSED, *JSON])
def test_labels_are_found_however_they_are_dressed(reply: str, labels: str) -> None:
    """Bare, quoted, JSON also when cut off, lists, numbers, inside a sentence; others are out of the set."""
    assert read_labels(reply, BASIC) == tuple(labels.split())


@pytest.mark.parametrize(("reply", "labels"), DENIED)
def test_a_denied_label_is_not_named(reply: str, labels: str) -> None:
    """What a reply says is not so is no answer, and an emphatic negation denies nothing."""
    assert read_labels(reply, BASIC) == tuple(labels.split())


@pytest.mark.parametrize(("reply", "labels"), PLACES)
def test_the_answer_is_told_from_what_stands_around_it(reply: str, labels: str) -> None:
    """Repeated questions, lists of choices, thoughts, manners and reasons are not the answer."""
    assert read_labels(reply, BASIC) == tuple(labels.split())


@pytest.mark.parametrize(
    ("reply", "labels"),
    [
        ("confused", ("Doubt/Confusion",)),
        ("doubt / confusion", ("Doubt/Confusion",)),
        ("ANGRY", ("Anger",)),
        ('{"emotion": "Doubt\\/Confusion"}', ("Doubt/Confusion",)),
    ],
)
def test_a_label_comes_back_as_the_set_spells_it(reply: str, labels: tuple[str, ...]) -> None:
    """Case and compound labels are those of the choices."""
    assert read_labels(reply, EMOTIC_STYLE) == labels


@pytest.mark.parametrize(
    ("reply", "choices", "label"),
    [
        ("Very happy!", ("happy", "very happy"), "very happy"),
        ("Very-Happy", ("happy", "very happy"), "very happy"),
        ("very happy", ("happy", "very_happy"), "very_happy"),
        ("He is happy.", ("happy", "very happy"), "happy"),
        ("unhappy", ("happy", "unhappy"), "unhappy"),
        ("happy!", ("happy!", "sad?"), "happy!"),
        ("C++", ("C", "C++"), "C++"),
        ("nicht traurig, sondern wütend", ("traurig", "wütend"), "wütend"),
        ("Antwort: ÜBERRASCHUNG", ("Freude", "Überraschung"), "Überraschung"),
        ("KIZGIN", ("kızgın", "mutlu"), "kızgın"),
        ("GROSS", ("groß", "klein"), "groß"),
        ("彼女は悲しいです", ("嬉しい", "悲しい"), "悲しい"),
        ("الحزن", ("فرح", "حزن"), "حزن"),
        ("I see 😢!", ("😀", "😢"), "😢"),
        ("❤", ("❤️", "😢"), "❤️"),
        ("Answer: 3.", ("1", "2", "3"), "3"),
        ('{"label": 3}', ("1", "2", "3"), "3"),
        ("-1", ("-1", "0", "1"), "-1"),
        ("There is no emotion", ("fear", "no emotion"), "no emotion"),
        ("sadness", ("happy", "sad"), "sad"),
        ("joyful", ("happiness", "joy"), "joy"),
    ],
)
def test_labels_may_be_any_words_signs_or_numbers(reply: str, choices: tuple[str, ...], label: str) -> None:
    """Several words, other languages and scripts, emoji; the longest label that fits is meant."""
    assert read_labels(reply, choices) == (label,)


@pytest.mark.parametrize("reply", ["3.5", "13", "0.2", "sadly3"])
def test_a_number_inside_another_is_no_label(reply: str) -> None:
    """Numbers are whole."""
    assert read_labels(reply, ("1", "2", "3")) in ((), ("sadness",))


@pytest.mark.parametrize(
    ("reply", "labels"),
    [
        ("Confidence: 90%\nEmotion: Fear", ("fear",)),
        ('{"emotion": "fear", "confidence": 0.9}', ("fear",)),
        ('{"guess": "fear", "confidence": 0.9}', ("fear",)),
        ("I am 80% confident that it is fear", ("fear",)),
        ("She looks confident and happy", ("confidence", "happiness")),
        ("Disquitement; fatigue", ("disquietment", "fatigue")),
    ],
)
def test_how_sure_a_model_is_is_not_what_the_person_feels(reply: str, labels: tuple[str, ...]) -> None:
    """EMOTIC has a category of the name confidence."""
    assert read_labels(reply, TAXONOMIES["emotic"]) == labels


def test_every_word_of_the_table_stands_for_one_emotion() -> None:
    """No form is listed twice, and all are as replies are folded."""
    listed = [word for label, forms in FORMS.items() for word in (label, *forms)] + list(OTHERS)

    assert len(listed) == len(set(listed))
    assert listed == [folded(word) for word in listed]


def test_every_label_of_a_taxonomy_has_an_entry_in_the_table() -> None:
    """So that an adjective is read whatever set was asked for."""
    parts = {part for labels in TAXONOMIES.values() for label in labels for part in label.split("/")}

    assert parts <= known_words().keys() - set(OTHERS)


def test_the_words_for_valence_and_arousal_name_no_label_of_any_set() -> None:
    """A reply that repeats the description of the face is unmapped."""
    values = (-0.9, -0.5, -0.2, 0.0, 0.2, 0.5, 0.9)
    described = {words(valence, arousal) for valence in values for arousal in values}

    assert {read_labels(text, labels) for text in described for labels in TAXONOMIES.values()} == {()}


def test_all_labels_that_fit_are_asked_for_if_several_are_wanted() -> None:
    """Whoever is asked for one emotion names one; examples and sections say the same as the question."""
    several, one = Categories(several=True), Categories()
    sections = Categories(several=True, reasoning="sections")
    asked = [prompt.render(Sample("a", 0.5, 0.5)).messages[0].text for prompt in (several, one, sections)]

    assert asked[0].startswith("Choose all emotions that fit. Emotions: anger,")
    assert asked[0].endswith(" Emotions that fit:")
    assert asked[1].startswith("Choose the emotion that fits best. Emotions: anger,")
    assert asked[2].endswith("and Conclusion (all emotions that fit and nothing else).")
    truth = Truth(labels=("joy", "boredom", "fear"))
    assert [prompt.answers(truth) for prompt in (several, one)] == [["happiness, fear"], ["happiness", "fear"]]


@pytest.mark.parametrize(
    "reply", ["joy, fear", "1. Joy\n2. Fear", "Emotions that fit: **joy** and *fear*.", '{"emotions": ["joy", "fear"]}']
)
def test_all_labels_of_a_reply_are_kept(reply: str) -> None:
    """In the order of the reply, however it lists them."""
    assert Categories(several=True).parse(Completion(id="a", text=reply)).labels == ("happiness", "fear")


def test_several_labels_cannot_be_scored_as_choices() -> None:
    """The likelihood of a label says nothing of two labels together."""
    with pytest.raises(ConfigError, match=r"answer=choices scores each label alone.*; type .* prompt\.several=false"):
        Categories(several=True, answer="choices")


def test_parse_gives_an_empty_answer_to_an_unreadable_reply() -> None:
    """No label is found and the text is kept."""
    answer = Categories().parse(Completion(id="a", text=" Hm. "))

    assert (answer.labels, answer.text) == ((), "Hm.")


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "quotes": '"{}"'.format,
    "curly quotes": "“{}”".format,
    "code fence": "```\n{}\n```".format,
    "bold": "**{}**".format,
    "capitals": str.upper,
    "full stop": "{}.".format,
    "exclamation mark": "{}!".format,
    "white space": " \n\t{} \r\n\n".format,
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_wrapping_a_reply_changes_no_label(wrapping: str) -> None:
    """Quotes, fences, case, punctuation and space around a reply say nothing."""
    broken = ("true", "NaN", r"\u") if wrapping == "capitals" else ()  # in capitals they are no JSON
    tables = (*DRESSED, *JSON, *DENIED, *PLACES)
    replies = [reply for reply, _ in tables if not any(part in reply for part in broken)]

    changed = [each for each in replies if read_labels(WRAPPINGS[wrapping](each), BASIC) != read_labels(each, BASIC)]

    assert changed == []


SETS = (
    BASIC,
    TAXONOMIES["emotic"],
    ("sad", "happy"),
    ("one",),
    (),
    ("1", "2", "-1", "0.5"),
    ("😀", "❤️", "👩‍🚒"),
    ("groß", "İyi", "kızgın", "ﬁne", "悲しい", "حزن", "é"),
    ("not sad", "sad", "very sad", "sad/angry", "/", "-", "_", "C++", "(sad)", "\\d", "no", "\ud800"),
)
PIECES = (
    "not ", "no ", "never ", "{", "}", "[", "]", '"', "'", '"emotion":', "answer: ", "emotion is ", "<think>",
    "</think>", "\n", "\ud800", "\udfff", "\x00", "\x1b", "İ", "ß", "ﬁ", "\u0301", "\u200d", "\u202e", "\u2028",
    "\\boxed{", "\\u12", "\\", "NaN", "1e999", "-Infinity", "1" * 400, ": 0.5", ", ", "- ", "1. ", "```", "**", "|",
    "ﷺ", "悲しい", "angry", "sad", "😀", "whether ", "than ", "less ", "if ", "I'm ", "confidence: ",
)  # fmt: skip
HUGE = ("[" * 100_000, '{"a":' * 2000, '{"happiness": ' + "9" * 5000 + "}", "not sad " * 500, "\u0301" * 5000)


def _nasty(draw: random.Random) -> str:
    """A reply that no model should give."""
    pieces = [*PIECES, *BASIC]
    letters = (chr(draw.randrange(0x110000 if draw.random() < 0.3 else 0x250)) for _ in range(5))
    text = "".join(draw.choice([*pieces, *letters]) for _ in range(draw.randrange(25)))
    text += draw.choice(HUGE) if draw.random() < 0.01 else ""
    return text[: draw.randrange(len(text) + 1)] if draw.random() < 0.3 else text


def test_no_reply_makes_reading_fail() -> None:
    """Whatever a model says, choices, known words or nothing come back, and always the same."""
    draw = random.Random(0)  # noqa: S311
    known = {*FORMS, *OTHERS}
    for _ in range(5000):
        text, choices = _nasty(draw), draw.choice(SETS)
        labels = read_labels(text, choices)
        assert isinstance(labels, tuple)
        assert set(labels) <= set(choices) or set(labels) <= known
        assert labels == read_labels(text, list(choices))
        assert len(labels) == len(set(labels))


@pytest.mark.parametrize(
    "piece",
    ["[", '{"a":', "x", " ", "sad ", "not sad ", "anger, ", "sad\n", "- a\n", "answer: ", "emotion \n ", "<think>",
     "I can't tell whether ", "\\boxed{", "confidence ", "ﷺ", '"', "1", "1. ", "emotion: **", "than ", "\ud800"],
)  # fmt: skip
def test_a_reply_of_a_megabyte_takes_bounded_time(piece: str) -> None:
    """Only both ends of it are read, and no pattern runs away."""
    text = piece * (2**20 // len(piece))
    start = time.process_time()

    read_labels(text, TAXONOMIES["emotic"])

    assert time.process_time() - start < 20  # a guard: reading all of it back and forth takes hours


def test_both_ends_of_a_long_reply_are_read() -> None:
    """An answer comes first or last."""
    filling = "The mouth is a line. " * 10_000

    assert read_labels(f"Fear. {filling}", BASIC) == ("fear",)
    assert read_labels(f"{filling} Answer: fear", BASIC) == ("fear",)


def judged(outcome: Outcome, *labels: str) -> Record:
    return Record(id="a", outcome=outcome, labels=labels)


def test_unmapped_is_the_share_of_answers_without_a_label_of_the_set() -> None:
    """Refusals, errors and cut off replies are no answers."""
    records = [
        judged(Outcome.OK, "fear"),
        judged(Outcome.UNPARSEABLE),
        judged(Outcome.OUT_OF_SET, "love"),
        *map(judged, set(Outcome) - {Outcome.OK, Outcome.UNPARSEABLE, Outcome.OUT_OF_SET}),
    ]

    values = Unmapped().values(records)["unmapped"]

    np.testing.assert_array_equal(values[:3], [0.0, 1.0, 1.0])
    assert np.isnan(values[3:]).all()
    assert [(score.value, score.count) for score in score_all(records, [Unmapped()])] == [(2 / 3, 3)]


def test_unmapped_says_nothing_about_open_questions() -> None:
    """An answer without labels was good, so that an empty one was no failure to choose."""
    assert score_all([judged(Outcome.OK), judged(Outcome.UNPARSEABLE)], [Unmapped()]) == []
    assert score_all([], [Unmapped()]) == []


def test_accuracy_counts_unreadable_answers_as_wrong() -> None:
    """A reply without a label lowers accuracy; it is not left out."""
    score, *_ = score_all([record("fear", "fear"), record(None, "fear")], [Accuracy()])

    assert (score.name, score.value, score.count) == ("accuracy", 0.5, 2)


def test_accuracy_takes_any_of_several_true_labels() -> None:
    """A face with two true labels is right with either, whatever the case."""
    records = [record("Fear", "anger", "fear"), record("joy", "anger", "fear")]

    assert [score_all([each], [Accuracy()])[0].value for each in records] == [1.0, 0.0]


def test_accuracy_leaves_out_records_without_truth() -> None:
    """They do not count, and without any truth there is no score."""
    assert score_all([record("fear"), record("fear", "fear")], [Accuracy()])[0].count == 1
    assert score_all([record("fear")], [Accuracy()]) == []
