"""The FaceChannel authors' Keras files as torch networks, built from the graph that each file stores.

The shipped files may differ from the published graph: batch norm, inhibition, data format and input are as the file
says. `file.py` reads it, `layers.py` builds its layers; later runs use a converted copy in the cache. See
docs/original-facechannel.md.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affectlm.errors import WeightsError
from affectlm.store.cache import cache_folder, write_atomically
from affectlm.types import Pixels
from affectlm.weights.named import sha256
from affectlm_facechannel.files import Loaded
from affectlm_facechannel.keras.archive import CATEGORICAL, DIMENSIONAL, FOLDER
from affectlm_facechannel.keras.file import Graph, Tensors, Unfit, read
from affectlm_facechannel.keras.layers import Shape, StoredWeights, build
from affectlm_facechannel.shape import CATEGORIES

_AFFECT = ("valence_output", "arousal_output")  # our order; the files have arousal first
_MAX_SIDE = 1024  # a file with a larger input is not a network for faces and could exhaust memory
_FORMAT = "1"  # of the converted copy; copies with another number are ignored


def is_original(path: Path) -> bool:
    """Whether `load` takes a path: a folder, or a file with a suffix of HDF5."""
    return path.is_dir() or path.suffix.lower() in (".h5", ".hdf5")


def load(path: Path) -> Loaded:
    """The authors' network from their valence/arousal file, or from a folder with it and perhaps the categorical one.

    The outputs of the categorical file are tanh values in [-1, 1], not probabilities.

    Raises:
        WeightsError: a file is missing, or is not such a network.
    """
    affect_file, category_file = _files(path)
    affect, digest = _converted(affect_file)
    _check_affect(affect_file, affect)
    if category_file is None:
        return Loaded(network=Original(affect), prepare=affect.prepare, names=(), logits=False, digest=digest)
    category, other = _converted(category_file)
    _check_category(category_file, category, affect)
    return Loaded(
        network=Original(affect, category),
        prepare=affect.prepare,
        names=CATEGORIES,
        logits=False,
        digest=f"{digest}+{other}",
    )


def prepare_grey(face: Pixels, side: int) -> NDArray[np.uint8]:
    """An RGB crop (h, w, 3) as in the authors' `preProcess` before it divides by 255: grey, (1, side, side)."""
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    resized = cv2.resize(grey, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)[None]


def prepare_colour(face: Pixels, side: int) -> NDArray[np.uint8]:
    """An RGB crop (h, w, 3) as in the AffWild2 code before it divides by 255: BGR, (3, side, side).

    That code uses the output of `cv2.imread`, so the network was trained with blue first.
    """
    resized = cv2.resize(face, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized[..., ::-1].transpose(2, 0, 1), dtype=np.uint8)


