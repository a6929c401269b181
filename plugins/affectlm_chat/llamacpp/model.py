"""A GGUF file in memory, with reuse of its cache of keys and values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from affectlm_chat.conversation import without_system

Tokens: TypeAlias = tuple[int, ...]

# llama.cpp rounds differently for a single token than for several: SmolLM2's logits differ by 0.7. The cache is reused
# only up to a multiple of this, so that the result for a prompt does not depend on earlier prompts.
BLOCK = 32


class Model:
    """A GGUF file in memory."""

    def __init__(self, path: Path, context_size: int, threads: int | None, gpu_layers: int) -> None:
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self._low: Any = llama_cpp
        self._last = 0  # tokens of the last prompt; the cached tokens after it were computed one by one
        self._llama: Any = llama_cpp.Llama(
            str(path),
            n_ctx=context_size,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=gpu_layers,
            swa_full=True,  # without it, the cache of a sliding window cannot be rolled back
            verbose=False,
        )
        template = self._llama.metadata.get("tokenizer.chat_template")
        if template is None:
            raise ValueError(
                f"'{path.name}' has no chat template; choose a model that was trained to follow instructions"
            )
        begin, end = self._llama.token_bos(), self._llama.token_eos()
        self._template: Any = Jinja2ChatFormatter(template, bos_token=self._text(begin), eos_token=self._text(end))

    def _text(self, token: int) -> str:
        if token == -1:
            return ""
        return str(self._low.llama_vocab_get_text(self._low.llama_model_get_vocab(self._llama.model), token).decode())

    def prompt(self, conversation: Sequence[Mapping[str, str]]) -> str:
        """The text for the model; if its template rejects system messages, they go before the first user message."""
        from jinja2 import TemplateError

        try:
            return str(self._template(messages=list(conversation)).prompt)
        except (TemplateError, ValueError):  # the formatter's raise_exception is a ValueError
            merged = without_system(conversation)
            if merged == list(conversation):
                raise
            return str(self._template(messages=merged).prompt)

    def tokens(self, text: str) -> Tokens:
        """The tokens of a text, which contains its special tokens already."""
        return tuple(self._llama.tokenize(text.encode(), add_bos=False, special=True))

    def grammar(self, schema: Mapping[str, object]) -> Any:
        """A grammar that lets the model write only what fits a JSON schema."""
        return self._low.LlamaGrammar.from_json_schema(json.dumps(schema), verbose=False)

    def reply(self, prompt: str, **options: Any) -> Any:
        """A completion by llama-cpp-python, without its default changes to probabilities."""
        tokens = self.tokens(prompt)
        self._roll_back(tokens)
        unchanged = {"top_k": 0, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0}
        return self._llama.create_completion(list(tokens), **unchanged, **options)

    def weigh(self, prompt: Tokens, labels: Mapping[str, Tokens]) -> dict[str, float]:
        """The natural logarithm of each label's probability after the prompt, summed over its tokens."""
        for label, tokens in labels.items():
            if not tokens:
                raise ValueError(f"the choice '{label}' has no tokens after this prompt")
        self._roll_back(prompt)
        # In sorted order every beginning follows those that it continues, and nothing is computed twice.
        beginnings = sorted({tokens[:length] for tokens in labels.values() for length in range(len(tokens))})
        after = {beginning: self._logprobs(prompt + beginning) for beginning in beginnings}
        return {
            label: float(sum(after[tokens[:place]][token] for place, token in enumerate(tokens)))
            for label, tokens in labels.items()
        }

    def _roll_back(self, prompt: Tokens) -> None:
        """Drops the cached tokens that this prompt cannot reuse."""
        self._llama.n_tokens = min(self._shared(prompt), self._last, len(prompt) - 1) // BLOCK * BLOCK
        self._last = len(prompt)

    def _shared(self, tokens: Tokens) -> int:
        """The number of tokens at the beginning that the cache has too."""
        read = self._llama.input_ids[: self._llama.n_tokens].tolist()
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(read, tokens, strict=False)))

    def _logprobs(self, tokens: Tokens) -> NDArray[np.float64]:
        """The log-probability of every token after the given ones, whose cached beginning is reused."""
        llama, low = self._llama, self._low
        if len(tokens) > llama.n_ctx():
            raise ValueError(f"{len(tokens)} tokens do not fit into llm.context_size={llama.n_ctx()}")
        kept = min(self._shared(tokens), len(tokens) - 1)
        if not low.llama_memory_seq_rm(low.llama_get_memory(llama.ctx), 0, kept, -1):
            llama.reset()  # recurrent models cannot be rolled back
            kept = 0
        llama.n_tokens = kept
        llama.eval(list(tokens[kept:]))
        row = low.llama_get_logits_ith(llama.ctx, -1)
        logits = np.ctypeslib.as_array(row, shape=(llama.n_vocab(),)).astype(np.float64)
        highest = logits.max()
        found: NDArray[np.float64] = logits - (highest + np.log(np.exp(logits - highest).sum()))
        return found
