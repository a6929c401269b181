"""FaceChannel: valence, arousal and eight category probabilities of a face, by a light convolutional network.

The face detector of its authors is here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from affectlm import hookimpl

if TYPE_CHECKING:
    from affectlm.weights.named import Weights


@hookimpl
def affectlm_estimators() -> Mapping[str, str]:
    """The estimator, with our own weights."""
    return {"facechannel": "affectlm_facechannel.estimator:FaceChannelEstimator"}


@hookimpl
def affectlm_detectors() -> Mapping[str, str]:
    """The face detector of FaceChannel's authors."""
    return {"ssd": "affectlm_facechannel.ssd:Ssd"}


@hookimpl
def affectlm_weights() -> Sequence[Weights]:
    """The weights stored beside this file, and the authors' own, which are fetched."""
    from affectlm_facechannel.files import WEIGHTS
    from affectlm_facechannel.keras.archive import ORIGINAL

    return [WEIGHTS, ORIGINAL]
