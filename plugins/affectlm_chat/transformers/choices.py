"""How likely a causal language model is to begin its reply with each of several labels.

The common beginning of prompts is computed once per run, a prompt once for all its labels, and common beginnings of
labels once. A batch is one row of tokens; its mask lets each token see only earlier tokens of its own prompt and label.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from threading import Lock
from typing import Any, TypeAlias

import attrs
import torch
from transformers import DynamicCache

from affectlm_chat.loading import reason

Tokens: TypeAlias = tuple[int, ...]

WORTH_A_PASS = 16  # further common tokens of prompts that make a separate pass worthwhile
# Results in one row and token by token differ by rounding; if a model ignores the mask, they differ by more.
_ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-3}
_COARSE_ROUNDING = 0.3
_NEEDED = ("input_ids", "attention_mask", "position_ids", "logits_to_keep")  # models ignore other arguments
_CACHES = ("cache", "past_key_values")  # the argument's name in transformers from 5.24 on, and before
# Raised by transformers' architectures that cannot use a mask with four dimensions, or a cache of keys and values only.
_REFUSALS = (AssertionError, AttributeError, IndexError, RuntimeError, ValueError)
_SPANS = ("sliding_window", "attention_chunk_size", "original_max_position_embeddings")


@attrs.frozen
class Question:
    """The tokens of a prompt, and of each label after it."""

    prompt: Tokens = attrs.field(validator=attrs.validators.min_len(1))
    labels: Mapping[str, Tokens] = attrs.field()

    @labels.validator
    def _check_labels(self, _: object, value: Mapping[str, Tokens]) -> None:
        if not value:
            raise ValueError("the request has no choices to score")
        for label, tokens in value.items():
            if not tokens:
                raise ValueError(f"the choice '{label}' has no tokens after this prompt")

    @property
    def longest(self) -> int:
        """Number of tokens of the prompt with its longest label."""
        return len(self.prompt) + max(map(len, self.labels.values()))


@attrs.frozen
class Start:
    """The common beginning of prompts, with its keys and values in each layer."""

    tokens: Tokens = ()
    states: tuple[tuple[torch.Tensor, torch.Tensor], ...] = attrs.field(default=(), eq=False, repr=False)

    def cut(self, length: int) -> Start:
        """The start of a start: its first tokens."""
        if not length:
            return Start()
        return Start(self.tokens[:length], tuple((k[..., :length, :], v[..., :length, :]) for k, v in self.states))

    def cache(self) -> DynamicCache:
        """A new cache with the keys and values, from which to continue."""
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(self.states):
            cache.update(keys, values, layer)
        return cache


@attrs.frozen
class Block:
    """One question's part of a row: the rest of its prompt, then every proper beginning of its labels once."""

    question: Question
    seen: int  # tokens of the prompt that are in the start
    places: Mapping[Tokens, int]  # beginning of labels -> its place after the last token of the prompt, 0 if empty

    @property
    def tokens(self) -> list[int]:
        """The tokens to compute."""
        return [*self.question.prompt[self.seen :], *(beginning[-1] for beginning in self.places if beginning)]

    @property
    def positions(self) -> list[int]:
        """The position of each token in its own prompt and label."""
        end = len(self.question.prompt)
        return [*range(self.seen, end), *(end - 1 + len(beginning) for beginning in self.places if beginning)]

    @property
    def rest(self) -> int:
        """Number of prompt tokens to compute; the last of them predicts the first token of every label."""
        return len(self.question.prompt) - self.seen

    def visible(self) -> torch.Tensor:
        """Which tokens of the block (columns) each of them (rows) may see."""
        seen = torch.ones(self.rest + len(self.places) - 1, self.rest + len(self.places) - 1, dtype=torch.bool).tril()
        for beginning, place in self.places.items():
            if beginning:
                own = self.rest - 1 + place
                seen[own] = seen[self.rest - 1 + self.places[beginning[:-1]]]
                seen[own, own] = True
        return seen


class _RefusedError(Exception):
    """The model cannot compute several labels in one row; the message says why."""


