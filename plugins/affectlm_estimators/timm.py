"""Any timm backbone as an estimator: trained by `affectlm train`, then used with the weight file that it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np
from attrs.validators import ge, instance_of, matches_re, optional
from numpy.typing import NDArray

from affectlm.errors import ConfigError, WeightsError
from affectlm.neural.crops import as_grey, resize
from affectlm.neural.devices import DEVICES, as_tensor, seeded, torch_device, within_memory
from affectlm.neural.files import load_weights
from affectlm.types import VA, Details, Pixels
from affectlm.validators import flag
from affectlm.weights.named import sha256
from affectlm_estimators.design import Design, check_architecture, from_hub

if TYPE_CHECKING:
    from affectlm.neural.plan import Plan
    from affectlm.types import LabelledFaces, Progress
    from affectlm_estimators.network import AffectNetwork

_BATCH = 64


@attrs.define(kw_only=True, slots=False)
class TimmEstimator:
    """Valence and arousal by a timm backbone; crops become grey, like training faces.

    Args:
        weights: a safetensors file that `affectlm train` wrote; it names its architecture. Without weights the
            estimator can only be trained, with weights only be used.
        architecture: a name that timm knows, for training.
        side: side of the faces in pixels; None for the architecture's own.
        excitation: whether there is a squeeze-and-excitation block before the heads.
        pretrained: whether training starts from the backbone that timm publishes on the Hugging Face hub.
        device: auto, cpu, cuda, cuda:1, mps; for training there is `plan.device`.

    Raises:
        ConfigError: there are neither weights nor an architecture, or timm does not know the architecture.
        WeightsError: the file is missing, or does not contain such a network.
    """

    weights: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))
    architecture: str | None = None
    side: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(16)]))
    excitation: bool = attrs.field(default=False, validator=flag)
    pretrained: bool = attrs.field(default=False, validator=flag)
    speed_options: ClassVar[tuple[str, ...]] = ("device",)
    device: str = attrs.field(default="auto", validator=matches_re(DEVICES))

    def __attrs_post_init__(self) -> None:
        if self.weights is not None:
            _ = self._network  # errors in the weights must show before the first picture
        elif self.architecture is None:
            raise ConfigError(
                "estimator 'timm' needs estimator.weights=PATH to measure, or estimator.architecture=NAME to be trained"
            )
        else:
            check_architecture(self.architecture)

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        """Valence and arousal, (batch, 2).

        Raises:
            WeightsError: there are no weights.
        """
        return self.details(faces)[0]

    def details(self, faces: Sequence[Pixels]) -> tuple[VA, Details]:
        """Valence and arousal (batch, 2), and the probability of each category in its training.

        Raises:
            WeightsError: there are no weights.
        """
        labels = self._design.categories
        batches = [self._measure(faces[start : start + _BATCH]) for start in range(0, len(faces), _BATCH)]
        affect = np.concatenate([np.zeros((0, 2), np.float32), *(batch[0] for batch in batches)])
        chances = np.concatenate([np.zeros((0, len(labels)), np.float32), *(batch[1] for batch in batches)])
        return affect, dict(zip(labels, chances.T, strict=True))

    def describe(self) -> Mapping[str, str]:
        """The digest of the weights, and their architecture.

        Raises:
            WeightsError: there are no weights.
        """
        return {"weights_sha256": self._digest, "architecture": self._design.architecture}

    def train(
        self,
        training: LabelledFaces,
        validation: LabelledFaces,
        plan: Mapping[str, object],
        folder: Path,
        progress: Progress,
    ) -> Iterator[Mapping[str, float]]:
        """The scores of each epoch of a new training; see `affectlm.neural.training.train`.

        Raises:
            ConfigError: the plan does not fit the architecture, or an option is set that training does not use.
            WeightsError: the weights to start from are not available.
        """
        from affectlm.neural.plan import Plan
        from affectlm.neural.training import train
        from affectlm_estimators.network import is_fixed

        checked = Plan(**plan)  # type: ignore[arg-type]
        design = self._wanted(training.labels)
        if checked.side not in (None, design.side) and is_fixed(design.architecture):
            raise ConfigError(
                f"'{design.architecture}' takes faces of {design.side} pixels only; set estimator.side, not plan.side"
            )
        network = self._begun(design, checked)
        return train(
            network,
            training,
            validation,
            checked,
            folder,
            side=design.side,
            file="timm.safetensors",
            metadata=design.to_metadata(),
            progress=progress,
        )

    def _wanted(self, categories: tuple[str, ...]) -> Design:
        """The design of the network to be trained.

        Raises:
            ConfigError: an option is set that training does not use.
        """
        from affectlm_estimators.network import own_side

        if self.weights is not None or self.architecture is None:
            raise ConfigError(
                "training does not use estimator.weights; leave it out, set estimator.architecture, and set "
                "plan.start=PATH to start from such a file"
            )
        if self.device != "auto":
            raise ConfigError(f"training does not use estimator.device; leave it out and set plan.device={self.device}")
        side = self.side or own_side(self.architecture)
        return Design(architecture=self.architecture, side=side, categories=categories, excitation=self.excitation)

    def _begun(self, design: Design, plan: Plan) -> AffectNetwork:
        """The network at the start of the training.

        Raises:
            ConfigError: it cannot be built for the plan's side.
            WeightsError: the weights to start from are not available.
        """
        tensors = from_hub(design.architecture) if self.pretrained and plan.start is None else None
        with seeded(plan.seed):
            network = design.build(dropout=plan.dropout, pretrained=tensors)
            if plan.side is not None:
                attrs.evolve(design, side=plan.side).build()  # raises now if the network cannot take this side
        if plan.start is not None:
            load_weights(network, Path(plan.start).expanduser(), f"'{design.architecture}' with these categories")
        return network

    def _measure(self, faces: Sequence[Pixels]) -> tuple[VA, NDArray[np.float32]]:
        import torch

        side = self._design.side
        batch = np.stack([resize(as_grey(face), side, side) for face in faces])[:, None]
        network = self._network
        with torch.inference_mode(), within_memory("lower batch_size, or set estimator.device=cpu"):
            affect, logits = network(as_tensor(batch, network.mean.device))
            chances = affect[:, :0] if logits is None else logits.softmax(1)
            return affect.cpu().numpy(), chances.cpu().numpy()

    @cached_property
    def _path(self) -> Path:
        if self.weights is None:
            raise WeightsError(
                f"estimator 'timm' with architecture '{self.architecture}' has no weights; train it with "
                "'affectlm train estimator=timm' and set estimator.weights to the file"
            )
        return Path(self.weights).expanduser()

    @cached_property
    def _digest(self) -> str:
        return sha256(self._path)

    @cached_property
    def _design(self) -> Design:
        design = Design.from_metadata(self._path)
        for name in ("architecture", "side", "excitation"):
            wanted, found = getattr(self, name), getattr(design, name)
            if wanted not in (None, False, found):
                raise WeightsError(f"'{self._path}' has {name} '{found}', not '{wanted}'; leave estimator.{name} out")
        return design

    @cached_property
    def _network(self) -> AffectNetwork:
        import torch

        network = self._design.build()
        load_weights(network, self._path, f"the '{self._design.architecture}' that its metadata name")
        return network.eval().to(torch_device(self.device, "estimator.device"), memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
