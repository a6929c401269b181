"""The face detector that FaceChannel's authors use, run by OpenCV before version 5, which drops Caffe.

A single-shot detector (Liu et al. 2016, doi 10.1007/978-3-319-46448-0_2) on a ResNet of ten layers, from OpenCV's own
samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from affectlm.errors import WeightsError
from affectlm.store.files import open_file
from affectlm.types import Box, Pixels

SIDE = 300
MEAN = (104.0, 177.0, 123.0)  # blue, green, red
GRAPH, NETWORK = "deploy.prototxt", "res10_300x300_ssd_iter_140000.caffemodel"
_SUBFOLDER = "faceDetector"  # folder of both files in the authors' archive
_MOST_BYTES = 100_000_000  # of either file; the published network has 10.7 MB
_COLUMNS = 7  # of a detection: picture, class, score, left, top, right, bottom


@attrs.frozen(kw_only=True)
class Ssd:
    """Finds faces like FaceChannel's authors: the network's box, clipped at the picture's border, without a margin.

    Their code keeps the last box above the threshold, normally the one with the lowest score, or the whole picture if
    there is none; here the best box comes first, and a picture without a face has no box. They stretch the box to a
    square, while the core cuts out a square around it.

    Args:
        path: "original" for the files in the authors' archive, or a folder with `deploy.prototxt` and
            `res10_300x300_ssd_iter_140000.caffemodel`.
        threshold: lowest score of a face.

    Raises:
        WeightsError: the files are missing, or are not such a network.
    """

    path: str = attrs.field(default="original", converter=str)
    threshold: float = attrs.field(
        default=0.5, converter=float, validator=[attrs.validators.gt(0), attrs.validators.lt(1)]
    )
    _network: cv2.dnn.Net = attrs.field(init=False, repr=False, eq=False)
    _digests: Mapping[str, str] = attrs.field(init=False, repr=False, eq=False)
    _lock: Lock = attrs.field(factory=Lock, init=False, repr=False, eq=False)  # the network stores its picture

    def __attrs_post_init__(self) -> None:  # after the validators: a wrong option fetches nothing
        folder = _folder(self.path)
        graph, network = _read(folder / GRAPH), _read(folder / NETWORK)
        digests = {"graph_sha256": hashlib.sha256(graph), "weights_sha256": hashlib.sha256(network)}
        object.__setattr__(self, "_digests", {name: value.hexdigest() for name, value in digests.items()})
        object.__setattr__(self, "_network", _load(folder, graph, network))

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """The faces in each picture (height, width, 3), the best first."""
        return [self._find(image) for image in images]

    def describe(self) -> Mapping[str, str]:
        """The digests of graph and weights."""
        return self._digests

    def _find(self, image: Pixels) -> list[Box]:
        height, width = image.shape[:2]
        with self._lock:
            rows = _detections(self._network, image)
        boxes = []
        for score, *corners in rows[np.argsort(-rows[:, 2], kind="stable"), 2:].tolist():
            left, top, right, bottom = np.clip(corners, 0, 1) * (width, height, width, height)
            if score > self.threshold and right > left and bottom > top:
                boxes.append(Box(float(left), float(top), float(right), float(bottom), min(score, 1.0)))
        return boxes


def _folder(path: str) -> Path:
    if path == "original":
        from affectlm_facechannel.keras.archive import DETECTOR, original_folder

        return original_folder(DETECTOR) / _SUBFOLDER
    folder = Path(path).expanduser()
    return folder / _SUBFOLDER if (folder / _SUBFOLDER).is_dir() else folder


def _read(path: Path) -> bytes:
    try:
        with open_file(path, _MOST_BYTES) as file:
            return file.read()
    except OSError as error:
        raise WeightsError(
            f"'{path}' cannot be read ({error.strerror}); expected detector.path=original or a folder with '{GRAPH}' "
            f"and '{NETWORK}'"
        ) from error


def _load(folder: Path, graph: bytes, network: bytes) -> cv2.dnn.Net:
    """The network, tried on a black picture so that errors in it show before the first real one."""
    try:
        loaded = cv2.dnn.readNetFromCaffe(np.frombuffer(graph, np.uint8), np.frombuffer(network, np.uint8))
        _detections(loaded, np.zeros((SIDE, SIDE, 3), np.uint8))
    except cv2.error as error:
        reason = " ".join(str(error.err).split())
        raise WeightsError(
            f"'{GRAPH}' and '{NETWORK}' in '{folder}' are not a Caffe network that OpenCV can run ({reason})"
        ) from error
    except _WrongShapeError as error:
        raise WeightsError(
            f"the network in '{folder}' has an output of shape {error}, expected (1, 1, detections, {_COLUMNS})"
        ) from error
    return loaded


class _WrongShapeError(Exception):
    """The output is not that of a detector."""


def _detections(network: cv2.dnn.Net, image: Pixels) -> NDArray[np.float32]:
    """The detections whose numbers are finite, (n, 7)."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    network.setInput(cv2.dnn.blobFromImage(bgr, 1.0, (SIDE, SIDE), MEAN))
    output = np.asarray(network.forward(), np.float32)
    if output.ndim != 4 or output.shape[:2] != (1, 1) or output.shape[3] != _COLUMNS:
        raise _WrongShapeError(output.shape)
    rows: NDArray[np.float32] = output[0, 0]
    finite: NDArray[np.float32] = rows[np.isfinite(rows).all(axis=1)]
    return finite
