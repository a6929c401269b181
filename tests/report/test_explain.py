"""Heat maps: they light what the estimator goes by, for every measured face, safely named, once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from affectlm.errors import ConfigError, ContractError
from affectlm.jobs.run import run
from affectlm.line import images
from affectlm.offers import Component
from affectlm.registry import Registry
from affectlm.report.explain import GRID, Explainer, occlusion
from affectlm.report.pages import write_pages
from affectlm.report.sections.listing import EMBEDDED
from affectlm.store.records import EXPLANATIONS, RECORDS, Report, explanation, read_records, to_line
from affectlm.testing import BrightnessEstimator, PlainPrompt, ScriptedLLM, WholeDetector, faces, record
from affectlm.types import VA, Box, Face, Outcome, Pixels, Sample
from affectlm_data.samples import Samples
from tests.conftest import Compose

MOUTH = (slice(9, 12), slice(3, 9))  # rows and columns of a 12x12 map: the lower middle, an eighth of the face
EYES = (slice(3, 6), slice(1, 11))


class Reading(BrightnessEstimator):
    """Valence rises with the brightness of one region, arousal falls with it; nothing else counts."""

    def __init__(self, rows: Any, columns: Any) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        self.batches.append(len(faces))
        values = [_part(face, self.rows, self.columns).mean() / 255 for face in faces]
        return np.array([(value, -value) for value in values], dtype=np.float32).reshape(-1, 2)


class Explaining(Reading):
    """One that says itself where it looks."""

    def __init__(self, maps: Any) -> None:
        super().__init__(*MOUTH)
        self.maps = np.asarray(maps, dtype=np.float32)

    def saliency(self, faces: Sequence[Pixels]) -> Any:
        return self.maps


def _part(face: Any, rows: Any, columns: Any) -> Any:
    unit = face.shape[0] / GRID
    return face[
        round(rows.start * unit) : round(rows.stop * unit), round(columns.start * unit) : round(columns.stop * unit)
    ]


def bright(side: int = 48) -> Any:
    """A face whose eyes and mouth are brighter than the rest."""
    face = np.full((side, side, 3), 60, np.uint8)
    for region in (MOUTH, EYES):
        _part(face, *region)[:] = 240
    return face


def share(maps: Any, region: Any) -> Any:
    """How much of a map's mass lies in a region of the face."""
    mass = np.abs(maps)
    return mass[(..., *region)].sum() / mass.sum()


def test_occlusion_finds_the_mouth_of_an_estimator_that_reads_the_mouth() -> None:
    """Most of the mass, four times what chance would put there; one that reads eyes puts less there than chance."""
    mouth, eyes = (occlusion(Reading(*region), bright()) for region in (MOUTH, EYES))

    chance = 3 * 6 / GRID**2
    assert share(mouth, MOUTH) > 0.5
    assert share(eyes, MOUTH) < chance


def test_occlusion_has_the_sign_of_what_the_part_does() -> None:
    """The bright mouth raises valence and lowers arousal; hiding it makes it darker."""
    valence, arousal = occlusion(Reading(*MOUTH), bright())

    assert valence[MOUTH].min() > 0
    np.testing.assert_allclose(arousal, -valence, atol=1e-6)


def test_occlusion_asks_at_most_150_times_in_batches() -> None:
    """What one face costs is known beforehand."""
    estimator = Reading(*MOUTH)

    occlusion(estimator, bright(), batch_size=16)

    assert sum(estimator.batches) == 1 + GRID**2 <= 150
    assert max(estimator.batches) == 16


class Wide(BrightnessEstimator):
    def estimate(self, faces: Sequence[Pixels]) -> VA:
        return np.zeros((len(faces), 3), np.float32)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Wide(), r"Wide\.estimate returned shape \(1, 3\) for partly hidden faces, expected finite \(1, 2\)"),
        (Explaining(np.zeros((2, 8, 8))), r"Explaining\.saliency returned shape \(2, 8, 8\), expected finite \(1, 2"),
        (Explaining(np.full((1, 2, 8, 8), np.nan)), r"Explaining\.saliency returned .*finite"),
    ],
)
def test_an_estimator_that_breaks_its_contract_is_named(tmp_path: Path, estimator: Any, message: str) -> None:
    """A plugin's mistake is told as the plugin's."""
    with pytest.raises(ContractError, match=message):
        explained(estimator, tmp_path)


