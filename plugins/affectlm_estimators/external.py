"""The files of an ONNX model; exporters may store its tensors beside the graph."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from affectlm.errors import ConfigError, WeightsError
from affectlm.weights.named import sha256

if TYPE_CHECKING:
    from google.protobuf.message import Message  # type: ignore[import-untyped]


def model_files(path: Path) -> tuple[Path, ...]:
    """The model's file, then the files with its tensors by name ("external data" of the ONNX format).

    Raises:
        ConfigError: onnx is not installed.
        WeightsError: the file is not an ONNX model, or a file that it names is missing or outside its folder.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConfigError(
            "estimator 'onnx' needs onnx, which is not installed; type: pip install 'affectlm[onnx]'"
        ) from error
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors; onnx does not name them
        raise WeightsError(f"'{path}' is not an ONNX model that can be run: {type(error).__name__}") from error
    return path, *(_beside(path, location) for location in sorted(set(_locations(model))))


def digest(path: Path) -> str:
    """SHA-256 of a model, hexadecimal: of its file, or of the digests of its files if it has several.

    Raises:
        ConfigError, WeightsError: as in `model_files`.
    """
    digests = [sha256(file) for file in model_files(path)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _locations(message: Message) -> Iterator[str]:
    """The file names in all tensors below a message, including graphs inside nodes and functions."""
    for field, value in message.ListFields():
        if field.name == "external_data":
            yield from (entry.value for entry in value if entry.key == "location")
        elif field.message_type is not None:
            for each in [value] if hasattr(value, "ListFields") else value:
                yield from _locations(each)


def _beside(path: Path, location: str) -> Path:
    absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor
    if absolute or ".." in PureWindowsPath(location).parts:  # PureWindowsPath knows both separators
        raise WeightsError(f"'{path}' keeps tensors in '{location}'; expected a file in the model's folder")
    if not (path.parent / location).is_file():
        raise WeightsError(f"'{path}' keeps tensors in '{location}', which is missing; put it beside the model")
    return path.parent / location
