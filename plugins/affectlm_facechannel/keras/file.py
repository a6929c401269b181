"""The layers and weights in a Keras .h5 file, read with h5py alone.

The file stores a whole model as HDF5, in the dialect of Keras 2 and tf-keras, or of Keras 3. Nothing is unpickled and
no stored function is run. `layers.py` knows what the layers compute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.errors import WeightsError

if TYPE_CHECKING:
    import h5py

Tensors: TypeAlias = dict[str, NDArray[np.float32]]  # "<layer>/<weight>" -> array in Keras' layout

INHIBITION = "ShuntingInhibition"
_MAX_NUMBERS = 32_000_000  # in all weights, almost nine published graphs: a small file can claim any size
# The options that decide what a layer computes; everything else, above all a Lambda's code, is dropped.
_OPTIONS = frozenset(
    (
        "activation",
        "axis",
        "batch_input_shape",
        "batch_shape",
        "center",
        "data_format",
        "dilation_rate",
        "epsilon",
        "filters",
        "groups",
        "kernel_size",
        "max_value",
        "negative_slope",
        "padding",
        "pool_size",
        "scale",
        "strides",
        "threshold",
        "units",
        "use_bias",
    )
)


class Unfit(Exception):  # noqa: N818
    """Part of a file is not as expected; the caller puts the file's name before the message."""


@attrs.frozen
class Layer:
    """One layer of a stored graph."""

    name: str
    kind: str  # Keras' class name without its package
    options: Mapping[str, object]
    inputs: tuple[str, ...]  # names of layers


