"""The device torch computes on, its fastest precision, and faces as tensors on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectlm.errors import ConfigError

DEVICES = r"auto|cpu|mps|cuda(:\d+)?"  # values of an option named `device`


def torch_device(wanted: str, option: str = "device") -> torch.device:
    """The torch device of a name; `auto` is the first GPU, or the processor if there is none.

    Args:
        wanted: matches `DEVICES`.
        option: the user's option, for the error message.

    Raises:
        ConfigError: this machine has no such device.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"there is no device '{wanted}': torch sees {torch.cuda.device_count()} GPUs; use {option}=cpu"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f"there is no device 'mps'; use {option}=cpu")
    return device


@contextmanager
def within_memory(advice: str) -> Iterator[None]:
    """Raises ConfigError with advice on what to type if the graphics card runs out of memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError(f"the graphics card has not enough memory left; {advice}") from error


def as_tensor(faces: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Faces (batch, channels, h, w) as a float32 tensor in [0, 1]."""
    return (torch.from_numpy(faces).to(device).float() / 255).contiguous(memory_format=torch.channels_last)


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware computes bfloat16.

    Processors without the instructions emulate it: on one of them, a FaceChannel training took 2.5 times as long.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # torch has no public names for these yet; if they are missing, the answer is no.
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(ask()) for ask in asked if ask)


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seeds torch inside the block; afterwards the random state is as before."""
    gpu = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if gpu else []):
        torch.manual_seed(seed)
        yield
