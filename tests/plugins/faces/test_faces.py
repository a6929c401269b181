"""Detectors find the same faces, tell where they are in the same terms, and never crash."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage

import affectlm_faces
from affectlm.errors import ConfigError, WeightsError
from affectlm.line import images
from affectlm.registry import Registry
from affectlm.types import Box, FaceDetector, Pixels
from affectlm_faces import affectlm_detectors, affectlm_weights
from affectlm_faces.auto import Auto
from affectlm_faces.haar import Haar
from affectlm_faces.whole import Whole
from affectlm_faces.yunet import YuNet

ODD_SHAPES = [(1, 1), (1, 500), (500, 1), (3, 3), (16, 16), (20, 3000), (3000, 20), (24, 24)]


@pytest.fixture
def nothing_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")
    monkeypatch.setenv("AFFECTLM_CACHE", str(tmp_path))
    monkeypatch.delenv("AFFECTLM_WEIGHTS_DIR", raising=False)


def sample(name: str) -> Pixels:
    return images.read(Path(skimage.__file__).parent / "data" / name)[0]


def ferplus(root: Path, count: int) -> list[Pixels]:
    """The first faces of the first sheet as RGB of 48x48."""
    sheet = images.read(root / "ferplus" / "sheet_00.jpg")[0]
    return [sheet[i // 50 * 48 : i // 50 * 48 + 48, i % 50 * 48 : i % 50 * 48 + 48] for i in range(count)]


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of the squares that are cut out."""
    squares = []
    for box in (first, second):
        half = max(box.right - box.left, box.bottom - box.top) / 2
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        squares.append((x - half, y - half, x + half, y + half))
    (a, b, c, d), (e, f, g, h) = squares
    shared = max(0, min(c, g) - max(a, e)) * max(0, min(d, h) - max(b, f))
    return shared / ((c - a) ** 2 + (g - e) ** 2 - shared)


def recall(detector: FaceDetector, root: Path) -> tuple[int, int, int]:
    """Faces in the photographs, those that were found, and boxes without a face."""
    faces = found = boxes = 0
    for photo in json.loads((root / "photos" / "boxes.json").read_text()):
        truth = [Box(x, y, x + w, y + h) for x, y, w, h in photo["boxes_xywh"]]
        hits = detector.detect([images.read(root / "photos" / photo["image"])[0]])[0]
        faces, boxes = faces + len(truth), boxes + len(hits)
        found += sum(any(overlap(face, hit) > 0.3 for hit in hits) for face in truth)
    return faces, found, boxes - found


def test_the_hooks_offer_four_detectors_and_yunets_weights() -> None:
    """Each name can be resolved; the weights carry their licence."""
    assert sorted(affectlm_detectors()) == ["auto", "haar", "whole", "yunet"]
    assert [(weights.name, weights.licence) for weights in affectlm_weights()] == [("yunet", "MIT")]
    for name in affectlm_detectors():
        assert callable(Registry.installed().find("detector", name).resolve())


def test_whole_takes_all_of_each_picture() -> None:
    """The box is the picture."""
    assert Whole().detect([np.zeros((4, 7, 3), np.uint8)]) == [[Box(0, 0, 7, 4, 1.0)]]


@pytest.mark.parametrize("kind", [YuNet, Haar])
def test_a_portrait_has_its_face_and_a_cat_none(kind: type[YuNet | Haar]) -> None:
    """The astronaut's box is the one a person would draw."""
    astronaut, cat = kind().detect([sample("astronaut.png"), sample("chelsea.png")])

    assert overlap(astronaut[0], Box(178, 66, 274, 172)) > 0.7
    assert cat == []


def test_haar_misses_few_faces_that_fill_the_picture(data: Path) -> None:
    """With its border and tilts it misses about a twelfth of FER+; without them a third."""
    missed = sum(not boxes for boxes in Haar().detect(ferplus(data, 40)))

    assert missed <= 6


def test_yunet_misses_hardly_any_face_that_fills_the_picture(data: Path) -> None:
    """Small pictures are enlarged first."""
    missed = sum(not boxes for boxes in YuNet().detect(ferplus(data, 100)))

    assert missed <= 3


def test_the_boxes_of_yunet_and_haar_are_a_cut_out_face_as_a_whole(data: Path) -> None:
    """A tight picture of a face is the crop that both detectors would make of it."""
    whole = Box(0, 0, 48, 48)
    for detector in (YuNet(), Haar()):
        boxes = [boxes[0] for boxes in detector.detect(ferplus(data, 20)) if boxes]
        sides = [max(box.right - box.left, box.bottom - box.top) / 48 for box in boxes]

        assert 0.9 < np.median(sides) < 1.1
        assert np.median([overlap(box, whole) for box in boxes]) > 0.7


