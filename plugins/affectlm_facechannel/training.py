"""Trains FaceChannel on grey faces with valence, arousal and a distribution over the eight categories.

The loop only: which faces and where the results go is decided by `affectlm train`.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from affectlm.errors import ConfigError
from affectlm.stats import concordance
from affectlm.train import LabelledFaces, Progress
from affectlm_facechannel.augmentation import augment
from affectlm_facechannel.files import load_weights
from affectlm_facechannel.network import SIDE, FaceChannel


@attrs.frozen(kw_only=True)
class Plan:
    """How to train; the defaults made the committed weights."""

    epochs: int = attrs.field(default=14, validator=attrs.validators.ge(1))
    batch_size: int = attrs.field(default=64, validator=attrs.validators.ge(1))
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warmup: float = 1.0  # epochs
    averaging: float = 0.999  # share that the running average of the weights keeps at each step, less at first
    dropout: float = 0.25
    bf16: bool = True
    augmentation: float = attrs.field(default=1.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    side: int = attrs.field(default=SIDE, validator=attrs.validators.in_(range(16, 2 * SIDE, 16)))
    balance: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    start: str | None = None  # weights to begin from, a safetensors file of an earlier training
    seed: int = 0


def _silent(share: float, loss: float) -> None:
    """Shows no progress."""


def concordance_loss(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """1 - CCC for each column, shape (2,), moments over the batch, each row counting by its weight (n,)."""
    shares = (weights / weights.sum()).unsqueeze(1)
    mean_p, mean_t = (shares * predicted).sum(0), (shares * target).sum(0)
    from_p, from_t = predicted - mean_p, target - mean_t
    spread = (shares * (from_p**2 + from_t**2)).sum(0) + (mean_p - mean_t) ** 2
    return 1 - 2 * (shares * from_p * from_t).sum(0) / (spread + 1e-6)


def loss(affect: Tensor, logits: Tensor, target: Tensor, categories: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy with the vote distribution, plus 1 - CCC and twice the squared error of valence and arousal.

    The weights count for valence and arousal only: the categories keep the frequencies that they have.
    """
    squared = (weights.unsqueeze(1) * (affect - target) ** 2).mean()
    return (
        functional.cross_entropy(logits, categories)
        + concordance_loss(affect, target, weights).mean()
        + 2 * squared
    )


def row_weights(categories: NDArray[np.float32], balance: float) -> NDArray[np.float32]:
    """Weight of each row (n,), mean 1: with `balance` 1 all commonest labels weigh the same together, with 0 all rows.

    No row weighs more than five times a row of the commonest label.
    """
    labels = categories.argmax(1)
    counts = np.bincount(labels, minlength=categories.shape[1]).astype(np.float32)
    weights = np.minimum((counts.max() / np.maximum(counts, 1)) ** balance, 5)[labels]
    return weights / weights.mean()


def rate(step: int, steps_per_epoch: int, plan: Plan) -> float:
    """Share of the learning rate at a step: a linear rise, then half a cosine down to nothing."""
    rise = plan.warmup * steps_per_epoch
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (plan.epochs * steps_per_epoch - rise)))


def running_average(keep: float) -> Callable[[tuple[Tensor, ...], tuple[Tensor, ...], Tensor], None]:
    """An update that keeps `keep` of the average, and less in the first steps, when the average is still the start."""

    def update(average: tuple[Tensor, ...], current: tuple[Tensor, ...], count: Tensor) -> None:
        steps = int(count)
        get_ema_multi_avg_fn(min(keep, (1 + steps) / (10 + steps)))(average, current, count)

    return update


