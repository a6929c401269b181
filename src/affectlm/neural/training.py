"""Trains any torch network that gives valence, arousal and perhaps category logits of grey faces.

The loop only: which faces and where the results go is decided by `affectlm train`, which network by its estimator.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import nn

from affectlm.errors import ConfigError
from affectlm.neural.devices import within_memory
from affectlm.neural.files import save_weights
from affectlm.neural.fit import Fit
from affectlm.neural.plan import Plan
from affectlm.neural.validation import judge
from affectlm.types import LabelledFaces, Progress

_SMALLER = "lower plan.batch_size, set a lower plan.side, or type plan.device=cpu"


def silent(share: float, loss: float) -> None:
    """Shows no progress."""


def train(
    network: nn.Module,
    training: LabelledFaces,
    validation: LabelledFaces,
    plan: Plan,
    folder: Path,
    *,
    side: int,
    file: str,
    metadata: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Iterator[dict[str, float]]:
    """Trains epoch by epoch and yields the figures of each: mean loss, seconds, and how it does on validation faces.

    Args:
        network: takes grey faces (batch, 1, side, side) in [0, 1]; gives VA (batch, 2) in [-1, 1] and category logits
            (batch, labels) or None.
        training, validation: the faces; those to train on make at least one batch.
        plan: how; its `start` is the caller's business.
        folder: gets `log.csv`, after each epoch `checkpoint.pt`, from which the same call continues, and at the end
            the weights.
        side: pixels of the network's own faces: at which it is judged, and trained where the plan says nothing.
        file: name of the file of weights, in half precision.
        metadata: what is written into that file.
        progress: called with the share that is done and the mean loss of the epoch so far.

    Raises:
        ConfigError: the plan does not fit the faces or this machine, or the loss is no longer finite.
        RunFolderError: the folder's checkpoint cannot be read or written.
    """
    _check_enough(training, validation, plan.batch_size)
    with within_memory(_SMALLER):
        fit = Fit(network, training, plan, plan.side or side)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        fit.resume(checkpoint)
    while not fit.finished:
        figures = _epoch(fit, validation, side, progress)
        fit.judged(figures)
        fit.save(checkpoint)
        _log(folder / "log.csv", figures)
        yield figures
    fit.choose()
    save_weights(fit.average, folder / file, metadata)


def _epoch(fit: Fit, validation: LabelledFaces, side: int, progress: Progress) -> dict[str, float]:
    """Trains one epoch and returns its figures."""
    begin = time.monotonic()
    with within_memory(_SMALLER):
        found = {"epoch": float(fit.epochs + 1), "loss": fit.run_epoch(progress)}
        return {**found, "seconds": time.monotonic() - begin, **judge(fit.average, validation, side)}


def _check_enough(training: LabelledFaces, validation: LabelledFaces, batch_size: int) -> None:
    """Raises ConfigError where the faces make no batch, or give no CCC."""
    if len(training) < batch_size:
        raise ConfigError(f"{len(training)} faces make no batch of {batch_size}; lower plan.batch_size")
    if len(validation) < 2:
        raise ConfigError(f"{len(validation)} faces to validate give no CCC, expected 2 or more; raise dataset.limit")


def _log(path: Path, figures: Mapping[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(figures))
        if new:
            writer.writeheader()
        writer.writerow(figures)
