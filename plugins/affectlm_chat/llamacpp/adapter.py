"""Chat models in GGUF files, run in this process by llama.cpp; one request after the other.

The beginning of a prompt that is in the cache of keys and values is not computed again, so prompts with a common
beginning, and labels after one prompt, cost only their own tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from threading import Lock
from typing import ClassVar

import attrs

from affectlm.errors import AccessError, ConfigError
from affectlm.line.thoughts import without_thoughts
from affectlm.types import Completion, Request
from affectlm_chat.conversation import turns
from affectlm_chat.llamacpp.files import File, HubFile, find_file
from affectlm_chat.llamacpp.model import Model
from affectlm_chat.loading import Once, reason

_at_least_one = attrs.validators.ge(1)


@attrs.define(kw_only=True, slots=False)
class LlamaCpp:
    """A model in a GGUF file: a local file, one of the Hugging Face hub, or named weights."""

    speed_options: ClassVar[tuple[str, ...]] = ("threads",)
    takes_schema: ClassVar[bool] = True
    model: str = attrs.field(validator=attrs.validators.min_len(1))
    file: str | None = None  # of a hub repository; may have wildcards
    revision: str = "main"
    context_size: int = attrs.field(default=4096, validator=attrs.validators.ge(0))  # tokens; 0: as trained
    threads: int | None = attrs.field(default=None, validator=attrs.validators.optional(_at_least_one))
    gpu_layers: int = attrs.field(default=-1, validator=attrs.validators.ge(-1))  # -1: all
    max_new_tokens: int = attrs.field(default=128, validator=_at_least_one)
    temperature: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    top_p: float = attrs.field(default=1.0, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    seed: int = 0
    strip_reasoning: bool = True  # leaves out what a model writes between <think> and </think>
    _file: File | HubFile = attrs.field(init=False, repr=False, eq=False)
    _model: Once[Model] = attrs.field(
        init=False, default=attrs.Factory(lambda self: Once(self.load), takes_self=True), repr=False, eq=False
    )
    _lock: Lock = attrs.field(init=False, factory=Lock, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Checks that llama.cpp is installed and the file is available."""
        if find_spec("llama_cpp") is None:
            raise ConfigError("llm=llamacpp needs llama-cpp-python, which is missing: pip install 'affectlm[llamacpp]'")
        self._file = find_file(self.model, self.file, self.revision)

    def describe(self) -> Mapping[str, str]:
        """The digest of named weights, commit and name of a hub file, or a fingerprint of a local file."""
        return {"weights": self._file.fingerprint}

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """A completion for each request, one after the other."""
        return (self._asked(request, self._answer) for request in requests)

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """As `complete`, but without a text: how likely the reply is to begin with each of the choices."""
        return (self._asked(request, self._weigh) for request in requests)

    def load(self) -> Model:
        """The model in memory, fetched from the hub if it is not here yet."""
        return Model(self._file.fetch(), self.context_size, self.threads, self.gpu_layers)

    def _asked(self, request: Request, ask: Callable[[Model, Request], Completion]) -> Completion:
        with self._lock:
            try:
                model = self._model.ready()
            except AccessError as error:
                return Completion(id=request.id, model=self.model, error=str(error))
            try:
                return ask(model, request)
            except Exception as error:  # such as a prompt that is longer than the context
                return Completion(id=request.id, model=self.model, error=reason(error))

    def _answer(self, model: Model, request: Request) -> Completion:
        prompt = model.prompt(turns(request.messages))
        # llama.cpp selects the likeliest tokens before it applies the temperature.
        reply = model.reply(
            prompt,
            max_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=_seed(prompt, request.seeded(self.seed)),
            **({} if request.schema is None else {"grammar": model.grammar(request.schema)}),
        )
        [choice], usage = reply["choices"], reply["usage"]
        text = choice["text"].strip()
        return Completion(
            id=request.id,
            text=without_thoughts(text) if self.strip_reasoning else text,
            model=self.model,
            finish_reason=choice["finish_reason"],
            usage={name: usage[name] for name in ("prompt_tokens", "completion_tokens")},
        )

    def _weigh(self, model: Model, request: Request) -> Completion:
        if not request.choices:
            raise ValueError("the request has no choices to score")
        messages, begin, added = request.continuations()
        text = model.prompt(turns(messages)) + begin
        prompt = model.tokens(text)
        labels = {label: model.tokens(text + more)[len(prompt) :] for label, more in added.items()}
        return Completion(
            id=request.id,
            model=self.model,
            usage={"prompt_tokens": len(prompt), "completion_tokens": 0},
            choice_logprobs=model.weigh(prompt, labels),
            choice_tokens={label: len(tokens) for label, tokens in labels.items()},
        )


def _seed(prompt: str, seed: int) -> int:
    """A seed for the prompt, so that the reply does not depend on earlier requests."""
    mixed = hashlib.sha256(json.dumps([seed, prompt]).encode()).digest()[:4]
    return int.from_bytes(mixed, "big") >> 1  # for llama.cpp the largest number means no seed
