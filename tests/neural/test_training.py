"""Training: losses, augmentation, the loop that torch estimators share, and the command."""

from __future__ import annotations

import csv
import io
import math
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from affectlm.cli.train import _job
from affectlm.config.compose import compose
from affectlm.errors import ConfigError, ImageError, RunFolderError
from affectlm.jobs.train import Training, _epochs, load_faces
from affectlm.neural import devices
from affectlm.neural.augmentation import Augmentation, Compression
from affectlm.neural.devices import torch_device
from affectlm.neural.files import load_weights, read_metadata, save_weights
from affectlm.neural.fit import Fit, rate
from affectlm.neural.losses import concordance_loss, loss, row_weights
from affectlm.neural.plan import Plan
from affectlm.neural.training import train
from affectlm.neural.validation import judge, predict
from affectlm.scores.agreement import concordance
from affectlm.store.run_folder import locked
from affectlm.types import Image, LabelledFaces, Pixels, TrainableEstimator, Truth
from affectlm.weights.named import sha256
from affectlm_data.folder import Folder
from affectlm_facechannel import training as facechannel
from affectlm_facechannel.estimator import FaceChannelEstimator
from affectlm_facechannel.shape import CATEGORIES
from tests.foreground import INTERRUPTIBLE

PLAN: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 16,
    "learning_rate": 0.01,
    "averaging": 0.5,
    "dropout": 0.0,
    "device": "cpu",
}


class Tiny(nn.Module):
    """A network of a few hundred numbers."""

    def __init__(self, categories: int = 8) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(1, 4, 3, stride=4), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.affect, self.category = nn.Linear(4, 2), nn.Linear(4, categories) if categories else None

    def forward(self, faces: Sequence[Pixels]) -> Any:
        features = self.trunk(faces).flatten(1)
        return torch.tanh(self.affect(features)), None if self.category is None else self.category(features)


def tiny(categories: int = 8) -> Tiny:
    torch.manual_seed(0)
    return Tiny(categories)


def toy(count: int, seed: int = 0, side: int = 24) -> LabelledFaces:
    """Bright faces are pleasant, dark ones are not: something a few steps can learn."""
    generator = np.random.default_rng(seed)
    bright = generator.random(count) < 0.5
    pixels = generator.integers(0, 60, (count, side, side)) + np.where(bright, 180, 10)[:, None, None]
    affect = np.stack([np.where(bright, 0.7, -0.6), np.where(bright, 0.1, 0.3)], axis=1)
    votes = np.zeros((count, 8))
    votes[np.arange(count), np.where(bright, 1, 3)] = 1
    return LabelledFaces(pixels.astype(np.uint8), affect.astype(np.float32), votes.astype(np.float32), CATEGORIES)


def fit(folder: Path, network: Any = None, faces: Any = None, validation: Any = None, **options: Any) -> Any:
    plan = Plan(**{**PLAN, **options})
    return train(network or tiny(), faces or toy(96), validation or toy(32, 1), plan, folder, side=24, file="w.st")


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(one[name], other[name]) for name in {*one, *other})


def test_the_training_loss_uses_the_concordance_of_the_batch() -> None:
    """The same number as the metric."""
    x, y = torch.rand(9, 2), torch.rand(9, 2)

    expected = [1 - concordance(x[:, i].double().numpy(), y[:, i].double().numpy()) for i in range(2)]

    torch.testing.assert_close(concordance_loss(x, y), torch.tensor(expected).float(), atol=1e-4, rtol=0)


def test_a_row_of_weight_two_counts_like_two_rows() -> None:
    """The moments are weighted."""
    x, y, weights = torch.rand(9, 2), torch.rand(9, 2), torch.tensor([2.0] * 3 + [1.0] * 6)

    expected = concordance_loss(torch.cat([x, x[:3]]), torch.cat([y, y[:3]]))

    torch.testing.assert_close(concordance_loss(x, y, weights), expected)


