"""The weights that come with this plugin (see `MODEL_CARD.md`), and the form of all loaded weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from affectlm.weights.named import Packaged, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from affectlm.types import Pixels

WEIGHTS = Weights(
    name="facechannel",
    sources=(Packaged("affectlm_facechannel", "facechannel.safetensors"),),
    digest="613906c8f2d942fdfa3b00f9f484da276500f516d0bee9e8393f3ea97a36847b",
    size=7_192_892,
    licence="research use (trained on FER2013 pixels, FER+ labels)",
    citation="graph: Barros, Churamani, Sciutti 2020, doi 10.1007/s42979-020-00325-6; weights: affectlm",
)


@attrs.frozen(kw_only=True)
class Loaded:
    """Loaded weights, ours or the authors'."""

    network: nn.Module  # from faces (batch, channels, h, w) in [0, 1] to VA (batch, 2) and at least the named numbers
    prepare: Callable[[Pixels], NDArray[np.uint8]]  # from a crop to (channels, h, w)
    names: tuple[str, ...]  # of the numbers besides VA
    logits: bool  # whether those numbers still need a softmax
    digest: str  # SHA-256 of the file; of two files, joined by "+"
