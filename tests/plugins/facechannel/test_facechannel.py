"""FaceChannel: the released graph, its preprocessing, its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from affectlm.errors import ConfigError, WeightsError
from affectlm.jobs.train import load_faces
from affectlm.neural.validation import judge
from affectlm.registry import Registry
from affectlm.testing import check_estimator, faces
from affectlm.types import LabelledFaces
from affectlm_facechannel.estimator import FaceChannelEstimator, as_grey
from affectlm_facechannel.network import FaceChannel, ShuntingInhibition
from affectlm_facechannel.shape import CATEGORIES, SIDE
from affectlm_facechannel.training import Plan, train


@pytest.fixture(scope="module")
def estimator() -> FaceChannelEstimator:
    return FaceChannelEstimator(device="cpu")


def test_the_graph_has_the_released_number_of_parameters() -> None:
    """3,592,090 in Keras' count, which adds batch norm's running statistics; our category head is extra."""
    network = FaceChannel()
    parameters = sum(value.numel() for name, value in network.named_parameters() if not name.startswith("category"))
    statistics = sum(value.numel() for name, value in network.named_buffers() if "running" in name)

    assert parameters + statistics == 3_592_090
    assert sum(value.numel() for value in network.category.parameters()) == 8 * 201


def test_the_last_convolution_is_divided_by_its_inhibition() -> None:
    """relu(a) / (0.5 + relu(b)), computed by hand."""
    layer = next(module for module in FaceChannel().modules() if isinstance(module, ShuntingInhibition))
    features = torch.rand(1, 256, 4, 4)

    by_hand = layer.excitation(features).clamp(min=0) / (0.5 + layer.inhibition(features).clamp(min=0))

    torch.testing.assert_close(layer(features), by_hand)


def test_the_estimator_keeps_the_protocol(estimator: Any) -> None:
    """Length, range, order, repeatability."""
    check_estimator(estimator)


def test_category_probabilities_add_up_to_one(estimator: Any) -> None:
    """One for each of FER+'s eight labels, by name."""
    _, details = estimator.details(faces(4))

    assert tuple(details) == CATEGORIES
    np.testing.assert_allclose(sum(details.values()), 1, atol=1e-5)


def test_small_crops_are_enlarged_as_opencv_does_it() -> None:
    """Grey by OpenCV's weights, bilinear, uint8."""
    face = faces(1, seed=3)[0][:40, :40]

    expected = cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (64, 64))

    np.testing.assert_array_equal(as_grey(face), expected)


def test_red_and_blue_are_not_swapped() -> None:
    """Pictures arrive as RGB: pure red is 0.299 of white."""
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255

    assert as_grey(red)[0, 0] == round(0.299 * 255)


def test_a_large_crop_reads_like_the_same_crop_reduced(estimator: Any) -> None:
    """What is measured depends on the face and hardly on the camera's resolution."""
    small = cv2.GaussianBlur(faces(1, seed=1)[0][:24, :24], (5, 5), 2)
    large = cv2.resize(small, (480, 480), interpolation=cv2.INTER_CUBIC)

    difference = np.abs(
        estimator.estimate([large]) - estimator.estimate([cv2.resize(large, (96, 96), interpolation=cv2.INTER_AREA)])
    )

    assert difference.max() < 0.05


def test_spread_draws_valence_and_arousal_out(estimator: Any) -> None:
    """tanh(factor * atanh(value)), each with its own factor; probabilities stay."""
    crops = faces(4, seed=5)
    plain, chances = FaceChannelEstimator(device="cpu", spread=(1, 1)).details(crops)
    wide, others = FaceChannelEstimator(device="cpu", spread=(1.2, 2)).details(crops)

    np.testing.assert_allclose(wide, np.tanh(np.array([1.2, 2]) * np.arctanh(plain)), atol=2e-3)
    np.testing.assert_allclose([*others.values()], [*chances.values()], atol=2e-3)
    assert estimator.describe()["spread"] == "1.15 1.35"


@pytest.mark.parametrize("spread", [(1,), (0, 1), ("wide", 1), 1.2])
def test_a_spread_that_is_none_is_refused(spread: Any) -> None:
    """Two numbers over 0."""
    with pytest.raises(ValueError, match="expected two numbers above 0"):
        FaceChannelEstimator(spread=spread)


