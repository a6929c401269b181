"""The authors' Keras files: read without Keras, equal to what Keras computed, refused in one sentence when foreign.

`data` holds narrow models that `benchmarks/keras_parity.py --record` saved with Keras 3 and tf-keras, and what those
computed for two pictures.
"""

from __future__ import annotations

import base64
import gzip
import json
import marshal
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import torch

from affectlm.errors import ConfigError, WeightsError
from affectlm.testing import check_estimator, faces
from affectlm.weights.named import sha256
from affectlm_facechannel.estimator import FaceChannelEstimator
from affectlm_facechannel.keras import file as keras_file
from affectlm_facechannel.keras.file import read
from affectlm_facechannel.keras.original import Original, Stored, load, prepare_colour, prepare_grey
from affectlm_facechannel.shape import CATEGORIES

DATA = Path(__file__).parent / "files"
DIALECTS = ("keras2", "keras3")
GRAPHS = ("dim", "plain", "cat", "affwild2")
BIAS = "denseLayer/denseLayer/bias:0"


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., Path]:
    """The path of a recorded model, as Keras saved it."""

    def unpack(name: str, file: str = "model.h5") -> Path:
        path = tmp_path / "models" / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.decompress((DATA / f"{name}.h5.gz").read_bytes()))
        return path

    return unpack


@pytest.fixture
def changed(unpacked: Any) -> Callable[..., Path]:
    """The path of a recorded model after a change to the open HDF5 file."""

    def change_file(change: Callable[[h5py.File], object], name: str = "keras2-dim") -> Path:
        path: Path = unpacked(name)
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    return change_file


def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"{name}.npz") as archive:
        return dict(archive)


def pictures(name: str) -> torch.Tensor:
    return torch.from_numpy(recorded(name)["pixels"]).float() / 255


def crops(name: str) -> list[np.ndarray]:
    """RGB crops that become the recorded grey pictures."""
    return [np.repeat(grey.transpose(1, 2, 0), 3, axis=2) for grey in recorded(name)["pixels"]]


def configure(layer: str, **options: object) -> Callable[[h5py.File], None]:
    """A change of one layer's stored options; `class_name` and `inbound_nodes` change the layer itself."""

    def change(file: h5py.File) -> None:
        model = json.loads(file.attrs["model_config"])
        stored = next(entry for entry in model["config"]["layers"] if entry["name"] == layer)
        for key, value in options.items():
            (stored if key in stored else stored["config"])[key] = value
        file.attrs["model_config"] = json.dumps(model)

    return change


def outputs(*names: str) -> Callable[[h5py.File], None]:
    """A change of which layers are outputs."""

    def change(file: h5py.File) -> None:
        model = json.loads(file.attrs["model_config"])
        model["config"]["output_layers"] = [[name, 0, 0] for name in names]
        file.attrs["model_config"] = json.dumps(model)

    return change


def put(key: str, value: object) -> Callable[[h5py.File], None]:
    """A change of one weight, or of what else lies at its place."""

    def change(file: h5py.File) -> None:
        file["model_weights"].pop(key, None)
        file["model_weights"][key] = value

    return change


def store(key: str, **options: object) -> Callable[[h5py.File], None]:
    """A change of how one weight lies in the file."""

    def change(file: h5py.File) -> None:
        file["model_weights"].pop(key, None)
        file["model_weights"].create_dataset(key, **options)

    return change


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_layer_and_output_equals_what_keras_computed(dialect: Any, graph: Any, unpacked: Any) -> None:
    """To 1e-5 of a layer's largest activation, at least of 1, and to 1e-5 at the end."""
    name = f"{dialect}-{graph}"
    network, expected = Stored(*read(unpacked(name))).eval(), recorded(name)

    with torch.inference_mode():
        found = {layer: value.numpy() for layer, value in network.trace(pictures(name))}

    assert {f"layer/{layer}" for layer in found} == {key for key in expected if key.startswith("layer/")}
    for layer, values in found.items():
        wanted = expected[f"layer/{layer}"]
        sample = values.reshape(-1)[np.linspace(0, values.size - 1, len(wanted)).astype(int)]
        scale = max(1, np.abs(wanted).max())
        np.testing.assert_allclose(sample, wanted, rtol=0, atol=1e-5 * scale, err_msg=layer)
    for key in [key for key in expected if key.startswith("output/")]:
        assert expected[key].std(axis=0).max() > 1e-3  # else a constant would pass
        np.testing.assert_allclose(found[key.removeprefix("output/")], expected[key], rtol=0, atol=1e-5)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_estimator_gives_valence_before_arousal(dialect: Any, unpacked: Any) -> None:
    """The file stores arousal first; the two change places once."""
    name = f"{dialect}-dim"
    expected = recorded(name)
    estimator = FaceChannelEstimator(weights=unpacked(name), device="cpu")

    affect = estimator.estimate(crops(name))

    wanted = np.concatenate([expected["output/valence_output"], expected["output/arousal_output"]], axis=1)
    assert np.abs(wanted[:, 0] - wanted[:, 1]).min() > 0.01
    np.testing.assert_allclose(affect, wanted, atol=1e-5)


