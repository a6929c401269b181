"""FaceChannel says where it looks and how sure it is."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.stats import spearmanr

from affectlm.config.components import Components
from affectlm.errors import ConfigError
from affectlm.line import images
from affectlm.registry import Registry
from affectlm.report.explain import occlusion
from affectlm.testing import check_estimator, faces
from affectlm.types import ExplainableEstimator
from affectlm_facechannel import saliency
from affectlm_facechannel.estimator import FaceChannelEstimator
from affectlm_facechannel.network import FaceChannel
from affectlm_facechannel.shape import SIDE
from affectlm_facechannel.uncertainty import deviation, dropped, thinned
from tests.conftest import Compose

DATA = Path(__file__).parent / "files"
# Of the 4x4 places of the last features, as (rows, columns) of them; a place is 16 pixels wide.
MOUTH, EYES = ((3, 4), (1, 3)), ((1, 2), (0, 4))


@pytest.fixture(scope="module")
def plain() -> FaceChannelEstimator:
    return FaceChannelEstimator(device="cpu")


def planted(tmp_path: Path, region: Any) -> FaceChannelEstimator:
    """A FaceChannel that reads one region and nothing else, as a file.

    Its convolutions look at one pixel, so that no place knows of its neighbours; its dense layer reads the region.
    """
    torch.manual_seed(0)
    network = FaceChannel()
    reads = torch.zeros(200, 256, 4, 4)
    (top, bottom), (left, right) = region
    reads[..., top:bottom, left:right] = 1
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                centre = torch.nn.init.xavier_normal_(torch.empty(module.weight.shape[:2]), gain=1.4)
                module.weight.zero_()[..., 1, 1] = centre
        network.dense.weight.mul_(reads.flatten(1))
    path = tmp_path / "planted.safetensors"
    save_file({name: value for name, value in network.state_dict().items() if value.is_floating_point()}, path)
    return FaceChannelEstimator(weights=path, device="cpu")


def share(maps: Any, region: Any) -> Any:
    """How much of the mass of maps (2, n, n) lies in a region."""
    unit = maps.shape[-1] // 4
    rows, columns = (slice(unit * first, unit * last) for first, last in region)
    return float(np.abs(maps)[:, rows, columns].sum() / np.abs(maps).sum())


def test_a_network_that_reads_the_mouth_is_explained_by_the_mouth(tmp_path: Path) -> None:
    """Both methods put most of their mass on an eighth of the face; for a network that reads the eyes they do not."""
    face = faces(1, seed=1)[0][:SIDE, :SIDE]
    elsewhere = face.copy()
    elsewhere[:40] = elsewhere[:40, ::-1]  # resizing mixes a few rows below
    mouth, eyes = planted(tmp_path, MOUTH), planted(tmp_path, EYES)

    np.testing.assert_allclose(mouth.estimate([face]), mouth.estimate([elsewhere]), atol=1e-6)  # it reads the mouth
    assert np.abs(eyes.estimate([face]) - eyes.estimate([elsewhere])).max() > 1e-4
    for explain in (lambda estimator: occlusion(estimator, face), lambda estimator: estimator.saliency([face])[0]):
        assert share(explain(mouth), MOUTH) > 0.5
        assert share(explain(eyes), MOUTH) < 1 / 8
        assert share(explain(eyes), EYES) > 0.5


def test_saliency_adds_up_to_what_the_face_changes(plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Valence and arousal of the face less those of a face that is blank, of its mean colour; more steps, more so."""
    monkeypatch.setattr(saliency, "_STEPS", 100)
    crops = [*sample_faces(), *faces(2)]
    inputs = torch.cat(list(plain._batches(crops)))
    with torch.inference_mode():
        affect, blank = (plain._network(each)[0] for each in (inputs, inputs.mean((2, 3), True).expand_as(inputs)))

    maps = plain.saliency(crops)

    assert (affect - blank).abs().max() > 0.3
    np.testing.assert_allclose(maps.sum(axis=(2, 3)), affect - blank, atol=0.02)


def test_what_the_border_of_every_picture_brings_forth_is_no_saliency(plain: Any) -> None:
    """Around each layer lie zeros, which the network sees as an edge: strongest in the top row of most photographs."""
    maps = np.abs(plain.saliency(sample_faces()))
    blank = plain.saliency([np.full((80, 80, 3), value, np.uint8) for value in (0, 128, 255)])

    np.testing.assert_allclose(blank, 0, atol=1e-5)
    assert (maps[:, :, 0].sum(axis=2) / maps.sum(axis=(2, 3))).max() < 1 / 8
    assert (maps[:, :, 1:-1, 1:-1].max(axis=(2, 3)) == maps.max(axis=(2, 3))).all()


