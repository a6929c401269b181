"""The detector of FaceChannel's authors, on a small Caffe network whose output is known.

The network looks at nine cells of the picture; a cell's score is the sigmoid of (blue - 104 + (red - 123) / 10) / 40,
and its box is the cell. That checks loading, channel order, mean values, scaling and sorting; of the real network's
accuracy it says nothing.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from affectlm.errors import ConfigError, WeightsError
from affectlm.registry import Registry
from affectlm.testing import check_detector
from affectlm.types import Pixels
from affectlm_facechannel.ssd import GRAPH, NETWORK, Ssd

BODY = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 300 input_dim: 300
layer { name: "cells" type: "Pooling" bottom: "data" top: "cells"
  pooling_param { pool: AVE kernel_size: 100 stride: 100 } }
layer { name: "conf" type: "Convolution" bottom: "cells" top: "conf"
  convolution_param { num_output: 2 kernel_size: 1 } }
"""
HEAD = """
layer { name: "loc" type: "Convolution" bottom: "cells" top: "loc" convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "loc_perm" type: "Permute" bottom: "loc" top: "loc_perm"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "loc_flat" type: "Flatten" bottom: "loc_perm" top: "loc_flat" flatten_param { axis: 1 } }
layer { name: "conf_perm" type: "Permute" bottom: "conf" top: "conf_perm"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "conf_flat" type: "Flatten" bottom: "conf_perm" top: "conf_flat" flatten_param { axis: 1 } }
layer { name: "conf_rows" type: "Reshape" bottom: "conf_flat" top: "conf_rows"
  reshape_param { shape { dim: 0 dim: -1 dim: 2 } } }
layer { name: "conf_soft" type: "Softmax" bottom: "conf_rows" top: "conf_soft" softmax_param { axis: 2 } }
layer { name: "conf_out" type: "Flatten" bottom: "conf_soft" top: "conf_out" flatten_param { axis: 1 } }
layer { name: "prior" type: "PriorBox" bottom: "cells" bottom: "data" top: "prior"
  prior_box_param { min_size: 100 clip: false variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 offset: 0.5 } }
layer { name: "out" type: "DetectionOutput" bottom: "loc_flat" bottom: "conf_out" bottom: "prior" top: "out"
  detection_output_param { num_classes: 2 share_location: true background_label_id: 0
    nms_param { nms_threshold: 0.45 top_k: 400 } code_type: CENTER_SIZE keep_top_k: 200 confidence_threshold: 0.01 } }
"""


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(shape: Sequence[int], values: Sequence[float]) -> bytes:
    """A BlobProto: data in field 5, its shape in field 7."""
    dims = field(1, b"".join(map(varint, shape)))
    return field(5, struct.pack(f"<{len(values)}f", *values)) + field(7, dims)


def convolution(name: str, weights: Sequence[Sequence[float]]) -> bytes:
    """A LayerParameter of a 1x1 convolution without bias, as field 100 of a NetParameter."""
    kernel = blob((len(weights), 3, 1, 1), [value for row in weights for value in row])
    bias = blob((len(weights),), [0.0] * len(weights))
    layer = field(1, name.encode()) + field(2, b"Convolution") + field(7, kernel) + field(7, bias)
    return field(100, layer)


def write_network(folder: Path, graph: str = BODY + HEAD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / GRAPH).write_text(graph)
    face = (1 / 40, 0, 1 / 400)  # of blue, green, red
    network = convolution("conf", [(0, 0, 0), face]) + convolution("loc", [(0, 0, 0)] * 4)
    (folder / NETWORK).write_bytes(field(1, b"tiny") + network)
    return folder


def picture(height: int, width: int, **cells: tuple[int, int, int]) -> Pixels:
    """A black picture with coloured cells: `r0c2=(red, green, blue)`."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for name, colour in cells.items():
        row, column = int(name[1]), int(name[3])
        rows = slice(row * height // 3, (row + 1) * height // 3)
        pixels[rows, column * width // 3 : (column + 1) * width // 3] = colour
    return pixels


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_network(tmp_path / "network")


def test_a_box_is_the_networks_scaled_to_the_picture(tiny: Path) -> None:
    """Shares of the network's square become pixels of a picture of any shape."""
    [[box]] = Ssd(path=str(tiny)).detect([picture(150, 600, r1c2=(0, 0, 255))])

    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((400, 50, 600, 100), abs=0.01)


def test_the_network_sees_blue_green_red_less_their_means(tiny: Path) -> None:
    """104 for blue, 123 for red, as Caffe's users have it; the score is the network's."""
    [[box]] = Ssd(path=str(tiny)).detect([picture(300, 300, r0c0=(200, 90, 250))])

    assert box.score == pytest.approx(1 / (1 + math.exp(-((250 - 104) + (200 - 123) / 10) / 40)), abs=1e-4)