def explained(estimator: Any, folder: Path, identity: str = "face#0", pixels: Any = None) -> Any:
    pixels = bright(24) if pixels is None else pixels
    measured = Sample(identity, 0.5, -0.25)
    Explainer(estimator, folder, batch_size=50)(measured, Face(identity, Box(0, 0, 9, 9), pixels))
    return folder / explanation(identity)


def test_an_estimator_that_offers_saliency_gets_a_row_of_panels_more(tmp_path: Path) -> None:
    """Below occlusion's, wide enough to be read; the numbers lie beside the picture."""
    maps = np.random.default_rng(0).normal(size=(1, 2, 5, 7))

    plain = explained(Reading(*MOUTH), tmp_path / "a")
    more = explained(Explaining(maps), tmp_path / "b")

    assert [pixels(path).shape[:2] for path in (plain, more)] == [(320, 900), (640, 900)]
    with np.load(more.with_suffix(".npz")) as numbers:
        assert numbers["occlusion"].shape == (2, GRID, GRID)
        np.testing.assert_allclose(numbers["saliency"], maps[0], rtol=1e-6)


def pixels(path: Path) -> Any:
    with PIL.Image.open(path) as picture:
        return np.asarray(picture).astype(int)


@pytest.mark.parametrize(("value", "raises"), [(1, True), (-1, False), (0.2, True), (-0.2, False)])
def test_red_raises_and_blue_lowers_also_where_it_is_weak(tmp_path: Path, value: float, raises: bool) -> None:
    """A fifth of the strongest effect is seen; the picture says what its colours mean."""
    maps = np.full((1, 2, 8, 8), value, np.float32)
    maps[0, :, 0, 0] = 1 if raises else -1

    drawn = pixels(explained(Explaining(maps), tmp_path, pixels=np.full((24, 24, 3), 128, np.uint8)))

    for left in (300, 560):  # the middle of the two lower panels
        red, _, blue = drawn[450:550, left : left + 180].mean(axis=(0, 1))
        assert (red - blue > 15) if raises else (blue - red > 15)
    assert (drawn[:, 800:830, 0] - drawn[:, 800:830, 2]).max() > 100  # the scale beside them
    assert (drawn[:, 800:830, 2] - drawn[:, 800:830, 0]).max() > 100


