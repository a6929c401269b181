"""FaceChannel as an estimator: from crops to valence, arousal and category probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affectlm.errors import ConfigError
from affectlm.neural import crops
from affectlm.neural.devices import DEVICES, as_tensor, torch_device, within_memory
from affectlm.types import VA, Details, Maps, Pixels
from affectlm.weights.named import obtain
from affectlm_facechannel import engines, trained
from affectlm_facechannel.files import WEIGHTS, Loaded
from affectlm_facechannel.keras import original
from affectlm_facechannel.keras.archive import original_folder
from affectlm_facechannel.network import FaceChannel
from affectlm_facechannel.saliency import attributions
from affectlm_facechannel.shape import SIDE
from affectlm_facechannel.uncertainty import deviation

if TYPE_CHECKING:
    from affectlm.types import LabelledFaces, Progress

OWN_SPREAD = (1.15, 1.35)  # see `MODEL_CARD.md`
_MEMORY_ADVICE = "end other programs on it, or set estimator.device=cpu"
_DETAIL = 48  # pixels across a face of FER+; the weights have never seen finer detail


def as_grey(face: Pixels) -> NDArray[np.uint8]:
    """An RGB crop (h, w, 3) as the network's input: grey, (64, 64), uint8.

    Converted and resized bilinearly as in FaceChannel's own code, but large crops are averaged down to 48 pixels
    first: bilinear sampling alone skips pixels, and training faces had no finer detail.
    """
    grey = crops.as_grey(face)
    if min(grey.shape) > _DETAIL:
        grey = crops.resize(grey, _DETAIL, _DETAIL)
    return crops.resize(grey, SIDE, SIDE)


def _factors(_: object, attribute: Any, value: Sequence[float]) -> None:
    pair = isinstance(value, Sequence) and len(value) == 2
    if not pair or not all(isinstance(factor, int | float) and 0 < factor <= 4 for factor in value):
        raise ValueError(f"{attribute.name} is {value}; expected two numbers above 0, for valence and arousal: [1, 1]")


@attrs.define(kw_only=True, slots=False)
class FaceChannelEstimator:
    """Valence and arousal by FaceChannel.

    Args:
        weights: "affectlm" for the weights that come with this plugin; "original" for the FaceChannel authors' own,
            fetched once their terms are accepted; or a path: a safetensors file that `affectlm train` wrote, the
            authors' DimensionalFaceChannel.h5, or a folder with it and perhaps CategoricalFaceChannel.h5.
        device: auto, cpu, cuda, cuda:1, mps.
        engine: float32 or bf16 (torch), onnxruntime, or auto: bf16 on processors that compute it, else ONNX Runtime
            if it is installed, else float32. Valence and arousal by bf16 differ by 0.001 on average.
        threads: of the processor; 0 for one per core.
        spread: factors that stretch valence and arousal (before tanh), because people's ratings spread wider than the
            means of votes that the weights learnt; (1, 1) for none. By default (1.15, 1.35) with the weights that
            come with this plugin, and none with others.
        uncertainty: none; or the source of the details `valence_sd` and `arousal_sd`: "augment" for several views of
            the face, "dropout" for several parts of the network. Valence and arousal stay the same.
        draws: number of views or parts.

    Raises:
        WeightsError: the file is missing, or does not contain this network.
        ConfigError: uncertainty is "dropout" but the network has no dropout layers, or the engine or device is not
            available.
    """

    weights: str = attrs.field(default="affectlm", converter=str)
    speed_options: ClassVar[tuple[str, ...]] = ("device", "threads", "batch_size")
    device: str = attrs.field(default="auto", validator=attrs.validators.matches_re(DEVICES))
    engine: str = attrs.field(default="auto", validator=attrs.validators.in_(("auto", *engines.ENGINES)))
    threads: int = attrs.field(default=0, validator=[attrs.validators.instance_of(int), attrs.validators.ge(0)])
    spread: Sequence[float] | None = attrs.field(default=None, validator=attrs.validators.optional(_factors))
    uncertainty: str = attrs.field(default="none", validator=attrs.validators.in_(("none", "augment", "dropout")))
    draws: int = attrs.field(default=8, validator=[attrs.validators.instance_of(int), attrs.validators.ge(2)])

    def __attrs_post_init__(self) -> None:
        _ = self._compute  # errors in the weights must show before the first picture
        if self.uncertainty == "dropout" and not isinstance(self._loaded.network, FaceChannel):
            raise ConfigError(
                "estimator.uncertainty=dropout needs dropout layers, which the authors' weights do not have; "
                "type estimator.uncertainty=augment"
            )

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        """Valence and arousal, (batch, 2)."""
        return self._outputs(faces)[0]

    def details(self, faces: Sequence[Pixels]) -> tuple[VA, Details]:
        """Valence and arousal, the probabilities of the eight categories, and the uncertainty of the two.

        Weights that were trained without labels give no probabilities. The authors' weights give tanh outputs instead
        of probabilities, and only if their categorical file is there.
        """
        affect, chances = self._outputs(faces)
        return affect, {**dict(zip(self._loaded.names, chances.T, strict=True)), **self._deviations(faces)}

    def saliency(self, faces: Sequence[Pixels]) -> Maps:
        """What each place adds to valence and arousal, in their unit; (batch, 2, 8, 8) for our graph."""
        with engines.threads(self._threads), within_memory(_MEMORY_ADVICE):
            maps = [attributions(self._network, batch).cpu().numpy() for batch in self._batches(faces)]
        return np.concatenate(maps) if maps else np.zeros((0, 2, SIDE // 8, SIDE // 8), np.float32)

    def _deviations(self, faces: Sequence[Pixels]) -> Details:
        """Standard deviations of valence and arousal by name; empty if `uncertainty` is none."""
        if self.uncertainty == "none":
            return {}
        with torch.inference_mode(), engines.threads(self._threads), within_memory(_MEMORY_ADVICE):
            found = [
                deviation(self._network, batch, self.uncertainty, self.draws).cpu().numpy()
                for batch in self._batches(faces)
            ]
        columns = np.concatenate(found).T if found else np.zeros((2, 0), np.float32)
        return dict(zip(("valence_sd", "arousal_sd"), columns, strict=True))

    def _outputs(self, faces: Sequence[Pixels]) -> tuple[VA, NDArray[np.float32]]:
        with within_memory(_MEMORY_ADVICE):
            batches = [self._compute(batch) for batch in self._prepared(faces)]
        affect = np.concatenate([batch[0] for batch in batches]) if batches else np.zeros((0, 2), np.float32)
        count = len(self._loaded.names)
        chances = np.concatenate([batch[1] for batch in batches]) if batches else np.zeros((0, count), np.float32)
        return affect, chances[:, :count]

    def describe(self) -> Mapping[str, str]:
        """The digest of the weights, and how they are computed."""
        return {
            "weights_sha256": self._loaded.digest,
            "spread": " ".join(map(str, self._spread)),
            "engine": self._engine,
            "device": str(self._device),
            "threads": str(self._threads),
            "batch_size": str(engines.BATCH),
        }

    def train(
        self,
        training: LabelledFaces,
        validation: LabelledFaces,
        plan: Mapping[str, object],
        folder: Path,
        progress: Progress,
    ) -> Iterator[Mapping[str, float]]:
        """The scores of each epoch of a new training; see `affectlm_facechannel.training.train`.

        Raises:
            ConfigError: weights or a device are set here instead of in the plan.
        """
        if self.weights != "affectlm" or self.device != "auto":
            raise ConfigError(
                "training does not use estimator.weights or estimator.device; type plan.start=FILE, plan.device=cpu"
            )
        from affectlm_facechannel.training import Plan, train

        return train(training, validation, Plan(**plan), folder, progress=progress)  # type: ignore[arg-type]

    def _prepared(self, faces: Sequence[Pixels]) -> Iterator[NDArray[np.uint8]]:
        """Batches of faces as the network's input, (batch, 1, 64, 64), or the shape in the authors' file."""
        for start in range(0, len(faces), engines.BATCH):
            yield np.stack([self._loaded.prepare(face) for face in faces[start : start + engines.BATCH]])

    def _batches(self, faces: Sequence[Pixels]) -> Iterator[Tensor]:
        """The same as tensors in [0, 1]."""
        return (as_tensor(batch, self._device) for batch in self._prepared(faces))

    @property
    def _threads(self) -> int:
        return self.threads or engines.available_threads()

    @property
    def _spread(self) -> Sequence[float]:
        return self.spread or (OWN_SPREAD if self.weights == "affectlm" else (1.0, 1.0))

    @cached_property
    def _path(self) -> Path:
        if self.weights == "affectlm":
            return obtain(WEIGHTS)
        if self.weights == "original":
            return original_folder()
        return Path(self.weights).expanduser()

    @cached_property
    def _loaded(self) -> Loaded:
        if not original.is_original(self._path):
            return trained.load(self._path, self._spread, lambda face: as_grey(face)[None])
        if tuple(self._spread) != (1, 1):
            raise ConfigError(f"estimator.spread={list(self._spread)} is only for our weights; leave it out")
        return original.load(self._path)

    @cached_property
    def _device(self) -> torch.device:
        return torch_device(self.device, "estimator.device")

    @cached_property
    def _engine(self) -> str:
        return engines.choose(self.engine, self._loaded, self._device)

    @cached_property
    def _compute(self) -> engines.Compute:
        return engines.build(self._engine, self._loaded, self._device, self._threads)

    @cached_property
    def _network(self) -> nn.Module:
        """The network as it was trained, for gradients and dropout."""
        with torch.inference_mode(mode=False):  # gradients need ordinary tensors, whoever calls first
            network = self._loaded.network.eval()
            return network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
