"""The options of both prompts: wording, scales, examples, reasoning, suffixes, the order of labels."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import cast

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from affectlm.affect.labels import FORMS
from affectlm.affect.taxonomies import BASIC
from affectlm.affect.wording import SCALES
from affectlm.config import compose as configuration
from affectlm.errors import ConfigError
from affectlm.jobs.run import run
from affectlm.line.prompt import REASONING, SUFFIXES, conclusion, is_same
from affectlm.line.question import prompt_hash
from affectlm.registry import Registry
from affectlm.testing import check_prompt
from affectlm.types import BlindPrompt, Completion, Message, Record, Request, Sample
from affectlm_categories.prompt import Categories
from affectlm_categories.reading import read_labels
from affectlm_descriptions.prompt import Description

DOCS = (Path(__file__).parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")
SAMPLE = Sample("scored", -0.46, -0.78)
TEMPLATES: dict[str, Callable[..., Categories | Description]] = {"categories": Categories, "description": Description}
RATED = """\
id,valence,arousal,label,text
a,0.7,0.6,happy,She is delighted.
b,0.8,0.1,happiness,
c,0.6,0.2,Happiness,He is glad.
d,-0.6,-0.4,sadness,She is low.
e,-0.7,0.6,anger,He boils.
f,-0.5,0.5,contempt,
g,0.1,0.1,,
"""


@pytest.fixture
def rated(tmp_path: Path) -> str:
    """A file of ratings: three faces of happiness, one each of sadness and anger, two with none of the basic labels."""
    path = tmp_path / "train.csv"
    path.write_text(RATED, encoding="utf-8")
    return str(path)


def texts(request: Request) -> list[str]:
    return [message.text for message in request.messages]


def shown(prompt: Categories | Description, sample: str = "scored") -> list[str]:
    """The answers of the examples, in order."""
    messages = prompt.render(Sample(sample, 0.0, 0.0)).messages
    return [message.text for message in messages if message.role == "assistant"]


def test_the_closed_question_is_the_one_that_was_studied() -> None:
    """docs/prompt-wording.md measured this text; by default it also offers neutral."""
    request = Categories(labels="basic").render(SAMPLE)

    assert request.choices == BASIC
    assert Categories().render(SAMPLE).choices == (*BASIC, "neutral")
    assert request.messages == (
        Message(
            "user",
            "Choose the emotion that fits best. Emotions: anger, disgust, fear, happiness, sadness, surprise. "
            "A person's face looks upset and very tired. Emotion:",
        ),
    )


def test_the_default_open_question_is_the_one_that_was_studied() -> None:
    """docs/prompt-wording.md measured this text."""
    assert Description().render(SAMPLE).messages == (
        Message(
            "user",
            "A person's face looks upset and very tired. In one sentence, describe how the person seems to feel.",
        ),
    )


def test_numbers_and_definition_come_as_asked() -> None:
    """The scale of the definition is that of the numbers."""
    [text] = texts(Categories(style="numbers", decimals=1, scale="sam", definition=True).render(SAMPLE))

    assert text == (
        "Valence says how pleasant a feeling is, from 1 (very unpleasant) through 5 (neither) to 9 (very pleasant). "
        "Arousal says how much energy it has, from 1 (very calm or tired) through 5 (neither) to 9 (very excited or "
        "tense). Choose the emotion that fits best. Emotions: anger, disgust, fear, happiness, sadness, surprise, "
        "neutral. A person's face looks like valence 3.2, arousal 1.9. Emotion:"
    )


@pytest.mark.parametrize("order", ["given", "shuffled", None])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("style", ["numbers", "words", "both"])
def test_every_combination_tells_the_sample_and_the_labels_once(style: str, scale: str, order: str | None) -> None:
    """The text is always the same, the numbers are the sample's within rounding, each label is listed once."""
    closed = {"labels": "basic7", "label_order": order, "seed": 3} if order else {}
    for decimals, definition, reasoning, suffix in product(range(4), (False, True), REASONING, (None, *SUFFIXES)):
        options = {"style": style, "scale": scale, "decimals": decimals, "definition": definition}
        options |= {"reasoning": reasoning, "suffix": suffix, **closed}
        prompt, again = (TEMPLATES["categories" if order else "description"](**options) for _ in range(2))
        margin = 0.5001 * 10**-decimals / (SCALES[scale].high - SCALES[scale].middle)
        for valence, arousal in ((-0.0001, 0.0), (1.0, -1.0), (0.128, -0.377)):
            request = prompt.render(Sample("a", valence, arousal))
            [text] = texts(request)

            assert request == again.render(Sample("a", valence, arousal))
            assert "nan" not in text
            assert not re.search(r"-0(\.0*)?(?![\d.])", text)
            assert labels_told(text) == sorted(request.choices)
            told = numbers_told(text, scale)
            assert told == ([] if style == "words" else pytest.approx([valence, arousal], abs=margin))


