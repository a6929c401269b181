"""Estimators beside FaceChannel: constant, ensemble, timm backbones, ONNX models."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

import affectlm
from affectlm.config.components import Components
from affectlm.errors import ConfigError, ContractError, WeightsError
from affectlm.neural.files import load_weights, save_weights
from affectlm.offers import Component
from affectlm.registry import Registry
from affectlm.testing import check_estimator, faces
from affectlm.types import VA, LabelledFaces, Pixels
from affectlm_estimators.anchors import points
from affectlm_estimators.design import Design, from_hub
from affectlm_estimators.external import model_files
from affectlm_estimators.network import SqueezeExcitation
from tests.artefacts import save_timm
from tests.conftest import Compose

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

PLAN = {"epochs": 6, "batch_size": 16, "learning_rate": 0.003, "averaging": 0.5, "dropout": 0.0, "augmentation": 0.0}
EMOTIEFFLIB = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


def build(name: str, **options: object) -> Any:
    return Registry.installed().build("estimator", {"name": name, **options})


def preset(compose: Compose, name: str, **options: object) -> Any:
    return Registry.installed().build("estimator", {**compose(f"estimator={name}")["estimator"], **options})


# constant


def test_the_constant_gives_one_point_for_every_face() -> None:
    """The baseline of any comparison."""
    check_estimator(build("constant", valence=0.25, arousal=-1))

    np.testing.assert_array_equal(build("constant", valence=0.25, arousal=-1).estimate(faces(2)), [[0.25, -1]] * 2)


@pytest.mark.parametrize("value", [1.1, float("nan"), "high"])
def test_a_constant_outside_the_plane_is_refused(value: Any) -> None:
    """The message names the option."""
    with pytest.raises(ConfigError, match=r"valence is .*; expected a number from -1 to 1"):
        build("constant", valence=value)


# ensemble


def test_an_ensemble_gives_mean_and_spread_of_its_members() -> None:
    """Mean and population deviation, as numpy computes them; a member may be there twice."""
    members = [{"name": "constant", "valence": value, "arousal": value / 2} for value in (0.8, -0.2, -0.2)]
    ensemble = build("ensemble", members=members)

    affect, details = ensemble.details(faces(2))

    check_estimator(ensemble)
    np.testing.assert_allclose(affect[1], [2 / 15, 1 / 15], atol=1e-6)
    np.testing.assert_allclose(details["valence_sd"], np.std([0.8, -0.2, -0.2]), atol=1e-6)
    np.testing.assert_allclose(details["arousal_sd"], np.std([0.4, -0.1, -0.1]), atol=1e-6)


def test_weights_say_what_a_member_counts_for() -> None:
    """A weight of three is being there three times."""
    members = [{"name": "constant", "valence": 1.0}, {"name": "constant", "valence": -1.0}]

    affect, details = build("ensemble", members=members, weights=[3, 1]).details(faces(1))

    assert affect[0, 0] == pytest.approx(0.5)
    assert details["valence_sd"][0] == pytest.approx(np.std([1, 1, 1, -1]))


def test_details_that_all_members_share_are_averaged(tmp_path: Path) -> None:
    """Those of one member only are left out."""
    shared = {"name": "onnx", "weights": model(tmp_path, "a", classes=("joy", "fear"))}
    shared |= {"affect": "affect", "classes": "classes"}
    members = [{**shared, "labels": ["joy", "fear"]}, {**shared, "labels": ["joy", "calm"]}]
    single = [build(**member).details(faces(3))[1] for member in members]

    _, details = build("ensemble", members=members).details(faces(3))

    assert set(details) == {"joy", "valence_sd", "arousal_sd"}
    np.testing.assert_allclose(details["joy"], (single[0]["joy"] + single[1]["joy"]) / 2, atol=1e-6)


def test_an_ensemble_tells_the_digest_of_each_member(tmp_path: Path) -> None:
    """Two members of one name stay apart: cached values depend on both."""
    one, other = (model(tmp_path, name, bias=bias) for name, bias in (("a", 0.0), ("b", 0.1)))
    members = [{"name": "onnx", "weights": one}, {"name": "constant"}, {"name": "onnx", "weights": other}]

    told = build("ensemble", members=members).describe()

    digests = {key: value for key, value in told.items() if key.endswith("sha256")}
    assert set(digests) == {"0.onnx.weights_sha256", "2.onnx.weights_sha256"}
    assert len(set(digests.values())) == 2


def test_an_ensemble_tells_the_version_of_each_member() -> None:
    """Members may come from other distributions than the ensemble."""
    members = [{"name": "constant"}, {"name": "constant"}]

    told = build("ensemble", members=members).describe()

    assert told == dict.fromkeys(("0.constant.version", "1.constant.version"), f"affectlm {affectlm.__version__}")


@attrs.frozen
class Quick:
    """A member that tells how it computes."""

    speed_options: ClassVar[tuple[str, ...]] = ("threads", "device")
    threads: int

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        return np.zeros((len(faces), 2), np.float32)

    def describe(self) -> dict[str, Any]:
        return {"threads": str(self.threads), "weights_sha256": "abc"}


def test_how_fast_members_are_is_no_part_of_the_key_of_stored_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values stay on a machine with other cores; the members' own options still tell them apart."""
    registry = Registry.installed()
    quick = Component("estimator", "quick", "affectlm_estimators", lambda **options: Quick(options["threads"]))
    monkeypatch.setattr(registry, "components", [*registry.components, quick])

    def key(**options: Any) -> Any:
        section = {"name": "ensemble", "members": [{"name": "quick", **options}]}
        components = Components(config={"estimator": section}, registry=registry)
        return components.identity("estimator", components.build("estimator"))

    assert key(threads=1, device="cpu") == key(threads=2, device="cuda")
    assert key(threads=1, level=1) != key(threads=1, level=2)
    assert "0.quick.weights_sha256" in key(threads=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"estimator\.members is \(\); expected estimators"),
        ({"members": []}, r"estimator\.members is \[\]; expected estimators"),
        ({"members": ["facechannel"]}, "has 'facechannel'; expected a name and options"),
        ({"members": [{"name": "nobody"}]}, "no estimator named 'nobody'"),
        ({"members": [{"name": "constant", "valence": 2}]}, "'constant': valence is 2"),
        ({"members": [{"name": "constant"}], "weights": [1, 2]}, r"weights is \[1, 2\] for 1 members"),
        ({"members": [{"name": "constant"}], "weights": [0]}, "one above 0"),
        ({"members": [{"name": "constant"}], "weights": 2}, "weights is 2 for 1 members; expected a number per member"),
        ({"members": [{"name": "constant"}], "weights": [float("nan")]}, "a number per member"),
    ],
)
def test_an_ensemble_that_cannot_be_is_refused(options: Any, message: str) -> None:
    """When it is built, in one sentence."""
    with pytest.raises(ConfigError, match=message):
        build("ensemble", **options)