def predict(
    network: torch.nn.Module, pixels: NDArray[np.uint8], side: int = SIDE, batch_size: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Valence and arousal (n, 2) and category probabilities (n, 8) of grey faces (n, h, w)."""
    network.eval()
    affects, probabilities = [], []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            faces = _as_input(torch.from_numpy(pixels[start : start + batch_size]))
            faces = functional.interpolate(faces, size=(side, side), mode="bilinear", align_corners=False)
            affect, logits = network(faces.contiguous(memory_format=torch.channels_last))
            affects.append(affect.float().numpy())
            probabilities.append(logits.float().softmax(1).numpy())
    return np.concatenate(affects), np.concatenate(probabilities)


def train(
    training: LabelledFaces, validation: LabelledFaces, plan: Plan, folder: Path, *, progress: Progress = _silent
) -> Iterator[dict[str, float]]:
    """Trains epoch by epoch and yields the figures of each.

    `folder` gets `log.csv`, after each epoch `checkpoint.pt`, from which the same call continues, and at the end
    `facechannel.safetensors` in half precision.

    The figures: mean loss, seconds, and on the validation faces accuracy against the commonest vote, CCC of valence and
    of arousal, all by the averaged weights.
    """
    if len(training) < plan.batch_size:
        raise ConfigError(f"{len(training)} faces make no batch of {plan.batch_size}; lower plan.batch_size")
    torch.manual_seed(plan.seed)
    network = FaceChannel(plan.dropout)
    if plan.start is not None:
        load_weights(network, Path(plan.start).expanduser())
    network = network.to(memory_format=torch.channels_last)
    average = AveragedModel(network, multi_avg_fn=running_average(plan.averaging), use_buffers=True)  # type: ignore[no-untyped-call]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True
    )
    weights = row_weights(training.categories, plan.balance)
    steps = len(training) // plan.batch_size
    first = 0
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epochs"]
    for epoch in range(first, plan.epochs):
        begin = time.monotonic()
        generator = torch.Generator().manual_seed(plan.seed * 10_007 + epoch)
        torch.manual_seed(plan.seed * 10_007 + epoch)
        order = torch.randperm(len(training), generator=generator).numpy()
        network.train()
        total = 0.0
        for index in range(steps):
            rows = order[index * plan.batch_size : (index + 1) * plan.batch_size]
            for group in optimizer.param_groups:
                group["lr"] = plan.learning_rate * rate(epoch * steps + index, steps, plan)
            total += _step(network, optimizer, training, weights, rows, generator, plan)
            average.update_parameters(network)
            progress((epoch + (index + 1) / steps) / plan.epochs, total / (index + 1))
        figures = {"epoch": float(epoch + 1), "loss": total / steps, "seconds": time.monotonic() - begin}
        figures |= judge(average.module, validation, plan.side)
        state = {"network": network.state_dict(), "average": average.state_dict()}
        state |= {"optimizer": optimizer.state_dict(), "epochs": epoch + 1}
        torch.save(state, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").replace(checkpoint)
        _log(folder / "log.csv", figures)
        yield figures
    _export(average.module, folder / "facechannel.safetensors")


def judge(network: torch.nn.Module, faces: LabelledFaces, side: int = SIDE) -> dict[str, float]:
    """Accuracy against the commonest vote (a tie counts for each) and CCC of valence and arousal over all faces."""
    affect, probabilities = predict(network, faces.pixels, side)
    chosen = probabilities.argmax(1)
    votes = faces.categories
    right = votes[np.arange(len(votes)), chosen] >= votes.max(1) - 1e-6
    return {
        "accuracy": float(right.mean()),
        "ccc_valence": concordance(affect[:, 0].astype(np.float64), faces.affect[:, 0].astype(np.float64)),
        "ccc_arousal": concordance(affect[:, 1].astype(np.float64), faces.affect[:, 1].astype(np.float64)),
    }


def _step(
    network: FaceChannel,
    optimizer: torch.optim.Optimizer,
    training: LabelledFaces,
    weights: NDArray[np.float32],
    rows: NDArray[np.int64],
    generator: torch.Generator,
    plan: Plan,
) -> float:
    faces = augment(_as_input(torch.from_numpy(training.pixels[rows])), plan.side, generator, plan.augmentation)
    target, categories = torch.from_numpy(training.affect[rows]), torch.from_numpy(training.categories[rows])
    with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
        affect, logits = network(faces.contiguous(memory_format=torch.channels_last))
    value = loss(affect.float(), logits.float(), target, categories, torch.from_numpy(weights[rows]))
    optimizer.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(value.detach())


def _export(network: torch.nn.Module, path: Path) -> None:
    """Writes the weights in half precision; counters of batch norm, which nothing reads, are left out."""
    tensors = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    save_file({name: value.half().contiguous() for name, value in tensors.items()}, path)


def _as_input(pixels: Tensor) -> Tensor:
    return pixels.unsqueeze(1).float() / 255


def _log(path: Path, figures: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, figures)
        if new:
            writer.writeheader()
        writer.writerow(figures)