def test_the_best_face_comes_first(tiny: Path) -> None:
    """Not the last above the threshold, which the authors' code takes."""
    image = picture(300, 300, r0c0=(0, 0, 150), r1c1=(0, 0, 255), r2c2=(0, 0, 200))

    boxes = Ssd(path=str(tiny)).detect([image])[0]

    assert [round(box.left) for box in boxes] == [100, 200, 0]


def test_faces_below_the_threshold_are_left_out(tiny: Path) -> None:
    """A score has to exceed it."""
    image = picture(300, 300, r0c0=(0, 0, 150), r1c1=(0, 0, 255))

    assert [len(Ssd(path=str(tiny), threshold=value).detect([image])[0]) for value in (0.5, 0.9, 0.99)] == [2, 1, 0]


def test_a_box_ends_at_the_pictures_border(tmp_path: Path) -> None:
    """The network may see more of a face than there is."""
    folder = write_network(tmp_path, (BODY + HEAD).replace("min_size: 100", "min_size: 150"))

    [[box]] = Ssd(path=str(folder)).detect([picture(300, 300, r0c2=(0, 0, 255))])

    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((175, 0, 300, 125), abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3000, 20)])
def test_odd_pictures_without_a_face_give_no_box(tiny: Path, shape: tuple[int, int]) -> None:
    """And not the whole picture, as the authors' code does."""
    assert Ssd(path=str(tiny)).detect([picture(*shape)]) == [[]]


def test_it_keeps_the_protocol_of_detectors(tiny: Path) -> None:
    """Boxes per picture, best first, independent of the batch."""
    detector = Registry.installed().build("detector", {"name": "ssd", "path": str(tiny)})

    check_detector(detector, [picture(90, 60, r0c0=(0, 0, 255), r2c2=(0, 0, 200)), picture(60, 90)])  # type: ignore[arg-type]


def test_the_files_of_the_authors_archive_are_found_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the archive unpacks: TrainedNetworks/faceDetector."""
    write_network(tmp_path / "TrainedNetworks" / "faceDetector")
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path))

    assert len(Ssd().detect([picture(300, 300, r1c1=(0, 0, 255))])[0]) == 1


def test_a_folder_may_be_the_one_that_the_archive_holds(tmp_path: Path) -> None:
    """Then the files lie in its folder faceDetector."""
    write_network(tmp_path / "TrainedNetworks" / "faceDetector")

    assert Ssd(path=str(tmp_path / "TrainedNetworks")).detect([picture(9, 9)]) == [[]]


def test_it_tells_which_files_it_runs(tiny: Path) -> None:
    """The archive's files have no published digest of their own, so a report must say which they were."""
    first = Ssd(path=str(tiny)).describe()
    write_network(tiny, (BODY + HEAD).replace("min_size: 100", "min_size: 90"))
    second = Ssd(path=str(tiny)).describe()

    assert first["weights_sha256"] == second["weights_sha256"]
    assert first["graph_sha256"] != second["graph_sha256"]


def test_without_acceptance_the_error_says_what_to_type(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched before the terms were agreed to."""
    monkeypatch.delenv("AFFECTLM_WEIGHTS_DIR", raising=False)
    monkeypatch.delenv("AFFECTLM_OFFLINE", raising=False)

    with pytest.raises(WeightsError, match=r"accept_licence=true .*facechannel-original --accept-licence.*research"):
        Ssd()
    assert not fresh_cache.exists()


def spoil_graph(folder: Path) -> None:
    (folder / GRAPH).write_text("<html>not a prototxt</html>")


def spoil_network(folder: Path) -> None:
    (folder / NETWORK).write_bytes(b"<html>not a caffemodel</html>")


def empty_network(folder: Path) -> None:
    (folder / NETWORK).write_bytes(b"")


def no_network(folder: Path) -> None:
    (folder / NETWORK).unlink()


def foreign_layer(folder: Path) -> None:
    write_network(folder, BODY + 'layer { name: "x" type: "Unheard" bottom: "conf" top: "x" }')


def no_detector(folder: Path) -> None:
    write_network(folder, BODY)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_graph, "are not a Caffe network"),
        (spoil_network, "are not a Caffe network"),
        (empty_network, "are not a Caffe network"),
        (no_network, rf"{NETWORK}' cannot be read \(No such file.*expected detector.path=original or a folder"),
        (foreign_layer, "are not a Caffe network"),
        (no_detector, r"output of shape \(1, 2, 3, 3\), expected \(1, 1, detections, 7\)"),
    ],
)
def test_files_that_are_no_such_network_are_told_in_one_sentence(
    tiny: Path, spoil: Callable[[Path], None], message: str
) -> None:
    """Found when the detector is built, before any picture is read."""
    spoil(tiny)

    with pytest.raises(WeightsError, match=message) as caught:
        Ssd(path=str(tiny))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [0, 1, -0.5, "high"])
def test_an_impossible_threshold_is_refused_before_weights_are_looked_for(value: object) -> None:
    """A score lies between 0 and 1."""
    with pytest.raises(ConfigError, match=r"threshold|float"):
        Registry.installed().build("detector", {"name": "ssd", "threshold": value})