def labels_told(text: str) -> list[str]:
    """The labels that a prompt lists, however often it lists them, sorted."""
    return sorted(label for listed in re.findall(r"Emotions: ([^.]*)\.", text) for label in listed.split(", "))


def numbers_told(text: str, scale: str) -> list[float]:
    """The values that a prompt gives, brought back to [-1, 1]."""
    middle, half = SCALES[scale].middle, SCALES[scale].high - SCALES[scale].middle
    pairs = re.findall(r"valence (-?[\d.]*\d)%?, arousal (-?[\d.]*\d)", text)
    return [(float(number) - middle) / half for pair in pairs for number in pair]


@pytest.mark.parametrize("template", TEMPLATES.values())
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "hundred"}, r"prompt\.scale=hundred is unknown; expected unit or ten or sam or percent"),
        ({"decimals": 7}, r"prompt\.decimals=7"),
        ({"decimals": 1.5}, r"prompt\.decimals=1\.5"),
        ({"definition": "maybe"}, r"prompt\.definition=maybe"),
        ({"reasoning": "aloud"}, r"prompt\.reasoning=aloud is unknown; expected none or sections"),
        ({"suffix": 12}, r"prompt\.suffix=12"),
        ({"shots": -1}, r"prompt\.shots=-1"),
        ({"shots": 2}, r"prompt\.shots=2, but no examples are given; type prompt\.examples=train\.csv"),
        ({"shots": 2, "examples": {"name": "manifest", "path": None}}, "no examples are given"),
        ({"examples": ["a.csv"]}, "is not a dataset"),
        ({"shots": 2, "reasoning": "sections"}, r"prompt\.shots=2 .* prompt\.reasoning=sections"),
    ],
)
def test_impossible_options_are_refused(
    template: Callable[..., Categories | Description], options: dict[str, object], message: str
) -> None:
    """The sentence names the key and what to type."""
    with pytest.raises((ConfigError, ValueError), match=message):
        template(**options)


def test_examples_are_earlier_turns_in_the_words_of_the_question(rated: str) -> None:
    """What is asked for is said once; then each face, its answer, and the face in question."""
    request = Categories(labels=["sadness"], shots=1, examples=rated).render(SAMPLE)

    assert [(message.role, message.text) for message in request.messages] == [
        (
            "user",
            "Choose the emotion that fits best. Emotions: sadness. A person's face looks upset and tired. Emotion:",
        ),
        ("assistant", "sadness"),
        ("user", "A person's face looks upset and very tired. Emotion:"),
    ]


def test_examples_are_spread_over_the_labels(rated: str) -> None:
    """Each label comes once before one comes twice; labels outside the set never come."""
    for seed in range(5):
        answers = shown(Categories(shots=5, examples=rated, seed=seed))

        assert sorted(answers[:3]) == ["anger", "happiness", "sadness"]
        assert Counter(answers) == {"happiness": 3, "anger": 1, "sadness": 1}


def test_examples_of_descriptions_show_their_text(rated: str) -> None:
    """Rows without a text are not shown."""
    assert sorted(shown(Description(shots=4, examples=rated))) == [
        "He boils.",
        "He is glad.",
        "She is delighted.",
        "She is low.",
    ]


def test_the_seed_draws_the_examples(rated: str) -> None:
    """Equal seeds draw alike, different ones do not all."""
    drawn = [tuple(shown(Description(shots=3, examples=rated, seed=seed))) for seed in (0, 0, 1, 2, 3)]

    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


