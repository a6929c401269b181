"""What each part of the FaceChannel training is worth: `python benchmarks/training_ablation.py FERPLUS_FOLDER`.

Each variant leaves out or changes one part of the recipe and trains on the same faces with the same seed, from scratch
or from the weights --start. Figures on the whole validation split, by the last epoch. The defaults continue weights for
a short while, so that two processor cores finish in an hour; from scratch, on a GPU, type `--epochs 40 --faces 30000
--side 64 --learning-rate 0.0015 --averaging 0.999`. Finished variants in --folder are not trained again.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import numpy as np
import torch

from affectlm.jobs.train import load_faces
from affectlm.neural import losses
from affectlm.registry import Registry
from affectlm.types import LabelledFaces
from affectlm.weights.named import sha256
from affectlm_facechannel.training import Plan, train

parser = argparse.ArgumentParser()
parser.add_argument("ferplus")
parser.add_argument("--start")
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--faces", type=int, default=20000)
parser.add_argument("--side", type=int, default=48)
parser.add_argument("--learning-rate", type=float, default=5e-4)
parser.add_argument("--averaging", type=float, default=0.995, help="nearer to 1 the longer the schedule")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--folder", type=Path, default=Path("outputs/ablation"))

VARIANTS: dict[str, dict[str, object]] = {
    "the recipe": {},
    "without averaged weights": {"averaging": 0.0},
    "no augmentation except mirroring": {"augmentation": 0.0},
    "half the augmentation": {"augmentation": 0.5},
    "with mixup (0.2)": {"mixup": 0.2},
    "rare labels not weighted": {"balance": 0.0},
    "half the dropout": {"dropout": 0.125},
    "64 pixels": {"side": 64},
    "twice the epochs": {"epochs": 2},
    "one label per face, not the votes": {},
    "squared error only for valence and arousal": {},
}


def one_label(faces: LabelledFaces) -> LabelledFaces:
    """The faces with all votes on the commonest label; valence and arousal stay."""
    hard = np.eye(len(faces.labels), dtype=np.float32)[faces.categories.argmax(axis=1)]
    return attrs.evolve(faces, categories=hard)


@contextmanager
def without_concordance() -> Iterator[None]:
    """The loss without its CCC term."""
    kept = losses.concordance_loss
    losses.concordance_loss = lambda predicted, target, weights=None: torch.zeros(2, device=predicted.device)
    try:
        yield
    finally:
        losses.concordance_loss = kept


def figures(
    name: str, training: LabelledFaces, validation: LabelledFaces, plan: Plan, folder: Path
) -> dict[str, float]:
    """The validation figures of a variant's last epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "figures.json"
    if done.exists():
        return dict(json.loads(done.read_text()))
    if name.startswith("one label"):
        training = one_label(training)
    if name.startswith("squared error"):
        with without_concordance():
            *_, last = train(training, validation, plan, folder)
    else:
        *_, last = train(training, validation, plan, folder)
    done.write_text(json.dumps(last))
    return last


def main() -> None:
    """Trains what is not trained yet and prints the table row by row."""
    given = parser.parse_args()
    build = Registry.installed().build
    training, validation = (
        load_faces(build("dataset", {"name": "ferplus", "path": given.ferplus, "split": split}), limit)  # type: ignore[arg-type]
        for split, limit in (("train", None), ("validation", None))
    )
    chosen = np.random.default_rng(given.seed).permutation(len(training))[: given.faces]
    parts = {name: getattr(training, name)[chosen] for name in ("pixels", "affect", "categories")}
    training = attrs.evolve(training, **parts)
    print(f"{len(training)} faces, {given.epochs} epochs, {given.side} pixels, seed {given.seed}")
    print("| variant | accuracy | CCC valence | CCC arousal |\n|---|---|---|---|")
    for number, (name, changes) in enumerate(VARIANTS.items()):
        common = {name: getattr(given, name) for name in ("start", "side", "learning_rate", "averaging", "seed")}
        warmup = 0.1 if given.start else 1.0
        epochs = round(given.epochs * float(changes.get("epochs", 1)))  # type: ignore[arg-type]
        options = {**common, "warmup": warmup, **changes, "epochs": epochs}
        begun = sha256(Path(given.start))[:8] if given.start else "scratch"
        rates = f"r{given.learning_rate}-a{given.averaging}"
        folder = given.folder / (
            f"{number:02d}-{begun}-e{given.epochs}-n{len(training)}-p{given.side}-{rates}-s{given.seed}"
        )
        found = figures(name, training, validation, Plan(**options), folder)  # type: ignore[arg-type]
        numbers = " | ".join(f"{found[key]:.3f}" for key in ("accuracy", "ccc_valence", "ccc_arousal"))
        print(f"| {name} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
