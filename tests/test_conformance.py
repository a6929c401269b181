"""Every built-in component keeps its protocol; the checks are those that plugin authors use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import PIL.Image
import pytest
import skimage

from affectlm.errors import AffectlmError
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
from affectlm.types import VA, Box, Pixels, Record, Request, SingleLLM, Truth
from affectlm.weights.named import obtain
from tests.artefacts import save_llama, save_onnx, save_timm
from tests.loopback import LoopbackServer
from tests.plugins.chat import test_replay
from tests.plugins.data import test_affectnet, test_emotic, test_ferplus, test_iimi
from tests.plugins.data.test_ferplus import SAD
from tests.plugins.facechannel import test_ssd

Options = dict[str, Any]
COMPONENTS = sorted((each.kind, each.name) for each in Registry.installed().components)
CONSTANT = {"name": "constant", "valence": 0.5, "arousal": -0.5}
NO_WEIGHTS = "the weights cannot be fetched here: {}"


def no_options(_: Path) -> Options:
    return {}


def picture_folder(folder: Path) -> Options:
    PIL.Image.new("RGB", (9, 9)).save(folder / "a.png")
    return {"path": str(folder)}


def rating_table(folder: Path) -> Options:
    (folder / "ratings.csv").write_text("id,valence,arousal\na,0.5,0.1\nb,-0.5,0.2\n")
    return {"path": str(folder / "ratings.csv")}


def replayed_run(folder: Path) -> Options:
    asked = [PlainPrompt().render(sample) for sample in samples()]
    return {"path": test_replay.run_folder(folder, *(test_replay.said("joy", each.messages[0].text) for each in asked))}


def smollm2(_: Path) -> Options:
    try:
        obtain(Registry.installed().weights["smollm2"])
    except AffectlmError as error:
        pytest.skip(NO_WEIGHTS.format(error))
    return {"max_new_tokens": 2}


def gguf(folder: Path) -> Options:
    pytest.importorskip("llama_cpp")
    return {"model": "smollm2", "context_size": 512, **smollm2(folder)}


def sentence_encoder(_: Path) -> Options:
    try:
        for name in ("minilm", "minilm_tokenizer"):
            obtain(Registry.installed().weights[name])
    except AffectlmError as error:
        pytest.skip(NO_WEIGHTS.format(error))
    return {}


# What each component is built with, in an empty folder, and of what it is made there.
OPTIONS: dict[tuple[str, str], Callable[[Path], Options]] = {
    ("dataset", "affectnet"): lambda folder: {"path": str(test_affectnet.face(folder, "1", "0"))},
    ("dataset", "anchors"): no_options,
    ("dataset", "emotic"): lambda folder: {"path": str(test_emotic.table(folder, test_emotic.row()))},
    ("dataset", "ferplus"): lambda folder: {"path": str(test_ferplus.folder(folder, test_ferplus.line(0, SAD)))},
    ("dataset", "folder"): picture_folder,
    ("dataset", "iimi"): lambda folder: {"path": str(test_iimi.touch(folder, "Angry/1.jpg", "Sad/1.jpg"))},
    ("dataset", "manifest"): rating_table,
    ("dataset", "samples"): no_options,
    ("dataset", "simulated"): no_options,
    ("detector", "auto"): no_options,
    ("detector", "haar"): no_options,
    ("detector", "ssd"): lambda folder: {"path": str(test_ssd.write_network(folder))},
    ("detector", "whole"): no_options,
    ("detector", "yunet"): no_options,
    ("estimator", "constant"): no_options,
    ("estimator", "ensemble"): lambda _: {"members": [CONSTANT, {**CONSTANT, "valence": 0}]},
    ("estimator", "facechannel"): lambda _: {"device": "cpu"},
    ("estimator", "onnx"): lambda folder: {"weights": str(save_onnx(folder)), "columns": [0, 1]},
    ("estimator", "timm"): lambda folder: {"weights": str(save_timm(folder)), "device": "cpu"},
    ("llm", "circumplex"): no_options,
    ("llm", "llamacpp"): gguf,
    ("llm", "openai"): lambda _: {"model": "loopback-1", "key_needed": False},
    ("llm", "replay"): replayed_run,
    ("llm", "scripted"): lambda _: {"replies": "joy"},
    ("llm", "smollm2"): smollm2,
    ("llm", "transformers"): lambda folder: {"model": str(save_llama(folder)), "device": "cpu", "max_new_tokens": 2},
    ("prompt", "categories"): lambda _: {"labels": "basic"},
    ("prompt", "description"): no_options,
    **{("metric", name): no_options for name in Registry.installed().names("metric")},
    ("metric", "cosine"): sentence_encoder,
}
UNBUILT = {
    ("metric", "bertscore"): "its model of 1.4 GB has to be fetched; test_text_metrics judges it by a smaller one"
}


def built(kind: str, name: str, folder: Path, **options: object) -> Any:
    """A component with what it needs; skips where that is not to be had."""
    if (kind, name) in UNBUILT:
        pytest.skip(UNBUILT[kind, name])
    return Registry.installed().build(kind, {"name": name, **OPTIONS[kind, name](folder), **options})


def photographs() -> list[Pixels]:
    pictures = []
    for name in ("astronaut.png", "chelsea.png"):
        with PIL.Image.open(Path(skimage.__file__).parent / "data" / name) as picture:
            pictures.append(np.asarray(picture.convert("RGB")))
    return [*pictures, pictures[0][:, :300].copy()]


def questions() -> list[Request]:
    prompt: Any = Registry.installed().build("prompt", {"name": "description"})
    return [attrs.evolve(prompt.render(sample), sample=sample) for sample in samples()[:3]]


def rated_records() -> list[Record]:
    """Answers of two labels with all that any metric judges by."""
    probabilities = [{"fear": 0.7, "anger": 0.3}, {"fear": 0.2, "anger": 0.8}]
    return [
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


def named(kind: str) -> list[str]:
    return [name for each, name in COMPONENTS if each == kind]


def test_every_component_that_is_registered_is_checked_here() -> None:
    """Who adds one adds what it is built with, and who takes one away takes that away."""
    assert sorted(OPTIONS) == COMPONENTS


@pytest.mark.parametrize("name", named("dataset"))
def test_every_dataset_keeps_its_protocol(name: str, tmp_path: Path) -> None:
    """Unique ids, the same at every pass, and there are some."""
    dataset = built("dataset", name, tmp_path)

    check_dataset(dataset)
    assert next(iter(dataset.items()))


@pytest.mark.parametrize("name", named("detector"))
def test_every_detector_keeps_its_protocol(name: str, tmp_path: Path) -> None:
    """Boxes per picture, best first, independent of the batch."""
    check_detector(built("detector", name, tmp_path), photographs())


@pytest.mark.parametrize("name", named("estimator"))
def test_every_estimator_keeps_its_protocol(name: str, tmp_path: Path) -> None:
    """Two numbers in [-1, 1] per crop, independent of the batch."""
    check_estimator(built("estimator", name, tmp_path), faces(3))


@pytest.mark.parametrize("name", named("llm"))
def test_every_language_model_keeps_its_protocol(name: str, tmp_path: Path) -> None:
    """One reply per request, always the same; a service is asked one by one."""
    with LoopbackServer() as server:
        llm = built("llm", name, tmp_path, **({"base_url": server.url} if name == "openai" else {}))
        asked = [PlainPrompt().render(each) for each in samples()] if name == "replay" else questions()

        if isinstance(llm, SingleLLM):
            assert [llm.complete_one(each) for each in asked] == [llm.complete_one(each) for each in asked]
            assert [llm.complete_one(each).id for each in asked] == [each.id for each in asked]
        else:
            check_llm(llm, asked)


@pytest.mark.parametrize("style", ["numbers", "words", "both"])
@pytest.mark.parametrize("name", named("prompt"))
def test_every_prompt_keeps_its_protocol(name: str, style: str, tmp_path: Path) -> None:
    """Repeatable, and no reply makes parsing fail."""
    check_prompt(built("prompt", name, tmp_path, style=style))


@pytest.mark.parametrize("name", named("metric"))
def test_every_metric_keeps_its_protocol_and_knows_the_names_of_its_scores(name: str, tmp_path: Path) -> None:
    """Finite scores that count what they used; `fail_under` is checked by their names before the first question."""
    metric = built("metric", name, tmp_path)

    check_metric(metric, [*rated_records(), record()])
    found = {score.name for score in score_all(rated_records(), [metric])}
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