# timm


def toy(count: int, seed: int) -> LabelledFaces:
    """Bright faces are pleasant, dark ones are not."""
    generator = np.random.default_rng(seed)
    bright = generator.random(count) < 0.5
    pixels = generator.integers(0, 60, (count, 32, 32)) + np.where(bright, 180, 10)[:, None, None]
    affect = np.stack([np.where(bright, 0.7, -0.6), np.where(bright, 0.1, 0.3)], axis=1)
    votes = np.stack([bright, ~bright], axis=1)
    return LabelledFaces(pixels.astype(np.uint8), affect.astype(np.float32), votes.astype(np.float32), ("joy", "fear"))


@pytest.fixture
def trained(tmp_path: Path) -> Any:
    """A random small network as `affectlm train` stores it."""
    return save_timm(tmp_path)


def test_weights_alone_say_which_network_they_hold(trained: Any) -> None:
    """Architecture, side, categories and the block come from the file."""
    estimator = build("timm", weights=trained, device="cpu")

    check_estimator(estimator)
    affect, details = estimator.details(faces(3))
    assert affect.shape == (3, 2)
    assert set(details) == {"joy", "fear"}
    np.testing.assert_allclose(details["joy"] + details["fear"], 1, atol=1e-5)
    assert estimator.describe()["architecture"] == "test_efficientnet"


def test_a_timm_backbone_learns_and_its_file_measures_what_was_logged(tmp_path: Path) -> None:
    """A few steps on bright and dark faces; the estimator reads the file that training wrote."""
    training, validation = toy(64, 0), toy(32, 1)
    learner = build("timm", architecture="test_efficientnet", side=32, excitation=True)
    figures = list(learner.train(training, validation, PLAN, tmp_path, lambda share, loss: None))
    estimator = build("timm", weights=tmp_path / "timm.safetensors", device="cpu")

    affect, details = estimator.details([np.repeat(face[..., None], 3, axis=2) for face in validation.pixels])

    assert figures[-1]["ccc_valence"] > 0.8 > figures[0]["ccc_valence"]
    right = (details["joy"] > 0.5) == (validation.categories[:, 0] > 0.5)
    assert right.mean() == pytest.approx(figures[-1]["accuracy"], abs=0.04)
    assert np.corrcoef(affect[:, 0], validation.affect[:, 0])[0, 1] > 0.8