def test_yunet_and_haar_agree_on_where_a_face_is(data: Path) -> None:
    """Their crops of the same face overlap by 0.8 in the median."""
    photos = [images.read(path)[0] for path in sorted((data / "photos").glob("*.jpg"))]
    overlaps = []
    for first, second in zip(YuNet().detect(photos), Haar().detect(photos), strict=True):
        overlaps += [max(overlap(box, other) for other in second) for box in first]

    assert np.median([value for value in overlaps if value > 0.3]) > 0.75


@pytest.mark.parametrize("kind", [YuNet, Haar])
def test_every_face_of_the_photographs_is_found(data: Path, kind: type[YuNet | Haar]) -> None:
    """19 faces; at most two boxes too many."""
    faces, found, false = recall(kind(), data)

    assert (faces, found) == (19, 19)
    assert false <= 2


@pytest.mark.parametrize("kind", [YuNet, Haar])
def test_the_best_box_comes_first_and_a_split_batch_gives_the_same(data: Path, kind: type[YuNet | Haar]) -> None:
    """Scores fall; a picture's boxes do not depend on its neighbours."""
    photos = [images.read(path)[0] for path in sorted((data / "photos").glob("*.jpg"))[:2]]
    detector = kind()

    together = detector.detect(photos)

    assert together == [detector.detect([photo])[0] for photo in photos]
    for boxes in together:
        scores = [box.score for box in boxes]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score <= 1 for score in scores)


def test_haar_counts_the_faces_that_it_leaves_out_as_too_small() -> None:
    """The astronaut's face is some hundred pixels large."""
    assert Haar(min_size=200).detect_counting([sample("astronaut.png"), sample("chelsea.png")]) == [([], 1), ([], 0)]


@pytest.mark.parametrize("kind", [YuNet, Auto])
def test_yunet_counts_the_faces_that_it_leaves_out_as_too_small(data: Path, kind: type[YuNet | Auto]) -> None:
    """Found and left out add up to what is found without a least size."""
    photos = [images.read(path)[0] for path in sorted((data / "photos").glob("*.jpg"))]
    every = [len(boxes) for boxes in kind(min_size=1).detect(photos)]

    found = kind(min_size=60).detect_counting(photos)

    assert [len(boxes) + count for boxes, count in found] == every
    assert 0 < sum(count for _, count in found) < sum(every)


@pytest.mark.parametrize("shape", ODD_SHAPES)
def test_haar_finds_nothing_in_odd_pictures(shape: tuple[int, int]) -> None:
    """Tiny and very long pictures give no box and no error."""
    assert Haar(min_size=1).detect([np.zeros((*shape, 3), np.uint8)]) == [[]]


@pytest.mark.parametrize("shape", ODD_SHAPES)
def test_yunet_finds_nothing_in_odd_pictures(shape: tuple[int, int]) -> None:
    """Tiny and very long pictures give no box and no error."""
    assert YuNet(min_size=1).detect([np.zeros((*shape, 3), np.uint8)]) == [[]]


def test_a_large_picture_gives_boxes_in_its_own_pixels() -> None:
    """Boxes are told in the picture that was given, however it was reduced."""
    small = sample("astronaut.png")
    large = np.asarray(cv2.resize(small, None, fx=4, fy=4), np.uint8)
    for detector in (YuNet(), Haar()):
        first, second = detector.detect([small, large])

        assert overlap(first[0], Box(*(value / 4 for value in attrs_of(second[0])))) > 0.8


def attrs_of(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


@pytest.mark.usefixtures("nothing_fetched")
def test_auto_is_yunet_on_every_machine() -> None:
    """Its weights come with the package; what was taken is told with their digest."""
    detector = Auto()

    assert detector.detect([sample("astronaut.png")]) == YuNet().detect([sample("astronaut.png")])
    assert detector.describe()["chosen"] == "yunet"
    assert detector.describe()["weights"].startswith("8f2383e4")


@pytest.mark.usefixtures("nothing_fetched")
def test_auto_takes_no_other_detector_for_weights_that_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures of two machines are of one detector, or of none."""
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(b"damaged")
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path))

    with pytest.raises(WeightsError, match=r"'yunet' at .* have SHA-256"):
        Auto()


def test_the_licence_of_yunet_lies_beside_it() -> None:
    """MIT asks that its notice travels with every copy."""
    folder = Path(affectlm_faces.__file__).parent

    assert (folder / "face_detection_yunet_2023mar.onnx").is_file()
    assert "Copyright (c) 2020 Shiqi Yu" in (folder / "LICENSE-YuNet.txt").read_text(encoding="utf-8")


@pytest.mark.usefixtures("nothing_fetched")
@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("haar", "max_side", 0), ("haar", "neighbours", 1.5), ("auto", "min_size", -1), ("yunet", "threshold", 1.5)],
)
def test_impossible_options_are_refused(name: str, option: str, value: object) -> None:
    """The registry turns the validator's complaint into a configuration error, before weights are looked for."""
    with pytest.raises(ConfigError, match=option):
        Registry.installed().build("detector", {"name": name, option: value})
