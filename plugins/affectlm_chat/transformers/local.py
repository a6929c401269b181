"""Chat models that run in this process. Nothing heavy is imported before the first request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import attrs

from affectlm.errors import AccessError
from affectlm.line.thoughts import without_thoughts
from affectlm.types import Completion, Request
from affectlm_chat.conversation import turns
from affectlm_chat.loading import Once, reason
from affectlm_chat.transformers.source import ModelSource, find_model

if TYPE_CHECKING:
    from affectlm_chat.transformers.generation import ChatModel, Likelihood, Reply, Sampling

DTYPES = ("auto", "float32", "bfloat16", "float16")
Ask: TypeAlias = "Callable[[ChatModel, Sequence[Request]], list[Completion]]"
_at_least_one = attrs.validators.ge(1)


@attrs.define(kw_only=True, slots=False)
class LocalChat:
    """Base of all models in this process; a subclass names the model and loads it."""

    speed_options: ClassVar[tuple[str, ...]] = ("device", "batch_size", "device_map")
    model: str = attrs.field(validator=attrs.validators.min_len(1))
    device: str = attrs.field(default="auto", validator=attrs.validators.matches_re(r"auto|cpu|mps|cuda(:\d+)?"))
    dtype: str = attrs.field(default="auto", validator=attrs.validators.in_(DTYPES))
    batch_size: int = attrs.field(default=8, validator=_at_least_one)
    max_new_tokens: int = attrs.field(default=128, validator=_at_least_one)
    temperature: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    top_p: float = attrs.field(default=1.0, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    seed: int = 0
    strip_reasoning: bool = True  # leaves out what a model writes between <think> and </think>
    _chat: Once[ChatModel] = attrs.field(
        init=False, default=attrs.Factory(lambda self: Once(self.load), takes_self=True), repr=False, eq=False
    )

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """A completion for each request; `batch_size` requests are taken and answered at a time."""
        return self._in_batches(requests, self._answer)

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """As `complete`, but without a text: how likely the reply is to begin with each of the choices."""
        return self._in_batches(requests, self._weigh)

    def load(self) -> ChatModel:
        """The model in memory."""
        raise TypeError(f"{type(self).__name__} does not implement load")

    def _in_batches(self, requests: Iterable[Request], ask: Ask) -> Iterator[Completion]:
        waiting = iter(requests)
        while batch := list(islice(waiting, self.batch_size)):
            yield from self._asked(batch, ask)

    def _asked(self, batch: Sequence[Request], ask: Ask) -> list[Completion]:
        try:
            chat = self._chat.ready()
        except AccessError as error:
            return [Completion(id=request.id, model=self.model, error=str(error)) for request in batch]
        try:
            return ask(chat, batch)
        except Exception as error:  # one request may spoil the batch, or the batch may not fit into memory
            if len(batch) > 1:
                return [completion for request in batch for completion in self._asked([request], ask)]
            return [Completion(id=batch[0].id, model=self.model, error=reason(error))]

    def _answer(self, chat: ChatModel, batch: Sequence[Request]) -> list[Completion]:
        replies = chat.answer(
            [turns(request.messages) for request in batch],
            [request.seeded(self.seed) for request in batch],
            self._sampling(),
        )
        return [self._completion(request, reply) for request, reply in zip(batch, replies, strict=True)]

    def _weigh(self, chat: ChatModel, batch: Sequence[Request]) -> list[Completion]:
        found = chat.weigh(batch)
        return [self._scored(request, likelihood) for request, likelihood in zip(batch, found, strict=True)]

    def _sampling(self) -> Sampling:
        from affectlm_chat.transformers.generation import Sampling

        return Sampling(max_new_tokens=self.max_new_tokens, temperature=self.temperature, top_p=self.top_p)

    def _completion(self, request: Request, reply: Reply) -> Completion:
        return Completion(
            id=request.id,
            text=without_thoughts(reply.text) if self.strip_reasoning else reply.text,
            model=self.model,
            finish_reason="stop" if reply.finished else "length",
            usage={"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens},
        )

    def _scored(self, request: Request, found: Likelihood) -> Completion:
        return Completion(
            id=request.id,
            model=self.model,
            usage={"prompt_tokens": found.prompt_tokens, "completion_tokens": 0},
            choice_logprobs=found.logprobs,
            choice_tokens=found.tokens,
        )


@attrs.define(kw_only=True, slots=False)
class TransformersChat(LocalChat):
    """Any chat model of the Hugging Face hub or of a local folder, in safetensors files only."""

    revision: str = "main"
    device_map: str | None = None  # "auto" spreads a model over several devices
    _found: ModelSource | None = attrs.field(init=False, default=None, repr=False, eq=False)

    def check_access(self) -> None:
        """Raises AccessError if the model is not available."""
        self._source()

    def describe(self) -> Mapping[str, str]:
        """The commit, or a fingerprint of the folder's files, and the meaning of `dtype=auto`."""
        try:
            weights = self._source().fingerprint
        except AccessError:  # a dry run does not need the model
            weights = "not here"
        return {"weights": weights, **arithmetic(self.dtype, self.device, self.device_map)}

    def _source(self) -> ModelSource:
        if self._found is None:
            self._found = find_model(self.model, self.revision)
        return self._found

    def load(self) -> ChatModel:
        """The model in memory, fetched from the hub if it is not here yet."""
        from affectlm_chat.transformers.generation import ChatModel

        source = self._source()
        source.announce()
        return ChatModel(
            source.model,
            revision=source.revision,
            device=self.device,
            dtype=self.dtype,
            device_map=self.device_map,
            local_files_only=source.here,
        )


def arithmetic(dtype: str, device: str, device_map: str | None = None) -> dict[str, str]:
    """The meaning of `dtype=auto`, without torch; cache keys leave out the device, but need its arithmetic.

    >>> arithmetic("auto", "cpu"), arithmetic("float16", "cpu")
    ({'arithmetic': 'float32'}, {})
    """
    if dtype != "auto":
        return {}
    if device_map is not None or device not in ("auto", "cpu"):
        return {"arithmetic": "as stored"}
    return {"arithmetic": "float32" if device == "cpu" else "float32 on the CPU, else as stored"}
