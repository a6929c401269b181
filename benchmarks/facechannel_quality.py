"""Figures of the FaceChannel weights on FER+: `python benchmarks/facechannel_quality.py FERPLUS_FOLDER [WEIGHTS]`.

Accuracy against the commonest vote (a tie counts for each) and CCC of valence and arousal against targets made from the
votes, whole validation split, with 95 % intervals from 1,000 resamples of its faces.
"""

import sys

import numpy as np

from affectlm.registry import Registry
from affectlm.stats import concordance
from affectlm.train import load_faces
from affectlm_facechannel.estimator import FaceChannelEstimator

folder, *weights = sys.argv[1:]
dataset = Registry.installed().build("dataset", {"name": "ferplus", "path": folder, "split": "validation"})
faces = load_faces(dataset)  # type: ignore[arg-type]
estimator = FaceChannelEstimator(weights=weights[0] if weights else "affectlm")
affect, details = estimator.details([np.repeat(face[..., None], 3, axis=2) for face in faces.pixels])
chosen = np.stack([details[label] for label in faces.labels], axis=1).argmax(axis=1)
right = faces.categories[np.arange(len(faces)), chosen] >= faces.categories.max(axis=1) - 1e-6

figures = {
    "accuracy": lambda rows: right[rows].mean(),
    "CCC valence": lambda rows: concordance(affect[rows, 0].astype(float), faces.affect[rows, 0].astype(float)),
    "CCC arousal": lambda rows: concordance(affect[rows, 1].astype(float), faces.affect[rows, 1].astype(float)),
}
generator = np.random.default_rng(0)
draws = [generator.integers(0, len(faces), len(faces)) for _ in range(1000)]
print(f"FER+ validation, {len(faces)} faces, weights {estimator.describe()['weights_sha256'][:12]}")
print("| figure | value | 95 % interval |\n|---|---|---|")
for name, figure in figures.items():
    low, high = np.quantile([figure(rows) for rows in draws], [0.025, 0.975])
    print(f"| {name} | {figure(np.arange(len(faces))):.3f} | {low:.3f} to {high:.3f} |")
majority = np.bincount(faces.categories.argmax(axis=1)).max() / len(faces)
print(f"always the commonest label: accuracy {majority:.3f}")
print(f"standard deviation of valence {affect[:, 0].std():.3f} (targets {faces.affect[:, 0].std():.3f}), "
      f"of arousal {affect[:, 1].std():.3f} (targets {faces.affect[:, 1].std():.3f})")  # fmt: skip
