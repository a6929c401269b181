"""Does the torch port compute what Keras computes? `python benchmarks/keras_parity.py [--layers] [--record FOLDER]`.

Builds the FaceChannel authors' graphs with random weights and batch-norm statistics in Keras 3 and in tf-keras (Keras
2's file format), saves each as .h5, reads the file with `affectlm_facechannel.keras.original`, and compares every layer
and `model.predict` on noise and, where AFFECTLM_TEST_DATA is set, on FER+ faces. Needs
`pip install 'affectlm[parity]'`. Exit status 1 when a difference exceeds 1e-5: of the outputs
absolutely, of a layer relative to its largest activation where that exceeds 1.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import attrs
import keras
import numpy as np
import tf_keras
import torch

from affectlm_data.ferplus import FERPlus
from affectlm_facechannel.keras.file import read
from affectlm_facechannel.keras.original import Stored

TOLERANCE = 1e-5
SAMPLED = 64  # activations of each layer that are recorded
DIALECTS: dict[str, ModuleType] = {"keras3": keras, "keras2": tf_keras}
BLOCKS = ((0.25, 0.25), (0.5, 0.5), (0.5, 0.5, 0.5), (1, 1))  # widths of convolutions 1-9


@attrs.frozen(kw_only=True)
class Variant:
    """One of the graphs that the authors' code builds."""

    shape: tuple[int, int, int] = (1, 64, 64)
    channels: int = 256  # of the last convolutions
    dense: int = 200
    norm: bool = True
    inhibition: str = "lambda"  # lambda, layer (with a trained decay), or none
    categories: int = 0

    @property
    def data_format(self) -> str:
        """Where the channels are, in Keras' words."""
        return "channels_first" if self.shape[0] < self.shape[1] else "channels_last"

    def narrow(self) -> Variant:
        """The same graph with few weights."""
        return attrs.evolve(self, channels=8, dense=6)


VARIANTS = {
    "dim": Variant(),
    "plain": Variant(norm=False, inhibition="none"),
    "cat": Variant(categories=8),
    "affwild2": Variant(shape=(112, 112, 3), channels=64, dense=500, norm=False, inhibition="layer"),
}


def build(library: ModuleType, variant: Variant) -> Any:
    """The graph as a model of Keras 3 or tf-keras, uncompiled."""
    layers = library.layers
    library.backend.set_image_data_format(variant.data_format)
    axis = 1 if variant.data_format == "channels_first" else -1

    def convolution(name: str, width: float) -> Any:
        return layers.Conv2D(int(width * variant.channels), (3, 3), padding="same", name=name)

    start = features = layers.Input(variant.shape, name="Vision_Network_Input")
    number = 0
    for block in BLOCKS:
        for width in block:
            number += 1
            features = convolution(f"Vision_conv{number}" if number < 9 else "conv9", width)(features)
            features = layers.BatchNormalization(axis=axis)(features) if variant.norm else features
            features = layers.Activation("relu")(features)
        if block is BLOCKS[-1]:
            features = _last(library, variant, convolution, features)
        features = layers.Dropout(0.25)(layers.MaxPooling2D((2, 2))(features))
    features = layers.Dense(variant.dense, activation="relu", name="denseLayer")(layers.Flatten()(features))
    if variant.categories:
        return library.Model(start, layers.Dense(8, activation="tanh", name="categoricalOutput")(features))
    heads = [layers.Dense(1, activation="tanh", name=f"{name}_output")(features) for name in ("arousal", "valence")]
    return library.Model(start, heads)


def _last(library: ModuleType, variant: Variant, convolution: Any, features: Any) -> Any:
    layers = library.layers
    excited = layers.Activation("relu")(convolution("conv10", 1)(features))
    if variant.inhibition == "none":
        return excited
    inhibiting = layers.Activation("relu")(convolution("conv10_inhibition", 1)(features))
    if variant.inhibition == "lambda":
        return layers.Lambda(_shunting)([excited, inhibiting])
    return _trained_inhibition(library)(shape=(1, 1, variant.channels), name="inhibitoryLayer")([excited, inhibiting])


