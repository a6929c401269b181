"""Any ONNX model as an estimator; options describe its input and the meaning of its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
from attrs.validators import deep_iterable, ge, in_, instance_of, optional
from numpy.typing import NDArray

from affectlm.errors import ConfigError, WeightsError
from affectlm.neural.crops import as_grey, resize
from affectlm.types import VA, Details, Pixels
from affectlm.validators import flag
from affectlm_estimators.anchors import SOURCES, points
from affectlm_estimators.external import digest, model_files
from affectlm_estimators.reading import Reading, Reference

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]

_BATCH = 32
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def _several(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _references(value: object) -> object:
    return () if value is None else _several(value)


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _shown(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _check_mean(_: object, attribute: Any, value: tuple[Any, ...]) -> None:
    if not all(_is_number(each) for each in value):
        raise ConfigError(f"estimator.mean is {_shown(value)}; expected a number, or one per channel")


def _check_std(_: object, attribute: Any, value: tuple[Any, ...]) -> None:
    if not all(_is_number(each) and each > 0 for each in value):
        raise ConfigError(f"estimator.std is {_shown(value)}; expected a number above 0, or one per channel")


def _check_scale(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, tuple) or len(value) != 2 or not all(_is_number(end) for end in value):
        raise ConfigError(f"estimator.scale is {_shown(value)}; expected the least and the greatest value: [-1, 1]")
    if not value[0] < value[1]:
        raise ConfigError(f"estimator.scale is {_shown(value)}; expected the least value first: [-1, 1]")


def _check_columns(_: object, attribute: Any, value: Any) -> None:
    pair = isinstance(value, tuple) and len(value) == 2 and all(isinstance(column, int) for column in value)
    if value is not None and not pair:
        raise ConfigError(f"estimator.columns is {_shown(value)}; expected two column numbers, as in [8, 9]")


def _check_labels(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, tuple) or not all(isinstance(label, str) for label in value):
        raise ConfigError(f"estimator.labels is {_shown(value)}; expected names of categories, as in [joy, fear]")
    if double := [label for label in value if value.count(label) > 1]:
        raise ConfigError(f"estimator.labels names '{double[0]}' twice; expected each category once")


@attrs.define(kw_only=True, slots=False)
class OnnxEstimator:
    """Valence and arousal by an ONNX model, run by ONNX Runtime on the processor.

    The model has one picture as input. It is run once on a grey picture when the estimator is built, so that wrong
    outputs are found before the first face.

    Args:
        weights: path of the .onnx file.
        size: side of the input pictures in pixels; None to read it from the model.
        layout: nchw, nhwc, or auto to read it from the model.
        colour: rgb, bgr, grey, or auto: rgb, or grey if the model has one channel.
        mean, std: one number, or one per channel; pixels in [0, 1] become (pixel - mean) / std. A model with uint8
            input gets the pixels unchanged.
        affect: the output with valence and arousal, by name or place, or a list of two outputs; None for the first
            output, or for the expectation over `classes` if that is given.
        columns: the two columns of that output, if it has more; negative ones count from the end.
        order: va, or av if arousal comes first.
        scale: least and greatest value of the model's numbers; they are mapped to [-1, 1] and clipped.
        classes: the output with scores of categories; None for none. If `affect` names the same output, these are the
            columns that are not in `columns`.
        labels: the categories in the model's order; they become details.
        logits: whether the scores still need a softmax.
        anchors: points that turn categories into valence and arousal: affectnet or words.
        threads: of the processor; 0 leaves the choice to ONNX Runtime.

    Raises:
        ConfigError: onnxruntime or onnx is not installed, or the options do not fit the model.
        WeightsError: the file is missing, or is not an ONNX model that can be run.
        ContractError: the model's numbers are not finite.
    """

    weights: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))
    size: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(1)]))
    layout: str = attrs.field(default="auto", validator=in_(("auto", "nchw", "nhwc")))
    colour: str = attrs.field(default="auto", validator=in_(("auto", "rgb", "bgr", "grey")))
    mean: tuple[float, ...] = attrs.field(default=(0.0,), converter=_several, validator=_check_mean)
    std: tuple[float, ...] = attrs.field(default=(1.0,), converter=_several, validator=_check_std)
    affect: tuple[Reference, ...] = attrs.field(
        default=None, converter=_references, validator=deep_iterable(instance_of((str, int)))
    )
    columns: tuple[int, int] | None = attrs.field(default=None, converter=_listed, validator=_check_columns)
    order: str = attrs.field(default="va", validator=in_(("va", "av")))
    scale: tuple[float, float] = attrs.field(default=(-1.0, 1.0), converter=_listed, validator=_check_scale)
    classes: Reference | None = attrs.field(default=None, validator=optional(instance_of((str, int))))
    labels: tuple[str, ...] = attrs.field(default=(), converter=_listed, validator=_check_labels)
    logits: bool = attrs.field(default=True, validator=flag)
    anchors: str = attrs.field(default="affectnet", validator=in_(SOURCES))
    speed_options: ClassVar[tuple[str, ...]] = ("threads",)
    threads: int = attrs.field(default=0, validator=[instance_of(int), ge(0)])

    def __attrs_post_init__(self) -> None:
        if (self.classes is None) != (not self.labels):
            raise ConfigError("estimator.classes and estimator.labels belong together; set both or neither")
        if len(self.affect) > 2:
            raise ConfigError(f"estimator.affect names {len(self.affect)} outputs; expected one or two")
        if self.classes is not None and not self.affect:
            points(self.labels, self.anchors)  # raises now if a label has no point
        _ = self._session
        self._measure([np.full((self._input.side, self._input.side, 3), 128, np.uint8)])

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        """Valence and arousal, (batch, 2)."""
        return self.details(faces)[0]

    def details(self, faces: Sequence[Pixels]) -> tuple[VA, Details]:
        """Valence and arousal (batch, 2), and the probability of each category."""
        size = self._input.batch or _BATCH
        batches = [self._measure(faces[start : start + size]) for start in range(0, len(faces), size)]
        affect = np.concatenate([np.zeros((0, 2), np.float32), *(found for found, _ in batches)])
        none = np.zeros(0, np.float32)
        return affect, {
            label: np.concatenate([none, *(details[label] for _, details in batches)]) for label in self.labels
        }

    def describe(self) -> Mapping[str, str]:
        """The digest of the model, including its external data."""
        return {"weights_sha256": self._digest}

    def _measure(self, faces: Sequence[Pixels]) -> tuple[VA, Details]:
        pictures = np.stack([self._input.prepare(face) for face in faces])
        if missing := max(0, (self._input.batch or 0) - len(faces)):  # a model with a fixed batch needs a full one
            pictures = np.concatenate([pictures, np.repeat(pictures[-1:], missing, axis=0)])
        names = [output.name for output in self._session.get_outputs()]
        try:
            arrays = self._session.run(names, {self._input.name: pictures})
        except Exception as error:  # ONNX Runtime raises classes of its own, without a common base
            raise WeightsError(f"'{self._path}' cannot be run on pictures {pictures.shape}: {_line(error)}") from error
        affect, details = self._reading.read(dict(zip(names, arrays, strict=True)), len(pictures))
        return affect[: len(faces)], {name: values[: len(faces)] for name, values in details.items()}

    @cached_property
    def _path(self) -> Path:
        if self.weights is None:
            raise ConfigError("estimator 'onnx' needs estimator.weights=PATH of an ONNX file")
        return Path(self.weights).expanduser()

    @cached_property
    def _digest(self) -> str:
        return digest(self._path)

    @cached_property
    def _session(self) -> InferenceSession:
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError(
                "estimator 'onnx' needs onnxruntime, which is not installed; type: pip install 'affectlm[onnx]'"
            ) from error
        if not self._path.is_file():
            raise WeightsError(f"'{self._path}' is not a file; expected an ONNX model, set estimator.weights=PATH")
        model_files(self._path)  # files outside its folder must not be opened
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 4  # errors arrive as exceptions
        try:
            return onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # as above
            raise WeightsError(f"'{self._path}' is not an ONNX model that can be run: {_line(error)}") from error

    @cached_property
    def _input(self) -> _Input:
        return _Input.find(self, self._session)

    @cached_property
    def _reading(self) -> Reading:
        first: tuple[Reference, ...] = (0,) if self.classes is None else ()
        return Reading(
            affect=self.affect or first,
            columns=self.columns,
            order=self.order,
            scale=self.scale,
            classes=self.classes,
            labels=self.labels,
            logits=self.logits,
            anchors=self.anchors,
        )


@attrs.frozen(kw_only=True)
class _Input:
    """The input of a model."""

    name: str
    batch: int | None  # None: any size
    side: int
    colour: str
    channels_last: bool
    type: type
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    def prepare(self, face: Pixels) -> NDArray[Any]:
        """A crop (h, w, 3) as the model's input, without the batch axis."""
        picture = as_grey(face) if self.colour == "grey" else face[..., ::-1] if self.colour == "bgr" else face
        picture = resize(np.ascontiguousarray(picture), self.side, self.side)
        picture = picture.reshape(self.side, self.side, -1)
        if self.type is not np.uint8:
            picture = ((picture.astype(np.float32) / 255 - self.mean) / self.deviation).astype(self.type)
        return picture if self.channels_last else picture.transpose(2, 0, 1)

    @classmethod
    def find(cls, wanted: OnnxEstimator, session: InferenceSession) -> _Input:
        """The input of a model, read from the model, or from the options if the model leaves it open.

        Raises:
            ConfigError: the input is not a picture, or model and options differ.
        """
        inputs = session.get_inputs()
        found = ", ".join(f"'{each.name}' {each.shape} {each.type}" for each in inputs)
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _TYPES:
            raise ConfigError(f"'{wanted.weights}' takes {found}; expected one input: pictures, four axes of numbers")
        shape = [axis if isinstance(axis, int) and axis > 0 else None for axis in inputs[0].shape]
        last = wanted.layout == "nhwc" or (wanted.layout == "auto" and shape[1] not in (1, 3) and shape[3] in (1, 3))
        channels = shape[3 if last else 1]
        height, width = shape[1:3] if last else shape[2:4]
        side = wanted.size or height or width
        if channels not in (1, 3, None) or side is None or {height, width} - {side, None}:
            raise ConfigError(
                f"'{wanted.weights}' takes {found}; with size {wanted.size} and layout {wanted.layout} that is not a "
                "square picture with one or three channels; set estimator.size and estimator.layout"
            )
        colour = wanted.colour if wanted.colour != "auto" else "grey" if channels == 1 else "rgb"
        if channels not in (None, 1 if colour == "grey" else 3):
            raise ConfigError(f"'{wanted.weights}' takes {channels} channels, not {colour}; set estimator.colour")
        return cls(
            name=inputs[0].name,
            batch=shape[0],
            side=side,
            colour=colour,
            channels_last=last,
            type=_TYPES[inputs[0].type],
            mean=_per_channel(wanted.mean, "mean", colour),
            deviation=_per_channel(wanted.std, "std", colour),
        )


def _per_channel(values: tuple[float, ...], name: str, colour: str) -> NDArray[np.float32]:
    channels = 1 if colour == "grey" else 3
    if len(values) not in (1, channels):
        raise ConfigError(f"estimator.{name} has {len(values)} numbers, expected one or {channels}, one per channel")
    return np.array(values, dtype=np.float32)


def _line(error: Exception) -> str:
    """The message of an error on one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]
