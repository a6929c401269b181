"""How near an answer is to what people wrote in the eyes of an encoder: cosine of whole texts, BERTScore of tokens.

BERTScore is written here because the package bert-score has had no release since February 2023.
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

# The layers whose scores are nearest to people's judgements, by the authors of BERTScore.
LAYERS = {"roberta-large": 17, "roberta-base": 10, "bert-base-uncased": 9}
_MINILM_LAYERS = 6
_EQUAL = 1 - 1e-4  # a likeness that only rounding keeps from 1


@attrs.frozen(kw_only=True)
class EncoderMetric(TextMetric):
    """What both share: the model is looked for at once and loaded when there is something to compare.

    Args:
        model: all-MiniLM-L6-v2, a folder in safetensors, or a model id of the Hugging Face hub.
        revision: of the hub's repository.
        device: auto is the first GPU, or the processor where there is none.
        batch_size: texts read at once.
    """

    model: str = attrs.field(default=MINILM, converter=plain_name, validator=attrs.validators.min_len(1))
    revision: str = "main"
    device: str = attrs.field(default="auto", validator=attrs.validators.matches_re(r"auto|cpu|mps|cuda(:\d+)?"))
    batch_size: int = attrs.field(default=32, validator=attrs.validators.ge(1))
    figure: ClassVar[str]
    _read: dict[str, Any] = attrs.field(init=False, repr=False, eq=False, factory=dict)  # what a text was read as

    def __attrs_post_init__(self) -> None:
        """Checks that the model can be had and does what it should, and that a device that was asked for is here."""
        if self.device != "auto":
            from affectlm.neural.devices import torch_device

            torch_device(self.device)
        if (folder := self.folder()) is not None:
            self._try_out(folder)

    def folder(self) -> Path | None:
        """Where the model's files are; None for all-MiniLM-L6-v2."""
        return find_model(self.model, self.revision, self._option())

    def compare(self, pairs: Sequence[Pair]) -> Figures:
        """How alike each answer and the text nearest to it are."""
        read = self._encoded(pairs)
        return best((self.title(),), pairs, lambda answer, text: (self.likeness(read[answer], read[text]),))

    def likeness(self, answer: Any, text: Any) -> float:
        """How alike two texts are, given what the encoder makes of them; 1 for equals."""
        raise TypeError(f"{type(self).__name__} does not say how alike texts are")

    def encode(self, texts: Sequence[str]) -> Iterable[object]:
        """What the encoder makes of each text."""
        raise TypeError(f"{type(self).__name__} does not say how a text is read")

    def title(self) -> str:
        """The figure's name, and the model's where it is not the default one."""
        default = attrs.fields_dict(type(self))["model"].default
        return self.figure if self.model == default else f"{self.figure}_{Path(self.model).name}"

    def _option(self) -> str:
        return f"metric.{self.figure}.model"

    def _try_out(self, folder: Path) -> None:
        """Loads the model twice, for weights that no file holds are drawn at random, without a word."""
        try:
            first, second = (next(iter(self.encode(["a face"]))) for _ in range(2))
        except AffectlmError:
            raise
        except Exception as error:  # transformers, sentence-transformers and safetensors raise errors of many sorts
            reason = (str(error).splitlines() or [""])[0]
            raise unfit(folder, f"cannot be loaded ({type(error).__name__}: {reason})", self._option()) from error
        if self.likeness(first, second) < _EQUAL:
            raise unfit(folder, "does not hold all weights of its network", self._option())

    def _encoded(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """What each text of the pairs is read as; none is read twice, also when answers are judged again."""
        texts = dict.fromkeys(text for answer, references in pairs for text in (answer, *references))
        fresh = sorted((text for text in texts if text not in self._read), key=len)  # equals fill a batch best
        if fresh:
            whole = [text.encode(errors="replace").decode() for text in fresh]  # tokenisers refuse halves of surrogates
            self._read.update(zip(fresh, self.encode(whole), strict=True))
        return self._read


@attrs.frozen(kw_only=True)
class Cosine(EncoderMetric):
    """Cosine of the embeddings of the answer and of the text nearest to it, from -1 to 1.

    Texts by the same sort of people about anything are alike to an embedding: read it beside its floor. By default
    the mean of the tokens' states of all-MiniLM-L6-v2, of which it reads 256; others as their files say.

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
    """F-measure of BERTScore beside the best reference, at most 1, in practice far above 0: see its floor.

    Precision is the mean over the answer's tokens of the cosine with the nearest token of the reference, recall the
    same the other way round, the F-measure 2 P R / (P + R). No weighting by rareness, no rescaling. As in the
    authors' program a mark at the begin or end of a text may be the nearest token but is not averaged over.

    Source: Zhang et al. 2020, ICLR, BERTScore: Evaluating Text Generation with BERT.

    Args:
        layer: whose states are compared; the authors' choice for a model they name here, otherwise the last.
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
        """The tokens of each text, their states of length 1."""
        from affectlm_descriptions.encoders import load_encoder, load_minilm

        folder = self.folder()
        encoder = load_minilm(self.device) if folder is None else load_encoder(folder, self.device)
        layer = self.layer or LAYERS.get(Path(self.model).name)
        for tokens in encoder.read(texts, self.batch_size, layer):
            yield attrs.evolve(tokens, states=tokens.states / np.linalg.norm(tokens.states, axis=1, keepdims=True))

    def _layers(self) -> int | None:
        """How many layers the model has, None where its configuration does not say."""
        folder = self.folder()
        if folder is None:
            return _MINILM_LAYERS
        found = json.loads((folder / "config.json").read_bytes())
        layers = found.get("num_hidden_layers", found.get("n_layers"))
        return layers if isinstance(layers, int) else None


def greedy_f1(answer: Tokens, text: Tokens) -> float:
    """The F-measure of two texts whose tokens' states have length 1; 0 where one has no token of its own."""
    if answer.marks.all() or text.marks.all():
        return 0.0
    cosines = answer.states @ text.states.T
    precision = float(cosines.max(axis=1)[~answer.marks].mean())
    recall = float(cosines.max(axis=0)[~text.marks].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
