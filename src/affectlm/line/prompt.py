"""What all prompt templates share: scales, answered examples, reasoning in sections, urging suffixes.

A template inherits these options and adds its question and its parser; `affect/wording.py` puts numbers into words.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import cast

import attrs
import numpy as np

from affectlm.affect.wording import SCALES, STYLES, definition, phrase
from affectlm.errors import ConfigError
from affectlm.line.thoughts import without_thoughts
from affectlm.registry import Registry
from affectlm.types import Dataset, Image, Message, Sample, Truth
from affectlm.validators import at_least, flag, one_of

REASONING = ("none", "sections")
SUFFIXES: Mapping[int, str] = {  # the ideas of Li et al. 2023, arXiv 2307.11760, in words of our own
    1: "Add to your answer how sure of it you are, as a share between zero and one.",
    2: "A great deal in my working life depends on this.",
    3: "Make sure that you have it right.",
    4: "Is that really so?",
    5: "Is that your last word? Have a second look before you settle on it.",
    6: "Say how sure you are, between zero and one; my work depends on it, so make certain.",
    7: "Is that your last word? Rely on what you can do and aim high: effort like yours is repaid.",
    8: "Take what is hard here as a chance to learn; with each hurdle you clear, you come nearer to your aim.",
    9: "Keep your mind on your aim; those who work steadily achieve great things.",
    10: "Do this as well as you can and stand by it; such thoroughness is what sets you apart.",
    11: "One step after the other leads there; carry on and do not give up.",
}
_NO_FILE: dict[str, object] = {"name": "manifest"}  # the value in conf/prompt if no examples are given
_RANK = re.compile(r"#\d+$")
_TYPE_EXAMPLES = "prompt.examples=train.csv"
_MARK = r"(?:[^\w\n]|_)"  # before a heading's word: "## **", "> - __"
_SPACE = r"[ \t\u00a0\u202f]"
_COLON = "[:：﹕︰]"
_NAMES = r"observations?|interpretations?|conclusions?"
_GLOSS = rf"(?:{_SPACE}*\([^()\n]*\))?"  # the question's words in brackets are often repeated
# This distinguishes the heading "Conclusion" from the sentence "Conclusions are hard to draw."
_END = rf"(?=\*\*|__|[\])>]|{_SPACE}*{_COLON}|\.|{_SPACE}*[–—=]|{_SPACE}+-|-{_SPACE}|[ \t*_#]*\r?$)"
_CLOSE = rf"[*_\])>\"'`]*{_SPACE}*(?:{_COLON}|\.|[-–—=]+)?(?:{_SPACE}*[*_#]+(?=\s|$)|[*_]+)?\s*(?:[-=]{{3,}}\s+)?"
_HEADING = re.compile(
    rf"^{_MARK}*(?:(?:section|part|step){_SPACE}+)?(?:(?:\d+|[ivx]+)\b{_MARK}*)?"
    rf"(?P<head>{_NAMES})(?![^\W_]){_GLOSS}{_END}{_CLOSE}"
    rf"|\b(?P<inline>conclusions?){_GLOSS}(?=[*_\"'`\])]{{0,4}}{_SPACE}*{_COLON}){_CLOSE}",
    re.IGNORECASE | re.MULTILINE,
)


@attrs.frozen
class Example:
    """A rated face and the answer to show for it."""

    id: str
    valence: float
    arousal: float
    answer: str


def _key(name: str) -> dict[str, str]:
    return {"key": f"prompt.{name}"}


def _named(examples: object) -> Mapping[str, object] | None:
    """The configuration of the examples' dataset without null values; None if there are no examples."""
    if isinstance(examples, Mapping):
        given = {str(key): value for key, value in examples.items() if value is not None}
        return None if given == _NO_FILE else _NO_FILE | given
    if examples is None or isinstance(examples, str):
        return None if examples is None else _NO_FILE | {"path": examples}
    raise ConfigError(f"prompt.examples={examples} is not a dataset; expected a file with ratings: {_TYPE_EXAMPLES}")


