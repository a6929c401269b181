"""Experiment 1: which emotion a language model names for a face it knows by valence and arousal only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from affectlm import hookimpl

if TYPE_CHECKING:
    from affectlm.hooks import Factory


@hookimpl
def affectlm_prompts() -> Mapping[str, Factory]:
    """Asks for one label of a set."""
    return {"categories": "affectlm_categories.prompt:Categories"}


@hookimpl
def affectlm_metrics() -> Mapping[str, Factory]:
    """How often the label is right, and how often a reply names none."""
    return {
        "accuracy": "affectlm_categories.accuracy:Accuracy",
        "unmapped": "affectlm_categories.unmapped:Unmapped",
    }
