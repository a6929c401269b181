"""The weight files of `affectlm train`: safetensors whose metadata describe the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from affectlm.errors import WeightsError
from affectlm.store.cache import write_atomically
from affectlm.store.files import MOST_WEIGHTS, check_file

if TYPE_CHECKING:
    from torch import Tensor, nn


def save_weights(network: nn.Module, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes the weights in half precision, without batch norm's counters, which nothing reads.

    Equal weights and metadata give equal bytes.

    Raises:
        OSError: the file cannot be written.
    """
    from safetensors.torch import save

    tensors = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    halved = {name: _halved(value) for name, value in tensors.items()}
    write_atomically(path, _in_order(save(halved, dict(metadata or {}) or None)))


def _in_order(content: bytes) -> bytes:
    """A safetensors file with sorted metadata; the library writes them in a different order each time."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors must begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + content[end:]


def read_metadata(path: Path) -> Mapping[str, str]:
    """The metadata of a safetensors file.

    Raises:
        WeightsError: it is not a readable safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        check_file(path, MOST_WEIGHTS)
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error


def load_weights(network: nn.Module, path: Path, name: str) -> None:
    """Loads a file into a network, called `name` in messages; batch norm's counters may be missing.

    Raises:
        WeightsError: the file cannot be read, or a tensor is missing, unknown, of another shape or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        check_file(path, MOST_WEIGHTS)
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error
    expected = {key: tensor for key, tensor in network.state_dict().items() if tensor.is_floating_point()}
    for key, tensor in expected.items():
        shape = tuple(tensor.shape)
        if key not in found:
            raise WeightsError(f"'{path}' has no tensor '{key}' of shape {shape}; it is not {name}")
        if tuple(found[key].shape) != shape:
            raise WeightsError(f"'{path}': tensor '{key}' has shape {tuple(found[key].shape)}, expected {shape}")
        if not found[key].isfinite().all():
            raise WeightsError(f"'{path}': tensor '{key}' has numbers that are not finite")
    if unknown := sorted(set(found) - set(expected)):
        raise WeightsError(f"'{path}' has a tensor '{unknown[0]}' that {name} does not have")
    network.load_state_dict({key: tensor.float() for key, tensor in found.items()}, strict=False)


def _halved(tensor: Tensor) -> Tensor:
    """The tensor in half precision, or unchanged if its numbers are too large for that."""
    half = tensor.half().contiguous()
    return half if half.isfinite().all() else tensor.contiguous()


def _unreadable(path: Path, error: Exception) -> WeightsError:
    reason = getattr(error, "strerror", None) or error
    return WeightsError(
        f"'{path}' is not a readable safetensors file ({reason}); expected a file that 'affectlm train' wrote"
    )