def sample_faces() -> list[Any]:
    """The faces of the two portraits that every installation has."""
    registry = Registry.installed()
    portraits: Any = registry.build("dataset", {"name": "samples"})
    pictures = [images.read(item.source)[0] for item in list(portraits.items())[:2]]
    detector: Any = registry.build("detector", {"name": "haar"})
    found = detector.detect(pictures)
    return [images.crop(picture, boxes[0]) for picture, boxes in zip(pictures, found, strict=True)]


@pytest.fixture
def originals(tmp_path: Path) -> Any:
    """A folder of narrow files as the FaceChannel authors' Keras saves them; see test_original.py."""
    for name, file in (("dim", "DimensionalFaceChannel.h5"), ("cat", "CategoricalFaceChannel.h5")):
        (tmp_path / file).write_bytes(gzip.decompress((DATA / f"keras2-{name}.h5.gz").read_bytes()))
    return tmp_path


def test_the_authors_networks_are_explained_and_looked_at_otherwise_too(originals: Any) -> None:
    """Saliency and views need no graph of our own."""
    estimator = FaceChannelEstimator(weights=originals, device="cpu", uncertainty="augment", draws=2)

    _, details = estimator.details(faces(2))

    assert {"valence_sd", "arousal_sd", "neutral"} <= set(details)
    assert np.abs(estimator.saliency(faces(2))).max(axis=(2, 3)).min() > 0


def test_dropout_is_refused_where_there_is_none(originals: Any) -> None:
    """A deviation of nothing would say that all is certain."""
    with pytest.raises(ConfigError, match=r"needs dropout layers, .* type estimator\.uncertainty=augment"):
        FaceChannelEstimator(weights=originals, device="cpu", uncertainty="dropout")


class Branched(torch.nn.Module):
    """A network of another build: its categories have convolutions of their own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        for name in ("affect", "category"):
            layers = [torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.MaxPool2d(2), torch.nn.Flatten()]
            self.add_module(name, torch.nn.Sequential(*layers, torch.nn.Linear(4 * 25, 2), torch.nn.Tanh()))

    def forward(self, faces: torch.Tensor) -> Any:
        return self.get_submodule("affect")(faces), self.get_submodule("category")(faces)


def test_saliency_of_another_graph_goes_by_the_convolutions_that_valence_depends_on() -> None:
    """The authors' files hold two networks."""
    maps = saliency.attributions(Branched(), torch.rand(3, 3, 10, 10))

    assert maps.shape == (3, 2, 5, 5)
    assert float(maps.abs().min(dim=0).values.max()) > 0


def test_saliency_keeps_its_promise_and_leaves_nothing_behind(plain: Any) -> None:
    """One pair of maps a crop, whatever the batch; the network measures as before."""
    crops = faces(3)
    before = plain.estimate(crops)

    maps = plain.saliency(crops)

    assert maps.shape == (3, 2, 8, 8)
    np.testing.assert_allclose(plain.saliency(crops[1:2])[0], maps[1], atol=1e-4)
    assert plain.saliency([]).shape == (0, 2, 8, 8)
    np.testing.assert_array_equal(plain.estimate(crops), before)
    assert all(parameter.grad is None for parameter in plain._network.parameters())
    assert isinstance(plain, ExplainableEstimator)


@pytest.mark.parametrize("method", ["augment", "dropout"])
def test_uncertainty_adds_two_numbers_and_changes_no_other(plain: Any, method: str) -> None:
    """Valence, arousal and categories stay bit for bit."""
    crops = faces(2)
    unsure = FaceChannelEstimator(device="cpu", uncertainty=method, draws=2)

    affect, details = unsure.details(crops)

    expected, others = plain.details(crops)
    np.testing.assert_array_equal(affect, expected)
    np.testing.assert_array_equal(unsure.estimate(crops), expected)
    assert set(details) - set(others) == {"valence_sd", "arousal_sd"}
    assert all(np.array_equal(details[name], others[name]) for name in others)
    assert min(details["valence_sd"].min(), details["arousal_sd"].min()) > 0


