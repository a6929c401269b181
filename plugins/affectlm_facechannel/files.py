"""Files of weights: those committed with this plugin (see `MODEL_CARD.md`), how ours are read, and what any gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from affectlm.errors import WeightsError
from affectlm.weights import Packaged, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from affectlm.types import Pixels

WEIGHTS = Weights(
    name="facechannel",
    sources=(Packaged("affectlm_facechannel", "facechannel.safetensors"),),
    digest="bf71ce1fd3b768df9cc19dbb69e11ded27ffe77d5f060950a3c3e08cfae745f8",
    size=7_192_780,
    licence="research use (trained on FER2013 pixels, FER+ labels)",
    citation="graph: Barros, Churamani, Sciutti 2020, doi 10.1007/s42979-020-00325-6; weights: affectlm",
)


@attrs.frozen(kw_only=True)
class Loaded:
    """What the estimator needs to know of weights, ours or the authors'."""

    network: nn.Module  # faces (batch, channels, h, w) in [0, 1] to VA (batch, 2) and numbers (batch, len(names))
    prepare: Callable[[Pixels], NDArray[np.uint8]]  # a crop to (channels, h, w)
    names: tuple[str, ...]  # of the numbers beside VA
    logits: bool  # whether those numbers are yet to become probabilities
    digest: str  # SHA-256 of the file, of two files joined by "+"


def load_weights(network: nn.Module, path: Path) -> None:
    """Fills a network from a safetensors file; batch norm's counters, which nothing reads, may be absent.

    Raises:
        WeightsError: the file cannot be read, or a tensor is missing, foreign, of another shape or not finite.
    """
    network.load_state_dict(_read(path, network.state_dict()), strict=False)


def _read(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a safetensors file in float32, compared with those of the network.

    Raises:
        WeightsError: the file cannot be read, or a tensor is missing, foreign, of another shape or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"'{path}' is no readable safetensors file ({error}); "
            "expected estimator.weights=affectlm or the facechannel.safetensors that 'affectlm train' wrote"
        ) from error
    expected = {name: tensor for name, tensor in expected.items() if not name.endswith("num_batches_tracked")}
    for name, tensor in expected.items():
        shape = tuple(tensor.shape)
        if name not in found:
            raise WeightsError(f"'{path}' holds no tensor '{name}' of shape {shape}; it is not FaceChannel")
        if tuple(found[name].shape) != shape:
            raise WeightsError(f"'{path}': tensor '{name}' has shape {tuple(found[name].shape)}, expected {shape}")
        if not found[name].isfinite().all():
            raise WeightsError(f"'{path}': tensor '{name}' holds numbers that are not finite")
    if foreign := sorted(set(found) - set(expected)):
        raise WeightsError(f"'{path}' holds a tensor '{foreign[0]}' that FaceChannel does not have")
    return {name: tensor.float() for name, tensor in found.items()}