def test_the_loss_is_the_sum_of_its_terms() -> None:
    """Cross-entropy with the votes, 1 - CCC, twice the squared error."""
    affect, target, logits = torch.rand(6, 2), torch.rand(6, 2), torch.randn(6, 3)
    votes, ones = torch.rand(6, 3).softmax(1), torch.ones(6)

    affective = concordance_loss(affect, target).mean() + 2 * ((affect - target) ** 2).mean()
    entropy = -(votes * logits.log_softmax(1)).sum(1).mean()

    torch.testing.assert_close(loss(affect, logits, target, votes, ones), affective + entropy)
    torch.testing.assert_close(loss(affect, None, target, votes, ones), affective)
    torch.testing.assert_close(loss(affect, logits, target, votes[:, :0], ones), affective)


def test_balance_makes_rare_labels_weigh_as_much_as_common_ones() -> None:
    """Up to five times; with 0 all rows weigh the same; a row without votes like the commonest label."""
    votes = np.eye(3, dtype=np.float32)[[0] * 20 + [1] * 5 + [2]]

    weights = row_weights(np.concatenate([votes, np.zeros((1, 3), np.float32)]), 1.0)

    np.testing.assert_allclose(weights / weights[0], [1] * 20 + [4] * 5 + [5] + [1], rtol=1e-6)
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_array_equal(row_weights(votes, 0.0), 1)


def test_augmented_faces_stay_in_range_and_repeat_with_their_seed() -> None:
    """Same generator, same faces."""
    batch, change = torch.rand(16, 1, 48, 40), Augmentation((48, 40), 64)

    first, again, other = (change(batch, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))

    assert first.shape == (16, 1, 64, 64)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_strength_faces_are_mirrored_and_no_more() -> None:
    """Each face is itself or its mirror image, and both occur."""
    batch = torch.rand(16, 1, 32, 32)

    changed = Augmentation((32, 32), 32, 0.0)(batch, torch.Generator().manual_seed(0))

    kept = [torch.allclose(new, old, atol=1e-4) for new, old in zip(changed, batch, strict=True)]
    mirrored = [torch.allclose(new, old.flip(-1), atol=1e-4) for new, old in zip(changed, batch, strict=True)]
    assert all(one != other for one, other in zip(kept, mirrored, strict=True))
    assert 0 < sum(kept) < 16


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_compression_changes_faces_as_jpeg_does(quality: int) -> None:
    """Pillow's encoder as the reference; what is left is rounding."""
    generator = np.random.default_rng(0)
    smooth = PIL.Image.fromarray(generator.integers(0, 256, (6, 6), dtype=np.uint8)).resize((44, 48))
    stored = io.BytesIO()
    smooth.save(stored, "jpeg", quality=quality)
    expected = np.asarray(PIL.Image.open(stored)).astype(np.float32)

    face = torch.from_numpy(np.asarray(smooth).copy())[None, None].float() / 255
    found = Compression(48, 44)(face, torch.full((1, 1, 1, 1), float(quality)))[0, 0].numpy() * 255

    # The columns beyond a multiple of eight belong to a block that each pads in its own way.
    worst = np.abs(found - expected)[:, :40].reshape(6, 8, 5, 8).max(axis=(1, 3))
    assert (worst <= 1.5).mean() > 0.85  # elsewhere a coefficient lay halfway between two steps
    assert np.abs(found - expected).mean() < 0.5 * np.abs(np.asarray(smooth) - expected).mean()


def test_lost_resolution_is_averaging_and_enlarging() -> None:
    """The matrices do what torch's interpolation does."""
    change, face = Augmentation((48, 40), 48), torch.rand(1, 1, 48, 40)

    for index, side in enumerate((22, 28, 36), start=1):
        found = change.down_height[index] @ face @ change.down_width[index].mT
        small = functional.interpolate(face, size=(side, side), mode="area")
        expected = functional.interpolate(small, size=(48, 40), mode="bilinear", align_corners=False)
        torch.testing.assert_close(found, expected)


def test_a_quarter_of_the_faces_is_hidden_in_part() -> None:
    """By flat patches of between an eighth and two fifths of the side."""
    grey = torch.full((4000, 1, 50, 50), 2.0)  # a value that no patch has

    hidden = Augmentation((50, 50), 50)._occlude(grey, torch.Generator().manual_seed(0)) != 2

    rows, columns = hidden.any(3).sum(2), hidden.any(2).sum(2)
    some = rows > 0
    assert some.float().mean() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(hidden.sum((2, 3)), rows * columns)
    assert (int(rows[some].min()), int(rows[some].max())) == (6, 19)


