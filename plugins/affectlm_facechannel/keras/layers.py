"""The layers of a stored Keras graph as torch modules with the stored weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from affectlm_facechannel.keras.file import INHIBITION, Graph, Layer, Tensors, Unfit
from affectlm_facechannel.keras.modules import ChannelsLast, Flatten, Shunting
from affectlm_facechannel.shape import DECAY

Shape: TypeAlias = tuple[int, ...]  # without the batch

_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "softmax": partial(nn.Softmax, dim=-1),
    "tanh": nn.Tanh,
}


@attrs.define
class StoredWeights:
    """The arrays of the file, checked when they are taken."""

    tensors: Tensors
    _used: set[str] = attrs.field(factory=set)

    def take(self, layer: Layer, leaf: str, shape: tuple[int, ...] | None = None) -> Tensor:
        """One weight of a layer; a shape of None allows any.

        Raises:
            Unfit: the weight is missing, has another shape or is not finite.
        """
        key = f"{layer.name}/{leaf}"
        wanted = "" if shape is None else f" of shape {shape}"
        if key not in self.tensors:
            raise Unfit(f"has no weight '{leaf}'{wanted} for layer '{layer.name}'")
        array = self.tensors[key]
        if shape is not None and array.shape != shape:
            raise Unfit(f"has weight '{leaf}' of layer '{layer.name}' in shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise Unfit(f"has numbers that are not finite in weight '{leaf}' {array.shape} of layer '{layer.name}'")
        self._used.add(key)
        return torch.from_numpy(array.copy())

    def check_all_used(self) -> None:
        """Raises Unfit if the file has a weight that no layer used."""
        if unused := sorted(set(self.tensors) - self._used):
            layer, _, leaf = unused[0].rpartition("/")
            raise Unfit(f"has a weight '{leaf}' {self.tensors[unused[0]].shape} that layer '{layer}' does not use")


def build(layer: Layer, inputs: list[Tensor], weights: StoredWeights, graph: Graph) -> tuple[nn.Module, Tensor]:
    """A layer as a torch module, and its output for the inputs."""
    shapes = [tuple(value.shape[1:]) for value in inputs]
    try:
        step = _step(layer, shapes, weights, graph).eval()
        with torch.inference_mode():
            return step, step(*inputs)
    except (
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:  # from odd options or torch
        raise Unfit(
            f"has a layer '{layer.name}' of class '{layer.kind}' on {shapes[0]} that cannot be built "
            f"({type(error).__name__}: {error})"
        ) from error


def _step(layer: Layer, shapes: list[Shape], weights: StoredWeights, graph: Graph) -> nn.Module:
    if layer.kind in ("Lambda", INHIBITION):
        return _inhibition(layer, shapes, weights, graph)
    if layer.kind not in _BUILDERS:
        known = ", ".join(sorted({*_BUILDERS, "Lambda", INHIBITION}))
        raise Unfit(f"has a layer '{layer.name}' of the unknown class '{layer.kind}' on {shapes[0]}; known: {known}")
    if len(shapes) != 1:
        raise Unfit(f"gives layer '{layer.name}' of class '{layer.kind}' {len(shapes)} inputs, expected 1")
    return _BUILDERS[layer.kind](layer, shapes[0], weights)


def _same(layer: Layer, shape: Shape, weights: StoredWeights) -> nn.Module:
    return nn.Identity()


def _convolution(layer: Layer, shape: Shape, weights: StoredWeights) -> nn.Module:
    options = layer.options
    last = _is_last(layer)
    inputs, outputs, groups = shape[-1 if last else 0], _count(options["filters"]), _count(options.get("groups", 1))
    kernel = _pair(options["kernel_size"])
    weight = weights.take(layer, "kernel", (*kernel, inputs // groups, outputs))
    convolution = nn.Conv2d(
        inputs,
        outputs,
        kernel,
        stride=_pair(options["strides"]),
        padding=_padding(layer),
        dilation=_pair(options.get("dilation_rate", 1)),
        groups=groups,
    )
    convolution.weight = nn.Parameter(weight.permute(3, 2, 0, 1).contiguous())
    convolution.bias = _bias(layer, outputs, weights)
    return _activated(ChannelsLast(convolution) if last else convolution, layer)


def _dense(layer: Layer, shape: Shape, weights: StoredWeights) -> nn.Module:
    units = _count(layer.options["units"])
    weight = weights.take(layer, "kernel", (shape[-1], units))
    dense = nn.Linear(shape[-1], units)
    dense.weight = nn.Parameter(weight.T.contiguous())
    dense.bias = _bias(layer, units, weights)  # type: ignore[assignment]
    return _activated(dense, layer)


def _normalisation(layer: Layer, shape: Shape, weights: StoredWeights) -> nn.Module:
    options, rank = layer.options, len(shape) + 1
    axis = options["axis"]
    axis = _count(axis[0] if isinstance(axis, list) else axis) % rank
    if (rank, axis) not in ((2, 1), (4, 1), (4, 3)):
        raise Unfit(f"normalises axis {axis} of {shape} in layer '{layer.name}', expected the channels")
    count = shape[axis - 1]
    norm = (nn.BatchNorm1d if rank == 2 else nn.BatchNorm2d)(count, eps=float(options["epsilon"]))  # type: ignore[arg-type]
    if options.get("scale", True):
        norm.weight = nn.Parameter(weights.take(layer, "gamma", (count,)))
    if options.get("center", True):
        norm.bias = nn.Parameter(weights.take(layer, "beta", (count,)))
    norm.running_mean = weights.take(layer, "moving_mean", (count,))
    norm.running_var = weights.take(layer, "moving_variance", (count,))
    if (norm.running_var < 0).any():
        raise Unfit(f"has negative numbers in weight 'moving_variance' {(count,)} of layer '{layer.name}'")
    return ChannelsLast(norm) if axis == 3 else norm


def _pool(layer: Layer, shape: Shape, weights: StoredWeights) -> nn.Module:
    size = _pair(layer.options["pool_size"])
    if layer.options.get("padding", "valid") != "valid":
        raise ValueError("padding 'same' is not supported")
    pool = nn.MaxPool2d(size, stride=_pair(layer.options.get("strides") or list(size)))
    return ChannelsLast(pool) if _is_last(layer) else pool


def _flatten(layer: Layer, shape: Shape, weights: StoredWeights) -> nn.Module:
    return Flatten(channels_first=layer.options.get("data_format") == "channels_first")


def _activation(layer: Layer, shape: Shape, weights: StoredWeights) -> nn.Module:
    return _activated(nn.Identity(), layer)


def _relu(layer: Layer, shape: Shape, weights: StoredWeights) -> nn.Module:
    if any(layer.options.get(option) for option in ("max_value", "negative_slope", "threshold")):
        raise ValueError("only the plain max(x, 0) is supported")
    return nn.ReLU()


def _inhibition(layer: Layer, shapes: list[Shape], weights: StoredWeights, graph: Graph) -> nn.Module:
    """Shunting inhibition, recognised by its inputs: two of one shape, the second from the inhibition's convolution.

    A Lambda stores its function as bytecode, which is neither run nor inspected; its decay is the published 0.5.
    """
    place = "two inputs of one shape, the second from a convolution named '..._inhibition'"
    if len(shapes) != 2 or shapes[0] != shapes[1] or "inhibition" not in _origin(graph, layer.inputs[1]).lower():
        inputs = ", ".join(f"'{name}' {shape}" for name, shape in zip(layer.inputs, shapes, strict=False)) or "none"
        raise Unfit(f"has a layer '{layer.name}' of class '{layer.kind}' with inputs {inputs}; expected {place}")
    if layer.kind == "Lambda":
        return Shunting(torch.tensor(DECAY))
    decay = weights.take(layer, "decay")
    pairs = zip(reversed(decay.shape), reversed(shapes[0]), strict=False)
    if decay.dim() > len(shapes[0]) or any(mine not in (1, theirs) for mine, theirs in pairs):
        raise Unfit(
            f"has weight 'decay' of layer '{layer.name}' in shape {tuple(decay.shape)}, which does not fit {shapes[0]}"
        )
    return Shunting(decay)


def _origin(graph: Graph, name: str) -> str:
    """The name of the convolution behind a layer, through activations and batch norm; or empty."""
    layers = {layer.name: layer for layer in graph.layers}
    while layers[name].kind in ("Activation", "ReLU", "BatchNormalization") and layers[name].inputs:
        name = layers[name].inputs[0]
    return name if layers[name].kind == "Conv2D" else ""


_BUILDERS: Mapping[str, Callable[[Layer, Shape, StoredWeights], nn.Module]] = {
    "Activation": _activation,
    "BatchNormalization": _normalisation,
    "Conv2D": _convolution,
    "Dense": _dense,
    "Dropout": _same,  # does nothing outside training
    "Flatten": _flatten,
    "InputLayer": _same,
    "MaxPooling2D": _pool,
    "ReLU": _relu,
}


def _activated(module: nn.Module, layer: Layer) -> nn.Module:
    name = layer.options.get("activation", "linear")
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise Unfit(f"has the unknown activation {name!r} in layer '{layer.name}'; known: {', '.join(_ACTIVATIONS)}")
    return module if name == "linear" else nn.Sequential(module, _ACTIVATIONS[name]())


def _bias(layer: Layer, count: int, weights: StoredWeights) -> nn.Parameter | None:
    return nn.Parameter(weights.take(layer, "bias", (count,))) if layer.options.get("use_bias", True) else None


def _padding(layer: Layer) -> str:
    padding = str(layer.options["padding"])
    if padding == "same" and _pair(layer.options["strides"]) != (1, 1):
        raise ValueError("padding 'same' with strides is not supported")
    return padding


def _is_last(layer: Layer) -> bool:
    return layer.options.get("data_format", "channels_last") != "channels_first"


def _count(value: object) -> int:
    """An integer option; the authors' builder stores filter counts as floats."""
    if not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def _pair(value: object) -> tuple[int, int]:
    first, second = value if isinstance(value, list) else (value, value)
    return _count(first), _count(second)
