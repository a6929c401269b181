"""Trains FaceChannel: its network and its file in the loop that all torch estimators share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from affectlm.errors import ConfigError
from affectlm.train import LabelledFaces, Progress
from affectlm_estimators.devices import seeded
from affectlm_estimators.files import load_weights
from affectlm_estimators.plan import Plan
from affectlm_estimators.training import silent
from affectlm_estimators.training import train as fit
from affectlm_facechannel.network import FaceChannel
from affectlm_facechannel.shape import CATEGORIES, SIDE

__all__ = ["Plan", "train"]


def train(
    training: LabelledFaces, validation: LabelledFaces, plan: Plan, folder: Path, *, progress: Progress = silent
) -> Iterator[dict[str, float]]:
    """Trains epoch by epoch and yields the figures of each; see `affectlm_estimators.training.train`.

    `folder` gets `facechannel.safetensors` at the end.

    Raises:
        ConfigError: the faces have other categories, or the network cannot take faces of that side.
        WeightsError: the weights to begin from are not FaceChannel's.
    """
    if training.labels not in ((), CATEGORIES):
        raise ConfigError(
            f"the faces have the categories {', '.join(training.labels)}; FaceChannel's are {', '.join(CATEGORIES)}"
        )
    if plan.side is not None and plan.side % 16:
        raise ConfigError(f"plan.side is {plan.side}; FaceChannel takes a multiple of 16, {SIDE} or less")
    with seeded(plan.seed):
        network = FaceChannel(plan.dropout)
    if plan.start is not None:
        load_weights(network, Path(plan.start).expanduser(), "FaceChannel")
    return fit(
        network, training, validation, plan, folder, side=SIDE, file="facechannel.safetensors", progress=progress
    )