@pytest.mark.parametrize("method", ["augment", "dropout"])
def test_uncertainty_depends_on_the_face_alone(method: str) -> None:
    """Same face, same numbers: again, and whatever else is in the batch."""
    crops = faces(3)
    estimator = FaceChannelEstimator(device="cpu", uncertainty=method, draws=2)

    check_estimator(estimator, crops)
    whole = estimator.details(crops)[1]
    again = FaceChannelEstimator(device="cpu", uncertainty=method, draws=2).details(crops)[1]
    alone = estimator.details(crops[2:])[1]
    for name in ("valence_sd", "arousal_sd"):
        np.testing.assert_array_equal(whole[name], again[name])
        np.testing.assert_allclose(alone[name], whole[name][2:], atol=1e-5)


def test_deviations_divide_by_one_less_than_the_draws() -> None:
    """As numpy computes it with ddof=1, from the same draws."""
    torch.manual_seed(0)
    network, batch = FaceChannel().eval(), torch.rand(2, 1, SIDE, SIDE)
    with torch.inference_mode():
        drawn = np.stack([affect.numpy() for affect in thinned(network, batch, 3)])
        found = deviation(network, batch, "dropout", 3).numpy()

    np.testing.assert_allclose(found, drawn.std(axis=0, ddof=1), rtol=1e-4)


def test_without_dropout_every_draw_is_the_plain_measurement() -> None:
    """Batch norm must not follow the batch, nor its statistics move."""
    torch.manual_seed(0)
    network, batch = FaceChannel(dropout=0.0).eval(), torch.rand(2, 1, SIDE, SIDE)
    before = {name: value.clone() for name, value in network.named_buffers()}
    with torch.inference_mode():
        expected = network(batch)[0]
        drawn = torch.stack(list(thinned(network, batch, 2)))

    torch.testing.assert_close(drawn, expected.expand(2, 2, 2))
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    """As in training: a quarter is lost, the rest grows by a third; every face loses the same."""
    features = dropped(torch.ones(2, 64, 32, 32), 0.25, torch.Generator().manual_seed(0))

    assert sorted(set(features.flatten().tolist())) == pytest.approx([0, 4 / 3])
    assert float(features.mean()) == pytest.approx(1, abs=0.01)
    assert torch.equal(features[0], features[1])


def test_uncertainty_belongs_to_the_key_of_stored_values(compose: Compose) -> None:
    """A value measured without it has no deviation to give."""
    keys = []
    for words in ([], ["estimator.uncertainty=augment"], ["estimator.uncertainty=augment", "estimator.draws=4"]):
        components = Components(config=compose("estimator.device=cpu", *words), registry=Registry.installed())
        keys.append(components.identity("estimator", components.build("estimator")))

    assert keys[0] != keys[1] != keys[2] != keys[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"uncertainty": "some"}, "'uncertainty' must be in"), ({"draws": 1}, "'draws' must be >= 2")],
)
def test_wrong_options_are_told(options: dict[str, Any], message: str) -> None:
    """Before the first picture."""
    with pytest.raises(ConfigError, match=message):
        Registry.installed().build("estimator", {"name": "facechannel", **options})


@pytest.fixture
def people(data: Path) -> Any:
    dataset: Any = Registry.installed().build("dataset", {"name": "ferplus", "path": str(data / "ferplus")})
    return list(itertools.islice(dataset.items(), 0, 1200, 10))


def test_faces_that_vary_more_are_measured_worse(people: Any) -> None:
    """The deviation over views ranks with the error against people's votes; docs/explain.md has more figures."""
    truth = np.array([(item.truth.valence, item.truth.arousal) for item in people])
    estimator = FaceChannelEstimator(device="cpu", uncertainty="augment", draws=3)

    affect, details = estimator.details([item.source for item in people])

    error = np.abs(affect - truth)
    assert spearmanr(details["valence_sd"], error[:, 0]).statistic > 0
    assert spearmanr(details["arousal_sd"], error[:, 1]).statistic > 0.2


def test_noisy_faces_vary_more_than_clear_ones(people: Any) -> None:
    """Sensor noise with a deviation of 40 of 255, on average over faces."""
    generator = np.random.default_rng(0)
    clear = [item.source for item in people[:60]]
    noisy = [np.clip(face + generator.normal(0, 40, (48, 48, 1)), 0, 255).astype(np.uint8) for face in clear]
    estimator = FaceChannelEstimator(device="cpu", uncertainty="augment", draws=3)

    before, after = (estimator.details(crops)[1] for crops in (clear, noisy))

    assert after["valence_sd"].mean() > 1.1 * before["valence_sd"].mean()
