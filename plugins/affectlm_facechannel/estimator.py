"""FaceChannel as an estimator: crops in, valence, arousal and category probabilities out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from affectlm.types import VA, Details, Pixels
from affectlm.weights import obtain, sha256
from affectlm_facechannel.files import WEIGHTS, load_weights
from affectlm_facechannel.network import CATEGORIES, SIDE, FaceChannel

if TYPE_CHECKING:
    from affectlm.train import LabelledFaces, Progress

_BATCH = 64


def as_grey(face: Pixels) -> NDArray[np.uint8]:
    """An RGB crop (h, w, 3) as the network sees it: grey, (64, 64), uint8.

    Grey and bilinear resizing as FaceChannel's own code does it, but large crops are averaged down: bilinear
    sampling alone skips pixels there, and what it keeps depends on the size of the crop.
    """
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    shrinks = min(grey.shape) > SIDE
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


@attrs.define(kw_only=True, slots=False)
class FaceChannelEstimator:
    """Valence and arousal by FaceChannel.

    Args:
        weights: "affectlm" for the weights that come with this plugin, or the path of a safetensors file that
            `affectlm train` wrote.
        device: auto, cpu, cuda, cuda:1, mps.

    Raises:
        WeightsError: the file is missing, or does not hold this network.
    """

    weights: str = attrs.field(default="affectlm", converter=str)
    device: str = attrs.field(default="auto", validator=attrs.validators.matches_re(r"auto|cpu|mps|cuda(:\d+)?"))

    def __attrs_post_init__(self) -> None:
        _ = self._network  # what is wrong with the weights must show before the first picture

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        """Valence and arousal, (batch, 2)."""
        return self.details(faces)[0]

    def details(self, faces: Sequence[Pixels]) -> tuple[VA, Details]:
        """Valence and arousal, and the probability of each of the eight categories."""
        batches = [self._measure(faces[start : start + _BATCH]) for start in range(0, len(faces), _BATCH)]
        affect = np.concatenate([batch[0] for batch in batches]) if batches else np.zeros((0, 2), np.float32)
        chances = np.concatenate([batch[1] for batch in batches]) if batches else np.zeros((0, 8), np.float32)
        return affect, dict(zip(CATEGORIES, chances.T, strict=True))

    def describe(self) -> Mapping[str, str]:
        """The digest of the weights in use."""
        return {"weights_sha256": self._digest}

    def train(
        self,
        training: LabelledFaces,
        validation: LabelledFaces,
        plan: Mapping[str, object],
        folder: Path,
        progress: Progress,
    ) -> Iterator[Mapping[str, float]]:
        """Trains anew and yields each epoch's figures; see `affectlm_facechannel.training.train`."""
        from affectlm_facechannel.training import Plan, train

        return train(training, validation, Plan(**plan), folder, progress=progress)  # type: ignore[arg-type]

    def _measure(self, faces: Sequence[Pixels]) -> tuple[VA, NDArray[np.float32]]:
        import torch

        batch = torch.from_numpy(np.stack([as_grey(face) for face in faces])).unsqueeze(1)
        with torch.inference_mode():
            inputs = (batch.to(self._device).float() / 255).contiguous(memory_format=torch.channels_last)
            affect, logits = self._network(inputs)
            return affect.cpu().numpy(), logits.softmax(1).cpu().numpy()

    @cached_property
    def _path(self) -> Path:
        return obtain(WEIGHTS) if self.weights == "affectlm" else Path(self.weights).expanduser()

    @cached_property
    def _digest(self) -> str:
        return WEIGHTS.digest if self.weights == "affectlm" else sha256(self._path)

    @cached_property
    def _device(self) -> str:
        import torch

        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    @cached_property
    def _network(self) -> FaceChannel:
        import torch

        network = FaceChannel()
        load_weights(network, self._path)
        return network.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