def test_training_learns_what_can_be_seen(tmp_path: Path) -> None:
    """Loss falls, CCC rises, and the log holds the figures that were given."""
    figures = list(fit(tmp_path, epochs=8))

    assert figures[-1]["loss"] < figures[0]["loss"]
    assert figures[-1]["ccc_valence"] > 0.8 > figures[0]["ccc_valence"]
    with (tmp_path / "log.csv").open() as file:
        assert [float(row["ccc_valence"]) for row in csv.DictReader(file)] == [row["ccc_valence"] for row in figures]


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    """Bit by bit on one machine; another seed gives others, and the caller's random numbers stay untouched."""
    state = torch.get_rng_state()
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        torch.manual_seed(0)
        (tmp_path / name).mkdir()
        network = Tiny()
        state = torch.get_rng_state()
        list(fit(tmp_path / name, network, seed=seed, mixup=0.2, epochs=2))
        assert torch.equal(torch.get_rng_state(), state)

    first, again, other = (load_file(tmp_path / name / "w.st") for name in "abc")

    assert same(first, again)
    assert not same(first, other)


def test_the_same_weights_and_metadata_make_the_same_file(tmp_path: Path) -> None:
    """Its digest is what others know it by; safetensors alone writes metadata in any order."""
    network, metadata = Tiny(), {f"key {number}": "ü" * number for number in range(8)}

    for name in "ab":
        save_weights(network, tmp_path / name, metadata)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_metadata(tmp_path / "a") == metadata
    load_weights(Tiny(), tmp_path / "a", "it")


@pytest.mark.parametrize("keep", ["last", "best"])
def test_a_training_in_two_goes_ends_like_one_in_one(tmp_path: Path, keep: str) -> None:
    """Weights, optimizer, average and the best so far are continued."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    list(fit(tmp_path / "one", keep=keep))
    first = next(iter(fit(tmp_path / "two", keep=keep)))
    assert not (tmp_path / "two" / "w.st").exists()

    rest = list(fit(tmp_path / "two", keep=keep))

    assert [figures["epoch"] for figures in (first, *rest)] == [1, 2, 3]
    assert same(load_file(tmp_path / "one" / "w.st"), load_file(tmp_path / "two" / "w.st"))


def test_the_averaged_weights_follow_slowly() -> None:
    """The first step copies, later ones move by what the average does not keep."""
    run = Fit(tiny(), toy(16), Plan(**{**PLAN, "averaging": 0.15}), 24)
    network: Any = run.network
    averaged: Any = run.average
    weight, average = network.affect.weight, averaged.affect.weight

    expected = torch.zeros_like(average)
    for step, keep in enumerate((0.0, 0.1, 0.15)):
        with torch.no_grad():
            weight.fill_(step + 1.0)
        run._averaging.update()
        expected = keep * expected + (1 - keep) * (step + 1)
        torch.testing.assert_close(average, expected)


def test_training_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    """With a rate that moves nothing the first epoch stays the best."""
    figures = list(fit(tmp_path, epochs=20, patience=2, learning_rate=1e-12, averaging=0.0))
    again = list(fit(tmp_path, epochs=20, patience=2, learning_rate=1e-12, averaging=0.0))

    assert len(figures) < 20
    assert again == []  # it had stopped already


def test_the_best_epoch_is_kept_when_wanted(tmp_path: Path) -> None:
    """The file gives the figures of the best epoch, not of the last, which a huge rate has ruined."""
    figures = list(fit(tmp_path, epochs=6, keep="best", learning_rate=2.0, averaging=0.0, warmup=0.0))
    network = tiny()
    network.load_state_dict({name: value.float() for name, value in load_file(tmp_path / "w.st").items()}, strict=False)

    best = max(figures, key=lambda row: row["accuracy"] + row["ccc_valence"] + row["ccc_arousal"])

    assert best["epoch"] != 6
    assert judge(network, toy(32, 1), 24)["ccc_valence"] == pytest.approx(best["ccc_valence"], abs=0.01)


def test_faces_without_votes_train_valence_and_arousal(tmp_path: Path) -> None:
    """There is no accuracy then, with or without a category head."""
    faces = toy(96)
    plain = LabelledFaces(faces.pixels, faces.affect, faces.categories[:, :0], ())
    for name, categories in (("a", 0), ("b", 8)):
        (tmp_path / name).mkdir()
        figures = list(fit(tmp_path / name, tiny(categories), plain, plain))
        assert "accuracy" not in figures[-1]
        assert figures[-1]["ccc_valence"] > 0


def test_bf16_is_used_when_asked_for(tmp_path: Path) -> None:
    """The network's numbers are rounded as bf16 rounds, and it learns all the same."""
    for precision in ("float32", "bf16"):
        (tmp_path / precision).mkdir()
        figures = list(fit(tmp_path / precision, precision=precision, epochs=6))
        assert figures[-1]["ccc_valence"] > 0.5

    assert not same(load_file(tmp_path / "float32" / "w.st"), load_file(tmp_path / "bf16" / "w.st"))