def test_training_begins_from_given_weights(trained: Any, tmp_path: Path) -> None:
    """With a rate that moves nothing the written parameters are those given."""
    plan = {**PLAN, "epochs": 1, "learning_rate": 1e-12, "weight_decay": 0.0, "start": str(trained)}
    (tmp_path / "run").mkdir()

    learner = build("timm", architecture="test_efficientnet", side=32, excitation=True)
    list(learner.train(toy(16, 0), toy(16, 1), plan, tmp_path / "run", lambda *_: None))

    given, written = load_file(trained), load_file(tmp_path / "run" / "timm.safetensors")
    parameters = [name for name in given if "running" not in name]  # batch norm's statistics follow the faces
    assert given.keys() == written.keys()
    assert all(torch.equal(given[name], written[name]) for name in parameters)


def test_options_that_training_does_not_read_are_refused(trained: Any, tmp_path: Path) -> None:
    """The message names those of the plan that it reads."""
    faces, options = (toy(16, 0), toy(16, 1), PLAN, tmp_path, print), {"architecture": "test_efficientnet", "side": 32}

    with pytest.raises(ConfigError, match=r"does not use estimator\.weights; .* plan\.start=PATH"):
        build("timm", weights=trained).train(*faces)
    with pytest.raises(ConfigError, match=r"does not use estimator\.device; .* plan\.device=cpu"):
        build("timm", **options, device="cpu").train(*faces)


def test_a_plan_with_a_side_that_the_network_cannot_take_is_one_sentence(tmp_path: Path) -> None:
    """Before the first step, though the network itself was built for another side."""
    learner = build("timm", architecture="inception_v3", side=75)

    with pytest.raises(ConfigError, match="architecture 'inception_v3' with side 32 cannot be built"):
        learner.train(toy(16, 0), toy(16, 1), {**PLAN, "side": 32}, tmp_path, print)


@pytest.mark.parametrize("architecture", ["test_resnet", "test_mambaout", "test_vit"])
def test_backbones_of_all_layouts_take_the_block(architecture: str) -> None:
    """Channels second, channels last, and tokens."""
    design = Design(architecture=architecture, side=64, categories=(), excitation=True)

    affect, logits = design.build().eval()(torch.rand(2, 1, 64, 64))

    assert affect.shape == (2, 2)
    assert logits is None


def test_the_block_weighs_channels_by_their_means() -> None:
    """Sigmoid of two dense layers, computed by hand, whichever axis holds the channels."""
    block, features = SqueezeExcitation(32), torch.rand(2, 32, 3, 5)

    shares = torch.sigmoid(block.excite(block.squeeze(features.mean((2, 3))).clamp(min=0)))
    by_hand = features * shares[:, :, None, None]

    torch.testing.assert_close(block(features), by_hand)
    torch.testing.assert_close(block(features.permute(0, 2, 3, 1)), by_hand.permute(0, 2, 3, 1))
    torch.testing.assert_close(block(features.flatten(2).mT), by_hand.flatten(2).mT)


def test_the_backbone_sees_grey_as_its_publisher_normalised_colour() -> None:
    """Three equal channels, less the mean, by the deviation."""
    network = Design(architecture="test_resnet", side=32).build().eval()
    seen = []

    def forward(colour: torch.Tensor) -> torch.Tensor:
        seen.append(colour)
        return torch.zeros(1, 96, 1, 1)

    network.backbone.forward_features = forward
    config: Any = timm.get_pretrained_cfg("test_resnet")

    network(torch.full((1, 1, 32, 32), 0.5))

    expected = [(0.5 - mean) / deviation for mean, deviation in zip(config.mean, config.std, strict=True)]
    torch.testing.assert_close(seen[0][0, :, 7, 7], torch.tensor(expected))


def test_the_swin_preset_builds_its_network(compose: Compose) -> None:
    """A timm Swin with the block; only its plan is looked at, the weights are the hub's."""
    options = compose("estimator=swin_se")["estimator"]

    design = preset(compose, "swin_se")._wanted(("joy",))

    assert options["pretrained"] is True
    assert (design.architecture, design.side, design.excitation) == ("swin_tiny_patch4_window7_224", 224, True)
    with torch.device("meta"):
        network = design.build()
    assert network.excitation.channels == network.backbone.num_features == 768