def test_a_picture_of_a_large_face_is_small_enough_to_be_embedded_twenty_times(tmp_path: Path) -> None:
    """Whatever the camera."""
    face = (
        images.crop(images.read(next(iter(Samples().items())).source)[0], Box(150, 0, 350, 200))
        .repeat(3, axis=0)
        .repeat(3, axis=1)
    )

    assert explained(Explaining(np.eye(8)[None, None].repeat(2, axis=1)), tmp_path, pixels=face).stat().st_size < 3e5


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (700, 700), (30, 20)])
def test_crops_of_any_size_are_explained(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Down to one pixel."""
    assert explained(BrightnessEstimator(), tmp_path, pixels=np.full((*shape, 3), 7, np.uint8)).is_file()


NAMES = ("../../etc/x#0", "a/b#0", "a_b#0", "größe#1", "\ud800#0", "x" * 5000, "", "con", "a\0b", "A/b#0", "..")


def test_pictures_are_named_safely_and_apart_whatever_the_id() -> None:
    """Ids come from file names."""
    paths = [explanation(name) for name in NAMES]

    assert len({path.lower() for path in paths}) == len(NAMES)
    for path in paths:
        folder, _, name = path.partition("/")
        assert folder == EXPLANATIONS
        assert len(name) <= 100
        assert name.endswith(".png")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
        assert not name.startswith(".")


def registry(estimator: Any) -> Any:
    named = {"detector": WholeDetector(), "estimator": estimator, "llm": ScriptedLLM(), "prompt": PlainPrompt()}
    found = Registry([])
    found.components = [
        *(each for each in Registry.installed().components if each.kind in ("dataset", "metric")),
        *(Component(kind, "fake", "test", lambda part=part, **_: part) for kind, part in named.items()),
    ]
    return found


@pytest.fixture
def configured(compose: Compose, pictures: Path, fresh_cache: Path) -> Any:
    def build(*words: str) -> Any:
        plain = compose(f"dataset.path='{pictures}'", *words)
        return plain | {kind: {"name": "fake"} for kind in ("detector", "estimator", "prompt", "llm")}

    return build


def drawn(folder: Path) -> dict[str, Any]:
    return {path.name: path.read_bytes() for path in folder.glob(f"{EXPLANATIONS}/*.png")}


def test_every_measured_face_of_a_run_is_explained_also_when_its_value_was_stored(
    configured: Any, tmp_path: Path
) -> None:
    """The cache holds numbers, the explanation needs pixels."""
    run(configured(), tmp_path / "first", registry=registry(BrightnessEstimator()))
    second = BrightnessEstimator()

    run(configured("explain=true"), tmp_path / "second", registry=registry(second))

    records = list(read_records(tmp_path / "second"))
    assert not (tmp_path / "first" / EXPLANATIONS).exists()
    assert len(records) == 3
    assert all((tmp_path / "second" / explanation(each.id)).is_file() for each in records)
    assert sum(second.batches) == 3 * 145  # nothing was measured again, all of it is explanation


def test_a_continued_run_keeps_the_pictures_it_has(configured: Any, tmp_path: Path) -> None:
    """Only what is missing is drawn."""
    config = configured("explain=true")
    run(config, tmp_path / "run", registry=registry(BrightnessEstimator()))
    before = drawn(tmp_path / "run")
    lost = tmp_path / "run" / explanation("p1.png#0")
    lost.unlink()
    lines = (tmp_path / "run" / RECORDS).read_bytes().splitlines(keepends=True)
    (tmp_path / "run" / RECORDS).write_bytes(lines[0])
    second = BrightnessEstimator()

    run(config, tmp_path / "run", registry=registry(second))

    assert drawn(tmp_path / "run").keys() == before.keys()
    assert sum(second.batches) == 145


def test_explaining_ratings_is_refused(configured: Any, tmp_path: Path) -> None:
    """There are no faces to look at."""
    with pytest.raises(ConfigError, match=r"explain=true needs faces, but dataset\.va=truth opens no picture"):
        run(configured("explain=true", "dataset.va=truth"), tmp_path, registry=registry(BrightnessEstimator()))


def test_explain_must_be_true_or_false(configured: Any, tmp_path: Path) -> None:
    """Told before the first picture."""
    with pytest.raises(ConfigError, match="explain=maybe does not fit; expected true or false"):
        run(configured("explain=maybe"), tmp_path, registry=registry(BrightnessEstimator()))


def test_the_page_embeds_the_first_pictures_and_the_list_links_all(tmp_path: Path) -> None:
    """The page is self-contained and bounded; ids are escaped."""
    identities = [f"<script>{number}](x)#0" for number in range(EMBEDDED + 2)]
    picture = explained(Reading(*MOUTH), tmp_path, identities[0]).read_bytes()
    for identity in identities:
        (tmp_path / explanation(identity)).write_bytes(picture)
    (tmp_path / RECORDS).write_bytes(
        b"".join(to_line(record(id=identity, outcome=Outcome.OK)) for identity in identities)
    )

    write_pages(Report(status="success", outcomes={"ok": len(identities)}), tmp_path)

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == EMBEDDED
    assert "All of them are in the folder explain" in page
    assert all(f"]({explanation(identity)})" in markdown for identity in identities)
    assert "<script" not in page + markdown


def test_a_report_without_pictures_does_not_speak_of_them(tmp_path: Path) -> None:
    """Nothing was asked for."""
    (tmp_path / RECORDS).write_bytes(to_line(record(id="a")))

    write_pages(Report(status="success", outcomes={"ok": 1}), tmp_path)

    assert "xplanation" not in (tmp_path / "report.html").read_text() + (tmp_path / "report.md").read_text()


def test_the_same_face_is_explained_the_same_way_twice(tmp_path: Path) -> None:
    """Nothing is drawn by lot."""
    face = faces(1)[0]

    first, second = (explained(BrightnessEstimator(), tmp_path / name, pixels=face) for name in "ab")

    assert first.read_bytes() == second.read_bytes()
