"""Experiment 1: which emotion a language model names for a face, given only valence and arousal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from affectlm import hookimpl

if TYPE_CHECKING:
    from affectlm.hooks import Factory


@hookimpl
def affectlm_prompts() -> Mapping[str, Factory]:
    """The prompt that asks for one label of a set."""
    return {"categories": "affectlm_categories.prompt:Categories"}


@hookimpl
def affectlm_metrics() -> Mapping[str, Factory]:
    """Metrics of labels: how often they are right, how far off, how certain, and how often a reply names none."""
    return {
        "accuracy": "affectlm_categories.accuracy:Accuracy",
        "classification": "affectlm_categories.classification:Classification",
        "top_k": "affectlm_categories.probabilities:TopK",
        "calibration": "affectlm_categories.probabilities:Calibration",
        "average_precision": "affectlm_categories.probabilities:AveragePrecision",
        "multilabel": "affectlm_categories.multilabel:MultiLabel",
        "tree_distance": "affectlm_categories.closeness:TreeDistance",
        "opposites": "affectlm_categories.closeness:Opposites",
        "open_set": "affectlm_categories.open_set:OpenSet",
        "unmapped": "affectlm_categories.unmapped:Unmapped",
    }
