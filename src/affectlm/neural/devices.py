"""Where torch computes, in which precision it is fastest there, and how faces get there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectlm.errors import ConfigError

DEVICES = r"auto|cpu|mps|cuda(:\d+)?"  # what an option named `device` may say


def torch_device(wanted: str, option: str = "device") -> torch.device:
    """The device of a name; `auto` is the first GPU, or the processor where there is none.

    Args:
        wanted: as `DEVICES` describes.
        option: where the user named it, for the message.

    Raises:
        ConfigError: this machine has no such device.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device '{wanted}' is not here, torch sees {torch.cuda.device_count()} GPUs; use {option}=cpu"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f"device 'mps' is not here; use {option}=cpu")
    return device


@contextmanager
def within_memory(advice: str) -> Iterator[None]:
    """Says what to type where a graphics card has not enough memory.

    Raises:
        ConfigError: it has not.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError(f"the graphics card has not enough memory left; {advice}") from error


def as_tensor(faces: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Faces (batch, channels, h, w) as networks take them: float32 in [0, 1]."""
    return (torch.from_numpy(faces).to(device).float() / 255).contiguous(memory_format=torch.channels_last)


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is computed by the hardware.

    Processors without its instructions emulate it: a FaceChannel training took 2.5 times as long on one.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # torch has no public name for these yet; without them we say no.
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(ask()) for ask in asked if ask)


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Draws from a seed inside, and leaves the caller's random state as it was."""
    gpu = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if gpu else []):
        torch.manual_seed(seed)
        yield