def test_measuring_without_weights_is_refused_before_the_first_face() -> None:
    """`describe` is asked when a run begins."""
    estimator = build("timm", architecture="test_resnet")

    for call in (estimator.describe, lambda: estimator.estimate(faces(1)), lambda: estimator.details([])):
        with pytest.raises(WeightsError, match="architecture 'test_resnet' has no weights; train it"):
            call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"needs estimator\.weights=PATH to measure, or estimator\.architecture=NAME"),
        ({"architecture": "resnet_18"}, "timm has no architecture 'resnet_18'; did you mean .*'resnet18'"),
        ({"architecture": "hf-hub:somebody/model"}, "timm has no architecture 'hf-hub:somebody/model'"),
        ({"architecture": "resnet18", "side": 4}, "side"),
        ({"architecture": "resnet18", "side": "abc"}, "side"),
        ({"architecture": "resnet18", "side": 64.5}, "side"),
        ({"architecture": "resnet18", "device": "gpu"}, "device"),
    ],
)
def test_timm_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    """When it is built."""
    with pytest.raises(ConfigError, match=message):
        build("timm", **options)


def test_options_that_contradict_the_weights_are_refused(trained: Any) -> None:
    """The message says what the file holds."""
    with pytest.raises(WeightsError, match="has architecture 'test_efficientnet', not 'test_resnet'"):
        build("timm", weights=trained, architecture="test_resnet")


