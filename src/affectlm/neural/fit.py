"""A training in progress: the network, the average of its weights, the optimizer and its state.

Faces, targets and augmentation stay on the device; no step waits for a number from the device.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from affectlm.errors import ConfigError, RunFolderError
from affectlm.neural.augmentation import Augmentation
from affectlm.neural.devices import has_bf16, seeded, torch_device
from affectlm.neural.losses import loss, row_weights
from affectlm.neural.plan import Plan
from affectlm.types import LabelledFaces, Progress

# What torch raises for checkpoints that are cut off, of another network or forged.
_DAMAGE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError)
_REPORTS = 20  # progress reports per epoch; each waits for the device


class RunningAverage:
    """A copy of a network with a running average of its weights.

    In the first steps the average forgets faster than `keep` says, because it is still close to the start.
    """

    def __init__(self, network: nn.Module, keep: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self.steps = 0
        self._keep = keep
        self._average, self._current = _floating(self.network), _floating(network)

    def update(self) -> None:
        """Moves the average towards the network; the first call copies the network."""
        keep = min(self._keep, self.steps / (9 + self.steps))
        get_ema_multi_avg_fn(keep)(self._average, self._current, 0)  # type: ignore[no-untyped-call]
        self.steps += 1


class Fit:
    """A training in progress: the network, its average, the optimizer and its state."""

    def __init__(self, network: nn.Module, training: LabelledFaces, plan: Plan, side: int) -> None:
        self.plan, self.side = plan, side
        self.device = torch_device(plan.device, "plan.device")
        self.bf16 = plan.precision == "bf16" or (plan.precision == "auto" and has_bf16(self.device))
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._averaging = RunningAverage(self.network, plan.averaging)
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=plan.learning_rate,
            weight_decay=plan.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self._data = _Data.place(training, plan.balance, self.device)
        self._augmentation = Augmentation(training.pixels.shape[1:], side, plan.augmentation).to(self.device)
        self._steps = len(training) // plan.batch_size
        self._progress = _Progress()

    @property
    def average(self) -> nn.Module:
        """The network with averaged weights."""
        return self._averaging.network

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return self._progress.epochs

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or too many brought no improvement."""
        out_of_patience = 0 < self.plan.patience <= self._progress.waited
        return self.epochs >= self.plan.epochs or out_of_patience

    def run_epoch(self, progress: Progress) -> float:
        """Trains one more epoch and returns its mean loss.

        Raises:
            ConfigError: the loss is not finite.
        """
        epoch, seed = self.epochs, self.plan.seed * 10_007 + self.epochs
        with seeded(seed, self.device), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=True):
            generator = torch.Generator(self.device).manual_seed(seed)
            order = torch.randperm(len(self._data.affect), generator=generator, device=self.device)
            shares = self._mixtures(seed)
            self.network.train()
            total = torch.zeros((), device=self.device)
            for step in range(self._steps):
                rows = order[step * self.plan.batch_size : (step + 1) * self.plan.batch_size]
                self._set_rate(epoch * self._steps + step)
                total += self._step(self._data.batch(rows), float(shares[step]), generator)
                self._averaging.update()
                if (step + 1) % max(1, self._steps // _REPORTS) == 0:
                    progress((epoch + (step + 1) / self._steps) / self.plan.epochs, float(total) / (step + 1))
        mean = float(total) / self._steps
        if not math.isfinite(mean):
            raise ConfigError(
                f"the loss of epoch {epoch + 1} is {mean}; lower plan.learning_rate or set plan.precision=float32"
            )
        self._progress.epochs += 1
        return mean

    def judged(self, scores: Mapping[str, float]) -> None:
        """Takes the validation scores of this epoch, and notes whether its average is the best so far."""
        names = [name for name in ("accuracy", "ccc_valence", "ccc_arousal") if name in scores]
        score = sum(scores[name] for name in names) / len(names)
        if score > self._progress.best:
            self._progress.best, self._progress.waited = score, 0
            if self.plan.keep == "best":
                self._progress.weights = {name: value.clone() for name, value in self.average.state_dict().items()}
        else:
            self._progress.waited += 1

    def choose(self) -> None:
        """Loads the weights that the plan keeps into the average."""
        if self.plan.keep == "best" and self._progress.weights is not None:
            self.average.load_state_dict(self._progress.weights)

    def save(self, path: Path) -> None:
        """Writes a checkpoint for `resume`.

        Raises:
            RunFolderError: the file cannot be written.
        """
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "standing": attrs.asdict(self._progress, recurse=False),
        }
        part = path.with_suffix(".part")
        try:
            torch.save(state, part)
            part.replace(path)
        except (OSError, RuntimeError) as error:  # torch raises RuntimeError if the disk is full
            raise RunFolderError(
                f"'{path}' cannot be written ({' '.join(str(error).split())[:200]}); make room, or set hydra.run.dir"
            ) from error

    def resume(self, path: Path) -> None:
        """Continues from the checkpoint of `save`.

        Raises:
            RunFolderError: the file is not one that `save` wrote for this network.
        """
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._progress = _Progress(**state["standing"])
        except _DAMAGE as error:
            raise RunFolderError(
                f"'{path}' is not a checkpoint of this training ({type(error).__name__}); delete it to start again, "
                "or choose another hydra.run.dir"
            ) from error
        self._averaging.steps = self.epochs * self._steps

    def _step(self, batch: _Data, share: float, generator: torch.Generator) -> Tensor:
        faces = self._augmentation(batch.pixels.unsqueeze(1).float() / 255, generator)
        faces, batch = _mix(faces, batch, share)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            affect, logits = self.network(faces.contiguous(memory_format=torch.channels_last))
        logits = None if logits is None else logits.float()
        value = loss(affect.float(), logits, batch.affect, batch.categories, batch.weights)
        self._optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return value.detach()

    def _set_rate(self, step: int) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * rate(step, self._steps, self.plan)

    def _mixtures(self, seed: int) -> NDArray[np.float64]:
        """The share of the first face in each mixture, for every step of an epoch."""
        if not self.plan.mixup:
            return np.ones(self._steps)
        return np.random.default_rng(seed).beta(self.plan.mixup, self.plan.mixup, self._steps)


