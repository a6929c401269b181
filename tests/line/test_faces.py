"""The line: windows, contracts, caching, outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectlm.errors import ContractError
from affectlm.line.faces import Found, find_faces
from affectlm.line.measure import estimate
from affectlm.store.cache import Store
from affectlm.testing import BrightnessEstimator, WholeDetector
from affectlm.types import VA, Box, Image, Outcome, Pixels, Record, Truth


def picture(value: int, side: int = 16) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def images(count: int) -> list[Image]:
    return [Image(f"i{number}", picture(number % 250)) for number in range(count)]


class TwoFaces:
    """Two boxes in every picture: left and right half."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        return [[Box(0, 0, p.shape[1] / 2, 16, 0.9), Box(p.shape[1] / 2, 0, p.shape[1], 16, 0.8)] for p in images]


def test_every_face_of_a_picture_without_truth_is_kept() -> None:
    """faces=all is about pictures nobody labelled."""
    steps: list[Any] = list(find_faces([Image("a", picture(1))], TwoFaces()))

    assert [step.face.id for step in steps] == ["a#0", "a#1"]
    assert [step.place.others for step in steps] == [1, 1]


def test_a_labelled_picture_gives_its_best_face_only() -> None:
    """The label is about one person."""
    steps: list[Any] = list(find_faces([Image("a", picture(1), Truth(labels=("anger",)))], TwoFaces()))

    assert [step.face.id for step in steps] == ["a#0"]


def test_a_region_chooses_the_face_inside_it() -> None:
    """The best face of the picture may be another person's."""
    steps: list[Any] = list(find_faces([Image("a", picture(1), region=Box(9, 0, 16, 16))], TwoFaces()))

    assert [step.face.id for step in steps] == ["a#1"]


def test_what_cannot_be_read_and_what_has_no_face_are_outcomes() -> None:
    """Neither stops the pictures around them."""
    steps = list(
        find_faces(
            [Image("bad", b"no picture"), Image("tiny", picture(1, 1)), Image("gone", Path("none.png")), *images(1)],
            WholeDetector(),
        )
    )

    outcomes = {step.id: step.outcome for step in steps if isinstance(step, Record)}
    assert outcomes == {
        "bad": Outcome.UNREADABLE_IMAGE,
        "gone": Outcome.UNREADABLE_IMAGE,
        "tiny": Outcome.NO_FACE,
    }
    assert [step.face.id for step in steps if isinstance(step, Found)] == ["i0#0"]


class Everywhere:
    """One box, seven times as wide as the picture, then one that is the picture."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        return [[Box(0, 0, 7 * p.shape[1], 1), Box(0, 0, p.shape[1], p.shape[0])] for p in images]


@pytest.mark.parametrize(("shape", "detector"), [((8, 200_000), WholeDetector()), ((16, 16), Everywhere())])
def test_a_box_that_no_face_can_fill_is_an_outcome(shape: tuple[int, ...], detector: Any) -> None:
    """Its square would take 112 GiB; the pictures around it and the other faces are measured."""
    odd = Image("odd", np.zeros((*shape, 3), np.uint8))

    steps: list[Any] = list(find_faces([odd, *images(1)], detector))

    refused = next(step for step in steps if isinstance(step, Record))
    assert (refused.id, refused.face, refused.outcome) == ("odd#0", 0, Outcome.NO_FACE)
    assert "pixels does not fit a picture of" in refused.reason
    assert [step.face.id for step in steps if isinstance(step, Found)][-1].startswith("i0#")


class OnlySmall:
    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        return [[] for _ in images]

    def detect_counting(self, images: Sequence[Pixels]) -> list[tuple[list[Box], int]]:
        return [([], 2) for _ in images]


def test_a_picture_whose_faces_are_all_too_small_says_so() -> None:
    """It is not a picture without a face."""
    step: Any
    (step,) = find_faces(images(1), OnlySmall())

    assert (step.outcome, step.too_small) == (Outcome.NO_FACE, 2)
    assert step.reason == "no face was found but 2 smaller than detector.min_size"


def test_only_a_window_of_pictures_is_drawn_ahead() -> None:
    """Pixels never accumulate."""
    drawn = []

    def source() -> Iterator[Any]:
        for image in images(100):
            drawn.append(image.id)
            yield image

    steps = estimate(find_faces(source(), WholeDetector(), batch_size=4), BrightnessEstimator(), batch_size=4)
    next(steps)

    assert len(drawn) <= 8


def test_measured_faces_carry_no_pixels() -> None:
    """What waits for an answer is numbers."""
    steps: list[Any] = list(estimate(find_faces(images(3), WholeDetector()), BrightnessEstimator()))

    assert [step.pixels for step in steps] == [None] * 3


class Returns:
    def __init__(self, value: Any) -> None:
        self.value = value

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        return np.array(self.value, dtype=np.float32)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[0, 0, 0]], r"Returns: bad returned shape \(1, 3\), expected \(1, 2\): valence, arousal"),
        ([[0, float("nan")]], r"Returns: returned \[0.0, nan\] for 'i0#0', expected finite numbers"),
        ([[0, 1.5]], r"expected \[-1, 1\]"),
        ([[0, 0], [0, 0]], r"bad returned shape \(2, 2\)"),
    ],
)
def test_an_estimator_that_breaks_its_contract_is_named(value: Any, message: str) -> None:
    """A plugin's mistake is told as the plugin's."""
    with pytest.raises(ContractError, match=message):
        list(estimate(find_faces(images(1), WholeDetector()), Returns(value)))


def test_a_face_measured_before_is_not_measured_again(tmp_path: Path) -> None:
    """The key holds picture, box and estimator."""
    store = Store("affect", root=tmp_path)
    first, second, other = BrightnessEstimator(), BrightnessEstimator(), BrightnessEstimator()

    measured: list[Any] = list(estimate(find_faces(images(3), WholeDetector()), first, store=store))
    again: list[Any] = list(estimate(find_faces(images(4), WholeDetector()), second, store=store))
    list(estimate(find_faces(images(3), WholeDetector()), other, store=store, key="another estimator"))

    assert [step.sample.valence for step in again[:3]] == [step.sample.valence for step in measured]
    assert (first.batches, second.batches, other.batches) == ([3], [1], [3])