def _described(trained: Any, tmp_path: Path, **changes: Any) -> Any:
    tensors = load_file(trained)
    design = {"architecture": "test_efficientnet", "side": 32, "categories": ["joy", "fear"], "excitation": True}
    save_file(tensors, tmp_path / "other.safetensors", {"design": json.dumps({**design, **changes})})
    return tmp_path / "other.safetensors"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": 1}, "does not say what network it holds"),
        ({"side": 64.5}, "does not say what network it holds"),
        ({"side": None}, "does not say what network it holds"),
        ({"categories": 3}, "does not say what network it holds"),
        ({"more": 1}, "does not say what network it holds"),
        ({"categories": ["joy"]}, r"tensor 'category.weight' has shape \(2, 256\), expected \(1, 256\)"),
        ({"excitation": False}, "has a tensor 'excitation"),
        (
            {"architecture": "test_resnet"},
            "has no tensor 'backbone.*; it is not the 'test_resnet' that",
        ),
    ],
)
def test_a_file_that_says_something_else_than_it_holds_is_refused(
    trained: Any, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """One sentence names the tensor and its shape."""
    with pytest.raises(WeightsError, match=message):
        build("timm", weights=_described(trained, tmp_path, **changes))


def test_weights_without_a_description_or_with_broken_numbers_are_refused(trained: Any, tmp_path: Path) -> None:
    """A foreign safetensors file, NaN in a tensor, a truncated file, none."""
    path, tensors = tmp_path / "foreign.safetensors", load_file(trained)
    save_file(tensors, path)
    with pytest.raises(WeightsError, match=r"does not say what network it holds; expected the timm\.safetensors"):
        build("timm", weights=path)
    tensors["affect.bias"][0] = float("nan")
    save_file(tensors, path)
    network = Design.from_metadata(trained).build()
    with pytest.raises(WeightsError, match=r"'affect\.bias' has numbers that are not finite"):
        load_weights(network, path, "it")
    path.write_bytes(trained.read_bytes()[:1000])
    for name in (path, tmp_path / "none"):
        with pytest.raises(WeightsError, match="is not a readable safetensors file"):
            build("timm", weights=name)


def test_numbers_too_large_for_half_precision_are_kept(tmp_path: Path) -> None:
    """A batch norm's variance may be."""
    network = torch.nn.BatchNorm1d(2)
    assert network.running_var is not None
    network.running_var.fill_(1e6)
    save_weights(network, tmp_path / "file")

    stored = load_file(tmp_path / "file")

    assert stored["running_var"].tolist() == [1e6, 1e6]
    assert stored["weight"].dtype == torch.float16


def test_a_fixed_size_is_not_the_plans_to_change(tmp_path: Path) -> None:
    """The message names the option that is."""
    with pytest.raises(ConfigError, match=r"'test_vit' takes faces of 64 pixels only; set estimator\.side"):
        build("timm", architecture="test_vit", side=64).train(toy(16, 0), toy(16, 1), {"side": 32}, tmp_path, print)


def test_a_size_that_an_architecture_cannot_take_is_one_sentence() -> None:
    """Timm's own complaint is in it."""
    with pytest.raises(ConfigError, match="architecture 'test_maxvit' with side 17 cannot be built"):
        Design(architecture="test_maxvit", side=17).build()


def test_a_backbone_that_cannot_be_fetched_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, with an empty hub cache; and where its publisher has none."""
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"'timm/vit_huge.*' is not on this machine and cannot be fetched"):
        from_hub("vit_huge_patch14_clip_336.laion2b_ft_in12k_in1k")
    with pytest.raises(WeightsError, match="publishes no weights for 'coatnet_0_224'"):
        from_hub("coatnet_0_224")


def test_training_may_begin_from_a_published_backbone() -> None:
    """The publisher's tensors fill the backbone; its classifier is dropped."""
    torch.manual_seed(1)
    published = timm.create_model("test_resnet", num_classes=1000).state_dict()

    network = Design(architecture="test_resnet", side=32).build(pretrained=published)

    found = network.backbone.state_dict()
    assert len(found) > 10
    assert all(torch.equal(value, published[name]) for name, value in found.items())


# onnx


def model(
    folder: Path,
    name: str = "model",
    *,
    classes: tuple[Any, ...] = (),
    bias: float = 0.0,
    shape: tuple[Any, ...] = ("n", 3, 8, 8),
    joined: bool = False,
    nan: bool = False,
) -> Any:
    """An ONNX model whose valence is the red channel's mean and arousal the blue's, plus class scores; its path."""
    helper, tensor = onnx.helper, onnx.TensorProto.FLOAT
    pooled = [2, 3] if shape[1] in (1, 3) else [1, 2]
    weight = np.zeros((shape[pooled[0] - 1] if pooled == [2, 3] else shape[3], 2 + len(classes)), np.float32)
    weight[0, 0], weight[-1, 1] = 1, 1
    for column in range(len(classes)):
        weight[0, 2 + column] = column * 3
    offset = np.full(2 + len(classes), np.nan if nan else bias, np.float32)
    values = {"axes": np.array(pooled), "weight": weight, "offset": offset, "cut": np.array([2, len(classes)])}
    nodes = [
        helper.make_node("ReduceMean", ["picture", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "offset"], ["both"]),
    ]
    outputs = [helper.make_tensor_value_info("both", tensor, [shape[0], 2 + len(classes)])]
    if classes and not joined:
        nodes.append(helper.make_node("Split", ["both", "cut"], ["affect", "classes"], axis=1))
        outputs = [helper.make_tensor_value_info(each, tensor, None) for each in ("affect", "classes")]
    else:
        values.pop("cut")
    picture = helper.make_tensor_value_info("picture", tensor, shape)
    constants = [onnx.numpy_helper.from_array(value, key) for key, value in values.items()]
    graph = helper.make_graph(nodes, "graph", [picture], outputs, constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, str(folder / f"{name}.onnx"))
    return str(folder / f"{name}.onnx")


def plain(red: float, blue: float, side: int = 8) -> Any:
    """A crop of one colour."""
    crop = np.zeros((side, side, 3), np.uint8)
    crop[..., 0], crop[..., 2] = round(255 * red), round(255 * blue)
    return crop


@pytest.mark.parametrize("shape", [("n", 3, 8, 8), (1, 3, 8, 8), (4, 3, 8, 8), ("n", 8, 8, 3), ("n", 3, "h", "w")])
def test_any_layout_and_batch_of_a_model_is_read_from_it(tmp_path: Path, shape: tuple[Any, ...]) -> None:
    """Channels first or last, any batch or a fixed one; the size where the model fixes it."""
    options = {"size": 8} if "h" in shape else {}
    estimator = build("onnx", weights=model(tmp_path, shape=shape), **options)

    check_estimator(estimator)
    crops = [plain(0.2, 0.8), plain(0.6, 0.4, 16), plain(0, 0), plain(1, 1), plain(0.4, 0.2)]
    expected = [[0.2, 0.8], [0.6, 0.4], [0.0, 0.0], [1.0, 1.0], [0.4, 0.2]]
    np.testing.assert_allclose(estimator.estimate(crops), expected, atol=1e-5)


def test_mean_deviation_and_colour_order_are_applied(tmp_path: Path) -> None:
    """(pixel / 255 - mean) / std, one number a channel, in the order that the model takes."""
    options = {"mean": [0.5, 0, 0.1], "std": [2, 1, 4]}
    red, blue = (0.6 - 0.5) / 2, (0.4 - 0.1) / 4

    rgb = build("onnx", weights=model(tmp_path), **options).estimate([plain(0.6, 0.4)])
    bgr = build("onnx", weights=model(tmp_path), **options, colour="bgr").estimate([plain(0.4, 0.6)])

    np.testing.assert_allclose(rgb, [[red, blue]], atol=1e-5)
    np.testing.assert_allclose(bgr, rgb, atol=1e-6)


def test_a_model_with_one_channel_sees_grey(tmp_path: Path) -> None:
    """By OpenCV's weights: red is 0.299 of white."""
    estimator = build("onnx", weights=model(tmp_path, shape=("n", 1, 8, 8)))

    assert estimator.estimate([plain(1, 0)])[0, 0] == pytest.approx(76 / 255, abs=1e-5)


def test_order_and_scale_are_mapped(tmp_path: Path) -> None:
    """[0, 1] becomes [-1, 1]; arousal may come first; what lies outside is cut."""
    path, crops = model(tmp_path), [plain(0.75, 0.5)]

    assert build("onnx", weights=path, scale=[0, 1]).estimate(crops)[0].tolist() == pytest.approx([0.5, 0], abs=0.01)
    assert build("onnx", weights=path, order="av").estimate(crops)[0].tolist() == pytest.approx([0.5, 0.75], abs=0.01)
    shifted = build("onnx", weights=model(tmp_path, bias=5.0))
    np.testing.assert_array_equal(shifted.estimate(crops), [[1, 1]])
    nine = build("onnx", weights=model(tmp_path, bias=5.0), scale=[1, 9]).estimate(crops)
    np.testing.assert_allclose(nine, [[(0.75 + 4) / 4 - 1, (0.5 + 4) / 4 - 1]], atol=0.01)


def test_class_scores_lead_to_the_expected_point(tmp_path: Path) -> None:
    """Softmax times the class means of AffectNet; the probabilities become details."""
    path = model(tmp_path, classes=("a", "b", "c"))
    labels = ["Happy", "sadness", "contempt"]

    estimator = build("onnx", weights=path, classes="classes", labels=labels)
    affect, details = estimator.details([plain(0.5, 0)])

    check_estimator(estimator)
    chances = np.exp([0, 1.5, 3]) / np.exp([0, 1.5, 3]).sum()
    means = [(0.67, 0.08), (-0.63, -0.27), (-0.51, 0.58)]
    assert [float(details[label][0]) for label in labels] == pytest.approx(chances, abs=0.01)
    np.testing.assert_allclose(affect[0], chances @ means, atol=0.01)


def test_published_points_of_words_are_a_choice() -> None:
    """They know more labels, but no contempt."""
    np.testing.assert_allclose(points(["bored", "happiness"], "words"), [[-0.66, -0.63], [0.81, 0.51]], rtol=1e-6)
    with pytest.raises(ConfigError, match="anchors 'words' have no point for the label 'contempt'"):
        points(["contempt"], "words")


@pytest.mark.parametrize(("affect", "classes"), [(0, 0), (0, "both"), ("both", -1)])
def test_classes_are_the_columns_that_affect_leaves_however_the_output_is_named(
    tmp_path: Path, affect: int | str, classes: int | str
) -> None:
    """Valence and arousal come first here, then the scores, all in one output."""
    path = model(tmp_path, classes=("a", "b", "c"), joined=True)
    labels = ["sadness", "anger", "joy"]

    estimator = build("onnx", weights=path, affect=affect, columns=[0, 1], classes=classes, labels=labels)
    found, details = estimator.details([plain(0.5, 0)])

    np.testing.assert_allclose(found, [[0.5, 0]], atol=0.01)
    chances = np.exp([0, 1.5, 3]) / np.exp([0, 1.5, 3]).sum()
    assert [float(details[label][0]) for label in labels] == pytest.approx(chances, abs=0.01)


@pytest.mark.parametrize(("options", "count"), [({"columns": [0, -1]}, 3), ({}, 0)])
def test_an_output_without_a_column_for_each_label_is_refused(
    tmp_path: Path, options: dict[str, Any], count: int
) -> None:
    """The output is told with what is left of it beside valence and arousal."""
    path = model(tmp_path, classes=("a", "b", "c"), joined=True)

    with pytest.raises(ConfigError, match=rf"output 'both' .* shape \(1, 5\) and {count} columns .* expected 2, one"):
        build("onnx", weights=path, affect=0, classes=0, labels=["joy", "fear"], **options)


def split(folder: Path) -> Any:
    """A model whose weight lies in a file beside it, as exporters write them; the paths of both."""
    path, data = Path(model(folder)), folder / "model.data"
    proto = onnx.load(path)
    weight = next(each for each in proto.graph.initializer if each.name == "weight")
    data.write_bytes(weight.raw_data)
    onnx.external_data_helper.set_external_data(weight, data.name)
    weight.ClearField("raw_data")
    path.write_bytes(proto.SerializeToString())
    return path, data


def test_the_digest_of_a_model_covers_the_file_that_holds_its_tensors(tmp_path: Path) -> None:
    """The graph's file stays the same, byte for byte; one without such a file has the digest of the file."""
    path, data = split(tmp_path)
    before = build("onnx", weights=path).describe()

    data.write_bytes(bytes(data.stat().st_size))

    assert build("onnx", weights=path).describe() != before
    whole = model(tmp_path)
    expected = hashlib.sha256(Path(whole).read_bytes()).hexdigest()
    assert build("onnx", weights=whole).describe() == {"weights_sha256": expected}


def test_tensors_inside_nodes_and_functions_count_too(tmp_path: Path) -> None:
    """Anywhere in the file, not only among the graph's initializers."""
    helper, path = onnx.helper, tmp_path / "deep.onnx"
    value = onnx.TensorProto(data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    value.external_data.add(key="location", value="deep.data")
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=value)], "inner", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=inner)
    function = helper.make_function("f", "g", ["x"], ["y"], [node], [helper.make_opsetid("", 18)])
    path.write_bytes(helper.make_model(helper.make_graph([], "g", [], []), functions=[function]).SerializeToString())
    (tmp_path / "deep.data").touch()

    assert model_files(path) == (path, tmp_path / "deep.data")