@pytest.mark.parametrize("graph", ["dim", "affwild2"])
def test_the_estimator_keeps_the_protocol_with_a_keras_file(graph: str, unpacked: Any) -> None:
    """Length, range, order, repeatability, grey and colour."""
    check_estimator(FaceChannelEstimator(weights=unpacked(f"keras2-{graph}"), device="cpu"))


def test_categories_are_named_when_the_categorical_file_lies_beside(unpacked: Any) -> None:
    """Tanh outputs in FER+ order, as Keras gave them; both files are told by their digests."""
    files = unpacked("keras2-dim", "DimensionalFaceChannel.h5"), unpacked("keras2-cat", "CategoricalFaceChannel.h5")
    estimator = FaceChannelEstimator(weights=files[0].parent, device="cpu")

    _, details = estimator.details(crops("keras2-cat"))

    assert tuple(details) == CATEGORIES
    wanted = recorded("keras2-cat")["output/categoricalOutput"]
    np.testing.assert_allclose(np.stack(list(details.values()), axis=1), wanted, atol=1e-5)
    assert estimator.describe()["weights_sha256"] == f"{sha256(files[0])}+{sha256(files[1])}"


def test_without_the_categorical_file_there_are_no_details(unpacked: Any) -> None:
    """Valence and arousal alone."""
    estimator = FaceChannelEstimator(weights=unpacked("keras3-dim"), device="cpu")

    assert estimator.details(faces(2))[1] == {}
    assert estimator.describe()["weights_sha256"] == sha256(unpacked("keras3-dim"))


def test_original_takes_the_unpacked_archive(unpacked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`weights=original` finds the authors' folder, here given by AFFECTLM_WEIGHTS_DIR."""
    path = unpacked("keras2-dim")
    folder = path.parent / "TrainedNetworks"
    folder.mkdir()
    shutil.move(path, folder / "DimensionalFaceChannel.h5")
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(path.parent))

    estimator = FaceChannelEstimator(weights="original", device="cpu")

    assert estimator.describe()["weights_sha256"] == sha256(folder / "DimensionalFaceChannel.h5")


@pytest.mark.parametrize("shape", [(64, 64), (48, 48), (300, 200), (65, 640), (7, 9)])
def test_the_original_preprocessing_is_bit_equal_to_opencv(shape: tuple[int, ...], unpacked: Any) -> None:
    """BGR to grey, bilinear resizing without averaging, float32, / 255, as the authors' code calls them."""
    face = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    grey = cv2.resize(cv2.cvtColor(np.ascontiguousarray(face[..., ::-1]), cv2.COLOR_BGR2GRAY), (64, 64))
    expected = np.expand_dims(grey, 0).astype("float32")
    expected /= 255
    estimator = FaceChannelEstimator(weights=unpacked("keras2-dim"), device="cpu")

    np.testing.assert_array_equal(next(estimator._batches([face]))[0].numpy(), expected)


def test_every_grey_level_is_divided_as_numpy_divides_it(unpacked: Any) -> None:
    """A reciprocal would differ in the last bit of some levels."""
    levels = np.arange(256, dtype=np.uint8).repeat(16).reshape(64, 64)
    estimator = FaceChannelEstimator(weights=unpacked("keras2-dim"), device="cpu")

    inputs = next(estimator._batches([np.stack([levels] * 3, axis=2)]))

    np.testing.assert_array_equal(inputs[0, 0].numpy(), levels.astype(np.float32) / 255)


def test_a_graph_for_colour_gets_blue_first() -> None:
    """As `cv2.imread` gave it to the AffWild2 training; bilinear resizing again."""
    face = np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)

    found = prepare_colour(face, 112)

    expected = cv2.resize(np.ascontiguousarray(face[..., ::-1]), (112, 112))
    np.testing.assert_array_equal(found, expected.transpose(2, 0, 1))


