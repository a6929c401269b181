"""A chat model in memory: from conversations to replies or probabilities of labels. Imports torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import jinja2
import torch
import transformers
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from affectlm.neural.silence import quiet
from affectlm.types import Request
from affectlm_chat.conversation import Turn, turns, without_system
from affectlm_chat.transformers.choices import ChoiceModel, Question

Conversation: TypeAlias = Sequence[Turn]

# The annotations of transformers differ between versions, so values that are only passed on are not checked.
_hf: Any = transformers


@attrs.frozen(kw_only=True)
class Sampling:
    """How to draw replies; temperature 0 takes the likeliest token."""

    max_new_tokens: int
    temperature: float
    top_p: float


@attrs.frozen(kw_only=True)
class Reply:
    """One reply; `finished` if the model ended it by itself."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    finished: bool


@attrs.frozen(kw_only=True)
class Likelihood:
    """The log-probability and the number of tokens of each choice."""

    logprobs: Mapping[str, float]
    tokens: Mapping[str, int]
    prompt_tokens: int


class ChatModel:
    """A causal language model with a chat template; a reply does not depend on the rest of the batch."""

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        device_map: str | None = None,
        local_files_only: bool = True,
    ) -> None:
        where = {"revision": revision or "main", "local_files_only": local_files_only, "trust_remote_code": False}
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if dtype == "auto" and device == "cpu" and device_map is None:
            dtype = "float32"  # half precision is slow on most processors
        with quiet():
            self._tokenizer = _hf.AutoTokenizer.from_pretrained(model, padding_side="left", **where)
            if self._tokenizer.chat_template is None:
                raise ValueError(
                    f"'{model}' has no chat template; choose a model that was trained to follow instructions"
                )
            self._model = _hf.AutoModelForCausalLM.from_pretrained(
                model, dtype=dtype, device_map=device_map, use_safetensors=True, **where
            )
            self._model.train(False)
        if device_map is None:
            self._model.to(device)
        self._ends = _end_tokens(self._model.generation_config.eos_token_id, self._tokenizer.eos_token_id)
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token_id = self._ends[0]
        # The checkpoint's own settings (temperature, penalties) must not mix with the options.
        self._model.generation_config = _hf.GenerationConfig(
            eos_token_id=self._ends, pad_token_id=self._tokenizer.pad_token_id, do_sample=False
        )
        self._choices = ChoiceModel(self._model)

    def answer(self, conversations: Sequence[Conversation], seeds: Sequence[int], sampling: Sampling) -> list[Reply]:
        """One reply per conversation, drawn with its seed."""
        prompts = [self.prompt(conversation) for conversation in conversations]
        tokens = self._tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        tokens = {name: tokens[name].to(self._model.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode(), quiet():
            output = self._model.generate(
                **tokens,
                max_new_tokens=sampling.max_new_tokens,
                logits_processor=_processors(sampling, prompts, seeds),
            )
        lengths = tokens["attention_mask"].sum(dim=1).tolist()
        start = tokens["input_ids"].shape[1]
        return [self._reply(row, length) for row, length in zip(output[:, start:].tolist(), lengths, strict=True)]

    def weigh(self, requests: Sequence[Request]) -> list[Likelihood]:
        """How likely the reply to each request is to begin, or to go on, with each of its choices."""
        questions = self._questions(requests)
        with quiet():
            found = self._choices.score(questions)
        return [
            Likelihood(
                logprobs=logprobs,
                tokens={label: len(tokens) for label, tokens in question.labels.items()},
                prompt_tokens=len(question.prompt),
            )
            for question, logprobs in zip(questions, found, strict=True)
        ]

    def _questions(self, requests: Sequence[Request]) -> list[Question]:
        """Prompts and labels as tokens; those of a label are the tokens of prompt and label after the prompt's own."""
        texts, choices = [], []
        for request in requests:
            messages, begin, labels = request.continuations()
            prompt_text = self.prompt(turns(messages)) + begin
            texts += [prompt_text, *(prompt_text + added for added in labels.values())]
            choices.append(labels)
        tokens = iter(self._tokenizer(texts, add_special_tokens=False).input_ids)
        questions = []
        for labels in choices:
            prompt = tuple(next(tokens))
            questions.append(Question(prompt, {label: tuple(next(tokens)[len(prompt) :]) for label in labels}))
        return questions

    def prompt(self, conversation: Conversation) -> str:
        """The text for the model; if its template rejects system messages, they go before the first user message."""
        try:
            return self._template(conversation)
        except jinja2.TemplateError:
            merged = without_system(conversation)
            if merged == list(conversation):
                raise
            return self._template(merged)

    def _template(self, conversation: Conversation) -> str:
        turns = [dict(turn) for turn in conversation]
        return str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def _reply(self, row: Sequence[int], prompt_tokens: int) -> Reply:
        end = next((place for place, token in enumerate(row) if token in self._ends), None)
        written = row if end is None else row[:end]
        text = str(self._tokenizer.decode(list(written), skip_special_tokens=True))
        used = len(written) + (end is not None)
        return Reply(text=text.strip(), prompt_tokens=prompt_tokens, completion_tokens=used, finished=end is not None)


class _Noise(LogitsProcessor):
    """Gumbel noise, so that the largest logit is a draw from the distribution; one generator per prompt."""

    def __init__(self, prompts: Sequence[str], seeds: Sequence[int]) -> None:
        self._generators = [_generator(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        uniform = torch.stack([torch.rand(scores.shape[1], generator=one) for one in self._generators])
        noise = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return scores.float() + noise.to(scores.device)


def _generator(prompt: str, seed: int) -> torch.Generator:
    mixed = hashlib.sha256(json.dumps([seed, prompt]).encode()).digest()[:8]
    return torch.Generator().manual_seed(int.from_bytes(mixed, "big"))


def _processors(sampling: Sampling, prompts: Sequence[str], seeds: Sequence[int]) -> LogitsProcessorList:
    if sampling.temperature == 0:
        return LogitsProcessorList()
    steps: list[LogitsProcessor] = [TemperatureLogitsWarper(float(sampling.temperature))]
    if sampling.top_p < 1:
        steps.append(TopPLogitsWarper(sampling.top_p))
    return LogitsProcessorList([*steps, _Noise(prompts, seeds)])


def _end_tokens(*found: int | Sequence[int] | None) -> list[int]:
    tokens: list[int] = []
    for entry in found:
        tokens += [] if entry is None else [entry] if isinstance(entry, int) else entry
    if not tokens:
        raise ValueError("the model has no token that ends a reply")
    return list(dict.fromkeys(tokens))