class ChoiceModel:
    """A causal language model that scores labels; the scores do not depend on the batch."""

    def __init__(self, model: Any) -> None:  # any class of transformers with logits
        self._model = model
        self._span = _span(model.config)
        self._cache_name, self._missing = _arguments(model)
        self._takes_rows: bool | None = None  # None: not tried yet
        self._warned_slow = False
        self._start = Start()
        self._last: Tokens = ()
        self._lock = Lock()

    def score(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        """For each question the natural logarithm of each label's probability, summed over the label's tokens."""
        with self._lock, torch.inference_mode():
            if max(question.longest for question in questions) > self._span:
                return self._slowly(questions, f"a prompt has more than the {self._span} tokens of its attention span")
            if self._takes_rows is None:
                try:
                    self._try_row(questions[0])
                except _RefusedError as error:
                    self._takes_rows = False
                    return self._slowly(questions, str(error))
                self._takes_rows = True
            return self._row(questions) if self._takes_rows else [self._plain(question) for question in questions]

    def _slowly(self, questions: Sequence[Question], why: str) -> list[dict[str, float]]:
        if not self._warned_slow:
            self._warned_slow = True
            name = type(self._model).__name__
            sys.stderr.write(f"affectlm: {name} scores one label at a time, which is slower: {why}\n")
        return [self._plain(question) for question in questions]

    def _plain(self, question: Question) -> dict[str, float]:
        """The scores with one pass per label: slow, but right for every architecture."""
        found = {}
        for label, tokens in question.labels.items():
            row = torch.tensor([[*question.prompt, *tokens[:-1]]], device=self._model.device)
            logits = self._model(input_ids=row, use_cache=False).logits[0, len(question.prompt) - 1 :]
            found[label] = sum(_log_probabilities(logits, list(range(len(tokens))), tokens))
        return found

    def _try_row(self, question: Question) -> None:
        """Raises _RefusedError unless the two longest labels have the same probability in one row as alone."""
        if self._missing:
            raise _RefusedError(f"it takes no {self._missing}")
        longest = sorted(question.labels, key=lambda label: len(question.labels[label]))[-2:]
        alone = self._plain(Question(question.prompt, {label: question.labels[label] for label in longest}))
        together = self._row([question, question])[1]
        rounding = _ROUNDING.get(self._model.dtype, _COARSE_ROUNDING)
        if any(abs(alone[label] - together[label]) > rounding for label in longest):
            raise _RefusedError("it ignores the mask that separates labels")

    def _row(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        self._read_start([question.prompt for question in questions])
        blocks = [self._block(question) for question in questions]
        offsets = [0]
        for block in blocks:
            offsets.append(offsets[-1] + len(block.tokens))
        wanted = [range(end - len(block.places), end) for block, end in zip(blocks, offsets[1:], strict=True)]
        device = self._model.device
        logits = self._read(
            [token for block in blocks for token in block.tokens],
            self._start.cache(),
            position_ids=torch.tensor([[place for block in blocks for place in block.positions]], device=device),
            attention_mask=self._mask(blocks, offsets).to(device),
            logits_to_keep=torch.tensor([place for places in wanted for place in places], device=device),
        )
        return _by_label(blocks, logits)

    def _read(self, tokens: Sequence[int], cache: DynamicCache, **more: object) -> torch.Tensor:
        """The logits (tokens, vocabulary) of one row that continues a cache."""
        given = {"input_ids": torch.tensor([tokens], device=self._model.device), self._cache_name: cache, **more}
        try:
            logits: torch.Tensor = self._model(use_cache=True, **given).logits[0]
        except torch.OutOfMemoryError:
            raise
        except _REFUSALS as error:
            if self._takes_rows:
                raise
            raise _RefusedError(f"it cannot compute them in one row ({reason(error)})") from error
        return logits

    def _block(self, question: Question) -> Block:
        seen = min(_shared(self._start.tokens, question.prompt), len(question.prompt) - 1)
        return Block(question, seen, _beginnings(question.labels.values()))

    def _mask(self, blocks: Sequence[Block], offsets: Sequence[int]) -> torch.Tensor:
        """The attention mask to add, shape (1, 1, tokens of the row, tokens of the start and of the row)."""
        start = len(self._start.tokens)
        allowed = torch.zeros(offsets[-1], start + offsets[-1], dtype=torch.bool)
        for block, begin, end in zip(blocks, offsets, offsets[1:], strict=False):
            allowed[begin:end, : block.seen] = True
            allowed[begin:end, start + begin : start + end] = block.visible()
        lowest = torch.finfo(self._model.dtype).min
        mask = torch.zeros(allowed.shape, dtype=self._model.dtype).masked_fill_(~allowed, lowest)
        return mask[None, None]

    def _read_start(self, prompts: Sequence[Tokens]) -> None:
        """Extends the start to the common beginning of these prompts and the one before them."""
        known = [*prompts, self._last] if self._last else prompts
        self._last = prompts[-1]
        if len(known) == 1:
            return
        length = min(min(_shared(known[0], other) for other in known[1:]), min(map(len, prompts)) - 1)
        seen = min(_shared(self._start.tokens, known[0]), length)
        if length - seen < WORTH_A_PASS:
            return
        cache = self._start.cut(seen).cache()
        self._read(known[0][seen:length], cache, logits_to_keep=1)
        layers: Any = cache.layers
        self._start = Start(known[0][:length], tuple((layer.keys, layer.values) for layer in layers))


def _beginnings(labels: Iterable[Tokens]) -> dict[Tokens, int]:
    """A place for every proper beginning of the labels, after those of its own beginnings.

    >>> _beginnings([(1, 2, 3), (1, 2), (4,)])
    {(): 0, (1,): 1, (1, 2): 2}
    """
    places: dict[Tokens, int] = {(): 0}
    for tokens in labels:
        for length in range(1, len(tokens)):
            places.setdefault(tokens[:length], len(places))
    return places


def _shared(one: Tokens, other: Tokens) -> int:
    """The number of common tokens at the beginning.

    >>> _shared((1, 2, 3), (1, 2, 4, 5))
    2
    """
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _by_label(blocks: Sequence[Block], logits: torch.Tensor) -> list[dict[str, float]]:
    """The sums over each label's tokens; row `place` of a block's logits predicts the token after that beginning."""
    rows: list[int] = []
    tokens: list[int] = []
    first = 0
    for block in blocks:
        for label in block.question.labels.values():
            rows += [first + block.places[label[:length]] for length in range(len(label))]
            tokens += label
        first += len(block.places)
    found = iter(_log_probabilities(logits, rows, tokens))
    return [
        {label: sum(next(found) for _ in tokens) for label, tokens in block.question.labels.items()} for block in blocks
    ]


def _log_probabilities(logits: torch.Tensor, rows: Sequence[int], tokens: Sequence[int]) -> list[float]:
    logits = logits.float()
    picked = torch.tensor([list(rows), list(tokens)], device=logits.device)
    found: list[float] = (logits[picked[0], picked[1]] - logits.logsumexp(dim=-1)[picked[0]]).tolist()
    return found


def _arguments(model: Any) -> tuple[str, str]:
    """The model's name for its cache, and the arguments needed for a row that it lacks, as text."""
    takes = inspect.signature(model.forward).parameters
    cache = next((name for name in _CACHES if name in takes), "")
    missing = [name for name in _NEEDED if name not in takes]
    return cache, ", ".join(missing if cache else [*missing, "cache"])


def _span(config: Any) -> float:
    """The longest prompt in tokens for which all tokens see each other and rotary angles stay the same."""
    text = config.get_text_config(decoder=True)
    turning = getattr(text, "rope_parameters", None) or {}
    found = [*(getattr(text, name, None) for name in _SPANS), *(turning.get(name) for name in _SPANS)]
    return min((value for value in found if isinstance(value, int) and value > 0), default=float("inf"))