@pytest.mark.parametrize("scored", ["{}", "{}#0", "photos/{}"])
def test_a_sample_is_never_its_own_example(rated: str, scored: str) -> None:
    """The next of the draw takes its place, under any of the names the same face may have."""
    prompt = Description(shots=2, examples=rated)
    texts_of = {"a": "She is delighted.", "c": "He is glad.", "d": "She is low.", "e": "He boils."}
    for name, own in texts_of.items():
        answers = shown(prompt, scored.format(name))

        assert own not in answers
        assert len(set(answers)) == 2


def test_a_sample_without_a_substitute_leaves_one_example_fewer(rated: str) -> None:
    """Better one example less than the answer itself."""
    assert len(shown(Description(shots=4, examples=rated), "a")) == 3


@pytest.mark.parametrize(
    ("example", "sample", "same"),
    [("a#1", "a", True), ("a", "a#1", True), ("a#1", "a#2", False), ("a.jpg", "ba.jpg", False), ("x/a", "y/a", False)],
)
def test_only_the_same_face_is_the_same(example: str, sample: str, same: bool) -> None:
    """A rank may be missing, and folders in front, nothing else."""
    assert is_same(example, sample) is same


def test_too_few_examples_stop_before_anything_is_asked(rated: str) -> None:
    """The counts say what the file lacks."""
    with pytest.raises(ConfigError, match=r"has 5 to show: 7 items, 7 with valence and arousal, 5 of these .*shots=5"):
        Categories(shots=6, examples=rated)


def test_any_dataset_gives_examples(pictures: Path, rated: str) -> None:
    """Pictures with truth serve as well as ratings, in the scale and split of their own; va is no option of theirs."""
    manifest = pictures / "rated.csv"
    manifest.write_text("path,valence,arousal,label,split\np0.png,9,5,happiness,train\np1.png,5,5,anger,test\n")
    examples = {"name": "folder", "path": str(manifest), "split": "train", "scale": [1, 9], "va": "estimated"}

    [text, answer, _] = texts(Categories(style="numbers", shots=1, examples=examples).render(SAMPLE))
    limited = {"name": "manifest", "path": rated, "limit": 1}

    assert "valence 1.00, arousal 0.00" in text
    assert answer == "happiness"
    assert shown(Description(shots=1, examples=limited)) == ["She is delighted."]


@pytest.mark.parametrize("options", [{"shots": 3}, {"reasoning": "sections"}, {"suffix": 1}])
@pytest.mark.parametrize("template", TEMPLATES.values())
def test_the_protocol_holds_with_every_strategy(
    template: Callable[..., Categories | Description], options: dict[str, object], rated: str
) -> None:
    """Repeatable, and no reply makes parsing fail."""
    check_prompt(template(examples=rated, **options))


def test_the_question_without_numbers_differs_in_the_face_only(rated: str) -> None:
    """Same labels, examples and definition; nothing is said of the face asked about."""
    prompt = Categories(style="both", definition=True, shots=2, examples=rated, label_order="shuffled", suffix=2)
    asked, blind = prompt.render(SAMPLE), prompt.render_blind()

    assert isinstance(prompt, BlindPrompt)
    assert (blind.id, blind.choices, blind.messages[:-1]) == ("blind", asked.choices, asked.messages[:-1])
    assert blind.messages[-1].text == "A person's face is shown. Emotion:"


def test_for_choices_the_cue_begins_every_reply(rated: str) -> None:
    """Labels are scored where the model would write them; examples show the same, and no question ends in the cue."""
    messages = Categories(shots=1, examples=rated, labels=["anger"], answer="choices").render(SAMPLE).messages

    assert [message.role for message in messages] == ["user", "assistant", "user", "assistant"]
    assert messages[1].text == "Emotion: anger"
    assert messages[2].text == "A person's face looks upset and very tired."
    assert messages[3] == Message("assistant", "Emotion:")


def test_the_order_of_labels_is_drawn_once(rated: str) -> None:
    """All faces get the same order, so that prompts begin alike; choices stay as the set gives them."""
    orders = set()
    for seed in range(8):
        prompt = Categories(labels="basic7", label_order="shuffled", seed=seed)
        listed = {re.findall(r"Emotions: (.*?)\.", texts(prompt.render(Sample(name, 0, 0)))[0])[0] for name in "ab"}
        assert len(listed) == 1
        assert prompt.render(SAMPLE).choices == (*BASIC, "neutral")
        orders |= listed
    assert len(orders) > 4