@pytest.mark.parametrize("location", ["../out.data", "/etc/hostname", "sub\\..\\..\\out.data", "C:\\out.data"])
def test_tensors_outside_the_models_folder_are_refused(tmp_path: Path, location: str) -> None:
    """A model must not name any file of the machine."""
    path, _ = split(tmp_path)
    proto = onnx.load(path, load_external_data=False)
    weight = next(each for each in proto.graph.initializer if each.name == "weight")
    weight.external_data[0].value = location
    path.write_bytes(proto.SerializeToString())

    with pytest.raises(WeightsError, match=r"keeps tensors in .*; expected a file in the model's folder"):
        build("onnx", weights=path)


def test_a_model_without_the_file_of_its_tensors_is_refused(tmp_path: Path) -> None:
    """The message names it."""
    path, data = split(tmp_path)
    data.unlink()

    with pytest.raises(WeightsError, match=r"keeps tensors in 'model\.data', which is missing"):
        build("onnx", weights=path)


def test_the_emotiefflib_preset_reads_scores_and_affect_from_one_output(compose: Compose, tmp_path: Path) -> None:
    """Eight scores in its class order, then valence, arousal; ImageNet's mean and deviation."""
    path = model(tmp_path, classes=tuple(range(8)), shape=("n", 3, 224, 224), joined=True)
    proto = onnx.load(path)
    weight = next(each for each in proto.graph.initializer if each.name == "weight")
    weight.CopyFrom(onnx.numpy_helper.from_array(np.roll(onnx.numpy_helper.to_array(weight), -2, axis=1), "weight"))
    onnx.save(proto, path)

    affect, details = preset(compose, "emotiefflib", weights=path).details([plain(0.6, 0.4)])

    np.testing.assert_allclose(affect, [[(0.6 - 0.485) / 0.229, (0.4 - 0.406) / 0.225]], atol=0.01)
    assert tuple(details) == EMOTIEFFLIB
    assert max(details, key=lambda name: details[name][0]) == "surprise"


