"""The FaceChannel graph as ONNX, for ONNX Runtime, which is fastest on processors without bfloat16.

Batch norm is folded into the convolutions; the scaling of pixels and the softmax are part of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from affectlm_facechannel.shape import BLOCKS, DECAY, EPSILON, SIDE

Tensors = Mapping[str, NDArray[np.float32]]


class _Graph:
    """Nodes and constants in the order in which they were added; each node has one output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str | NDArray[np.generic], **attributes: Any) -> str:
        """The name of the output of an operator with inputs that are values (names) or constants (arrays)."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def convolve(self, features: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """The name of the output of a 3x3 convolution that keeps the size, followed by ReLU."""
        return self.add("Relu", self.add("Conv", features, weight, bias, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))

    def _constant(self, value: NDArray[np.generic]) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def onnx_bytes(tensors: Tensors) -> bytes:
    """An ONNX model from `faces` (batch, 1, 64, 64), uint8, to `affect` (batch, 2) and `chances` (batch, 8), float32.

    Args:
        tensors: the state of an `affectlm_facechannel.network.FaceChannel`, by name.
    """
    graph = _Graph()
    features = graph.add("Cast", "faces", to=TensorProto.FLOAT)
    features = graph.add("Mul", features, np.array(1 / 255, np.float32))
    index = 0
    for block in BLOCKS:
        for _ in block:
            features = graph.convolve(features, *_folded(tensors, f"trunk.{index}"))
            index += 1
        if block is BLOCKS[-1]:
            features = _inhibited(graph, features, tensors, f"trunk.{index}")
        features = graph.add("MaxPool", features, kernel_shape=[2, 2], strides=[2, 2])
        index += 2  # pool and dropout
    dense = graph.add("Relu", _linear(graph, graph.add("Flatten", features, axis=1), tensors, "dense"))
    affect = graph.add("Tanh", _linear(graph, dense, tensors, "affect"))
    chances = graph.add("Softmax", _linear(graph, dense, tensors, "category"), axis=1)
    graph.nodes += [helper.make_node("Identity", [affect], ["affect"])]
    graph.nodes += [helper.make_node("Identity", [chances], ["chances"])]
    return _model(graph, len(tensors["category.bias"]))


def _folded(tensors: Tensors, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight and bias of a convolution that equals convolution and batch norm."""
    norm = {key: tensors[f"{name}.1.{key}"].astype(np.float64) for key in ("weight", "bias", "running_mean")}
    factor = norm["weight"] / np.sqrt(tensors[f"{name}.1.running_var"].astype(np.float64) + EPSILON)
    weight = tensors[f"{name}.0.weight"] * factor[:, None, None, None]
    bias = (tensors[f"{name}.0.bias"] - norm["running_mean"]) * factor + norm["bias"]
    return weight.astype(np.float32), bias.astype(np.float32)


def _inhibited(graph: _Graph, features: str, tensors: Tensors, name: str) -> str:
    parts = [
        graph.convolve(features, tensors[f"{name}.{part}.weight"], tensors[f"{name}.{part}.bias"])
        for part in ("excitation", "inhibition")
    ]
    return graph.add("Div", parts[0], graph.add("Add", parts[1], np.array(DECAY, np.float32)))


def _linear(graph: _Graph, values: str, tensors: Tensors, name: str) -> str:
    return graph.add("Gemm", values, tensors[f"{name}.weight"], tensors[f"{name}.bias"], transB=1)


def _model(graph: _Graph, categories: int) -> bytes:
    faces = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["batch", 1, SIDE, SIDE])
    outputs = [
        helper.make_tensor_value_info("affect", TensorProto.FLOAT, ["batch", 2]),
        helper.make_tensor_value_info("chances", TensorProto.FLOAT, ["batch", categories]),
    ]
    built = helper.make_graph(graph.nodes, "FaceChannel", [faces], outputs, graph.constants)
    model = helper.make_model(built, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