def test_choices_leave_no_room_for_reasoning() -> None:
    """The sentence names both keys."""
    with pytest.raises(ConfigError, match=r"answer=choices .* prompt\.reasoning=sections"):
        Categories(answer="choices", reasoning="sections")


def test_suffixes_name_no_emotion() -> None:
    """An encouragement that names a label would answer the question."""
    assert len(set(SUFFIXES.values())) == 11
    for text in SUFFIXES.values():
        assert read_labels(text, tuple(FORMS)) == ()
        assert not any(character.isdigit() for character in text)


@pytest.mark.parametrize(
    "heading",
    [
        "Conclusion: {}", "conclusion: {}", "CONCLUSION\n{}", "**Conclusion:** {}", "**Conclusion**: {}",
        "*Conclusion*\n{}", "__Conclusion__\n{}", "## Conclusion\n\n{}", "# Conclusion #\n{}",
        "### **3. Conclusion**\n{}",
        "3) Conclusion - {}", "III. Conclusion – {}", "Section 3: Conclusion\n{}", "(3) Conclusion: {}",
        "- Conclusion: {}", "Conclusion - {}", "Conclusion — {}", "Conclusion. {}", "Conclusion : {}",
        "Conclusion\u00a0: {}", "Conclusion：{}", "[Conclusion]\n{}", "<conclusion>{}",
        "Conclusion (one of the emotions and nothing else): {}",
        "Conclusions:\n{}", "Conclusion\r\n{}", "Conclusion\n-----\n{}", "Conclusion = {}",
    ],
)  # fmt: skip
def test_the_conclusion_is_found_under_any_heading(heading: str) -> None:
    """Bold, numbered, markdown, any case, any colon; what stands before and after it is not read."""
    before = "**Observations:** tense, as in anger\n\n**Interpretation:** happiness or disgust\n\n"
    reply = before + heading.format("fear") + "\n\n**Observations:** sadness"

    assert conclusion(reply) == "fear"
    answer = Categories(reasoning="sections").parse(Completion(id="a", text=reply))
    assert answer.labels == ("fear",)


@pytest.mark.parametrize(
    "reply", ["Conclusions are hard to draw.", "A conclusion", "It is fear.", "Conclusion-driven", "", "Conclusion:"]
)
def test_a_sentence_about_conclusions_is_no_heading(reply: str) -> None:
    """Only a heading with something under it counts."""
    assert conclusion(reply) == ""


def test_a_conclusion_in_one_line_and_the_last_of_several_is_read() -> None:
    """Models write all sections in a row, think first, or conclude again."""
    assert conclusion("Observations: a. Interpretation: anger. Conclusion: fear") == "fear"
    assert conclusion("Conclusion: anger\n\nWait.\n\nConclusion: fear\n\nConclusion:") == "fear"
    assert conclusion("Conclusion: fear <think>Conclusion: anger") == "fear"


def test_long_noise_is_read_quickly() -> None:
    """No reply makes the search for headings explode."""
    start = time.process_time()
    for noise in ("#", "1 ", "conclusion ", "* _", "Conclusion:\n", "Conclusion (", "<think>", "-\n", "conclusion: *"):
        conclusion(noise * (100_000 // len(noise)))
    assert time.process_time() - start < 20


def test_a_reply_without_a_conclusion_is_read_as_a_whole() -> None:
    """A model that ignores the sections may still have named the label."""
    prompt = Categories(reasoning="sections")

    assert prompt.parse(Completion(id="a", text="The person feels fear.")).labels == ("fear",)


def test_a_reply_cut_before_its_conclusion_names_nothing() -> None:
    """What is weighed under Observations is no answer."""
    prompt = Categories(reasoning="sections")
    cut = Completion(id="a", text="Observations: tense, as in anger or", finish_reason="length")

    assert prompt.parse(cut).labels == ()


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Observations: tense.\n\nInterpretation: low.\n\n**Conclusion:** She is sad.", "She is sad."),
        ('Conclusion:\n"She is sad."', "She is sad."),
        ("Conclusion: **She is sad.**", "She is sad."),
        ("Her face is tense.\n\nShe is sad.\n", "She is sad."),
        ("She is sad.", "She is sad."),
        ("", ""),
    ],
)
def test_a_description_is_its_conclusion_or_its_last_paragraph(reply: str, text: str) -> None:
    """Only the sentence that was asked for is the answer."""
    assert Description(reasoning="sections").parse(Completion(id="a", text=reply)).text == text


