"""Chat models that run in this process. Nothing heavy is imported before the first request is answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

import attrs

from affectlm.types import Completion, Request
from affectlm_chat.access import Source, announce, find_model

if TYPE_CHECKING:
    from affectlm_chat.generation import ChatModel, Reply, Sampling

DTYPES = ("auto", "float32", "bfloat16", "float16")
_at_least_one = attrs.validators.ge(1)


@attrs.define(kw_only=True, slots=False)
class LocalChat:
    """What all models in this process share; a subclass says which model it is and loads it."""

    model: str = attrs.field(validator=attrs.validators.min_len(1))
    device: str = attrs.field(default="auto", validator=attrs.validators.matches_re(r"auto|cpu|mps|cuda(:\d+)?"))
    dtype: str = attrs.field(default="auto", validator=attrs.validators.in_(DTYPES))
    batch_size: int = attrs.field(default=8, validator=_at_least_one)
    max_new_tokens: int = attrs.field(default=128, validator=_at_least_one)
    temperature: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    top_p: float = attrs.field(default=1.0, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    seed: int = 0
    _loaded: ChatModel | None = attrs.field(init=False, default=None, repr=False, eq=False)
    _lock: Lock = attrs.field(init=False, factory=Lock, repr=False, eq=False)

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """A completion for each request, `batch_size` of them drawn and answered at a time."""
        waiting = iter(requests)
        while batch := list(islice(waiting, self.batch_size)):
            yield from self._answer(batch)

    def load(self) -> ChatModel:
        """The model in memory."""
        raise TypeError(f"{type(self).__name__} does not say how its model is loaded")

    def _answer(self, batch: Sequence[Request]) -> list[Completion]:
        try:
            chat = self._ready()
        except Exception as error:  # whatever stops the model from loading, the run gets its records
            reason = f"the model cannot be loaded: {_reason(error)}"
            return [Completion(id=request.id, model=self.model, error=reason) for request in batch]
        try:
            replies = chat.answer([_turns(request) for request in batch], self._sampling())
        except Exception as error:  # one request may spoil a batch, and a batch may not fit into memory
            if len(batch) > 1:
                return [completion for request in batch for completion in self._answer([request])]
            return [Completion(id=batch[0].id, model=self.model, error=_reason(error))]
        return [self._completion(request, reply) for request, reply in zip(batch, replies, strict=True)]

    def _ready(self) -> ChatModel:
        with self._lock:
            if self._loaded is None:
                self._loaded = self.load()
            return self._loaded

    def _sampling(self) -> Sampling:
        from affectlm_chat.generation import Sampling

        return Sampling(
            max_new_tokens=self.max_new_tokens, temperature=self.temperature, top_p=self.top_p, seed=self.seed
        )

    def _completion(self, request: Request, reply: Reply) -> Completion:
        return Completion(
            id=request.id,
            text=reply.text,
            model=self.model,
            finish_reason="stop" if reply.finished else "length",
            usage={"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens},
        )


@attrs.define(kw_only=True, slots=False)
class TransformersChat(LocalChat):
    """Any chat model of the Hugging Face hub or of a local folder, in safetensors files only."""

    revision: str = "main"
    device_map: str | None = None  # "auto" spreads a model over several devices
    _source: Source = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Checks that the model can be had."""
        self._source = find_model(self.model, self.revision)

    def describe(self) -> Mapping[str, str]:
        """The commit, or a fingerprint of the folder's files."""
        return {"weights": self._source.fingerprint}

    def load(self) -> ChatModel:
        """The model in memory, fetched from the hub when it is not here yet."""
        from affectlm_chat.generation import ChatModel

        if not self._source.here:
            announce(self._source)
        return ChatModel(
            self._source.model,
            revision=self._source.revision,
            device=self.device,
            dtype=self.dtype,
            device_map=self.device_map,
            local_files_only=self._source.here,
        )


def _turns(request: Request) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in request.messages]


def _reason(error: Exception) -> str:
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0]}" if first else type(error).__name__
