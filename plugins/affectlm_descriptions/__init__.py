"""Experiment 2: how a language model describes a face, given only valence and arousal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from affectlm import hookimpl

if TYPE_CHECKING:
    from affectlm.hooks import Factory
    from affectlm.weights.named import Weights


@hookimpl
def affectlm_prompts() -> Mapping[str, Factory]:
    """The prompt that asks for a sentence."""
    return {"description": "affectlm_descriptions.prompt:Description"}


@hookimpl
def affectlm_metrics() -> Mapping[str, Factory]:
    """Metrics of descriptions: how close to what people wrote, and whether as pleasant as the face."""
    return {
        "bleu": "affectlm_descriptions.overlap:Bleu",
        "corpus_bleu": "affectlm_descriptions.overlap:CorpusBleu",
        "meteor": "affectlm_descriptions.overlap:Meteor",
        "rouge": "affectlm_descriptions.overlap:Rouge",
        "cosine": "affectlm_descriptions.similarity:Cosine",
        "bertscore": "affectlm_descriptions.similarity:BertScore",
        "polarity": "affectlm_descriptions.polarity:Polarity",
        "polarity_correlation": "affectlm_descriptions.polarity:PolarityCorrelation",
    }


@hookimpl
def affectlm_weights() -> Sequence[Weights]:
    """The sentence encoder."""
    from affectlm_descriptions.models import WEIGHTS

    return WEIGHTS
