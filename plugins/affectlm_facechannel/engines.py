"""What computes FaceChannel: torch in float32 or bfloat16, or ONNX Runtime. Which one is chosen once and told.

See `benchmarks/facechannel_speed.py` for what each is worth.
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
BATCH = 32  # faces at once; more bring nothing on processors, and features of 32 still fit a graphics card of any size

# Faces (batch, channels, h, w), uint8, to VA (batch, 2) and the numbers beside it (batch, names), float32.
Compute: TypeAlias = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]


def choose(wanted: str, loaded: Loaded, device: torch.device) -> str:
    """The engine of a name; for `auto` the fastest that this machine has.

    Raises:
        ConfigError: it is not here, or cannot compute these weights on this device.
    """
    portable = isinstance(loaded.network, FaceChannel) and device.type == "cpu"
    installed = all(find_spec(package) for package in ("onnx", "onnxruntime"))
    if wanted == "auto":
        if portable and has_bf16(device):  # the authors' weights stay at the precision that parity was measured with
            return "bf16"
        return "onnxruntime" if portable and installed else "float32"
    if wanted == "onnxruntime" and not installed:
        raise ConfigError("estimator.engine=onnxruntime is not installed; type pip install 'affectlm[onnx]'")
    if wanted == "onnxruntime" and not portable:
        raise ConfigError("estimator.engine=onnxruntime computes our graph on the CPU only; leave estimator.engine out")
    return wanted


def build(engine: str, loaded: Loaded, device: torch.device, count: int) -> Compute:
    """A function that measures batches of faces.

    Args:
        engine: one of `ENGINES`, as `choose` gives it.
        loaded: the weights.
        device: where torch computes.
        count: threads of the processor.
    """
    if engine == "onnxruntime":
        return _onnxruntime(loaded.network, count)
    return _torch(loaded, device, count, bf16=engine == "bf16")


def available_threads() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def folded(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same without batch norm: it is part of the convolutions."""
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
    """Torch with so many threads; language models beside us keep their own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _exact() -> AbstractContextManager[None]:
    """Convolutions of a graphics card in float32 as everywhere, not in its shorter TF32."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _onnxruntime(network: nn.Module, count: int) -> Compute:
    import onnxruntime  # type: ignore[import-untyped]

    from affectlm_facechannel.onnx_graph import onnx_bytes

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong arrives as an exception
    options.intra_op_num_threads = count
    # Threads that wait actively between calls would take the processor from the language model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    tensors = {name: value.cpu().float().numpy() for name, value in network.state_dict().items()}
    session = onnxruntime.InferenceSession(onnx_bytes(tensors), options, providers=["CPUExecutionProvider"])

    def compute(faces: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        affect, chances = session.run(["affect", "chances"], {"faces": faces})
        return affect, chances

    return compute
