"""The prompt of free descriptions, and the words it says valence and arousal with."""

from __future__ import annotations

import random
import time

import pytest

from affectlm.affect.wording import numbers, phrase, words
from affectlm.registry import Registry
from affectlm.types import Completion, Sample
from affectlm_descriptions.prompt import Description


def ask(valence: float, arousal: float, **options: object) -> str:
    return Description(**options).render(Sample("a", valence, arousal)).messages[0].text  # type: ignore[arg-type]


def read(text: str) -> str:
    return Description().parse(Completion(id="a", text=text)).text


def test_the_registry_builds_the_prompt() -> None:
    """The hook offers it under its name."""
    assert isinstance(Registry.installed().build("prompt", {"name": "description"}), Description)


def test_a_request_has_the_id_of_its_sample_and_no_choices() -> None:
    """Free text is asked for."""
    request = Description().render(Sample("photo#0", 0.5, 0.5))

    assert (request.id, request.choices) == ("photo#0", ())


def test_numbers_are_rounded_as_asked() -> None:
    """`decimals` decides, and a rounded zero has no sign."""
    assert "valence 0.5, arousal 0.0." in ask(0.512, -0.001, style="numbers", decimals=1)


def test_words_alone_hold_no_number() -> None:
    """style=words hides the values."""
    assert not any(character.isdigit() for character in ask(0.512, -0.3))


def test_both_says_words_and_numbers() -> None:
    """style=both gives each."""
    assert "pleased and slightly calm (valence 0.51, arousal -0.30)" in ask(0.512, -0.3, style="both")


def test_the_scales_are_explained_on_request() -> None:
    """definition=true puts the meaning of both scales first."""
    assert ask(0, 0, definition=True).startswith("Valence says")


def test_equal_values_give_equal_prompts() -> None:
    """Nothing but valence and arousal enters the prompt."""
    prompt = Description()

    assert prompt.render(Sample("a", 0.4, 0.1)).messages == prompt.render(Sample("b", 0.4, 0.1)).messages


@pytest.mark.parametrize("options", [{"style": "poem"}, {"decimals": -1}])
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    """A bad value stops before anything is asked."""
    with pytest.raises(ValueError, match=next(iter(options))):
        Description(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("  She seems calm. \n", "She seems calm."),
        ('"She seems calm."', "She seems calm."),
        ("Answer: She seems calm.", "She seems calm."),
        ("**Description:** “She seems calm.”", "She seems calm."),
        ("<think>negative?</think> She seems calm.", "She seems calm."),
        ('"Calm" is the word; not "sad"', '"Calm" is the word; not "sad"'),
        ("", ""),
        (" \n\t", ""),
        ("...", ""),
        ("\ud800 calm", "\ud800 calm"),
    ],
)
def test_a_reply_is_stripped_of_its_dress(reply: str, text: str) -> None:
    """Quotes, headings and thoughts are no part of the answer; nothing said is an empty answer."""
    assert read(reply) == text


def test_no_string_makes_reading_fail() -> None:
    """Whatever a model says, the answer is text."""
    draw = random.Random(0)  # noqa: S311
    for _ in range(300):
        text = "".join(chr(draw.randrange(0x110000)) for _ in range(draw.randrange(30)))
        assert isinstance(read(text), str)


@pytest.mark.parametrize("piece", ["\n", " \n", "-", ". ", "[", '{"a":', '"', "sure! ", "here ", "answer: ", "(", "x"])
def test_a_reply_of_a_megabyte_takes_bounded_time(piece: str) -> None:
    """Only its beginning is read, and no pattern runs away."""
    start = time.process_time()

    read(piece * (2**20 // len(piece)))

    assert time.process_time() - start < 20  # a guard: a pattern that runs away takes hours


def test_each_quadrant_has_words_of_its_own() -> None:
    """The word for arousal tells apart pleasant and unpleasant feelings of the same energy."""
    assert len({words(v, a) for v in (-0.5, 0.5) for a in (-0.5, 0.5)}) == 4
    assert "calm" not in words(-0.5, -0.5)


def test_stronger_values_have_stronger_words() -> None:
    """Three levels on each side of the middle."""
    assert [words(v, 0.0) for v in (0.2, 0.5, 0.9)] == ["slightly pleased", "pleased", "very pleased"]


def test_an_unknown_style_is_refused() -> None:
    """The message lists the styles."""
    with pytest.raises(ValueError, match="numbers, words, both"):
        phrase(0, 0, style="poem")


def test_numbers_keep_the_order_valence_arousal() -> None:
    """Valence comes first."""
    assert numbers(1, -1, 0) == "valence 1, arousal -1"
