"""Text encoders in memory, for the tokens of a text and for whole texts. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors.torch import load_file

from affectlm.neural.devices import torch_device
from affectlm.neural.silence import quiet
from affectlm.weights.named import obtain
from affectlm_descriptions.models import NETWORK, TOKENIZER

Vector: TypeAlias = NDArray[np.float64]

_LONGEST = 512  # most tokens, for all encoders of BERT's family
# The annotations of transformers differ between versions, so values that are only passed on are not checked.
_hf: Any = transformers


@attrs.frozen
class Tokens:
    """The encoded tokens of a text."""

    states: NDArray[np.float32]  # (tokens, width)
    marks: NDArray[np.bool_]  # (tokens,): which of them are not part of the text, such as begin and end marks


@attrs.frozen
class Encoder:
    """A network with its tokenizer."""

    tokenizer: Any
    network: Any
    longest: int  # most tokens of a text; the rest is cut off

    def read(self, texts: Sequence[str], batch_size: int, layer: int | None = None) -> Iterator[Tokens]:
        """The tokens of each text after a layer, by default the last."""
        for start in range(0, len(texts), batch_size):
            yield from self._read(texts[start : start + batch_size], layer)

    def _read(self, texts: Sequence[str], layer: int | None) -> Iterator[Tokens]:
        given = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.longest,
            return_tensors="pt",
            return_special_tokens_mask=True,
        ).to(self.network.device)
        marks = given.pop("special_tokens_mask").bool().cpu().numpy()
        with torch.inference_mode():
            states = self.network(**given, output_hidden_states=True).hidden_states[-1 if layer is None else layer]
        lengths = given["attention_mask"].sum(dim=1).tolist()
        for row, mark, length in zip(states.float().cpu().numpy(), marks, lengths, strict=True):
            yield Tokens(row[:length], mark[:length])


def load_minilm(device: str) -> Encoder:
    """The encoder all-MiniLM-L6-v2: published weights and tokenizer, in a network that is configured here."""
    shape = _hf.BertConfig(
        vocab_size=30_522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    with quiet():
        tokenizer = _hf.PreTrainedTokenizerFast(tokenizer_file=str(obtain(TOKENIZER)), **marks)
        network = _hf.BertModel.from_pretrained(None, config=shape, state_dict=load_file(obtain(NETWORK)))
    return Encoder(tokenizer, network.eval().to(torch_device(device)), longest=256)


def load_encoder(folder: Path, device: str) -> Encoder:
    """The encoder in a folder."""
    where = {"local_files_only": True, "trust_remote_code": False}
    with quiet():
        tokenizer = _hf.AutoTokenizer.from_pretrained(folder, **where)
        network = _hf.AutoModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32, **where)
    longest = min(tokenizer.model_max_length, _LONGEST)
    return Encoder(tokenizer, network.eval().to(torch_device(device)), longest)


def embed_by_minilm(texts: Sequence[str], device: str, batch_size: int) -> list[Vector]:
    """The embedding of each text: the mean of its tokens, scaled to length 1."""
    return [_unit(tokens.states.mean(axis=0)) for tokens in load_minilm(device).read(texts, batch_size)]


def embed(folder: Path, texts: Sequence[str], device: str, batch_size: int) -> list[Vector]:
    """The embedding of each text as the model in a folder defines it, scaled to length 1."""
    from sentence_transformers import SentenceTransformer  # takes seconds to import, and MiniLM does not need it

    with quiet():
        model = SentenceTransformer(
            str(folder),
            device=str(torch_device(device)),
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
        found = model.encode(list(texts), batch_size=batch_size, show_progress_bar=False)
    return [_unit(vector) for vector in found]


def _unit(vector: NDArray[np.floating[Any]]) -> Vector:
    vector = vector.astype(np.float64)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))