@attrs.frozen(kw_only=True, slots=False)
class Strategy(ABC):
    """The options of every template, and the conversation that follows from them.

    Args:
        style: how to say valence and arousal: numbers, words or both.
        decimals: how many decimals numbers have.
        scale: the scale of numbers.
        definition: whether to say first what valence and arousal mean.
        shots: how many answered examples to show.
        examples: their source: a dataset's configuration, or the path of a manifest.
        seed: the seed of the random order of the examples.
        reasoning: none, or sections, of which only the conclusion at the end is read.
        suffix: None, or a key of `SUFFIXES`.
        registry: builds the examples' dataset.

    Raises:
        ConfigError: options exclude each other, or there are too few examples.
    """

    style: str = attrs.field(default="words", validator=one_of(*STYLES), metadata=_key("style"))
    decimals: int = attrs.field(default=2, validator=one_of(*range(7)), metadata=_key("decimals"))
    scale: str = attrs.field(default="unit", validator=one_of(*SCALES), metadata=_key("scale"))
    definition: bool = attrs.field(default=False, validator=flag, metadata=_key("definition"))
    shots: int = attrs.field(default=0, validator=at_least(0), metadata=_key("shots"))
    examples: Mapping[str, object] | None = attrs.field(default=None, converter=_named)
    seed: int = attrs.field(default=0, validator=at_least(0))
    reasoning: str = attrs.field(default="none", validator=one_of(*REASONING), metadata=_key("reasoning"))
    suffix: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(one_of(*SUFFIXES)), metadata=_key("suffix")
    )
    registry: Registry = attrs.field(factory=Registry.installed, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.shots and self.reasoning == "sections":
            raise ConfigError(
                f"prompt.shots={self.shots} shows bare answers, and prompt.reasoning=sections asks for more; "
                "type prompt.shots=0 or prompt.reasoning=none"
            )
        _ = self._drawn  # errors in the examples must show before anything is asked

    @abstractmethod
    def opening(self) -> str:
        """The text before the first question, said once; ends in a space unless it is empty."""

    @abstractmethod
    def question(self, seen: str) -> str:
        """The question about one face; `seen` follows "A person's face"."""

    @abstractmethod
    def answers(self, truth: Truth) -> Sequence[str]:
        """The answers that an example with this truth may show."""

    def defined(self) -> str:
        """The definition of valence and arousal, followed by a space; empty unless the option `definition` is set."""
        return f"{definition(self.scale)} " if self.definition else ""

    def urged(self) -> str:
        """The suffix; empty without one."""
        return SUFFIXES[self.suffix] if self.suffix else ""

    def looks(self, valence: float, arousal: float) -> str:
        """How a face with this valence and arousal looks, as `question` expects it."""
        style, decimals, scale = self.style, self.decimals, self.scale
        look = phrase(valence, arousal, style=style, decimals=decimals, scale=scale, defined=self.definition)
        return f"looks {look}"

    def conversation(self, seen: str, sample_id: str = "") -> tuple[Message, ...]:
        """The examples as earlier turns, then the question; the sample with this id is never among the examples.

        The next example takes its place; if none is left, there is one example fewer.
        """
        turns: list[Message] = []
        fresh = (example for example in self._drawn if not is_same(example.id, sample_id))
        for example in islice(fresh, self.shots):
            turns.append(Message("user", self.question(self.looks(example.valence, example.arousal))))
            turns.append(Message("assistant", example.answer))
        turns.append(Message("user", self.question(seen)))
        return (Message("user", self.opening() + turns[0].text), *turns[1:])

    @cached_property
    def _drawn(self) -> tuple[Example, ...]:
        """All examples, in the order in which they are used."""
        if not self.shots:
            return ()
        if self.examples is None:
            raise ConfigError(
                f"prompt.shots={self.shots}, but no examples are given; type {_TYPE_EXAMPLES}, a file with the columns "
                "valence, arousal and label or text"
            )
        dataset = cast("Dataset", self.registry.build("dataset", self.examples))
        usable, count, rated = [], 0, 0
        for item in islice(dataset.items(), cast("int | None", self.examples.get("limit"))):
            valence, arousal = _rating(item)
            count += 1
            if valence is None or arousal is None:
                continue
            rated += 1
            usable += [Example(item.id, valence, arousal, answer) for answer in self.answers(item.truth)]
        drawn = draw(usable, self.seed)
        if len(drawn) < self.shots:
            raise ConfigError(
                f"prompt.shots={self.shots}, but prompt.examples has {len(drawn)} to show: {count} items, {rated} with "
                f"valence and arousal, {len(drawn)} of these with an answer that fits the question; give more, or type "
                f"prompt.shots={len(drawn)}"
            )
        return drawn


def _rating(item: Image | Sample) -> tuple[float | None, float | None]:
    rated = item if isinstance(item, Sample) else item.truth
    return rated.valence, rated.arousal


def draw(examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """The examples in random order, each id once, and each answer once before any answer comes twice.

    >>> [each.answer for each in draw([Example(str(n), 0.0, 0.0, "ab"[n > 0]) for n in range(4)], seed=0)][2:]
    ['b', 'b']
    """
    seen: Counter[str] = Counter()
    rounds: list[tuple[int, Example]] = []
    for place in np.random.default_rng(seed).permutation(len(examples)):
        example = examples[place]
        rounds.append((seen[example.answer], example))
        seen[example.answer] += 1
    once: dict[str, Example] = {}
    for _, example in sorted(rounds, key=lambda pair: pair[0]):
        once.setdefault(example.id, example)
    return tuple(once.values())


def is_same(example: str, sample: str) -> bool:
    """Whether two ids may mean the same face: equal, or equal without the rank or the folders before the name.

    >>> is_same("a.jpg", "photos/a.jpg#0"), is_same("a.jpg#1", "a.jpg#0"), is_same("a.jpg", "ba.jpg")
    (True, False, False)
    """
    pairs = ((example, sample), (_RANK.sub("", example), sample), (example, _RANK.sub("", sample)))
    return any(f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}") for one, other in pairs)


def conclusion(text: str) -> str:
    """The text under the last heading "Conclusion" of a reply; empty if there is no such heading.

    The heading may be bold, numbered, or a markdown heading, in upper or lower case, followed by a colon of any script,
    a dash or nothing. It may also be inside a line, followed by a colon.

    >>> conclusion("Observations: tense. **3. CONCLUSION:** fear"), conclusion("It is fear.")
    ('fear', '')
    """
    text = without_thoughts(text)
    end = len(text)
    for heading in reversed(list(_HEADING.finditer(text))):
        name = (heading["head"] or heading["inline"]).casefold()
        if name.startswith("conclusion") and (found := text[heading.end() : end].strip()):
            return found
        end = heading.start() if heading["head"] else end
    return ""
