"""`affectlm train`: labelled faces from a dataset to an estimator that can learn from them.

The core reads faces and truth and shows progress; how to learn is the estimator's business.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import attrs
import numpy as np
import PIL.Image
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress as ProgressBar

from affectlm.cli.hydra import start
from affectlm.config.compose import to_plain
from affectlm.config.settings import DATASET_KEYS
from affectlm.errors import ConfigError, ImageError
from affectlm.line import images
from affectlm.registry import Registry
from affectlm.secrets import scrubbed
from affectlm.store.cache import write_atomically
from affectlm.store.run_folder import locked, refuse_another_file, writing
from affectlm.types import Dataset, Image, LabelledFaces, Pixels, Progress, TrainableEstimator
from affectlm.validators import at_least
from affectlm.weights.named import accepting

_CONFIG = "train.json"  # in a training's folder


@attrs.frozen(kw_only=True)
class _Choices:
    """The settings of a training that are no component's and no plan's."""

    limit: int | None = attrs.field(validator=attrs.validators.optional(at_least(1)), metadata={"key": "dataset.limit"})


def train_job(words: Sequence[str]) -> int:
    """Trains what the words name in Hydra's folder; returns the exit status."""
    start(words, _job, name="train")
    return 0


def _job(config: DictConfig, folder: Path) -> None:
    try:
        with locked(folder):
            _train(to_plain(config), folder)
    except KeyboardInterrupt:
        sys.stderr.write(
            "affectlm: interrupted; to continue after the last finished epoch, repeat the command with "
            f"hydra.run.dir={folder}\n"
        )
        raise


def _train(plain: Mapping[str, object], folder: Path) -> None:
    refuse_another_file(folder / _CONFIG, plain, "training")
    registry = Registry.installed()
    options = cast("Mapping[str, object]", plain["estimator"])
    with accepting(terms=bool(plain["accept_licence"])):
        estimator = registry.build("estimator", options)
    if not isinstance(estimator, TrainableEstimator):
        raise ConfigError(
            f"estimator '{options['name']}' cannot be trained; choose one that can, such as estimator=facechannel"
        )
    training, validation = _load_splits(cast("Mapping[str, object]", plain["dataset"]), registry)
    sys.stderr.write(f"affectlm: {len(training)} faces to train on, {len(validation)} to validate\n")
    console = Console(stderr=True)
    with ProgressBar(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=1.0)

        def progress(share: float, loss: float) -> None:
            bar.update(task, completed=share, description=f"training, loss {loss:.3f}")

        plan = cast("Mapping[str, object]", plain["plan"])
        with writing(folder):
            for figures in _epochs(estimator, training, validation, plan, folder, progress):
                # Only now: a plan that could not start may be corrected.
                write_atomically(folder / _CONFIG, json.dumps(scrubbed(plain), indent=2).encode())
                sys.stderr.write("  ".join(f"{name} {value:.4g}" for name, value in figures.items()) + "\n")
    sys.stdout.write(f"weights, log and checkpoint are in {folder}\n")


def _epochs(
    estimator: TrainableEstimator,
    training: LabelledFaces,
    validation: LabelledFaces,
    plan: Mapping[str, object],
    folder: Path,
    progress: Progress,
) -> Iterator[Mapping[str, float]]:
    """The figures of each epoch.

    Raises:
        ConfigError: the estimator cannot take this plan; one written as a generator says so at its first epoch.
    """
    try:
        epochs = iter(estimator.train(training, validation, plan, folder, progress))
        first = next(epochs, None)
    except (TypeError, ValueError, KeyError) as error:
        said = error.args[0] if error.args else error  # attrs' own errors hold more than a sentence
        raise ConfigError(
            f"{type(estimator).__name__} cannot train by this plan: {type(error).__name__}: {said}; the plan has "
            f"{', '.join(plan)}; leave one out with '~plan.NAME', add one with '+plan.NAME=VALUE'"
        ) from error
    if first is not None:
        yield first
    yield from epochs


def _load_splits(config: Mapping[str, object], registry: Registry) -> tuple[LabelledFaces, LabelledFaces]:
    """The faces to train on and those to validate, with the same labels."""
    options = {key: value for key, value in config.items() if key not in DATASET_KEYS}
    try:
        limit = _Choices(limit=cast("int | None", config.get("limit"))).limit
    except ValueError as error:
        raise ConfigError(str(error)) from error
    datasets = [
        cast("Dataset", registry.build("dataset", {**options, "split": split})) for split in ("train", "validation")
    ]
    training = load_faces(datasets[0], limit)
    return training, load_faces(datasets[1], limit, training.labels)


def load_faces(dataset: Dataset, limit: int | None = None, labels: Sequence[str] | None = None) -> LabelledFaces:
    """All faces of a dataset that have valence and arousal, as grey arrays of one size.

    A picture with a region gives what `images.crop` cuts there, another one all of itself. A face's categories are its
    raters' votes, or its labels in equal shares.

    Args:
        dataset: gives the faces.
        limit: at most so many, the first.
        labels: the categories and their order; by default those of the faces.

    Raises:
        ConfigError: there are no such faces, they differ in size, or one has a label that `labels` lack.
        ImageError: a picture cannot be read, or it or its region is no shape for a face.
    """
    pixels, affect, votes = [], [], []
    for item in dataset.items():
        truth = item.truth
        if not isinstance(item, Image) or truth.valence is None or truth.arousal is None:
            continue
        pixels.append(np.asarray(PIL.Image.fromarray(_face(item)).convert("L")))
        affect.append((truth.valence, truth.arousal))
        votes.append(truth.votes or dict.fromkeys(truth.labels, 1 / max(1, len(truth.labels))))
        if limit is not None and len(pixels) >= limit:
            break
    if not pixels:
        raise ConfigError("the dataset gave no faces with valence and arousal; check dataset.path")
    if len({picture.shape for picture in pixels}) > 1:
        raise ConfigError("the faces differ in size, expected crops of one size")
    found = dict.fromkeys(label for shares in votes for label in shares)
    if foreign := [label for label in found if labels is not None and label not in labels]:
        raise ConfigError(
            f"a face to validate has the label '{foreign[0]}', which those to train on lack: {', '.join(labels or ())}"
        )
    names = tuple(found if labels is None else labels)
    categories = np.array([[shares.get(name, 0.0) for name in names] for shares in votes], np.float32)
    return LabelledFaces(np.stack(pixels), np.array(affect, np.float32), categories, names)


def _face(item: Image) -> Pixels:
    picture, _ = images.read(item.source)
    try:
        if item.region is not None:
            return images.crop(picture, item.region)
        images.check_fits(picture, max(picture.shape[:2]))
        return picture
    except ImageError as error:
        raise ImageError(f"'{item.id}': {error}") from error