def _shunting(inputs: Any) -> Any:
    excitation, inhibition = inputs
    return excitation / (0.5 + inhibition)


_shunting.__code__ = _shunting.__code__.replace(co_filename="keras_parity.py")  # it is stored with the model


def _trained_inhibition(library: ModuleType) -> Any:
    class ShuntingInhibition(library.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, shape: tuple[int, ...], **options: Any) -> None:
            super().__init__(**options)
            self.decay_shape = shape

        def build(self, input_shape: Any) -> None:
            self.decay = self.add_weight(name="decay", shape=self.decay_shape, initializer="ones")

        def call(self, inputs: Any) -> Any:
            excitation, inhibition = inputs
            return excitation / (self.decay + inhibition)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "shape": self.decay_shape}

    return ShuntingInhibition


def randomise(model: Any, generator: np.random.Generator) -> None:
    """Gives every weight a random value, batch norm's statistics included."""
    ranges = {
        "bias": (-0.1, 0.1),
        "gamma": (0.5, 1.3),
        "beta": (-0.3, 0.3),
        "moving_mean": (-0.3, 0.3),
        "moving_variance": (0.4, 1.6),
        "decay": (0.3, 0.9),
    }
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            leaf = weight.name.rpartition("/")[2].partition(":")[0]
            shape = tuple(weight.shape)
            # As wide as keeps activations alive through ten rectified layers, and tanh from hiding differences.
            limit = np.sqrt(6 / np.prod(shape[:-1])) if leaf == "kernel" else 0
            limit *= 0.3 if layer.name.lower().endswith("output") else 1
            values.append(generator.uniform(*ranges.get(leaf, (-limit, limit)), shape).astype(np.float32))
        layer.set_weights(values)


