"""Engines that compute FaceChannel: torch in float32 or bfloat16, or ONNX Runtime; one is chosen once and reported.

`benchmarks/facechannel_speed.py` compares them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from affectlm.errors import ConfigError
from affectlm.neural.devices import as_tensor, has_bf16
from affectlm_facechannel.network import FaceChannel

if TYPE_CHECKING:
    from affectlm_facechannel.files import Loaded

ENGINES = ("float32", "bf16", "onnxruntime")
BATCH = 32  # faces; more are no faster on processors, and the features of 32 fit on any graphics card

# From faces (batch, channels, h, w), uint8, to VA (batch, 2) and further numbers (batch, names), float32.
Compute: TypeAlias = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]


def choose(wanted: str, loaded: Loaded, device: torch.device) -> str:
    """The name of the engine; for `auto` the fastest that this machine has.

    Raises:
        ConfigError: the engine is not installed, or cannot compute these weights on this device.
    """
    portable = isinstance(loaded.network, FaceChannel) and device.type == "cpu"
    installed = all(find_spec(package) for package in ("onnx", "onnxruntime"))
    if wanted == "auto":
        if portable and has_bf16(device):  # the authors' weights keep the precision at which parity was measured
            return "bf16"
        return "onnxruntime" if portable and installed else "float32"
    if wanted == "onnxruntime" and not installed:
        raise ConfigError("estimator.engine=onnxruntime is not installed; type pip install 'affectlm[onnx]'")
    if wanted == "onnxruntime" and not portable:
        raise ConfigError(
            "estimator.engine=onnxruntime computes only our graph, on the CPU; leave estimator.engine out"
        )
    return wanted


def build(engine: str, loaded: Loaded, device: torch.device, count: int) -> Compute:
    """A function that measures batches of faces.

    Args:
        engine: one of `ENGINES`, as `choose` returns it.
        loaded: the weights.
        device: of torch.
        count: number of processor threads.
    """
    if engine == "onnxruntime":
        return _onnxruntime(loaded.network, count)
    return _torch(loaded, device, count, bf16=engine == "bf16")


def available_threads() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def folded(network: nn.Module) -> nn.Module:
    """An equivalent copy in evaluation mode, with batch norm folded into the convolutions."""
    copy = deepcopy(network).eval()
    for module in copy.modules():
        if isinstance(module, nn.Sequential) and [type(each) for each in module[:2]] == [nn.Conv2d, nn.BatchNorm2d]:
            module[0] = fuse_conv_bn_eval(cast(nn.Conv2d, module[0]), cast(nn.BatchNorm2d, module[1]))
            module[1] = nn.Identity()
    return copy


def _torch(loaded: Loaded, device: torch.device, count: int, *, bf16: bool) -> Compute:
    network = folded(loaded.network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def compute(faces: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with (
            torch.inference_mode(),
            threads(count),
            _exact(),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            affect, numbers = network(as_tensor(faces, device))
            numbers = numbers.float().softmax(1) if loaded.logits else numbers.float()
            return affect.float().cpu().numpy(), numbers.cpu().numpy()

    return compute


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Sets torch's number of threads inside the block; language models in this process keep theirs."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _exact() -> AbstractContextManager[None]:
    """Makes graphics cards compute convolutions in float32, not in the shorter TF32."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _onnxruntime(network: nn.Module, count: int) -> Compute:
    import onnxruntime  # type: ignore[import-untyped]

    from affectlm_facechannel.onnx_graph import onnx_bytes

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors arrive as exceptions
    options.intra_op_num_threads = count
    # Threads that spin between calls would take the processor from the language model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    tensors = {name: value.cpu().float().numpy() for name, value in network.state_dict().items()}
    session = onnxruntime.InferenceSession(onnx_bytes(tensors), options, providers=["CPUExecutionProvider"])

    def compute(faces: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        affect, chances = session.run(["affect", "chances"], {"faces": faces})
        return affect, chances

    return compute
