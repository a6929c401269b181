"""How well the standard deviations of `estimator.uncertainty` tell a bad face, and a bad measurement.

    python benchmarks/facechannel_uncertainty.py FERPLUS_FOLDER [FACES]

Prints the mean deviation of clear faces and of the same faces spoilt, Spearman's correlation with the absolute error
against targets made from votes, and the CCC of the mean of all draws beside that of the plain measurement.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from scipy.stats import spearmanr

from affectlm.registry import Registry
from affectlm.scores.agreement import concordance
from affectlm.types import Pixels
from affectlm_facechannel.estimator import FaceChannelEstimator
from affectlm_facechannel.uncertainty import augmented, thinned


def spoilt(face: Pixels, generator: np.random.Generator) -> dict[str, Pixels]:
    """A face with noise (standard deviation 40 of 255), blurred (3 of 48 pixels), and with its lower half hidden."""
    noisy = np.clip(face + generator.normal(0, 40, face.shape[:2])[..., None], 0, 255).astype(np.uint8)
    hidden = face.copy()
    hidden[face.shape[0] // 2 :] = 128
    return {"noise": noisy, "blur": cv2.GaussianBlur(face, (0, 0), 3), "half hidden": hidden}


def looks(estimator: FaceChannelEstimator, faces: Sequence[Pixels], method: str) -> np.ndarray:
    """Valence and arousal of each draw, (8, n, 2)."""
    draw = {"augment": augmented, "dropout": thinned}[method]
    with torch.inference_mode():
        found = [torch.stack(list(draw(estimator._network, batch, 8))) for batch in estimator._batches(faces)]
    return torch.cat(found, dim=1).numpy().astype(np.float64)


def main(folder: str, count: int = 300) -> None:
    """Prints one line a method and condition."""
    dataset = Registry.installed().build("dataset", {"name": "ferplus", "path": folder})
    items = list(dataset.items())  # type: ignore[attr-defined]
    items = items[:: max(1, len(items) // count)][:count]
    faces = [item.source for item in items]
    targets = np.array([(item.truth.valence, item.truth.arousal) for item in items])
    estimator = FaceChannelEstimator(device="cpu")
    affect = estimator.estimate(faces).astype(np.float64)
    error = np.abs(affect - targets)
    generator = np.random.default_rng(0)
    worse = [spoilt(face, generator) for face in faces]
    for method in ("augment", "dropout"):
        drawn = looks(estimator, faces, method)
        clear = drawn.std(axis=0, ddof=1)
        for name, column in (("valence", 0), ("arousal", 1)):
            rank = spearmanr(clear[:, column], error[:, column])
            print(
                f"{method}: {name}: Spearman with the error {rank.statistic:.3f} (p {rank.pvalue:.1g}, n {len(faces)})"
            )
            ccc = [concordance(values[:, column], targets[:, column]) for values in (affect, drawn.mean(axis=0))]
            print(f"{method}: {name}: CCC plain {ccc[0]:.3f}, of the mean of the draws {ccc[1]:.3f}")
        print(f"{method}: clear: mean deviation {clear.mean(0).round(4)}", flush=True)
        for condition in worse[0]:
            found = looks(estimator, [each[condition] for each in worse], method).std(axis=0, ddof=1)
            share = (found > clear).mean(0)
            print(f"{method}: {condition}: {found.mean(0).round(4)}, larger in {share.round(2)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:]))
