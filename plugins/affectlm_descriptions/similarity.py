"""How similar an answer is to what people wrote, by a text encoder: cosine of whole texts, BERTScore of tokens.

BERTScore is implemented here because the package bert-score has had no release since February 2023.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from affectlm.errors import AffectlmError
from affectlm_descriptions.models import MINILM, find_model, plain_name, unfit
from affectlm_descriptions.pairs import Figures, Pair, TextMetric, best

if TYPE_CHECKING:
    from affectlm_descriptions.encoders import Tokens

# The layers whose scores are closest to people's judgements, according to the authors of BERTScore.
LAYERS = {"roberta-large": 17, "roberta-base": 10, "bert-base-uncased": 9}
_MINILM_LAYERS = 6
_EQUAL = 1 - 1e-4  # the similarity of equal texts, with rounding


@attrs.frozen(kw_only=True)
class EncoderMetric(TextMetric):
    """Base of both metrics: it finds the model at once and loads it when there is something to compare.

    Args:
        model: all-MiniLM-L6-v2, a folder in safetensors, or a model id of the Hugging Face hub.
        revision: of the hub's repository.
        device: auto is the first GPU, or the processor if there is none.
        batch_size: texts per batch.
    """

    model: str = attrs.field(default=MINILM, converter=plain_name, validator=attrs.validators.min_len(1))
    revision: str = "main"
    device: str = attrs.field(default="auto", validator=attrs.validators.matches_re(r"auto|cpu|mps|cuda(:\d+)?"))
    batch_size: int = attrs.field(default=32, validator=attrs.validators.ge(1))
    figure: ClassVar[str]
    _read: dict[str, Any] = attrs.field(init=False, repr=False, eq=False, factory=dict)  # text -> its encoding

    def __attrs_post_init__(self) -> None:
        """Checks that the model is available and works, and that the device is here unless it is `auto`."""
        if self.device != "auto":
            from affectlm.neural.devices import torch_device

            torch_device(self.device)
        if (folder := self.folder()) is not None:
            self._try_out(folder)

    def folder(self) -> Path | None:
        """The folder of the model's files; None for all-MiniLM-L6-v2."""
        return find_model(self.model, self.revision, self._option())

    def compare(self, pairs: Sequence[Pair]) -> Figures:
        """How similar each answer and its most similar text are."""
        read = self._encoded(pairs)
        return best((self.title(),), pairs, lambda answer, text: (self.likeness(read[answer], read[text]),))

    def likeness(self, answer: Any, text: Any) -> float:
        """How similar two encoded texts are; 1 if they are equal."""
        raise TypeError(f"{type(self).__name__} does not implement likeness")

    def encode(self, texts: Sequence[str]) -> Iterable[object]:
        """The encoding of each text."""
        raise TypeError(f"{type(self).__name__} does not implement encode")

    def title(self) -> str:
        """The name of the score, with that of the model unless it is the default one."""
        default = attrs.fields_dict(type(self))["model"].default
        return self.figure if self.model == default else f"{self.figure}_{Path(self.model).name}"

    def _option(self) -> str:
        return f"metric.{self.figure}.model"

    def _try_out(self, folder: Path) -> None:
        """Loads the model twice, because weights that are missing in its files are silently drawn at random."""
        try:
            first, second = (next(iter(self.encode(["a face"]))) for _ in range(2))
        except AffectlmError:
            raise
        except Exception as error:  # transformers, sentence-transformers and safetensors raise many kinds of errors
            reason = (str(error).splitlines() or [""])[0]
            raise unfit(folder, f"cannot be loaded ({type(error).__name__}: {reason})", self._option()) from error
        if self.likeness(first, second) < _EQUAL:
            raise unfit(folder, "lacks weights of its network", self._option())

    def _encoded(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """The encoding of each text of the pairs; no text is encoded twice, even if answers are scored again."""
        texts = dict.fromkeys(text for answer, references in pairs for text in (answer, *references))
        fresh = sorted((text for text in texts if text not in self._read), key=len)  # batches need less padding
        if fresh:
            whole = [text.encode(errors="replace").decode() for text in fresh]  # tokenizers reject lone surrogates
            self._read.update(zip(fresh, self.encode(whole), strict=True))
        return self._read


@attrs.frozen(kw_only=True)
class Cosine(EncoderMetric):
    """Cosine of the embeddings of the answer and its most similar text, from -1 to 1.

    Embeddings of texts by similar people are alike whatever they say, so compare the score with its floor. By default
    an embedding is the mean over the first 256 tokens in all-MiniLM-L6-v2; other models define their own.

    Source: Reimers & Gurevych 2019, EMNLP, Sentence-BERT.
    """

    figure: ClassVar[str] = "cosine"

    def likeness(self, answer: Any, text: Any) -> float:
        """The cosine of two embeddings."""
        return float(np.clip(answer @ text, -1, 1))

    def encode(self, texts: Sequence[str]) -> Iterable[object]:
        """The embedding of each text, of length 1."""
        from affectlm_descriptions.encoders import embed, embed_by_minilm

        folder = self.folder()
        if folder is None:
            return embed_by_minilm(texts, self.device, self.batch_size)
        return embed(folder, texts, self.device, self.batch_size)


@attrs.frozen(kw_only=True)
class BertScore(EncoderMetric):
    """F-measure of BERTScore with the best reference, at most 1 and in practice far above 0: see its floor.

    Precision is the mean over the answer's tokens of the cosine with the closest token of the reference, recall the
    same the other way round, the F-measure 2 P R / (P + R). There is no weighting by rareness and no rescaling. As in
    the authors' program, a begin or end mark may be the closest token, but is not part of the means.

    Source: Zhang et al. 2020, ICLR, BERTScore: Evaluating Text Generation with BERT.

    Args:
        layer: the layer whose states are compared; by default the authors' choice if `LAYERS` has it, else the last.
    """

    figure: ClassVar[str] = "bertscore"
    model: str = attrs.field(default="roberta-large", converter=plain_name, validator=attrs.validators.min_len(1))
    layer: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(1)))

    @layer.validator
    def _check_layer(self, _: object, value: int | None) -> None:
        if value is not None and (layers := self._layers()) is not None and value > layers:
            raise ValueError(f"layer is {value}, but '{self.model}' has {layers}")

    def likeness(self, answer: Any, text: Any) -> float:
        """The F-measure of two texts' tokens."""
        return greedy_f1(answer, text)

    def encode(self, texts: Sequence[str]) -> Iterable[object]:
        """The tokens of each text, with states of length 1."""
        from affectlm_descriptions.encoders import load_encoder, load_minilm

        folder = self.folder()
        encoder = load_minilm(self.device) if folder is None else load_encoder(folder, self.device)
        layer = self.layer or LAYERS.get(Path(self.model).name)
        for tokens in encoder.read(texts, self.batch_size, layer):
            yield attrs.evolve(tokens, states=tokens.states / np.linalg.norm(tokens.states, axis=1, keepdims=True))

    def _layers(self) -> int | None:
        """The number of layers of the model; None if its configuration does not say."""
        folder = self.folder()
        if folder is None:
            return _MINILM_LAYERS
        found = json.loads((folder / "config.json").read_bytes())
        layers = found.get("num_hidden_layers", found.get("n_layers"))
        return layers if isinstance(layers, int) else None


def greedy_f1(answer: Tokens, text: Tokens) -> float:
    """The F-measure of two texts with states of length 1; 0 if one has only marks."""
    if answer.marks.all() or text.marks.all():
        return 0.0
    cosines = answer.states @ text.states.T
    precision = float(cosines.max(axis=1)[~answer.marks].mean())
    recall = float(cosines.max(axis=0)[~text.marks].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
