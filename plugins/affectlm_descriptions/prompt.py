"""The prompt of experiment 2: a short description of how the person seems to feel."""

from __future__ import annotations

import re

import attrs

from affectlm.types import Answer, Completion, Message, Request, Sample
from affectlm.wording import SCALES, STYLES, phrase

_THOUGHT = re.compile(r"<think>.*?(</think>|$)", re.DOTALL | re.IGNORECASE)
_PREFIX = re.compile(r"^\W*(?:answer|description|response|reply|assistant)\W*:[\s*_]*", re.IGNORECASE)
_QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"), ("`", "`"), ("**", "**"))


@attrs.frozen(kw_only=True)
class Description:
    """Asks for a sentence about a face."""

    style: str = attrs.field(default="words", validator=attrs.validators.in_(STYLES))
    decimals: int = attrs.field(default=2, validator=[attrs.validators.ge(0), attrs.validators.le(6)])
    definition: bool = False  # says first what valence and arousal mean

    def render(self, sample: Sample) -> Request:
        """The question; free text is the answer."""
        look = phrase(sample.valence, sample.arousal, style=self.style, decimals=self.decimals)
        text = (
            f"{SCALES + ' ' if self.definition else ''}A person's face looks {look}. "
            "In one sentence, describe how the person seems to feel."
        )
        return Request(sample.id, (Message("user", text),))

    def parse(self, completion: Completion) -> Answer:
        """The reply without thoughts, a heading such as "Answer:" and quotation marks around it."""
        text = _PREFIX.sub("", _THOUGHT.sub(" ", completion.text).strip()).strip()
        for left, right in _QUOTES:
            inner = text[len(left) : -len(right)]
            if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
                text = text if left in inner else inner.strip()
        return Answer(text=text if any(character.isalnum() for character in text) else "")