_number = attrs.validators.and_(attrs.validators.instance_of(int), attrs.validators.ge(0))


@attrs.define
class _Progress:
    """How far a training is, and its best score so far."""

    epochs: int = attrs.field(default=0, validator=_number)
    best: float = attrs.field(default=-math.inf, validator=attrs.validators.instance_of(float))
    waited: int = attrs.field(default=0, validator=_number)  # epochs since the best
    weights: dict[str, Tensor] | None = None  # of the best epoch, if the plan keeps it


@attrs.frozen(eq=False)
class _Data:
    """Faces and their targets as tensors on one device; row i of each belongs to face i."""

    pixels: Tensor  # (n, h, w), uint8
    affect: Tensor
    categories: Tensor
    weights: Tensor

    @classmethod
    def place(cls, faces: LabelledFaces, balance: float, device: torch.device) -> _Data:
        """The faces of a split on a device."""
        weights = row_weights(faces.categories, balance)
        arrays = (faces.pixels, faces.affect, faces.categories, weights)
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))

    def batch(self, rows: Tensor) -> _Data:
        """The given rows of every tensor."""
        return _Data(self.pixels[rows], self.affect[rows], self.categories[rows], self.weights[rows])


def _mix(faces: Tensor, batch: _Data, share: float) -> tuple[Tensor, _Data]:
    """Each face and its targets, mixed with the next of the batch."""
    if share == 1:
        return faces, batch
    mixed = [share * each + (1 - share) * each.roll(1, 0) for each in (batch.affect, batch.categories, batch.weights)]
    return share * faces + (1 - share) * faces.roll(1, 0), _Data(batch.pixels, *mixed)


def rate(step: int, steps_per_epoch: int, plan: Plan) -> float:
    """Share of the learning rate at a step: a linear rise, then half a cosine down to 0."""
    rise = plan.warmup * steps_per_epoch
    if step < rise:
        return (step + 1) / max(rise, 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (plan.epochs * steps_per_epoch - rise)))


def _floating(network: nn.Module) -> list[Tensor]:
    return [value for value in network.state_dict().values() if value.is_floating_point()]