def test_the_side_is_what_the_graph_asks_for() -> None:
    """The published graph takes 64."""
    assert prepare_grey(faces(1)[0], 48).shape == (1, 48, 48)


def test_a_converted_copy_is_read_without_h5py(
    unpacked: Any, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second load takes graph and weights from the cache and computes the same numbers."""
    first = FaceChannelEstimator(weights=unpacked("keras2-dim"), device="cpu").estimate(faces(3))
    monkeypatch.setitem(sys.modules, "h5py", None)  # importing it fails

    again = FaceChannelEstimator(weights=unpacked("keras2-dim"), device="cpu").estimate(faces(3))

    assert [path.suffix for path in fresh_cache.rglob("*") if path.is_file()] == [".safetensors"]
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("content", [b"", b"no safetensors"])
def test_a_damaged_copy_is_made_again(content: bytes, unpacked: Any, fresh_cache: Path) -> None:
    """The .h5 file is what counts."""
    first = load(unpacked("keras2-dim")).network(pictures("keras2-dim"))[0]
    copy = next(fresh_cache.rglob("*.safetensors"))
    size = copy.stat().st_size
    copy.write_bytes(content)

    again = load(unpacked("keras2-dim")).network(pictures("keras2-dim"))[0]

    assert torch.equal(first, again)
    assert copy.stat().st_size == size


def test_a_cache_that_cannot_be_written_costs_only_time(
    unpacked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here a file lies where the cache folder should be."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AFFECTLM_CACHE", str(tmp_path / "file"))

    assert load(unpacked("keras2-dim")).names == ()


def test_code_stored_in_a_lambda_is_not_run(changed: Any, tmp_path: Path, fresh_cache: Path) -> None:
    """Nor is it copied into the cache; the layer is known by its place."""
    witness = tmp_path / "ran"
    code = compile(f"open({str(witness)!r}, 'w').close()", "lambda", "exec")
    stored = base64.b64encode(marshal.dumps(code)).decode()
    path = changed(configure("lambda", function=[stored, None, None]))

    affect, _ = load(path).network(pictures("keras2-dim"))

    assert not witness.exists()
    wanted = torch.from_numpy(recorded("keras2-dim")["output/valence_output"])
    torch.testing.assert_close(affect[:, :1], wanted, atol=1e-5, rtol=0)
    assert stored[:40].encode() not in next(fresh_cache.rglob("*.safetensors")).read_bytes()
    exec(marshal.loads(base64.b64decode(stored)))  # noqa: S102, S302 the witness is no dummy
    assert witness.exists()


def test_filter_counts_may_be_floats(changed: Any) -> None:
    """The authors' builder divides with `/`, and old Keras stored what it was given."""
    path = changed(configure("Vision_conv3", filters=4.0))

    assert load(path).network(pictures("keras2-dim"))[0].shape == (2, 2)


def test_a_trained_decay_needs_no_name(changed: Any) -> None:
    """The AffWild2 layer makes a bare variable."""

    def rename(file: h5py.File) -> None:
        group = file["model_weights/inhibitoryLayer"]
        names = []
        group.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        group.move(names[0], "Variable:0")

    network = load(changed(rename, "keras2-affwild2")).network

    wanted = torch.from_numpy(recorded("keras2-affwild2")["output/arousal_output"])
    torch.testing.assert_close(network(pictures("keras2-affwild2"))[0][:, 1:], wanted, atol=1e-5, rtol=0)


def test_heads_without_tanh_are_clipped(changed: Any) -> None:
    """Some of the authors' builders end linearly; valence and arousal stay in [-1, 1]."""

    def change(file: h5py.File) -> None:
        configure("valence_output", activation="linear")(file)
        put("valence_output/valence_output/bias:0", np.array([7], np.float32))(file)

    affect = load(changed(change)).network(pictures("keras2-dim"))[0]

    assert affect[:, 0].tolist() == [1, 1]


def test_gradients_reach_the_input(unpacked: Any) -> None:
    """What explanations need."""
    network = Original(Stored(*read(unpacked("keras2-dim"))))
    faces = pictures("keras2-dim").requires_grad_()

    network(faces)[0].sum().backward()

    assert faces.grad is not None
    assert float(faces.grad.abs().max()) > 0


def _no_model(file: h5py.File) -> None:
    del file.attrs["model_config"]


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((6,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "bias", (6,))
    del file[f"model_weights/{BIAS}"]
    file["model_weights"].create_virtual_dataset(BIAS, layout)


def _time(file: h5py.File) -> None:
    group, shape = file["model_weights/denseLayer"], h5py.h5s.create_simple((6,))
    h5py.h5d.create(group.id, b"time", h5py.h5t.UNIX_D32LE, shape)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_no_model, "not a whole Keras model; expected attribute 'model_config'"),
        (lambda file: file.pop("model_weights"), "not a whole Keras model"),
        (lambda file: file.attrs.update({"model_config": "{"}), "is not the JSON of a Keras model"),
        (lambda file: file.attrs.update({"model_config": '{"config": {"layers": []}}'}), "expected a functional Keras"),
        (configure("dropout", class_name="LSTM"), r"layer 'dropout' of the unknown class 'LSTM' on \(2, 32, 32\)"),
        (configure("activation", activation="gelu"), "unknown activation 'gelu' in layer 'activation'"),
        (configure("flatten", inbound_nodes=[[["attic", 0, 0, {}]]]), "'flatten' read from a layer 'attic'"),
        (configure("flatten", inbound_nodes=[[["denseLayer", 0, 0, {}]]]), "layers in a circle"),
        (configure("activation", inbound_nodes=[[["Vision_conv1", 0, 0, {}]]] * 2), "'activation' 2 times"),
        (configure("Vision_conv1", strides=[2, 2]), r"'Vision_conv1' of class 'Conv2D' on \(1, 64, 64\).*strides"),
        (configure("Vision_conv1", filters=2.5), "'Vision_conv1' of class 'Conv2D'.*2.5 is not a whole number"),
        (configure("max_pooling2d", padding="same"), "'max_pooling2d' of class 'MaxPooling2D'.*padding"),
        (configure("batch_normalization", axis=[2]), r"normalises axis 2 of \(2, 64, 64\) in layer 'batch_normalizat"),
        (configure("Vision_Network_Input", batch_input_shape=[None, 64, 32, 1]), r"input of shape \(64, 32, 1\)"),
        (
            configure("lambda", inbound_nodes=[[["activation_9", 0, 0, {}]]]),
            r"layer 'lambda' of class 'Lambda' with inputs 'activation_9' \(8, 8, 8\); expected two inputs",
        ),
        (
            configure("lambda", inbound_nodes=[[["activation_10", 0, 0, {}], ["activation_9", 0, 0, {}]]]),
            "the second from a convolution named",
        ),
        (
            put("Vision_conv2/Vision_conv2/kernel:0", np.zeros((3, 3, 7, 2), np.float32)),
            r"weight 'kernel' of layer 'Vision_conv2' in shape \(3, 3, 7, 2\), expected \(3, 3, 2, 2\)",
        ),
        (
            lambda file: file["model_weights"].pop("conv9"),
            r"no weight 'kernel' of shape \(3, 3, 8, 8\) for layer 'conv9'",
        ),
        (
            put("denseLayer/denseLayer/bias:0", np.full(6, np.nan, np.float32)),
            r"not finite in weight 'bias' \(6,\) of layer 'denseLayer'",
        ),
        (
            put("denseLayer/denseLayer/scale:0", np.zeros(6, np.float32)),
            r"weight 'scale' \(6,\) that layer 'denseLayer' does not use",
        ),
        (put("denseLayer/denseLayer/bias:0", np.array([b"x"] * 6)), "'bias' of layer 'denseLayer'.*expected numbers"),
        (put("conv9", np.zeros(3)), r"'/model_weights/conv9' as a Dataset, expected the group"),
        (put("conv9", np.dtype("f4")), r"'/model_weights/conv9' as a Datatype, expected the group"),
        (put(BIAS, h5py.Empty("f4")), "has an empty weight 'bias' of layer 'denseLayer'"),
        (put(BIAS, np.dtype("f4")), r"no weight 'bias' of shape \(6,\) for layer 'denseLayer'"),
        (_time, "cannot be read as HDF5"),
        (configure("conv9", filters=float("inf")), "'conv9' of class 'Conv2D' .* cannot be built .*infinity"),
        (configure("conv9", groups=0), "'conv9' of class 'Conv2D' .* cannot be built .*zero"),
        (
            put("batch_normalization/batch_normalization/moving_variance:0", np.array([1, -1], np.float32)),
            r"negative numbers in weight 'moving_variance' \(2,\) of layer 'batch_normalization'",
        ),
        (store(BIAS, shape=(2**25,), dtype="f4"), r"numbers, .* weight 'bias' of layer 'denseLayer' \(33554432,\)"),
        (store(BIAS, data=np.zeros(6), chunks=(2,)), "weight 'bias' of layer 'denseLayer' in pieces or outside"),
        (store(BIAS, shape=6, dtype="f4", external="any.txt"), "'bias' of layer 'denseLayer' in pieces or outside"),
        (_virtual, "'bias' of layer 'denseLayer' in pieces or outside"),
        (put("denseLayer", h5py.SoftLink("/model_weights/conv9")), "link 'model_weights/denseLayer'"),
        (put(BIAS, h5py.ExternalLink("other.h5", "/bias")), f"link 'model_weights/{BIAS}'"),
        (outputs("arousal_output"), r"has 1 outputs \('arousal_output' \(1,\)\), expected 2"),
        (outputs("arousal_output", "valence_output", "denseLayer"), "has 3 outputs"),
    ],
)
def test_a_foreign_model_is_refused(change: Any, message: str, changed: Any, fresh_cache: Path) -> None:
    """One sentence that names file, layer and shape."""
    with pytest.raises(WeightsError, match=f"'.*model.h5'.*{message}") as error:
        FaceChannelEstimator(weights=changed(change))

    assert "\n" not in str(error.value)


