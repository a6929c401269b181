"""How fast FaceChannel is: `python benchmarks/facechannel_speed.py FERPLUS_FOLDER [--threads N]`.

Needs the extras `parity` (Keras with TensorFlow) and `onnx`. The released graph (channels first, random weights) in
Keras, by `predict` and by a compiled call, and ours by each engine take turns on the same faces. Ours starts from RGB
crops, so grey and resizing are in its time and not in that of Keras. Medians and the ratios of medians; then how far
valence and arousal of each engine are from float32, on 1,000 faces.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
parser = argparse.ArgumentParser()
parser.add_argument("ferplus")
parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
parser.add_argument("--rounds", type=int, default=15)
arguments = parser.parse_args()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

from affectlm.jobs.train import load_faces  # noqa: E402
from affectlm.registry import Registry  # noqa: E402
from affectlm_facechannel.engines import ENGINES  # noqa: E402
from affectlm_facechannel.estimator import FaceChannelEstimator, as_grey  # noqa: E402
from affectlm_facechannel.shape import BLOCKS, DECAY  # noqa: E402


def released() -> keras.Model:
    """The graph of the VA model as its authors released it, with random weights."""
    faces = layers.Input((1, 64, 64))
    x = faces
    same = {"padding": "same", "data_format": "channels_first"}
    for block in BLOCKS:
        for filters in block:
            x = layers.Conv2D(filters, 3, **same)(x)
            x = layers.Activation("relu")(layers.BatchNormalization(axis=1)(x))
        if block is BLOCKS[-1]:
            parts = [layers.Conv2D(block[-1], 3, activation="relu", **same)(x) for _ in range(2)]
            x = layers.Lambda(lambda pair: pair[0] / (DECAY + pair[1]), output_shape=parts[0].shape[1:])(parts)
        x = layers.Dropout(0.25)(layers.MaxPooling2D(2, data_format="channels_first")(x))
    x = layers.Dense(200, activation="relu")(layers.Flatten()(x))
    return keras.Model(faces, [layers.Dense(1, activation="tanh")(x) for _ in range(2)])


def seconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median time of each call; they take turns, so that what else the machine does hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 2):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(found[2:]) for name, found in times.items()}


tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
dataset = Registry.installed().build("dataset", {"name": "ferplus", "path": arguments.ferplus, "split": "validation"})
pixels = load_faces(dataset, 1000).pixels  # type: ignore[arg-type]
crops = [np.repeat(face[..., None], 3, axis=2) for face in pixels]
model = released()
# For time only: Keras 3.15 adds the bias along the wrong axis in this call where width and filters are both 64.
compiled = tf.function(lambda batch: model(batch, training=False))
ours = {engine: FaceChannelEstimator(engine=engine, threads=arguments.threads, device="cpu") for engine in ENGINES}

print(f"{arguments.threads} threads, {model.count_params():,} parameters in the released graph")
print("| batch | what | ms | times faster than predict | than the compiled call |\n|---|---|---|---|---|")
for batch in (1, 32):
    chosen = crops[:batch]
    prepared = np.stack([as_grey(face) for face in chosen])[:, None].astype(np.float32) / 255
    calls: dict[str, Callable[[], object]] = {
        "Keras predict": lambda prepared=prepared: model.predict(prepared, batch_size=len(prepared), verbose=0),
        "Keras compiled call": lambda prepared=prepared: [each.numpy() for each in compiled(tf.constant(prepared))],
    }
    for name, estimator in ours.items():
        calls[f"affectlm {name}"] = lambda estimator=estimator, chosen=chosen: estimator.estimate(chosen)
    found = seconds(calls, arguments.rounds)
    for name, value in found.items():
        ratios = (found["Keras predict"] / value, found["Keras compiled call"] / value)
        print(f"| {batch} | {name} | {1000 * value:.1f} | {ratios[0]:.1f} | {ratios[1]:.1f} |")

reference = ours["float32"].estimate(crops)
print("| engine | mean difference in VA | 99th percentile |\n|---|---|---|")
for name, estimator in ours.items():
    difference = np.abs(estimator.estimate(crops) - reference)
    print(f"| {name} | {difference.mean():.5f} | {np.quantile(difference, 0.99):.5f} |")
