"""Where FaceChannel's saliency and occlusion lie, and whether what they call important is.

    python benchmarks/saliency_faithfulness.py FERPLUS_FOLDER|PHOTO_FOLDER [FACES]

Prints what of the saliency of a face one of a single colour has, and for each method: how much of a map lies in its
outermost ring and in its top row, beside what an even map would have there; how many maps are strongest there; how far
valence and arousal move when the strongest tenth and quarter of a map are blurred (the mean of both), how far they fall
when it is what raises them most, and rise when it is what lowers them most. Maps drawn by lot stand beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from affectlm.line import images
from affectlm.registry import Registry
from affectlm.report.explain import occlusion
from affectlm.types import Maps, Pixels
from affectlm_facechannel.estimator import FaceChannelEstimator

SIDE, PLACES = 96, 8
HIDDEN = (6, 16)  # of 64 places


def load(folder: Path, count: int) -> list[Pixels]:
    """Faces of FER+, or those that yunet finds in a folder of photographs, at one size."""
    registry = Registry.installed()
    if (folder / "labels.csv").exists():
        items = list(registry.build("dataset", {"name": "ferplus", "path": str(folder)}).items())  # type: ignore[attr-defined]
        crops = [item.source for item in items[:: max(1, len(items) // count)][:count]]
    else:
        detector = registry.build("detector", {"name": "yunet"})
        pictures = [images.read(path)[0] for path in sorted(folder.glob("*.jpg"))]
        crops = [images.crop(each, box) for each in pictures for box in detector.detect([each])[0]][:count]  # type: ignore[attr-defined]
    return [cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for crop in crops]


def ring(maps: Maps) -> str:
    """How much of the maps (n, 2, rows, columns) lies in the outermost ring and in the top row."""
    mass = np.abs(maps).reshape(-1, *maps.shape[2:])
    mass = mass / np.maximum(mass.sum(axis=(1, 2), keepdims=True), 1e-9)
    outer = np.ones(mass.shape[1:], bool)
    outer[1:-1, 1:-1] = False
    strongest = mass.reshape(len(mass), -1).argmax(1)
    return (
        f"ring {mass[:, outer].sum(1).mean():.1%} of the mass (even {outer.mean():.1%}), strongest in "
        f"{outer.ravel()[strongest].mean():.1%}; top row {mass[:, 0].sum(1).mean():.1%} "
        f"(even {1 / mass.shape[1]:.1%}), strongest in {(strongest < mass.shape[2]).mean():.1%}"
    )


def moved(estimator: FaceChannelEstimator, faces: Sequence[Pixels], maps: Maps) -> str:
    """How far valence and arousal move when what the maps (n, 2, 8, 8) call strongest is blurred."""
    before = estimator.estimate(faces)
    change: dict[str, list[NDArray[np.float32]]] = {"move": [], "fall": [], "rise": []}
    for column in (0, 1):
        for name, found in change.items():
            ranked = {"move": np.abs(maps[:, column]), "fall": maps[:, column], "rise": -maps[:, column]}[name]
            for count in HIDDEN:
                after = estimator.estimate([hide(*pair, count) for pair in zip(faces, ranked, strict=True)])
                difference = before[:, column] - after[:, column]
                found.append({"move": np.abs(difference), "fall": difference, "rise": -difference}[name])
    return ", ".join(f"{name} {np.mean(found):.3f}" for name, found in change.items())


def hide(face: Pixels, strength: NDArray[np.float32], count: int) -> Pixels:
    """The face with its strongest places blurred, the edges of the places softened."""
    veil = np.zeros(PLACES**2, np.float32)
    veil[np.argsort(-strength.ravel(), kind="stable")[:count]] = 1
    veil = cv2.resize(veil.reshape(PLACES, PLACES), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    veil = cv2.GaussianBlur(veil, (0, 0), SIDE / 24, borderType=cv2.BORDER_REPLICATE)[..., None]
    blurred = cv2.GaussianBlur(face, (0, 0), SIDE / 8, borderType=cv2.BORDER_REPLICATE)
    return np.rint(face + veil * (blurred.astype(np.float32) - face)).astype(np.uint8)


def main(folder: str, count: int = 200) -> None:
    """Prints two lines a method."""
    faces = load(Path(folder), count)
    estimator = FaceChannelEstimator(device="cpu")
    coarse = [
        np.stack([cv2.resize(each, (PLACES,) * 2, interpolation=cv2.INTER_AREA) for each in occlusion(estimator, face)])
        for face in faces
    ]
    found = {"saliency": estimator.saliency(faces), "occlusion": np.stack(coarse)}
    found["by lot"] = np.random.default_rng(0).normal(size=found["saliency"].shape).astype(np.float32)
    blank = [np.full_like(face, round(face.mean())) for face in faces]
    alone = np.abs(estimator.saliency(blank)).mean() / np.abs(found["saliency"]).mean()
    print(f"{len(faces)} faces; a face of one colour has {alone:.1%} of the saliency of a face")
    for name, maps in found.items():
        ranks = [
            spearmanr(*pair).statistic
            for pair in zip(maps.reshape(-1, PLACES**2), found["occlusion"].reshape(-1, PLACES**2), strict=True)
        ]
        print(f"{name}: {ring(maps)}; Spearman with occlusion {np.mean(ranks):.2f}")
        print(f"{name}: {moved(estimator, faces, maps)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:]))
