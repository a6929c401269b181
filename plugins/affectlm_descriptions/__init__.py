"""Experiment 2: how a language model describes a face it knows by valence and arousal only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from affectlm import hookimpl

if TYPE_CHECKING:
    from affectlm.hooks import Factory


@hookimpl
def affectlm_prompts() -> Mapping[str, Factory]:
    """Asks for a sentence."""
    return {"description": "affectlm_descriptions.prompt:Description"}