@attrs.frozen
class Graph:
    """Layers, each after its inputs, and the names of the outputs in their stored order."""

    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]

    def to_json(self) -> str:
        """The graph as text for `from_json`."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Graph:
        """The graph from the text of `to_json`."""
        stored = json.loads(text)
        layers = [Layer(**{**layer, "inputs": tuple(layer["inputs"])}) for layer in stored["layers"]]
        return cls(tuple(layers), tuple(stored["outputs"]))


def read(path: Path) -> tuple[Graph, Tensors]:
    """Graph and weights of a file that Keras' `model.save("x.h5")` wrote.

    Raises:
        WeightsError: it is not an HDF5 file, is cut short, has no Keras model, refers to other files, or a weight is
            not an array of numbers or is too large.
    """
    import h5py  # not needed to read converted copies

    try:
        with h5py.File(path, "r") as file:
            _check_links(file)
            graph = _graph(_config(file))
            return graph, _tensors(file, graph)
    except Unfit as fault:
        raise WeightsError(f"'{path}' {fault}") from fault
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:  # from h5py, for various kinds of damage
        raise WeightsError(
            f"'{path}' cannot be read as HDF5 ({error}); expected the .h5 file of a whole Keras model, such as "
            "DimensionalFaceChannel.h5"
        ) from error


def _check_links(file: h5py.File) -> None:
    """Raises Unfit if the file links to something else, which could be any file; the link is not opened."""
    from h5py import h5l

    link = file.id.links.visit(lambda name, info: name if info.type != h5l.TYPE_HARD else None, info=True)
    if link is not None:
        raise Unfit(f"has a link '{link.decode(errors='replace')}'; expected a file with its own weights")


def _config(file: h5py.File) -> Mapping[str, object]:
    text = file.attrs.get("model_config")
    if text is None or "model_weights" not in file:
        raise Unfit(
            "is HDF5 but not a whole Keras model; expected attribute 'model_config' and group 'model_weights' as "
            "'model.save' writes them"
        )
    try:
        config = json.loads(text)["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unfit("has a 'model_config' that is not the JSON of a Keras model") from error
    if not isinstance(config, dict) or not {"layers", "output_layers"} <= set(config):
        raise Unfit("has no graph with 'layers' and 'output_layers'; expected a functional Keras model")
    return config


def _graph(config: Mapping[str, object]) -> Graph:
    try:
        layers = {layer.name: layer for layer in map(_layer, config["layers"])}  # type: ignore[call-overload]
    except (KeyError, TypeError, AttributeError) as error:
        raise Unfit(f"has a layer that cannot be read ({type(error).__name__}: {error})") from error
    outputs = tuple(_references(config["output_layers"]))
    for name, wanted in [*((layer.name, layer.inputs) for layer in layers.values()), ("output_layers", outputs)]:
        if unknown := [other for other in wanted if other not in layers]:
            raise Unfit(f"has '{name}' read from a layer '{unknown[0]}' that it does not have")
    try:
        order = list(TopologicalSorter({layer.name: layer.inputs for layer in layers.values()}).static_order())
    except CycleError as error:
        raise Unfit(f"has layers in a circle: {', '.join(error.args[1])}") from error
    return Graph(tuple(layers[name] for name in order), outputs)


def _layer(stored: Mapping[str, object]) -> Layer:
    config = stored["config"]
    name = str(stored.get("name") or config["name"])  # type: ignore[index]
    kind = str(stored["class_name"]).rpartition(">")[2]
    nodes = list(stored["inbound_nodes"])  # type: ignore[call-overload]
    if len(nodes) > 1:
        raise Unfit(f"uses layer '{name}' {len(nodes)} times; shared layers are not supported")
    options = {key: value for key, value in config.items() if key in _OPTIONS}  # type: ignore[attr-defined]
    return Layer(name, kind, options, tuple(_references(nodes)))


def _references(stored: object) -> Iterator[str]:
    """The layers that a node names: Keras 2 writes ["name", 0, 0, {}], Keras 3 a dict with "keras_history"."""
    if isinstance(stored, dict):
        history = stored.get("keras_history")
        yield from _references(history if history is not None else list(stored.values()))
    elif isinstance(stored, list):
        if len(stored) >= 3 and isinstance(stored[0], str) and isinstance(stored[1], int):
            yield stored[0]
        else:
            for part in stored:
                yield from _references(part)


def _tensors(file: h5py.File, graph: Graph) -> Tensors:
    groups = _group(file, "model_weights")
    tensors: Tensors = {}
    numbers = 0
    for layer in graph.layers:
        if layer.name not in groups:
            continue  # the builder of the network reports missing weights
        arrays = _arrays(_group(groups, layer.name))
        if layer.kind == INHIBITION and len(arrays) == 1:
            arrays = {"decay": next(iter(arrays.values()))}  # its authors gave the weight no name
        for leaf, array in arrays.items():
            weight = f"weight '{leaf}' of layer '{layer.name}'"
            _check(array, weight)
            numbers += array.size
            if numbers > _MAX_NUMBERS:
                raise Unfit(
                    f"has more than {_MAX_NUMBERS:,} numbers, the most that are read, with {weight} {array.shape}"
                )
            tensors[f"{layer.name}/{leaf}"] = np.ascontiguousarray(array[()], dtype=np.float32)
    return tensors


def _check(array: h5py.Dataset, weight: str) -> None:
    """Raises Unfit unless a weight is stored as Keras writes it: numbers, uncompressed and in one piece."""
    if array.external or array.is_virtual or array.chunks:
        raise Unfit(f"keeps {weight} in pieces or outside the file; expected one plain array as Keras writes it")
    if array.shape is None:
        raise Unfit(f"has an empty {weight}; expected an array of numbers")
    if array.dtype.kind not in "fiu":
        raise Unfit(f"has a {weight} of type {array.dtype}; expected numbers")


def _group(parent: h5py.Group, name: str) -> h5py.Group:
    import h5py

    item = parent[name]
    if not isinstance(item, h5py.Group):
        raise Unfit(f"has '{item.name}' as a {type(item).__name__}, expected the group that Keras writes")
    return item


def _arrays(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """The arrays anywhere below a group, by the last part of their names."""
    import h5py

    found: dict[str, h5py.Dataset] = {}
    group.visititems(lambda name, item: found.update({_leaf(name): item} if isinstance(item, h5py.Dataset) else {}))
    return found


def _leaf(name: str) -> str:
    """The weight's own name: kernel for "Vision_conv1/kernel:0" (Keras 2) and "Vision_conv1/kernel" (Keras 3)."""
    return name.rpartition("/")[2].partition(":")[0]