def test_weights_that_are_too_many_together_are_refused(
    unpacked: Any, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each alone is small enough; the narrow model has 3,722 numbers in all, at most 768 in one weight."""
    path = unpacked("keras2-dim")
    monkeypatch.setattr(keras_file, "_MAX_NUMBERS", 2000)

    with pytest.raises(WeightsError, match=r"'.*model.h5' has more than 2,000 numbers"):
        FaceChannelEstimator(weights=path)


def test_a_decay_of_another_size_is_refused(changed: Any) -> None:
    """It has to fit the maps it divides."""
    change = put("inhibitoryLayer/inhibitoryLayer/decay:0", np.ones((1, 1, 5), np.float32))

    with pytest.raises(
        WeightsError, match=r"'decay' of layer 'inhibitoryLayer' in shape \(1, 1, 5\).*fit \(14, 14, 8\)"
    ):
        load(changed(change, "keras2-affwild2"))


@pytest.mark.parametrize("content", [None, b"", b"no HDF5 at all", "cut"])
def test_a_file_that_is_no_whole_hdf5_is_refused(content: Any | None, tmp_path: Path, unpacked: Any) -> None:
    """Missing, empty, foreign or cut short."""
    path = tmp_path / "file.h5"
    if content is not None:
        path.write_bytes(unpacked("keras2-dim").read_bytes()[:60_000] if content == "cut" else content)

    with pytest.raises(WeightsError, match=r"'.*file.h5' cannot be read") as error:
        FaceChannelEstimator(weights=path)

    assert "\n" not in str(error.value)


def test_the_categorical_file_alone_has_no_valence(unpacked: Any) -> None:
    """Whether it is given as a file or lies alone in a folder."""
    path = unpacked("keras2-cat", "CategoricalFaceChannel.h5")

    with pytest.raises(WeightsError, match=r"has 1 outputs \('categoricalOutput' \(8,\)\).*DimensionalFaceChannel.h5"):
        FaceChannelEstimator(weights=path)
    with pytest.raises(WeightsError, match=r"no 'DimensionalFaceChannel.h5' \('CategoricalFaceChannel.h5' alone"):
        FaceChannelEstimator(weights=path.parent)


def test_a_categorical_file_of_other_categories_is_refused(unpacked: Any) -> None:
    """Eight outputs are needed to name them."""
    folder = unpacked("keras2-dim", "DimensionalFaceChannel.h5").parent
    unpacked("keras2-plain", "CategoricalFaceChannel.h5")

    with pytest.raises(WeightsError, match=r"CategoricalFaceChannel.h5' has 2 outputs .* expected 1 of shape \(8,\)"):
        FaceChannelEstimator(weights=folder)


def test_onnxruntime_is_refused_for_the_authors_graph(unpacked: Any) -> None:
    """It computes our graph only; the sentence says what to leave out."""
    with pytest.raises(ConfigError, match="computes only our graph, on the CPU; leave"):
        FaceChannelEstimator(weights=unpacked("keras3-dim"), engine="onnxruntime")
