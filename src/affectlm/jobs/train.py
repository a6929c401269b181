"""`affectlm train`: gives labelled faces from a dataset to an estimator that can be trained.

The core reads faces and truth and shows progress; the estimator does the training.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import attrs
import numpy as np
import PIL.Image

from affectlm.config.components import Components
from affectlm.config.settings import TrainSettings, settings
from affectlm.contract import class_name
from affectlm.errors import ConfigError, ImageError
from affectlm.line import images
from affectlm.registry import Registry
from affectlm.secrets import scrubbed
from affectlm.store.cache import write_atomically
from affectlm.store.run_folder import locked, refuse_another_file, writing
from affectlm.types import Dataset, Image, LabelledFaces, Pixels, Progress, TrainableEstimator

_CONFIG = "train.json"  # in a training's folder


@attrs.frozen
class Training:
    """A training that is about to begin."""

    estimator: TrainableEstimator
    training: LabelledFaces
    validation: LabelledFaces
    plan: Mapping[str, object]
    folder: Path
    config: Mapping[str, object]

    def epochs(self, progress: Progress) -> Iterator[Mapping[str, float]]:
        """Trains, and yields the measures of each epoch; claims the folder after the first epoch.

        Raises:
            ConfigError: the estimator cannot use the plan.
        """
        with writing(self.folder):
            for measures in _epochs(self, progress):
                # Not earlier, so that a plan that could not start may be corrected.
                write_atomically(self.folder / _CONFIG, json.dumps(scrubbed(self.config), indent=2).encode())
                yield measures


@contextmanager
def training(config: Mapping[str, object], folder: Path, *, registry: Registry | None = None) -> Iterator[Training]:
    """A training with this configuration into a folder, which is locked meanwhile.

    Args:
        config: the plain configuration, as `compose.to_plain` returns it for `conf/train.yaml`.
        folder: created if it does not exist; a training with the same configuration is continued.
        registry: finds the components; the installed registry by default.

    Raises:
        AffectlmError: a setting or component is missing or wrong; there are no faces to train on; or the folder cannot
            be written, is being written by another process, or has another configuration.
    """
    chosen = settings(config, TrainSettings)
    components = Components.of(config, registry or Registry.installed(), chosen)
    with locked(folder):
        refuse_another_file(folder / _CONFIG, config, "training")
        estimator = components.build("estimator")
        if not isinstance(estimator, TrainableEstimator):
            name = components.options("estimator")["name"]
            raise ConfigError(
                f"estimator '{name}' cannot be trained; choose one that can, such as estimator=facechannel"
            )
        faces = _load_splits(components, chosen)
        yield Training(estimator, *faces, chosen.plan, folder, config)


def _epochs(job: Training, progress: Progress) -> Iterator[Mapping[str, float]]:
    """The measures of each epoch; a `train` that is a generator rejects a plan only at its first step."""
    try:
        epochs = iter(job.estimator.train(job.training, job.validation, job.plan, job.folder, progress))
        first = next(epochs, None)
    except (TypeError, ValueError, KeyError) as error:
        said = error.args[0] if error.args else error  # errors from attrs have more than a sentence
        raise ConfigError(
            f"{class_name(job.estimator)} cannot train with this plan: {type(error).__name__}: {said}; the plan has "
            f"{', '.join(job.plan)}; leave one out with '~plan.NAME', add one with '+plan.NAME=VALUE'"
        ) from error
    if first is not None:
        yield first
    yield from epochs


def _load_splits(components: Components, chosen: TrainSettings) -> tuple[LabelledFaces, LabelledFaces]:
    """The faces for training and those for validation, with the same labels."""
    options = components.options("dataset")
    first, second = (
        cast("Dataset", components.build("dataset", {**options, "split": split})) for split in ("train", "validation")
    )
    to_train = load_faces(first, chosen.limit)
    return to_train, load_faces(second, chosen.limit, to_train.labels)


def load_faces(dataset: Dataset, limit: int | None = None, labels: Sequence[str] | None = None) -> LabelledFaces:
    """All faces of a dataset that have valence and arousal, as grey arrays of one size.

    A picture with a region is cut by `images.crop`, any other is used whole. A face's categories are its raters' votes,
    or else its labels in equal shares.

    Args:
        dataset: gives the faces.
        limit: use only the first faces, at most this many.
        labels: the categories and their order; by default those of the faces.

    Raises:
        ConfigError: there are no such faces, they differ in size, or one has a label that is not in `labels`.
        ImageError: a picture cannot be read, or it or its region does not have the shape of a face.
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
        raise ConfigError("the faces differ in size; expected crops of one size")
    found = dict.fromkeys(label for shares in votes for label in shares)
    if foreign := [label for label in found if labels is not None and label not in labels]:
        raise ConfigError(
            f"a validation face has the label '{foreign[0]}', but training faces have only: {', '.join(labels or ())}"
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