def test_the_emonet_preset_reads_three_outputs(compose: Compose, tmp_path: Path) -> None:
    """Expression, valence and arousal by name; valence and arousal cut to [-1, 1]."""
    helper, tensor = onnx.helper, onnx.TensorProto.FLOAT
    path = model(tmp_path, classes=tuple(range(8)), shape=("n", 3, 256, 256), bias=-1.5)
    proto = onnx.load(path)
    proto.graph.node.append(helper.make_node("Split", ["affect", "ones"], ["valence", "arousal"], axis=1))
    proto.graph.node.append(helper.make_node("Identity", ["classes"], ["expression"]))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 1]), "ones"))
    del proto.graph.output[:]
    names = ("heatmap", "expression", "valence", "arousal")
    proto.graph.node.append(helper.make_node("Identity", ["mean"], ["heatmap"]))
    proto.graph.output.extend(helper.make_tensor_value_info(name, tensor, None) for name in names)
    onnx.save(proto, path)

    estimator = preset(compose, "emonet", weights=path)
    affect, details = estimator.details([plain(0.9, 0.4)])

    check_estimator(estimator, faces(2))
    np.testing.assert_allclose(affect, [[-0.6, -1]], atol=0.01)
    assert tuple(details)[:4] == ("neutral", "happiness", "sadness", "surprise")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"affect": "valence"}, r"the model has no output 'valence'; its outputs: 'affect' \(1, 2\), 'classes'"),
        ({"affect": 2}, "the model has no output 2; its outputs"),
        ({"affect": "classes"}, r"output 'classes' of the model has shape \(1, 3\), expected \(1, 2\)"),
        ({"affect": ["affect", "classes"]}, r"output 'affect' of the model has shape \(1, 2\), expected \(1, 1\)"),
        ({"affect": "classes", "columns": [1, 3]}, r"expected \(1, columns\) with columns \[1, 3\]"),
        ({"affect": 0, "columns": [1]}, r"columns is \[1\]; expected two"),
        ({"affect": "classes", "columns": [2, -1]}, r"columns is \[2, -1\], one column twice"),
        ({"affect": ["affect", 0]}, r"affect is \['affect', 0\], one output twice"),
        ({"classes": "classes", "labels": ["joy", "fear"]}, r"has shape \(1, 3\), expected \(1, 2\)"),
        ({"classes": "classes"}, "classes and estimator.labels belong together"),
        ({"classes": "classes", "labels": ["joy", "fear", "awe"]}, "anchors 'affectnet' have no point for .* 'awe'"),
        ({"scale": [1, -1]}, r"scale is \[1, -1\]; expected the least value first"),
        ({"scale": [1]}, r"scale is \[1\]; expected the least and the greatest"),
        ({"scale": 5}, r"estimator\.scale is 5; expected the least and the greatest"),
        ({"columns": 3}, r"estimator\.columns is 3; expected two"),
        ({"std": "a"}, r"estimator\.std is \['a'\]; expected a number above 0"),
        ({"std": None}, r"estimator\.std is \[None\]; expected a number above 0"),
        ({"mean": "a"}, r"estimator\.mean is \['a'\]; expected a number"),
        ({"labels": 5}, r"estimator\.labels is 5; expected names of categories"),
        ({"classes": "classes", "labels": ["joy", "joy", "fear"]}, r"estimator\.labels names 'joy' twice"),
        ({"size": 16}, "square picture with one or three channels; set estimator.size"),
        ({"layout": "nhwc"}, "square picture with one or three channels"),
        ({"colour": "grey"}, "takes 3 channels, not grey"),
        ({"mean": [0.5, 0.5]}, "mean has 2 numbers, expected one or 3"),
        ({"std": 0}, r"estimator\.std is \[0\]; expected a number above 0"),
        ({"order": "vad"}, "order"),
        ({"threads": -1}, "threads"),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """When it is built, naming output, found and expected shape."""
    with pytest.raises(ConfigError, match=message):
        build("onnx", weights=model(tmp_path, classes=("a", "b", "c")), **options)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """The output is named."""
    with pytest.raises(ContractError, match="output 'both' of the model has numbers that are not finite"):
        build("onnx", weights=model(tmp_path, nan=True))


