"""The prompt of experiment 2: a short description of how the person seems to feel."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from affectlm.line.prompt import Strategy
from affectlm.types import Answer, Completion, Request, Sample, Truth
from affectlm_descriptions.reading import read_description

SECTIONS = (
    " Answer in three sections, headed Observations (what the face shows), Interpretation (what the person may feel) "
    "and Conclusion (that sentence and nothing else)."
)


@attrs.frozen(kw_only=True, slots=False)
class Description(Strategy):
    """The prompt that asks for a sentence about a face."""

    def render(self, sample: Sample) -> Request:
        """The question; free text is the answer."""
        seen = self.looks(sample.valence, sample.arousal)
        return Request(sample.id, self.conversation(seen, sample.id))

    def parse(self, completion: Completion) -> Answer:
        """The sentences of the reply that are about the person; with reasoning, its conclusion."""
        return Answer(text=read_description(completion.text, sections=self.reasoning == "sections"))

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
