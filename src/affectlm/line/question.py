"""What a run asks: the template, the language model, and the question about one measured face."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import attrs

from affectlm.contract import called, class_name
from affectlm.errors import ConfigError, ContractError
from affectlm.line.likelihoods import SCORES
from affectlm.line.measure import Measured
from affectlm.store.cache import digest
from affectlm.types import (
    BlindPrompt,
    ChoiceScorer,
    Completion,
    FaceReader,
    LimitedLLM,
    LLMAdapter,
    Message,
    Outcome,
    PromptTemplate,
    Record,
    RepeatableLLM,
    Request,
    Sample,
    SampleReader,
    SingleLLM,
    StructuredLLM,
    StyledPrompt,
    TokenCounter,
)

CHARACTERS_PER_TOKEN = 4  # of English, roughly; for estimates before anything is asked
TOKENS_PER_TURN = 16  # that a chat template adds to a message, roughly


@attrs.frozen(kw_only=True)
class Asking:
    """How a run asks: the template, the language model, and the way it is to answer."""

    prompt: PromptTemplate
    llm: LLMAdapter | SingleLLM
    key: object = ""  # identifies the model: name, options and weights
    answer: str = "generate"  # or choices
    choice_score: str = attrs.field(default="normalised", validator=attrs.validators.in_(SCORES))
    send_images: bool = False

    def check(self) -> None:
        """Raises ConfigError unless the template and the language model can do what is asked."""
        if self.send_images and not (isinstance(self.llm, FaceReader) and self.llm.takes_faces):
            raise ConfigError(
                f"privacy.send_images=true, but {class_name(self.llm)} takes no pictures; leave it out, or choose "
                "llm=openai with a model that accepts images"
            )
        if self.by_choices:
            self._check_choices()

    def _check_choices(self) -> None:
        if not isinstance(self.llm, ChoiceScorer):
            raise ConfigError(
                f"answer=choices needs the log-probabilities of labels, but {class_name(self.llm)} gives none; "
                "type answer=generate, or choose llm=smollm2, transformers, llamacpp or circumplex"
            )
        if not called(self.prompt.render, Sample("check", 0.0, 0.0)).choices:
            raise ConfigError(
                f"answer=choices, but {class_name(self.prompt)} asks an open question; choose prompt=categories"
            )
        if self.by_blind and not isinstance(self.prompt, BlindPrompt):
            raise ConfigError(
                f"choice_score=normalised asks once without numbers, but {class_name(self.prompt)} cannot; "
                "type choice_score=sum"
            )

    @property
    def by_choices(self) -> bool:
        """Whether the model scores the choices instead of writing a reply."""
        return self.answer == "choices"

    @property
    def by_blind(self) -> bool:
        """Whether the scores need the question without numbers."""
        return self.by_choices and self.choice_score == "normalised"

    @property
    def repeatable(self) -> bool:
        """Whether the same question gets the same reply."""
        return not isinstance(self.llm, RepeatableLLM) or self.llm.repeatable

    def question(self, measured: Measured) -> Question:
        """The question about a measured face.

        Raises:
            ContractError: the template failed, or gave the request another id.
        """
        sample = measured.sample
        face = measured.pixels if self.send_images else None
        request = called(self.prompt.render, sample)
        if request.id != sample.id:
            name = class_name(self.prompt)
            raise ContractError(f"{name}.render gave the id '{request.id}', expected '{sample.id}'")
        request = attrs.evolve(request, id=measured.id, sample=sample, face=face, repeat=measured.repeat)
        style = self.prompt.style if isinstance(self.prompt, StyledPrompt) else None
        structured = None
        if request.schema is not None:
            structured = isinstance(self.llm, StructuredLLM) and self.llm.takes_schema
            request = request if structured else attrs.evolve(request, schema=None)
        return Question(measured, request, self.request_key(request), style, structured)

    def request_key(self, request: Request) -> str:
        """The key of the reply to a request in the store."""
        messages = [[message.role, message.text] for message in request.messages]
        reads_sample = isinstance(self.llm, SampleReader) and self.llm.reads_sample
        sample = request.sample
        affect = [sample.valence, sample.arousal] if sample and reads_sample else None
        face = None if request.face is None else hashlib.sha256(request.face.tobytes()).hexdigest()
        asked = request.continuations()[1:] if self.by_choices else request.choices
        repeat = [request.repeat] if request.repeat > 1 else []
        schema = [request.schema] if request.schema is not None else []
        return digest([self.key, self.answer, messages, asked, affect, face, *repeat, *schema])

    def expected_tokens(self, request: Request) -> tuple[int, int]:
        """How many tokens the model will read for a request, and the most it may write."""
        if isinstance(self.llm, TokenCounter):
            read = called(self.llm.count_tokens, request)
        else:
            read = sum(len(message.text) // CHARACTERS_PER_TOKEN + TOKENS_PER_TURN for message in request.messages)
        written = 0 if self.by_choices or not isinstance(self.llm, LimitedLLM) else self.llm.max_new_tokens
        return read, written

    def used_tokens(self, completion: Completion, request: Request) -> tuple[int, int]:
        """How many tokens were read and written; estimated if a service does not say, so that limits hold."""
        if completion.usage:
            return completion.usage.get("prompt_tokens", 0), completion.usage.get("completion_tokens", 0)
        if completion.error is not None or not isinstance(self.llm, SingleLLM):
            return 0, 0
        return self.expected_tokens(request)[0], len(completion.text) // CHARACTERS_PER_TOKEN + 1


@attrs.frozen
class Question:
    """What is asked about a measured face."""

    measured: Measured
    request: Request
    key: str  # identifies the reply in the store
    style: str | None = None  # how the prompt says valence and arousal
    structured: bool | None = None  # whether the reply is bound to a schema

    def record(self, outcome: Outcome, **further: Any) -> Record:
        """A record of what is known of the face, with the prompt."""
        messages = self.request.messages
        text = "\n\n".join(f"[{message.role}]\n{message.text}" for message in messages)
        asked = {"prompt": text, "prompt_sha256": prompt_hash(messages), "style": self.style}
        return self.measured.record(outcome, structured=self.structured, **asked, **further)


def prompt_hash(messages: Sequence[Message]) -> str:
    """SHA-256 of the messages, hexadecimal."""
    return hashlib.sha256(repr([(message.role, message.text) for message in messages]).encode()).hexdigest()