def _trained(tmp_path: Path, labels: Any, **options: Any) -> FaceChannelEstimator:
    """The file of a training of one step on eight faces with these labels, loaded."""
    generator = np.random.default_rng(0)
    shares = np.eye(max(1, len(labels)), dtype=np.float32)[np.arange(8) % max(1, len(labels))][:, : len(labels)]
    affect = generator.uniform(-1, 1, (8, 2)).astype(np.float32)
    pixels = generator.integers(0, 256, (8, 48, 48), dtype=np.uint8)
    given = LabelledFaces(pixels, affect, shares, labels)
    plan = Plan(epochs=1, batch_size=8, device="cpu", precision="float32", **options)
    list(train(given, given, plan, tmp_path))
    return FaceChannelEstimator(weights=str(tmp_path / "facechannel.safetensors"), device="cpu")


def test_weights_trained_without_labels_give_no_probabilities(tmp_path: Path) -> None:
    """A head that never saw a label has nothing to say."""
    _, details = _trained(tmp_path, ()).details(faces(2))

    assert details == {}


def test_labels_may_come_in_any_order(tmp_path: Path) -> None:
    """And need not be all eight; the estimator's order stays."""
    _, details = _trained(tmp_path, ("fear", "happiness", "neutral")).details(faces(2))

    assert tuple(details) == CATEGORIES


def test_a_label_of_another_set_is_refused(tmp_path: Path) -> None:
    """The sentence names it."""
    with pytest.raises(ConfigError, match="category 'boredom'; FaceChannel's are neutral"):
        _trained(tmp_path, ("neutral", "boredom"))


def test_the_dropout_of_the_training_is_that_of_the_uncertainty(tmp_path: Path) -> None:
    """It is written into the file."""
    estimator = _trained(tmp_path, (), dropout=0.1)

    assert {module.p for module in estimator._network.modules() if isinstance(module, torch.nn.Dropout)} == {0.1}


def test_training_takes_no_weights_as_the_estimators_option(tmp_path: Path) -> None:
    """They would be ignored: what to begin from is the plan's business."""
    estimator = _trained(tmp_path, ())
    empty: Any = np.zeros((0, 1), np.float32)
    nothing = LabelledFaces(empty, empty, empty, ())

    with pytest.raises(ConfigError, match=r"type plan\.start=FILE"):
        estimator.train(nothing, nothing, {}, tmp_path, lambda share, loss: None)


def _changed(tmp_path: Path, change: Any) -> Any:
    tensors = load_file(FaceChannelEstimator(device="cpu")._path)
    change(tensors)
    path = tmp_path / "changed.safetensors"
    save_file(tensors, path)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("dense.weight"), r"no tensor 'dense.weight' of shape \(200, 4096\)"),
        (
            lambda tensors: tensors.update({"dense.bias": torch.zeros(7)}),
            r"'dense.bias' has shape \(7,\), expected \(200,\)",
        ),
        (lambda tensors: tensors["dense.bias"].fill_(float("nan")), "'dense.bias' has numbers that are not finite"),
        (lambda tensors: tensors.update({"extra": torch.zeros(1)}), "has a tensor 'extra'"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    """One sentence names layer and shape."""
    with pytest.raises(WeightsError, match=message):
        FaceChannelEstimator(weights=_changed(tmp_path, change))


@pytest.mark.parametrize("content", [None, b"", b"no safetensors at all"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty or foreign."""
    path = tmp_path / "file.safetensors"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(WeightsError, match="is not a readable safetensors file"):
        FaceChannelEstimator(weights=path)


def test_the_committed_weights_reach_their_bar_on_ferplus(data: Path) -> None:
    """The validation split, against targets made from votes: the scores of the model card."""
    dataset = Registry.installed().build("dataset", {"name": "ferplus", "path": str(data / "ferplus")})

    network = FaceChannelEstimator(device="cpu", spread=(1, 1))._network
    figures = judge(network, load_faces(dataset), SIDE)  # type: ignore[arg-type]

    assert figures["accuracy"] >= 0.83
    assert figures["ccc_valence"] >= 0.92
    assert figures["ccc_arousal"] >= 0.90