@pytest.mark.parametrize("supported", [True, False])
def test_automatic_precision_asks_the_processor(monkeypatch: pytest.MonkeyPatch, supported: bool) -> None:
    """Emulated bf16 is slower than float32."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: supported, raising=False)

    assert devices.has_bf16(torch.device("cpu")) is supported
    assert Fit(tiny(), toy(16), Plan(**PLAN), 24).bf16 is supported


def test_a_device_that_is_not_here_is_refused() -> None:
    """The message says what to use."""
    with pytest.raises(ConfigError, match="there is no device 'cuda:99'"):
        torch_device("cuda:99")


def test_a_training_that_diverges_stops_with_a_sentence(tmp_path: Path) -> None:
    """Not with weights of NaN."""
    with pytest.raises(ConfigError, match="the loss of epoch 1 is nan"):
        list(fit(tmp_path, learning_rate=1e30, warmup=0.0))
    assert not (tmp_path / "w.st").exists()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_network_that_gives_no_numbers_is_not_judged(bad: Any) -> None:
    """The last step of an epoch can spoil the weights without a loss that tells."""
    network = tiny()
    nn.init.constant_(network.affect.bias, bad)
    nn.init.constant_(network.affect.weight, bad)

    with pytest.raises(ConfigError, match=r"outputs are not finite; lower plan.learning_rate"):
        judge(network, toy(8), 24)


class Large(Tiny):
    """A network that no card has the memory for; torch raises the same error on a real one."""

    def forward(self, faces: Sequence[Pixels]) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_a_full_graphics_card_is_one_sentence(tmp_path: Path) -> None:
    """It names the options that need less of it."""
    with pytest.raises(ConfigError, match=r"not enough memory left; lower plan\.batch_size, .* plan\.device=cpu$"):
        list(fit(tmp_path, Large()))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
def test_a_checkpoint_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A full disk ends a training with its path, not with torch's own error."""
    (tmp_path / "checkpoint.part").symlink_to("/dev/full")

    with pytest.raises(RunFolderError, match=r"checkpoint.pt' cannot be written \(.*set hydra.run.dir") as caught:
        list(fit(tmp_path))
    assert "\n" not in str(caught.value)


