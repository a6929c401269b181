"""Trains FaceChannel, with the loop that all torch estimators share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np

from affectlm.errors import ConfigError
from affectlm.neural.devices import seeded
from affectlm.neural.files import load_weights
from affectlm.neural.plan import Plan
from affectlm.neural.training import silent
from affectlm.neural.training import train as fit
from affectlm.types import LabelledFaces, Progress
from affectlm_facechannel.network import FaceChannel
from affectlm_facechannel.shape import CATEGORIES, SIDE
from affectlm_facechannel.trained import said_of

__all__ = ["Plan", "train"]


def train(
    training: LabelledFaces, validation: LabelledFaces, plan: Plan, folder: Path, *, progress: Progress = silent
) -> Iterator[dict[str, float]]:
    """The scores of each epoch, yielded as it ends; see `affectlm.neural.training.train`.

    `folder` gets `facechannel.safetensors` at the end.

    Raises:
        ConfigError: the faces have other categories, or the network cannot take faces of that side.
        WeightsError: the weights to start from are not FaceChannel's.
    """
    training, validation = in_order(training), in_order(validation)
    if plan.side is not None and (plan.side % 16 or plan.side > SIDE):
        raise ConfigError(f"plan.side is {plan.side}; FaceChannel takes a multiple of 16, {SIDE} or less")
    with seeded(plan.seed):
        network = FaceChannel(plan.dropout)
    if plan.start is not None:
        load_weights(network, Path(plan.start).expanduser(), "FaceChannel")
    return fit(
        network,
        training,
        validation,
        plan,
        folder,
        side=SIDE,
        file="facechannel.safetensors",
        metadata=said_of(plan.dropout, training.labels),
        progress=progress,
    )


def in_order(faces: LabelledFaces) -> LabelledFaces:
    """The faces with all eight categories of FaceChannel in its order, or with none if the faces have none.

    Raises:
        ConfigError: a label is not one of them.
    """
    if not faces.labels:
        return faces
    if foreign := sorted(set(faces.labels) - set(CATEGORIES)):
        raise ConfigError(f"the faces have the category '{foreign[0]}'; FaceChannel's are {', '.join(CATEGORIES)}")
    shares = np.zeros((len(faces), len(CATEGORIES)), np.float32)
    shares[:, [CATEGORIES.index(label) for label in faces.labels]] = faces.categories
    return attrs.evolve(faces, categories=shares, labels=CATEGORIES)
