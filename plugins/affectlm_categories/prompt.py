"""The prompt of experiment 1: one label out of a set, or all that fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import attrs
import numpy as np

from affectlm.affect.taxonomies import label_set
from affectlm.errors import ConfigError
from affectlm.line.prompt import Strategy, conclusion
from affectlm.types import Answer, Completion, Message, Request, Sample, Truth
from affectlm.validators import flag, one_of
from affectlm_categories.reading import read_labels

CUE = "Emotion:"
SECTIONS = (
    " Answer in three sections, headed Observations (what the face shows), Interpretation (what the person may feel) "
    "and Conclusion ({wanted} and nothing else)."
)


@attrs.frozen(kw_only=True, slots=False)
class Categories(Strategy):
    """The prompt that asks which of the labels fits a face best, or which ones fit.

    Args:
        labels: a taxonomy's name or a list.
        label_order: given, or shuffled by `seed`; the same for all faces, so that prompts share their beginning.
        answer: how the core gets the answer; `choices` leaves no room for reasoning or for several labels.
        several: whether to ask for all labels that fit.
        structured: `auto` binds the reply to a JSON object with labels of the set, if the model can be bound.
    """

    labels: tuple[str, ...] = attrs.field(default="basic7", converter=label_set)
    label_order: str = attrs.field(
        default="given", validator=one_of("given", "shuffled"), metadata={"key": "prompt.label_order"}
    )
    answer: str = attrs.field(default="generate", validator=one_of("generate", "choices"))
    several: bool = attrs.field(default=False, validator=flag, metadata={"key": "prompt.several"})
    structured: str = attrs.field(default="off", validator=one_of("off", "auto"), metadata={"key": "prompt.structured"})

    def __attrs_post_init__(self) -> None:
        if self.answer == "choices" and self.reasoning == "sections":
            raise ConfigError(
                "answer=choices scores bare labels, but prompt.reasoning=sections asks for more text; "
                "type answer=generate or prompt.reasoning=none"
            )
        if self.answer == "choices" and self.several:
            raise ConfigError(
                "answer=choices scores each label alone, but prompt.several=true asks for all that fit; "
                "type answer=generate or prompt.several=false"
            )
        if self.structured == "auto" and (self.answer == "choices" or self.reasoning == "sections"):
            raise ConfigError(
                "prompt.structured=auto binds replies to a JSON object, which leaves no room for "
                "prompt.reasoning=sections and says nothing to answer=choices; type prompt.structured=off"
            )
        super().__attrs_post_init__()

    def render(self, sample: Sample) -> Request:
        """The question, with the labels as choices in the order of the set, whatever order the text lists them in."""
        seen = self.looks(sample.valence, sample.arousal)
        schema = self._schema() if self.structured == "auto" else None
        return Request(sample.id, self.conversation(seen, sample.id), choices=self.labels, schema=schema)

    def _schema(self) -> dict[str, object]:
        """An object with one label, or with a list of labels if several are asked for."""
        label = {"type": "string", "enum": list(self.labels)}
        name, value = ("emotions", {"type": "array", "items": label}) if self.several else ("emotion", label)
        return {"type": "object", "properties": {name: value}, "required": [name], "additionalProperties": False}

    def render_blind(self) -> Request:
        """The same question without anything about the face."""
        return Request("blind", self.conversation("is shown"), choices=self.labels)

    def parse(self, completion: Completion) -> Answer:
        """The labels that the reply names, in its order; with reasoning, those of its conclusion.

        A reply without a conclusion is read as a whole, unless it was cut off before the conclusion.
        """
        stated = completion.text
        if self.reasoning == "sections":
            stated = conclusion(stated) or ("" if completion.finish_reason == "length" else stated)
        return Answer(labels=read_labels(stated, self.labels), text=completion.text.strip())

    def conversation(self, seen: str, sample_id: str = "") -> tuple[Message, ...]:
        """The examples and the question; for choices, the cue begins every reply instead of ending every question."""
        messages = super().conversation(seen, sample_id)
        if self.answer != "choices":
            return messages
        begun = {"assistant": f"{CUE} "}
        cued = (attrs.evolve(each, text=begun.get(each.role, "") + each.text) for each in messages)
        return (*cued, Message("assistant", CUE))

    def opening(self) -> str:
        """The task and the labels."""
        urged = f"{self.urged()} " if self.suffix else ""
        task = "Choose all emotions that fit." if self.several else "Choose the emotion that fits best."
        return f"{self.defined()}{task} {urged}Emotions: {', '.join(self._listed)}. "

    def question(self, seen: str) -> str:
        """One face, and what to answer with: the sections, or the cue unless it begins the reply."""
        wanted = "all emotions that fit" if self.several else "one of the emotions"
        cue = "" if self.answer == "choices" else " Emotions that fit:" if self.several else f" {CUE}"
        return f"A person's face {seen}.{SECTIONS.format(wanted=wanted) if self.reasoning == 'sections' else cue}"

    def answers(self, truth: Truth) -> Sequence[str]:
        """The true labels that are in the set, in its spelling; as one answer if several are asked for."""
        named = (label for true in truth.labels for label in read_labels(true, self.labels))
        known = [label for label in dict.fromkeys(named) if label in self.labels]
        return [", ".join(known)] if self.several and known else known

    @cached_property
    def _listed(self) -> tuple[str, ...]:
        if self.label_order == "given":
            return self.labels
        return tuple(self.labels[place] for place in np.random.default_rng(self.seed).permutation(len(self.labels)))
