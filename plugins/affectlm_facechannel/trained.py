"""Weights that `affectlm train` wrote, including ours, and the metadata of such a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectlm.errors import WeightsError
from affectlm.neural.files import load_weights, read_metadata
from affectlm.types import Pixels
from affectlm.weights.named import sha256
from affectlm_facechannel.files import Loaded
from affectlm_facechannel.network import FaceChannel
from affectlm_facechannel.shape import CATEGORIES

_DROPOUT, _LABELS = "dropout", "labels"


def said_of(dropout: float, labels: Sequence[str]) -> dict[str, str]:
    """The metadata of a weight file: the dropout of its training, and the categories that it learnt, all or none."""
    return {_DROPOUT: str(dropout), _LABELS: " ".join(labels)}


def load(path: Path, spread: Sequence[float], prepare: Callable[[Pixels], NDArray[np.uint8]]) -> Loaded:
    """Weights that `affectlm train` wrote; if they were trained without labels, they have no categories.

    Raises:
        WeightsError: the file is missing, or does not contain this network.
    """
    metadata = read_metadata(path)
    try:
        network = FaceChannel(float(metadata.get(_DROPOUT, 0.25)))
    except ValueError as error:
        raise WeightsError(f"'{path}' says dropout '{metadata[_DROPOUT]}'; expected a share from 0 to 1") from error
    load_weights(network, path, "FaceChannel")
    network.draw_out(spread)
    names = tuple(metadata.get(_LABELS, " ".join(CATEGORIES)).split())
    if names not in ((), CATEGORIES):
        raise WeightsError(f"'{path}' says categories {', '.join(names)}; expected {', '.join(CATEGORIES)}")
    return Loaded(network=network, prepare=prepare, names=names, logits=True, digest=sha256(path))
