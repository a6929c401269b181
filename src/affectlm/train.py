"""`affectlm train`: labelled faces from a dataset to an estimator that can learn from them.

The core reads faces and truth and shows progress; how to learn is the estimator's business.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import attrs
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress as ProgressBar

from affectlm import images
from affectlm.cache import write_atomically
from affectlm.config import to_plain
from affectlm.errors import ConfigError, RunFolderError
from affectlm.job import start
from affectlm.registry import Registry
from affectlm.types import Dataset, Image

Progress = Callable[[float, float], None]  # share done, mean loss


@attrs.frozen
class LabelledFaces:
    """Faces of one split; row i of each array belongs to face i."""

    pixels: NDArray[np.uint8]  # (n, h, w), grey
    affect: NDArray[np.float32]  # (n, 2), valence and arousal in [-1, 1]
    categories: NDArray[np.float32]  # (n, labels), shares of the raters
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pixels)


@runtime_checkable
class TrainableEstimator(Protocol):
    """An estimator that can be trained."""

    def train(
        self,
        training: LabelledFaces,
        validation: LabelledFaces,
        plan: Mapping[str, object],
        folder: Path,
        progress: Progress,
    ) -> Iterator[Mapping[str, float]]:
        """Trains, continues what it finds in `folder`, writes its weights there, and yields each epoch's figures."""
        ...


def train_job(words: Sequence[str]) -> int:
    """Trains what the words name in Hydra's folder; returns the exit status."""
    start(words, _job, name="train")
    return 0


def _job(config: DictConfig, folder: Path) -> None:
    plain = to_plain(config)
    _claim(folder, plain)
    registry = Registry.installed()
    estimator = registry.build("estimator", cast("Mapping[str, object]", plain["estimator"]))
    if not isinstance(estimator, TrainableEstimator):
        raise ConfigError(f"estimator '{type(estimator).__name__}' cannot be trained; choose one that has 'train'")
    dataset = {**cast("Mapping[str, object]", plain["dataset"])}
    limit = cast("int | None", dataset.pop("limit", None))
    dataset.pop("va", None)
    training, validation = (
        load_faces(cast("Dataset", registry.build("dataset", {**dataset, "split": split})), limit)
        for split in ("train", "validation")
    )
    sys.stderr.write(f"affectlm: {len(training)} faces to train on, {len(validation)} to validate\n")
    console = Console(stderr=True)
    with ProgressBar(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=1.0)

        def progress(share: float, loss: float) -> None:
            bar.update(task, completed=share, description=f"training, loss {loss:.3f}")

        plan = cast("Mapping[str, object]", plain["plan"])
        try:
            epochs = estimator.train(training, validation, plan, folder, progress)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the plan does not fit: {error}") from error
        for figures in epochs:
            sys.stderr.write("  ".join(f"{name} {value:.4g}" for name, value in figures.items()) + "\n")
    sys.stdout.write(f"weights, log and checkpoint are in {folder}\n")


def load_faces(dataset: Dataset, limit: int | None = None) -> LabelledFaces:
    """All faces of a dataset that have valence, arousal and votes, as grey arrays of one size.

    Raises:
        ConfigError: there are none, or they differ in size.
    """
    pixels, affect, votes = [], [], []
    labels: tuple[str, ...] = ()
    for item in dataset.items():
        truth = item.truth
        if not isinstance(item, Image) or truth.valence is None or truth.arousal is None or not truth.votes:
            continue
        labels = labels or tuple(truth.votes)
        picture, _ = images.read(item.source)
        pixels.append(np.asarray(PIL.Image.fromarray(picture).convert("L")))
        affect.append((truth.valence, truth.arousal))
        votes.append([truth.votes[label] for label in labels])
        if limit is not None and len(pixels) >= limit:
            break
    if not pixels:
        raise ConfigError("the dataset gave no faces with valence, arousal and votes; check dataset.path")
    if len({picture.shape for picture in pixels}) > 1:
        raise ConfigError("the faces differ in size, expected crops of one size")
    return LabelledFaces(np.stack(pixels), np.array(affect, np.float32), np.array(votes, np.float32), labels)


def _claim(folder: Path, config: Mapping[str, object]) -> None:
    """Keeps a folder for one configuration, so that resuming never mixes two."""
    path = folder / "train.json"
    content = json.dumps(config, indent=2).encode()
    if path.exists() and path.read_bytes() != content:
        raise RunFolderError(f"'{folder}' holds the training of another configuration; choose another hydra.run.dir")
    write_atomically(path, content)