def test_trained_weights_are_as_readable_as_any_new_file(tmp_path: Path) -> None:
    """Others of a group may use them, as far as the user's own mask allows."""
    list(fit(tmp_path, epochs=1))
    (tmp_path / "any").touch()

    assert (tmp_path / "w.st").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_fewer_faces_than_a_batch_are_refused(tmp_path: Path) -> None:
    """The message names the option."""
    with pytest.raises(ConfigError, match=r"96 faces are too few for a batch of 128; lower plan\.batch_size"):
        list(fit(tmp_path, batch_size=128))


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", "another"])
def test_a_checkpoint_that_cannot_be_continued_is_refused(tmp_path: Path, content: bytes | str) -> None:
    """Damaged, or of another network; nothing in it is executed."""
    if isinstance(content, str):
        next(iter(fit(tmp_path, tiny(3), LabelledFaces(*_three_labels()), LabelledFaces(*_three_labels()))))
    else:
        (tmp_path / "checkpoint.pt").write_bytes(content)

    with pytest.raises(RunFolderError, match=r"is not a checkpoint of this training .*; delete it to start again"):
        list(fit(tmp_path))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("network", None),
        ("optimizer", None),
        ("optimizer", {"param_groups": [1], "state": {}}),
        ("standing", [1]),
        ("standing", {"epochs": "x"}),
        ("standing", {"epochs": -3}),
        ("standing", {"best": None}),
    ],
)
def test_a_checkpoint_with_a_wrong_part_is_refused(
    tmp_path: Path, part: str, value: dict[str, Any] | list[int] | None
) -> None:
    """One sentence, and no traceback of torch."""
    next(iter(fit(tmp_path)))
    path = tmp_path / "checkpoint.pt"
    torch.save({**torch.load(path, weights_only=True), part: value}, path)

    with pytest.raises(RunFolderError, match=r"is not a checkpoint of this training .*; delete it to start again"):
        list(fit(tmp_path))


def _three_labels() -> Any:
    faces = toy(32)
    return faces.pixels, faces.affect, faces.categories[:, 1:4], CATEGORIES[1:4]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("batch_size", 1.5),
        ("learning_rate", 0),
        ("balance", 2),
        ("side", 8),
        ("precision", "fp16"),
        ("device", "gpu"),
        ("keep", "first"),
        ("patience", -1),
        ("mixup", -0.1),
        ("augmentation", 1.1),
        ("dropout", 1.0),
        ("learning_rate", "abc"),
        ("learning_rate", float("nan")),
        ("weight_decay", "abc"),
        ("warmup", None),
        ("mixup", True),
        ("side", "abc"),
    ],
)
def test_a_plan_with_a_wrong_value_is_refused(option: str, value: Any) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=option):
        Plan(**{option: value})


def test_the_rate_rises_and_falls_to_nothing() -> None:
    """A line up to 1, then half a cosine down."""
    plan = Plan(epochs=3, warmup=1)

    assert [rate(step, 4, plan) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert rate(8, 4, plan) == pytest.approx(0.5)
    assert 0 < rate(11, 4, plan) < 0.05


def test_the_trained_facechannel_is_what_the_estimator_reads(tmp_path: Path) -> None:
    """The file gives the figures that were logged; other sides are refused."""
    training, validation = toy(64, side=48), toy(32, 1, side=48)
    plan = Plan(**{**PLAN, "epochs": 2, "learning_rate": 1e-3, "side": 32})

    figures = list(facechannel.train(training, validation, plan, tmp_path))

    network = FaceChannelEstimator(weights=tmp_path / "facechannel.safetensors", device="cpu")._network
    assert judge(network, validation, 64)["accuracy"] == pytest.approx(figures[-1]["accuracy"], abs=0.04)
    affect, chances = predict(network, validation.pixels, 64)
    assert affect.shape == (32, 2)
    assert chances is not None
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-5)
    with pytest.raises(ConfigError, match=r"plan\.side is 40; FaceChannel takes a multiple of 16"):
        facechannel.train(training, validation, Plan(side=40), tmp_path)


class Faces:
    """A dataset of faces in memory."""

    def __init__(self, *truths: Truth) -> None:
        self.truths = truths

    def items(self) -> Iterator[Any]:
        for number, truth in enumerate(self.truths):
            yield Image(str(number), np.full((8, 8, 3), number, np.uint8), truth)


def test_labels_stand_for_votes_where_nobody_voted() -> None:
    """In equal shares; faces without valence and arousal are left out."""
    dataset = Faces(
        Truth(valence=0.5, arousal=0, labels=("joy", "calm")), Truth(labels=("joy",)), Truth(valence=0, arousal=1)
    )

    faces = load_faces(dataset)

    assert faces.labels == ("joy", "calm")
    np.testing.assert_array_equal(faces.categories, [[0.5, 0.5], [0, 0]])
    np.testing.assert_array_equal(faces.pixels[:, 0, 0], [0, 2])