def noise(variant: Variant, count: int, generator: np.random.Generator) -> np.ndarray:
    """Chequered pictures (count, channels, side, side), uint8, small when compressed."""
    channels, side = min(variant.shape), max(variant.shape)
    coarse = generator.integers(0, 256, (count, channels, 16, 16), dtype=np.uint8)
    return coarse.repeat(side // 16, axis=2).repeat(side // 16, axis=3)


def crops(network: Stored, count: int = 24) -> np.ndarray:
    """FER+ faces as the network takes them, (count or 0, channels, side, side), uint8."""
    folder = os.environ.get("AFFECTLM_TEST_DATA")
    if not folder:
        return np.zeros((0, network.channels, network.side, network.side), np.uint8)
    items = FERPlus(path=f"{folder}/ferplus").items()
    faces = (image.source for image, _ in zip(items, range(count), strict=False))
    return np.stack([network.prepare(face) for face in faces])  # type: ignore[arg-type]


def keras_layers(library: ModuleType, model: Any, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output by name.

    By `predict`: Keras 3.15's direct call on TensorFlow adds the bias along the picture's width when that equals the
    number of filters, as in this graph's first two convolutions.
    """
    taps = library.Model(model.inputs, [layer.output for layer in model.layers])
    outputs = taps.predict(inputs, verbose=0)
    return {layer.name: np.asarray(value) for layer, value in zip(model.layers, outputs, strict=True)}


@attrs.frozen
class Difference:
    """The largest difference of one layer's activations."""

    layer: str
    largest: float
    scale: float  # the largest activation

    @property
    def relative(self) -> float:
        """As a share of the largest activation, where that exceeds 1."""
        return self.largest / max(1.0, self.scale)


def compare(expected: dict[str, np.ndarray], network: Stored, faces: torch.Tensor) -> Iterator[Difference]:
    """Each layer's largest difference between Keras and torch."""
    with torch.inference_mode():
        for name, found in network.trace(faces):
            wanted = expected[name]
            yield Difference(name, float(np.abs(found.numpy() - wanted).max()), float(np.abs(wanted).max()))


def keras_inputs(variant: Variant, pixels: np.ndarray) -> np.ndarray:
    """Pictures (n, channels, side, side) in the graph's layout, float32 in [0, 1]."""
    inputs = pixels.astype(np.float32) / 255
    return inputs if variant.data_format == "channels_first" else inputs.transpose(0, 2, 3, 1).copy()


def record(folder: Path, name: str, model: Any, library: ModuleType, variant: Variant) -> None:
    """Writes NAME.h5.gz, and NAME.npz with inputs, outputs and evenly spaced activations of each layer."""
    pixels = noise(variant, 2, np.random.default_rng(1))
    inputs = keras_inputs(variant, pixels)
    found = keras_layers(library, model, inputs)
    sampled = {f"layer/{layer}": spaced(value) for layer, value in found.items()}
    outputs = {f"output/{layer}": found[layer] for layer in model.output_names}
    file = folder / f"{name}.h5"
    model.save(file)
    file.with_suffix(".h5.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))  # HDF5 is mostly zeros here
    file.unlink()
    np.savez_compressed(folder / f"{name}.npz", pixels=pixels, **sampled, **outputs)


def spaced(values: np.ndarray) -> np.ndarray:
    """At most `SAMPLED` evenly spaced numbers of an array."""
    flat = values.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, min(SAMPLED, flat.size)).astype(int)]


def check(dialect: str, name: str, folder: Path, *, layers: bool) -> bool:
    """Prints one row of the table; whether everything agrees."""
    library, variant = DIALECTS[dialect], VARIANTS[name]
    generator = np.random.default_rng(0)
    model = build(library, variant)
    randomise(model, generator)
    path = folder / f"{dialect}-{name}.h5"
    model.save(path)
    network = Stored(*read(path)).eval()
    pixels = np.concatenate([noise(variant, 8, generator), crops(network)])
    inputs, faces = keras_inputs(variant, pixels), torch.from_numpy(pixels).float() / 255
    differences = list(compare(keras_layers(library, model, inputs), network, faces))
    outputs = model.predict(inputs, verbose=0)
    outputs = np.concatenate(outputs if isinstance(outputs, list) else [outputs], axis=1)
    with torch.inference_mode():
        found = torch.cat([network(faces)[layer] for layer in network.graph.outputs], dim=1).numpy()
    end = float(np.abs(found - outputs).max())
    worst = max(differences, key=lambda difference: difference.relative)
    print(
        f"| {dialect} | {name} | {model.count_params():,} | {len(differences)} | {worst.layer} | {worst.largest:.1e} | "
        f"{worst.scale:.1f} | {worst.relative:.1e} | {outputs.std(axis=0).min():.2f} | {end:.1e} |"
    )
    if layers:
        for difference in differences:
            print(f"    {difference.layer:24} {difference.largest:.1e} of {difference.scale:.2f}")
    return worst.relative <= TOLERANCE and end <= TOLERANCE


def main() -> None:
    """Runs all comparisons, or records narrow models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", action="store_true", help="print every layer's difference")
    parser.add_argument("--record", type=Path, help="write narrow models and their outputs into this folder instead")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # both libraries advise against .h5 at every save
    if options.record:
        options.record.mkdir(parents=True, exist_ok=True)
        for dialect, library in DIALECTS.items():
            for name, variant in VARIANTS.items():
                model = build(library, variant.narrow())
                randomise(model, np.random.default_rng(2))
                record(options.record, f"{dialect}-{name}", model, library, variant)
        return
    print(
        "| file | graph | weights | layers | worst layer | largest difference | largest activation | relative |", end=""
    )
    print(" least spread of an output | difference of the outputs |\n|" + "---|" * 10)
    with tempfile.TemporaryDirectory() as folder:
        agree = [check(dialect, name, Path(folder), layers=options.layers) for dialect in DIALECTS for name in VARIANTS]
    sys.exit(0 if all(agree) else 1)


if __name__ == "__main__":
    main()
