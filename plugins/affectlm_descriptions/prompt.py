"""The prompt of experiment 2: a short description of how the person seems to feel."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from affectlm.line.prompt import Strategy, conclusion
from affectlm.line.thoughts import without_thoughts
from affectlm.types import Answer, Completion, Request, Sample, Truth

SECTIONS = (
    " Answer in three sections, headed Observations (what the face shows), Interpretation (what the person may feel) "
    "and Conclusion (that sentence and nothing else)."
)
_PREFIX = re.compile(r"^\W*(?:answer|description|response|reply|assistant)\W*:[\s*_]*", re.IGNORECASE)
_PARAGRAPH = re.compile(r"\n\s*\n")
_QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"), ("`", "`"), ("**", "**"))


@attrs.frozen(kw_only=True, slots=False)
class Description(Strategy):
    """The prompt that asks for a sentence about a face."""

    def render(self, sample: Sample) -> Request:
        """The question; free text is the answer."""
        seen = self.looks(sample.valence, sample.arousal)
        return Request(sample.id, self.conversation(seen, sample.id))

    def parse(self, completion: Completion) -> Answer:
        """The reply without thoughts, headings such as "Answer:" and surrounding quotation marks.

        With reasoning it is the conclusion, or the last paragraph if there is no such heading.
        """
        text = without_thoughts(completion.text)
        if self.reasoning == "sections":
            text = conclusion(text) or _PARAGRAPH.split(text)[-1]
        text = _PREFIX.sub("", text).strip()
        for left, right in _QUOTES:
            inner = text[len(left) : -len(right)]
            if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
                text = text if left in inner else inner.strip()
        return Answer(text=text if any(character.isalnum() for character in text) else "")

    def opening(self) -> str:
        """The definition of valence and arousal, if the prompt has one."""
        return self.defined()

    def question(self, seen: str) -> str:
        """One face, and what to write about it."""
        sections = SECTIONS if self.reasoning == "sections" else ""
        urged = f" {self.urged()}" if self.suffix else ""
        return f"A person's face {seen}. In one sentence, describe how the person seems to feel.{sections}{urged}"

    def answers(self, truth: Truth) -> Sequence[str]:
        """The first description that people gave."""
        return truth.text[:1]
