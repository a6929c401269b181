"""Every built-in component keeps its protocol; the checks are those that plugin authors use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import PIL.Image
import pytest
import skimage

from affectlm.registry import Registry
from affectlm.scores.scores import score_all
from affectlm.testing import (
    BrightnessEstimator,
    PlainPrompt,
    WholeDetector,
    check_dataset,
    check_detector,
    check_estimator,
    check_llm,
    check_metric,
    check_prompt,
    faces,
    record,
    samples,
)
from affectlm.types import VA, Box, Pixels, Truth

FOLDER = Path(skimage.__file__).parent / "data"


def build(kind: str, name: str, **options: object) -> Any:
    return Registry.installed().build(kind, {"name": name, **options})


def photographs() -> list[Any]:
    pictures = []
    for name in ("astronaut.png", "chelsea.png"):
        with PIL.Image.open(FOLDER / name) as picture:
            pictures.append(np.asarray(picture.convert("RGB")))
    return [*pictures, pictures[0][:, :300].copy()]


@pytest.mark.parametrize("name", ["auto", "haar", "whole", "yunet"])
def test_detectors(name: str) -> None:
    """Boxes per picture, best first, independent of the batch."""
    check_detector(build("detector", name), photographs())


def test_datasets(data: Path) -> None:
    """Unique ids, the same at every pass."""
    check_dataset(build("dataset", "samples"))
    check_dataset(build("dataset", "folder", path=str(data / "photos")))
    check_dataset(build("dataset", "ferplus", path=str(data / "ferplus")))


@pytest.mark.parametrize("style", ["numbers", "words", "both"])
def test_prompts(style: str) -> None:
    """Repeatable, and no reply makes parsing fail."""
    check_prompt(build("prompt", "description", style=style))
    check_prompt(build("prompt", "categories", labels="basic", style=style))


def test_the_baseline_without_a_language_model() -> None:
    """One reply a request, always the same."""
    prompt = build("prompt", "description")
    requests = [attrs.evolve(prompt.render(sample), sample=sample) for sample in samples()]

    check_llm(build("llm", "circumplex"), requests)


def test_metrics() -> None:
    """Finite scores that count what they used."""
    check_metric(build("metric", "accuracy"), [record(label="fear", truth="fear"), record()])


@pytest.mark.parametrize(
    "name",
    sorted(set(Registry.installed().names("metric")) - {"bertscore"}),  # whose model has to be fetched
)
def test_metrics_know_the_names_of_their_scores(name: Any) -> None:
    """`fail_under` is checked by them before the first question."""
    metric = build("metric", name)
    probabilities = [{"fear": 0.7, "anger": 0.3}, {"fear": 0.2, "anger": 0.8}]
    records = [
        record(
            id=f"{label}{number}",
            box=Box(0, 0, 1, 1),
            valence=0.5 - 0.2 * number,
            arousal=0.1 * number,
            label=label,
            probabilities=chosen,
            truth=Truth(labels=(label,), text=(f"{label} {number} words",), valence=0.4 - 0.3 * number, arousal=0.2),
        )
        for number in range(3)
        for label, chosen in zip(("fear", "anger"), probabilities, strict=True)
    ]

    found = {score.name for score in score_all(records, [metric])}

    assert found
    assert found <= set(metric.score_names())


class Shuffling(BrightnessEstimator):
    def estimate(self, faces: Sequence[Pixels]) -> VA:
        return super().estimate(faces)[::-1]


class BatchNormalising(BrightnessEstimator):
    def estimate(self, faces: Sequence[Pixels]) -> VA:
        return np.clip(super().estimate(faces) * len(faces) / 5, -1, 1)


@pytest.mark.parametrize("estimator", [Shuffling(), BatchNormalising()])
def test_the_checks_notice_what_they_are_for(estimator: Any) -> None:
    """A check that cannot fail protects nobody."""
    with pytest.raises(AssertionError, match="row i must belong to crop i"):
        check_estimator(estimator, faces(5))


def test_the_stand_ins_keep_their_protocols() -> None:
    """Authors build on them."""
    check_estimator(BrightnessEstimator())
    check_detector(WholeDetector(), faces(2))
    check_prompt(PlainPrompt())