def test_scores_that_are_no_probabilities_are_refused(tmp_path: Path) -> None:
    """Raw scores need the softmax."""
    options = {"classes": "classes", "labels": ["joy", "fear"], "logits": False}
    with pytest.raises(ContractError, match="output 'classes' is not probabilities; set estimator"):
        build("onnx", weights=model(tmp_path, classes=("a", "b"), bias=-9.0), **options)


@pytest.mark.parametrize("content", [b"", b"no model", "truncated"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: Any) -> None:
    """Empty, foreign or truncated: one sentence on one line."""
    path = tmp_path / "file.onnx"
    whole = Path(model(tmp_path)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content == "truncated" else content)

    with pytest.raises(WeightsError, match="is not an ONNX model that can be run") as caught:
        build("onnx", weights=path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_missing_option_are_told_apart(tmp_path: Path) -> None:
    """Each says what to type."""
    with pytest.raises(WeightsError, match=r"none\.onnx' is not a file; expected an ONNX model"):
        build("onnx", weights=tmp_path / "none.onnx")
    with pytest.raises(ConfigError, match=r"estimator 'onnx' needs estimator\.weights=PATH"):
        build("onnx")


def test_without_onnxruntime_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(ConfigError, match=r"needs onnxruntime, which is not installed; type: pip install 'affectlm"):
        build("onnx", weights=model(tmp_path))


def test_without_onnx_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only it can tell which files a model consists of."""
    path = model(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(ConfigError, match=r"needs onnx, which is not installed; type: pip install 'affectlm"):
        build("onnx", weights=path)


@pytest.mark.filterwarnings("ignore")  # torch's exporter without onnxscript is the deprecated one
def test_a_torch_network_exported_to_onnx_measures_the_same(trained: Any, tmp_path: Path) -> None:
    """The same pixels through both runtimes."""
    estimator = build("timm", weights=trained, device="cpu")
    path = str(tmp_path / "exported.onnx")
    torch.onnx.export(estimator._network, (torch.rand(1, 1, 32, 32),), path, dynamo=False)

    found = build("onnx", weights=path).estimate(faces(2))

    np.testing.assert_allclose(found, estimator.estimate(faces(2)), atol=1e-4)
