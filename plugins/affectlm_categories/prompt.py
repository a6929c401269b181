"""The prompt of experiment 1: one label out of a set."""

from __future__ import annotations

import attrs

from affectlm.types import Answer, Completion, Message, Request, Sample
from affectlm.wording import SCALES, STYLES, phrase
from affectlm_categories.labels import label_set
from affectlm_categories.reading import read_labels


@attrs.frozen(kw_only=True)
class Categories:
    """Asks which of the labels fits a face best."""

    labels: tuple[str, ...] = attrs.field(default="basic", converter=label_set)
    style: str = attrs.field(default="words", validator=attrs.validators.in_(STYLES))
    decimals: int = attrs.field(default=2, validator=[attrs.validators.ge(0), attrs.validators.le(6)])
    definition: bool = False  # says first what valence and arousal mean

    def render(self, sample: Sample) -> Request:
        """The question, with the labels as choices."""
        look = phrase(sample.valence, sample.arousal, style=self.style, decimals=self.decimals)
        text = (
            f"{SCALES + ' ' if self.definition else ''}Choose the emotion that fits best. "
            f"Emotions: {', '.join(self.labels)}. A person's face looks {look}. Emotion:"
        )
        return Request(sample.id, (Message("user", text),), choices=self.labels)

    def parse(self, completion: Completion) -> Answer:
        """The labels the reply names, the first stated first."""
        return Answer(labels=read_labels(completion.text, self.labels), text=completion.text.strip())