class Stored(nn.Module):
    """A stored graph: from faces (batch, channels, side, side) in [0, 1] to the graph's outputs by layer name.

    Between layers, tensors have the same shape as in Keras, so that each layer can be compared.

    Raises:
        Unfit: a layer is unknown, or its weights are missing, unused, of another shape or not finite.
    """

    def __init__(self, graph: Graph, tensors: Tensors) -> None:
        super().__init__()
        self.graph = graph
        shape = _input_shape(graph)
        self.channels_last = shape[0] == shape[1]
        self.channels, self.side = (shape[2], shape[0]) if self.channels_last else (shape[0], shape[1])
        weights = StoredWeights(tensors)
        self.steps = nn.ModuleList()
        values: dict[str, Tensor] = {}
        for layer in graph.layers:
            inputs = [values[name] for name in layer.inputs] or [torch.zeros(1, *shape)]
            step, values[layer.name] = build(layer, inputs, weights, graph)
            self.steps.append(step)
        weights.check_all_used()
        self.shapes = {name: tuple(value.shape[1:]) for name, value in values.items()}
        last = {name: number for number, layer in enumerate(graph.layers) for name in layer.inputs}
        self._done = [[name for name, at in last.items() if at == number] for number in range(len(graph.layers))]

    def trace(self, faces: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each layer's name and output, in order; outputs are freed when no later layer needs them."""
        values: dict[str, Tensor] = {}
        start = faces.permute(0, 2, 3, 1) if self.channels_last else faces
        for layer, step, done in zip(self.graph.layers, self.steps, self._done, strict=True):
            values[layer.name] = step(*([values[name] for name in layer.inputs] or [start]))
            yield layer.name, values[layer.name]
            for name in done:
                del values[name]

    def forward(self, faces: Tensor) -> dict[str, Tensor]:
        """The outputs by layer name, each (batch, units)."""
        return {name: value for name, value in self.trace(faces) if name in self.graph.outputs}

    def prepare(self, face: Pixels) -> NDArray[np.uint8]:
        """An RGB crop as the input of this graph, (channels, side, side)."""
        return (prepare_grey if self.channels == 1 else prepare_colour)(face, self.side)


class Original(nn.Module):
    """From faces (batch, channels, side, side) in [0, 1] to VA (batch, 2) and category numbers (batch, 8 or 0).

    This is the only place where arousal and valence are swapped.
    """

    def __init__(self, affect: Stored, category: Stored | None = None) -> None:
        super().__init__()
        self.affect, self.category = affect, category

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Valence and arousal, and the outputs of the categorical network if there is one."""
        outputs = self.affect(faces)
        affect = torch.cat([outputs[name] for name in _AFFECT], dim=1)
        affect = affect.clamp(-1, 1)  # some of the authors' models end without tanh
        if self.category is None:
            return affect, affect[:, :0]
        return affect, next(iter(self.category(faces).values()))


def _input_shape(graph: Graph) -> Shape:
    layers = [layer for layer in graph.layers if not layer.inputs]
    if len(layers) != 1 or layers[0].kind != "InputLayer":
        raise Unfit(f"has {len(layers)} layers without an input, expected one InputLayer")
    stored = layers[0].options.get("batch_input_shape") or layers[0].options.get("batch_shape")
    shape = tuple(stored[1:]) if isinstance(stored, list) else ()
    if not _is_picture(shape):
        raise Unfit(
            f"takes an input of shape {shape} in layer '{layers[0].name}', expected a square picture with 1 or 3 "
            "channels, (1, 64, 64) in the published graph"
        )
    return shape


def _is_picture(shape: tuple[int, ...]) -> bool:
    """Whether a shape is (channels, side, side) or (side, side, channels)."""
    if len(shape) != 3 or not all(isinstance(length, int) and length > 0 for length in shape):
        return False
    return any(channels in (1, 3) and one == other <= _MAX_SIDE for channels, one, other in (shape, shape[::-1]))


def _files(path: Path) -> tuple[Path, Path | None]:
    if not path.is_dir():
        return path, None
    places = [path, path / FOLDER]
    affect, category = (
        next((place / name for place in places if (place / name).is_file()), None)
        for name in (DIMENSIONAL, CATEGORICAL)
    )
    if affect is None:
        also = f" ('{CATEGORICAL}' alone has no valence and arousal)" if category else ""
        raise WeightsError(f"folder '{path}' has no '{DIMENSIONAL}'{also}; put it there, or set estimator.weights")
    return affect, category


def _check_affect(path: Path, network: Stored) -> None:
    found = {name: network.shapes[name] for name in network.graph.outputs}
    if found != dict.fromkeys(_AFFECT, (1,)):
        raise WeightsError(
            f"'{path}' has {len(found)} outputs ({_listed(found)}), expected 2 ('arousal_output' (1,), "
            f"'valence_output' (1,)) as in {DIMENSIONAL}"
        )


def _check_category(path: Path, network: Stored, affect: Stored) -> None:
    found = {name: network.shapes[name] for name in network.graph.outputs}
    if list(found.values()) != [(len(CATEGORIES),)]:
        raise WeightsError(
            f"'{path}' has {len(found)} outputs ({_listed(found)}), expected 1 of shape ({len(CATEGORIES)},) as in "
            f"{CATEGORICAL}"
        )
    if (network.channels, network.side) != (affect.channels, affect.side):
        raise WeightsError(
            f"'{path}' takes {network.channels} channels of side {network.side}, but the {DIMENSIONAL} beside it takes "
            f"{affect.channels} of side {affect.side}; expected two files of one archive"
        )


def _listed(outputs: Mapping[str, Shape]) -> str:
    return ", ".join(f"'{name}' {shape}" for name, shape in outputs.items())


def _converted(path: Path) -> tuple[Stored, str]:
    """The network of a .h5 file, from the converted copy if the cache has one, and the file's SHA-256."""
    try:
        digest = sha256(path)
    except OSError as error:
        raise WeightsError(f"'{path}' cannot be read ({error.strerror}); expected a Keras .h5 file") from error
    copy = cache_folder() / "models" / "facechannel" / f"{digest}.safetensors"
    stored = _read_copy(copy)
    graph, tensors = stored or read(path)
    try:
        network = Stored(graph, tensors)
    except Unfit as fault:
        raise WeightsError(f"'{path}' {fault}") from fault
    if stored is None:
        _write_copy(copy, graph, tensors)
    return network, digest


def _read_copy(path: Path) -> tuple[Graph, Tensors] | None:
    """The graph and weights that `_write_copy` wrote, or None if the copy is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                return None
            return Graph.from_json(metadata["graph"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError):
        return None


def _write_copy(path: Path, graph: Graph, tensors: Tensors) -> None:
    from safetensors.numpy import save

    with contextlib.suppress(OSError):  # without a writable cache, each run converts again
        write_atomically(path, save(tensors, {"format": _FORMAT, "graph": graph.to_json()}))
