"""Trains any torch network that predicts valence, arousal and perhaps category logits from grey faces.

Only the loop: `affectlm train` chooses the faces and the folder, the estimator chooses the network.
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
    """Mean loss, seconds and validation scores of each epoch, yielded as it ends.

    Args:
        network: takes grey faces (batch, 1, side, side) in [0, 1]; returns VA (batch, 2) in [-1, 1] and category
            logits (batch, labels) or None.
        training, validation: the faces; at least one batch to train on.
        plan: how to train; the caller takes care of its `start`.
        folder: gets `log.csv`, after each epoch `checkpoint.pt`, from which the same call continues, and at the end
            the weights.
        side: pixels of the network's own faces, used for validation, and for training unless the plan has a side.
        file: name of the weight file, in half precision.
        metadata: of the weight file.
        progress: called with the finished share and the mean loss of the epoch so far.

    Raises:
        ConfigError: the plan does not fit the faces or this machine, or the loss is not finite.
        RunFolderError: the folder's checkpoint cannot be read or written.
    """
    _check_enough(training, validation, plan.batch_size)
    with within_memory(_SMALLER):
        fit = Fit(network, training, plan, plan.side or side)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        fit.resume(checkpoint)
    while not fit.finished:
        row = _epoch(fit, validation, side, progress)
        fit.judged(row)
        fit.save(checkpoint)
        _log(folder / "log.csv", row)
        yield row
    fit.choose()
    save_weights(fit.average, folder / file, metadata)


def _epoch(fit: Fit, validation: LabelledFaces, side: int, progress: Progress) -> dict[str, float]:
    """Trains one epoch and returns its row of the log."""
    begin = time.monotonic()
    with within_memory(_SMALLER):
        found = {"epoch": float(fit.epochs + 1), "loss": fit.run_epoch(progress)}
        return {**found, "seconds": time.monotonic() - begin, **judge(fit.average, validation, side)}


def _check_enough(training: LabelledFaces, validation: LabelledFaces, batch_size: int) -> None:
    """Raises ConfigError if the faces are too few for a batch or for a CCC."""
    if len(training) < batch_size:
        raise ConfigError(f"{len(training)} faces are too few for a batch of {batch_size}; lower plan.batch_size")
    if len(validation) < 2:
        raise ConfigError(
            f"{len(validation)} validation faces are too few for a CCC, expected 2 or more; raise dataset.limit"
        )


def _log(path: Path, row: Mapping[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