def test_two_people_of_a_picture_are_cut_out_of_it(tmp_path: Path) -> None:
    """Each face is what lies in its region, by the crop rule of runs."""
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, 8:] = 200
    (tmp_path / "m.csv").write_text(
        "path,valence,arousal,left,top,right,bottom\nboth.png,0.5,0,0,0,8,8\nboth.png,-0.5,0,8,0,16,8\n"
    )
    PIL.Image.fromarray(picture).save(tmp_path / "both.png")

    faces = load_faces(Folder(path=str(tmp_path / "m.csv")))

    assert faces.affect[:, 0].tolist() == [0.5, -0.5]
    assert [set(face.ravel().tolist()) for face in faces.pixels] == [{0}, {200}]
    assert faces.pixels.shape == (2, 8, 8)


@pytest.mark.parametrize("region", [",,,", "0,0,192,1"])
def test_a_picture_that_no_face_can_fill_is_named(tmp_path: Path, region: str) -> None:
    """Whole or by its region: the square would have 192 times its pixels."""
    PIL.Image.new("RGB", (192, 1)).save(tmp_path / "line.png")
    (tmp_path / "m.csv").write_text(f"path,valence,arousal,left,top,right,bottom\nline.png,0.5,0,{region}\n")

    with pytest.raises(ImageError, match=r"'line.png': a face of 192x192 pixels does not fit a picture of 192x1"):
        load_faces(Folder(path=str(tmp_path / "m.csv")))


def test_faces_to_validate_have_the_labels_of_those_to_train_on() -> None:
    """Their order too; a label that was never trained is refused."""
    dataset = Faces(Truth(valence=0.5, arousal=0, labels=("calm",)))

    np.testing.assert_array_equal(load_faces(dataset, labels=("joy", "calm")).categories, [[0, 1]])
    with pytest.raises(ConfigError, match="has the label 'calm', but training faces have only: joy"):
        load_faces(dataset, labels=("joy",))


class OtherPlan:
    """A third party's estimator with a plan of its own."""

    def train(self, training: Any, validation: Any, plan: Any, folder: Path, progress: Any) -> Iterator[Any]:
        rounds = self.read(**plan)
        yield from ({"epoch": float(number)} for number in range(rounds))

    def read(self, rounds: Any) -> Any:
        return rounds


def test_an_estimator_with_another_plan_says_so() -> None:
    """One sentence names it, what does not fit, and what to type."""
    estimator = OtherPlan()
    assert isinstance(estimator, TrainableEstimator)

    def epochs(**plan: Any) -> Any:
        return list(_epochs(Training(estimator, toy(1), toy(1), plan, Path("unused"), {}), print))

    assert len(epochs(rounds=2)) == 2
    with pytest.raises(ConfigError, match=r"OtherPlan cannot train with this plan: .*'epochs'.*leave one out"):
        epochs(epochs=2)


def small_ferplus(folder: Path, count: int = 40) -> Any:
    """A folder as FER+ is stored, of faces that are bright or dark."""
    faces = toy(2 * count, side=48)
    sheet = np.zeros((96, 2400), np.uint8)
    names = ["index", "name", "split", *CATEGORIES, "unknown", "NF"]
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for index in range(2 * count):
            top, left = index // 50 * 48, index % 50 * 48
            sheet[top : top + 48, left : left + 48] = faces.pixels[index]
            votes = [int(10 * share) for share in faces.categories[index]]
            writer.writerow([index, f"f{index}", "train" if index < count else "validation", *votes, 0, 0])
    PIL.Image.fromarray(sheet).save(folder / "sheet_00.jpg")
    return folder