def test_sections_are_asked_for_by_name() -> None:
    """The cue for a bare label is gone."""
    [text] = texts(Categories(reasoning="sections").render(SAMPLE))

    assert all(name in text for name in ("Observations", "Interpretation", "Conclusion"))
    assert not text.endswith("Emotion:")


def built(*words: str) -> Categories | Description:
    """The prompt that a command line gets."""
    plain = configuration.to_plain(configuration.compose(words))
    return cast(
        "Categories | Description", Registry.installed().build("prompt", cast("dict[str, object]", plain["prompt"]))
    )


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_configuration_alone_gives_the_defaults(name: str) -> None:
    """YAML and class agree."""
    assert built(f"prompt={name}") == TEMPLATES[name]()


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_option_can_be_swept(name: str) -> None:
    """Each is a key of the configuration, so that `-m prompt.x=a,b` needs no plus."""
    for word in (
        *("style=numbers,words", "prompt.decimals=1,2,3", "prompt.scale=unit,ten,sam,percent"),
        *("prompt.definition=true,false", "prompt.reasoning=none,sections", "prompt.suffix=null,1,11", "seed=1,2"),
        *(
            ("prompt.label_order=given,shuffled", "labels=basic,basic7", "prompt.several=true,false")
            if name == "categories"
            else ()
        ),
    ):
        [override] = OverridesParser.create().parse_overrides([word])
        choices = [f"{override.get_key_element()}={choice}" for choice in override.sweep_string_iterator()]
        assert len({built(f"prompt={name}", choice) for choice in choices}) == len(choices) > 1


def test_top_level_settings_reach_the_prompt(rated: str) -> None:
    """seed, answer and labels are the run's; examples may be a path or a dataset, with or without a name."""
    prompt = built("prompt=categories", "seed=5", "answer=choices", "labels=basic7", f"prompt.examples={rated}")

    assert isinstance(prompt, Categories)
    assert (prompt.seed, prompt.answer, prompt.labels[-1]) == (5, "choices", "neutral")
    for words in (
        [f"prompt.examples={rated}"],
        [f"prompt.examples.path={rated}"],
        ["prompt.examples.name=manifest", f"prompt.examples.path={rated}"],
        [f"prompt.examples={{name: manifest, path: {rated}}}"],
    ):
        assert built("prompt=categories", *words).examples == {"name": "manifest", "path": rated}


def test_a_record_holds_the_prompt_and_its_hash(rated: str, tmp_path: Path) -> None:
    """Two points of a sweep differ in both."""
    records: list[Record] = []
    for decimals in (1, 2):
        words = ["llm=circumplex", "prompt=categories", "style=numbers", f"prompt.decimals={decimals}"]
        words += [
            "dataset=manifest",
            f"dataset.path={rated}",
            "prompt.shots=2",
            f"prompt.examples={rated}",
            "metric=[]",
        ]
        config = configuration.to_plain(configuration.compose(words))
        run(config, tmp_path / str(decimals), on_record=records.append)

    first = next(record for record in records if record.id == "g")
    assert "[assistant]\n" in (first.prompt or "")
    assert (first.prompt or "").endswith("A person's face looks like valence 0.1, arousal 0.1. Emotion:")
    assert len({record.prompt_sha256 for record in records}) == len(records)
    asked = Categories(style="numbers", decimals=1, shots=2, examples=rated).render(Sample("g", 0.1, 0.1))
    assert prompt_hash(asked.messages) == first.prompt_sha256


@pytest.mark.parametrize("row", re.findall(r"^\| `(prompt=.*?)` \| (.*) \|$", DOCS, re.MULTILINE))
def test_the_examples_of_the_docs_are_what_the_model_reads(row: tuple[str, str]) -> None:
    """Each text at the point the page names."""
    words, text = row

    assert texts(built(*words.split()).render(SAMPLE)) == [text]


def test_the_docs_tell_every_suffix() -> None:
    """The table is the table of the code."""
    rows = re.findall(r"^\| (\d+) \| .* \| .* \| (.*) \|$", DOCS, re.MULTILINE)

    assert {int(number): sentence for number, sentence in rows} == SUFFIXES