def affectlm_train(folder: Path, *words: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "affectlm", "train", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_command_trains_any_estimator_that_can_learn(tmp_path: Path) -> None:
    """A timm backbone from a FER+ folder; the folder is free until it trains, then refuses another configuration."""
    words = [
        *("estimator=timm", "estimator.architecture=test_efficientnet", "estimator.side=32"),
        *(f"dataset.path={small_ferplus(tmp_path)}", "plan.epochs=1", "plan.batch_size=16", "hydra.run.dir=run"),
    ]

    wrong = affectlm_train(tmp_path, *words, "plan.learning_rate=-1")
    done = affectlm_train(tmp_path, *words)
    other = affectlm_train(tmp_path, *words, "seed=1")

    assert wrong.returncode == 1
    assert done.returncode == 0, done.stderr
    assert "ccc_valence" in done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"timm.safetensors", "log.csv", "train.json"}
    assert other.returncode == 1
    assert "holds the training of another configuration" in other.stderr


def test_the_same_training_writes_the_same_file(tmp_path: Path) -> None:
    """Two processes, one digest."""
    words = [
        *("estimator=timm", "estimator.architecture=test_efficientnet", "estimator.side=32"),
        *(f"dataset.path={small_ferplus(tmp_path)}", "plan.epochs=1", "plan.batch_size=16"),
    ]

    for name in "ab":
        assert affectlm_train(tmp_path, *words, f"hydra.run.dir={name}").returncode == 0

    first, again = (tmp_path / name / "timm.safetensors" for name in "ab")
    assert sha256(first) == sha256(again)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["estimator=constant"], "'constant' cannot be trained; choose one that can, such as estimator=facechannel"),
        (["+plan.rounds=3"], "FaceChannelEstimator cannot train with this plan: .*'rounds'"),
        (["plan.epochs=0"], "plan.epochs is 0; expected a whole number, 1 or more"),
        (["plan.device=tpu"], r"'device' must match regex [^,]* \('tpu' doesn't\); the plan has"),
        (["plan.device=cuda:99", "plan.batch_size=8"], "there is no device 'cuda:99': .*; use plan.device=cpu"),
        (["dataset.limit=abc"], "dataset.limit=abc does not fit; expected a whole number, 1 or more"),
        (["dataset.limit=0"], "dataset.limit=0 does not fit"),
        (["dataset.limit=1", "plan.batch_size=1"], "1 validation faces are too few for a CCC, expected 2 or more"),
    ],
)
def test_a_training_that_cannot_be_is_one_sentence(tmp_path: Path, words: list[str], message: str) -> None:
    """Before the first epoch."""
    folder = tmp_path / "run"
    folder.mkdir()

    with pytest.raises(ConfigError, match=message) as caught:
        _job(compose([f"dataset.path={small_ferplus(tmp_path)}", *words], "train"), folder)
    assert "\n" not in str(caught.value)


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is refused at once; the first would lose its checkpoint."""
    with (
        locked(tmp_path / "run"),
        pytest.raises(RunFolderError, match=r"another run is writing to .*choose another hydra.run.dir"),
    ):
        _job(compose([f"dataset.path={small_ferplus(tmp_path)}"], "train"), tmp_path / "run")


@pytest.mark.parametrize("file", ["log.csv", "facechannel.safetensors"])
def test_a_training_that_cannot_write_is_one_sentence(tmp_path: Path, file: str) -> None:
    """It names the folder and the option."""
    (tmp_path / "run" / file).mkdir(parents=True)
    words = [f"dataset.path={small_ferplus(tmp_path)}", "plan.epochs=1", "plan.batch_size=40", "plan.side=16"]

    with pytest.raises(RunFolderError, match=r"run' cannot be written: .*; set hydra.run.dir"):
        _job(compose(words, "train"), tmp_path / "run")


def test_an_interrupted_training_says_how_to_continue(tmp_path: Path) -> None:
    """Ctrl-C after an epoch: status 130 and the words to repeat."""
    words = [f"dataset.path={small_ferplus(tmp_path)}", "plan.batch_size=16", "plan.epochs=1000", "plan.side=16"]
    command = [*INTERRUPTIBLE, "train", *words, "hydra.run.dir=run"]

    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = [next(process.stderr), next(process.stderr)]
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()

    assert told[1].startswith("epoch 1 ")
    assert process.returncode == 130
    assert rest.endswith(f"repeat the command with hydra.run.dir={tmp_path / 'run'}\n")
    assert "Traceback" not in rest
