"""An evaluation: which faces count, what its folder says, what goes wrong; for the figures see test_quality."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import PIL.Image
import pytest

from affectlm.config import compose as configuration
from affectlm.errors import AffectlmError, ConfigError, ContractError, RunFolderError
from affectlm.jobs.evaluate import EVALUATION, FACES, PAGE, evaluate
from affectlm.jobs.evaluation import RatedFaces, measure_agreement
from affectlm.offers import Component
from affectlm.registry import Registry
from affectlm.scores.agreement import CONVENTIONS, measures
from affectlm.store.cache import usage
from affectlm.store.pictures import SCATTER
from affectlm.store.run_folder import refuse_another_file
from affectlm.testing import BrightnessEstimator, record
from affectlm.types import VA, Box, Image, Outcome, Pixels, Truth
from tests.conftest import Command

GREY = (20, 60, 100, 140, 180, 220)


class LightDetector:
    """Finds a face in every picture that is not dark."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        return [[Box(0, 0, 40, 40)] if picture.mean() > 40 else [] for picture in images]


class Voter(BrightnessEstimator):
    """Sees joy in bright faces and fear in the others."""

    def details(self, faces: Sequence[Pixels]) -> tuple[VA, dict[str, Any]]:
        joy = np.array([face.mean() > 127 for face in faces], np.float32)
        return self.estimate(faces), {"joy": joy, "fear": 1 - joy}


@attrs.frozen
class Listed:
    """A dataset of given pictures."""

    images: tuple[Image, ...]
    truth_is_derived = "the ratings were made up"

    def items(self) -> Iterator[Any]:
        return iter(self.images)


def registry(**parts: Any) -> Any:
    """Stand-ins beside the installed datasets."""
    named = {"detector": LightDetector(), "estimator": BrightnessEstimator()} | parts
    found = Registry([])
    found.components = [
        *(component for component in Registry.installed().components if component.kind == "dataset"),
        *(Component(kind, "fake", "test", lambda part=part, **_: part) for kind, part in named.items()),
    ]
    return found


def configured(path: Path, *words: str, dataset: Any = None) -> Any:
    config = configuration.to_plain(configuration.compose([f"dataset.path='{path}'", *words], "evaluate"))
    config["detector"] = config["estimator"] = {"name": "fake"}
    return config if dataset is None else {**config, "dataset": {"name": dataset}}


def pixels(grey: int) -> Pixels:
    """One grey with noise, which the estimator tells from others."""
    noise = np.random.default_rng(grey).integers(-15, 16, (40, 40, 3))
    return (grey + noise).astype(np.uint8)


def plane(grey: int, truth: Truth | None = None) -> Image:
    """A picture of one grey."""
    return Image(str(grey), pixels(grey), truth or Truth())


def table_of(run: Path) -> list[dict[str, str]]:
    with (run / FACES).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def rated(tmp_path: Path, fresh_cache: Path) -> Any:
    """Six pictures of rising brightness, the first too dark for the detector; a broken one; one without a rating."""
    for number, grey in enumerate(GREY):
        PIL.Image.fromarray(pixels(grey)).save(tmp_path / f"{number}.png")
    PIL.Image.fromarray(pixels(200)).save(tmp_path / "unrated.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    lines = [f"{number}.png,{number / 5 - 0.4:.1f},{0.1 * (-1) ** number:.1f},s{number // 2}" for number in range(6)]
    table = tmp_path / "ratings.csv"
    table.write_text("\n".join(["image,valence,arousal,subject", *lines, "unrated.png,0.5,,s9", "broken.png,0,0,s9"]))
    return table


def test_the_figures_are_those_of_the_faces_found(rated: Path, tmp_path: Path) -> None:
    """Measured again by hand: the best face of each picture against its rating."""
    evaluation = evaluate(configured(rated), tmp_path / "run", registry=registry())

    shown = [np.asarray(PIL.Image.open(tmp_path / f"{number}.png")) for number in range(1, 6)]
    truth = np.array([(number / 5 - 0.4, 0.1 * (-1) ** number) for number in range(1, 6)])
    expected = measures(np.asarray(BrightnessEstimator().estimate(shown), float), truth)
    found: Any = evaluation.figures["found"]
    assert {name: result.count for name, result in found.items()} == dict.fromkeys(expected, 5)
    for name, value in expected.items():
        assert found[name].value == pytest.approx(float(value), abs=1e-6)
        assert found[name].low is None  # five pictures are too few
    for name, result in evaluation.figures["not_found_as_zero"].items():
        assert result.value is not None, name
        assert result.low is not None, name
        assert result.high is not None, name
        assert result.low <= result.value <= result.high, name


def test_a_detector_that_drops_faces_does_not_look_better(rated: Path, tmp_path: Path) -> None:
    """In the second set each face that was not found counts as (0, 0)."""
    evaluation = evaluate(configured(rated), tmp_path / "run", registry=registry())

    figures: Any = evaluation.figures
    every = figures["not_found_as_zero"]
    mae = (5 * figures["found"]["mae_valence"].value + 0.4) / 6
    assert (every["mae_valence"].value, every["mae_valence"].count) == (pytest.approx(mae), 6)


def test_every_picture_is_counted_once(rated: Path, tmp_path: Path) -> None:
    """Found, not found, unreadable and without a rating add up, in the counts and in the table of faces."""
    evaluation = evaluate(configured(rated), tmp_path / "run", registry=registry())

    rows = {row["id"]: row for row in table_of(tmp_path / "run")}
    counts = {"pictures": 8, "without_rating": 1, "unreadable": 1, "no_face": 1, "faces": 5}
    assert counts.items() <= evaluation.subset.items()
    assert {name: row["outcome"] for name, row in rows.items()} == {
        **{f"{number}.png#0": "ok" for number in range(1, 6)},
        "0.png": "no_face",
        "broken.png": "unreadable_image",
        "unrated.png": "skipped",
    }
    assert (rows["0.png"]["valence"], rows["0.png"]["rated_valence"]) == ("", "-0.4")
    assert float(rows["5.png#0"]["valence"]) == pytest.approx(0.73, abs=0.05)


def test_no_spreadsheet_obeys_an_id(tmp_path: Path, fresh_cache: Path) -> None:
    """What begins as a formula does is text; ratings below zero stay numbers."""
    ids = ("=1+1.png", "@a.png", "+b.png", "-c.png")
    for name in ids:
        PIL.Image.fromarray(pixels(200)).save(tmp_path / name)
    (tmp_path / "r.csv").write_text("path,valence,arousal\n" + "".join(f"{name},-0.5,-0.25\n" for name in ids))

    evaluate(configured(tmp_path / "r.csv"), tmp_path / "run", registry=registry())

    assert [(row["id"], row["rated_valence"]) for row in table_of(tmp_path / "run")] == [
        (f"'{name}#0", "-0.5") for name in ids
    ]


class Three(LightDetector):
    """Three faces in each picture that has one."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        return [3 * boxes for boxes in super().detect(images)]


def test_what_was_not_measured_is_counted(rated: Path, tmp_path: Path) -> None:
    """Faces beside the best, and rows beyond the limit; the page says so."""
    evaluation = evaluate(configured(rated, "dataset.limit=3"), tmp_path / "run", registry=registry(detector=Three()))

    assert evaluation.left_out == {"face beside the best": 4, "item beyond dataset.limit=3": 5}
    assert json.loads((tmp_path / "run" / EVALUATION).read_text())["left_out"] == evaluation.left_out
    assert "\nLeft out: 4 faces beside the best, 5 items beyond dataset.limit=3.\n" in evaluation.page()


def test_the_folder_tells_all_that_a_paper_needs(rated: Path, tmp_path: Path) -> None:
    """Figures, subset, conventions, versions and parts as JSON without NaN; the sentences and the plot as files."""
    evaluate(configured(rated, "dataset.limit=7"), tmp_path / "run", registry=registry())

    def refuse(constant: Any) -> None:
        raise AssertionError(constant)

    content = json.loads((tmp_path / "run" / EVALUATION).read_text(), parse_constant=refuse)
    page = (tmp_path / "run" / PAGE).read_text()
    assert set(content) == {
        *("schema_version", "config", "versions", "components", "subset", "left_out", "truth_is_derived"),
        *("intervals", "figures", "conventions"),
    }
    assert set(content["figures"]["found"]["ccc_valence"]) == {"value", "low", "high", "count"}
    assert content["versions"]["affectlm"]
    assert content["components"]["estimator"] == {"name": "fake"}
    assert all(convention in page for convention in CONVENTIONS)
    assert "dataset folder, limit 7; pictures: 7, of them without a rating: 1, unreadable: 0" in page
    assert "face found: 5, face not found: 1." in page
    assert "| CCC | 0." in page
    assert "not ratings by people" not in page


def test_the_plot_is_one_file_that_stays_the_same(rated: Path, tmp_path: Path) -> None:
    """It refers to nothing outside itself."""
    for run in "ab":
        evaluate(configured(rated), tmp_path / run, registry=registry())

    plot = (tmp_path / "a" / SCATTER).read_text()
    assert plot == (tmp_path / "b" / SCATTER).read_text()
    assert 'href="data:image/png' in plot
    assert 'href="http' not in plot


def test_intervals_are_drawn_by_the_group_that_is_named(rated: Path, tmp_path: Path) -> None:
    """Six pictures are of three subjects; a column 'group' needs no naming, a wrong name is told."""
    by_picture = evaluate(configured(rated), tmp_path / "a", registry=registry())
    by_subject = evaluate(configured(rated, "group=subject"), tmp_path / "b", registry=registry())
    rated.write_text(rated.read_text().replace("subject", "group"))
    by_default = evaluate(configured(rated), tmp_path / "c", registry=registry())

    assert by_picture.intervals["of"] == "6 pictures"
    assert by_subject.intervals["of"] == "3 values of 'subject'"
    assert by_default.intervals["of"] == "3 values of 'group'"
    assert by_default.figures == by_subject.figures != by_picture.figures
    with pytest.raises(ConfigError, match="has a group 'person'; groups: group; name one of these columns"):
        evaluate(configured(rated, "group=person"), tmp_path / "d", registry=registry())


def test_a_group_is_found_however_its_column_is_written(rated: Path, tmp_path: Path) -> None:
    """Names of columns have no case."""
    rated.write_text(rated.read_text().replace("subject", "Subject"))

    evaluation = evaluate(configured(rated, "group=Subject"), tmp_path / "run", registry=registry())

    assert evaluation.intervals["of"] == "3 values of 'Subject'"


def test_a_wrong_group_is_told_before_everything_was_measured(rated: Path, tmp_path: Path) -> None:
    """After the first window, with the groups there are."""
    estimator = BrightnessEstimator()

    with pytest.raises(ConfigError, match="no rated picture of 2 has a group 'person'; groups: subject; name one"):
        evaluate(
            configured(rated, "group=person", "batch_size=2"), tmp_path / "run", registry=registry(estimator=estimator)
        )

    assert sum(estimator.batches) < 5


def test_no_intervals_are_announced_where_all_faces_belong_together(rated: Path, tmp_path: Path) -> None:
    """One subject says nothing about others."""
    rated.write_text("image,valence,arousal,subject\n4.png,0.4,0.1,anna\n5.png,0.6,0,anna\n")

    evaluation = evaluate(configured(rated, "group=subject"), tmp_path / "run", registry=registry())

    sentence = "No intervals: all faces belong to 1 value of 'subject', and fewer than 6 say too little."
    assert sentence in evaluation.page()
    assert "In parentheses" not in evaluation.page()


def test_a_second_evaluation_measures_nothing_again(rated: Path, tmp_path: Path) -> None:
    """Values come from the store of runs."""
    estimator = BrightnessEstimator()

    first = evaluate(configured(rated), tmp_path / "a", registry=registry(estimator=estimator))
    second = evaluate(configured(rated), tmp_path / "b", registry=registry(estimator=estimator))

    assert (sum(estimator.batches), second.figures) == (5, first.figures)
    assert {entry.kind for entry in usage()} == {"affect"}


def test_accuracy_takes_each_of_the_commonest_votes(fresh_cache: Path, tmp_path: Path) -> None:
    """A tie counts for each; a face that was not found is wrong; always saying joy is the baseline."""
    votes = [{"joy": 1.0, "fear": 0.0}, {"joy": 0.5, "fear": 0.5}, {"joy": 1.0, "fear": 0.0}, {"joy": 0.9, "fear": 0.1}]
    pictures = tuple(
        plane(grey, Truth(valence=0.1, arousal=0.0, votes=vote))
        for grey, vote in zip((200, 90, 100, 20), votes, strict=True)
    )

    evaluation = evaluate(
        configured(Path("x"), dataset="fake"),
        tmp_path / "run",
        registry=registry(dataset=Listed(pictures), estimator=Voter()),
    )

    figures: Any = evaluation.figures
    found, every = figures["found"], figures["not_found_as_zero"]
    assert (found["accuracy"].value, found["accuracy"].count) == (pytest.approx(2 / 3), 3)
    assert (every["accuracy"].value, every["accuracy"].count) == (pytest.approx(2 / 4), 4)
    assert (found["accuracy_of_commonest"].value, every["accuracy_of_commonest"].value) == (1, 1)
    assert "Accuracy against the commonest vote (a tie counts for each), 3 faces: 0.667" in evaluation.page()
    assert "These are not ratings by people: the ratings were made up." in evaluation.page()


def test_an_estimator_without_probabilities_has_no_accuracy(fresh_cache: Path, tmp_path: Path) -> None:
    """A missed face alone would make it 0."""
    pictures = tuple(plane(grey, Truth(valence=0.1, arousal=0.0, votes={"joy": 1.0})) for grey in (20, 200, 220))

    found = evaluate(configured(Path("x"), dataset="fake"), tmp_path / "a", registry=registry(dataset=Listed(pictures)))

    assert "accuracy" not in found.figures["not_found_as_zero"]


def test_what_is_undefined_is_null_and_said(tmp_path: Path) -> None:
    """Constant predictions of constant ratings have no CCC, and one picture has no interval."""
    faces = RatedFaces()
    faces.add(record(valence=0.5, arousal=0.5, truth=Truth(valence=0.5, arousal=0.1)), "group")

    results: Any = measure_agreement(faces)["found"]

    assert (results["ccc_valence"].value, str(results["ccc_valence"])) == (None, "undefined")
    assert (results["ccc_mean"].value, results["pcc_arousal"].value) == (None, None)
    assert (results["mae_arousal"].value, results["mae_arousal"].low) == (pytest.approx(0.4), None)


def test_a_person_is_looked_for_where_the_table_says(tmp_path: Path, fresh_cache: Path) -> None:
    """Two people of one picture have a row each."""

    class TwoFaces:
        def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
            return [[Box(0, 0, 40, 40), Box(40, 0, 80, 40)] for _ in images]

    both = np.concatenate([pixels(60), pixels(200)], axis=1)
    PIL.Image.fromarray(both).save(tmp_path / "both.png")
    table = tmp_path / "m.csv"
    table.write_text(
        "path,left,top,right,bottom,valence,arousal\nboth.png,45,5,75,35,0.5,0\nboth.png,5,5,35,35,-0.5,0\n"
    )

    evaluate(configured(table), tmp_path / "run", registry=registry(detector=TwoFaces()))

    rows = table_of(tmp_path / "run")
    assert [row["id"] for row in rows] == ["both.png@45,5,75,35#1", "both.png@5,5,35,35#0"]
    assert [float(row["valence"]) > 0 for row in rows] == [True, False]


@pytest.mark.parametrize(
    ("row", "words", "error", "message"),
    [
        (
            "5.png,,0",
            [],
            ConfigError,
            "none of 1 pictures has a rating of both valence and arousal; give as path a CSV",
        ),
        ("0.png,0,0", [], AffectlmError, "no face was found in 1 rated pictures; .* add detector=whole"),
        ("broken.png,0,0", [], AffectlmError, "none of the 1 rated pictures can be read; the first: .*broken.png"),
        ("5.png,0,7", [], ConfigError, r"arousal is '7'; expected a number in \[-1, 1\] .* dataset.scale=\[1,9\]"),
        ("5.png,0,0", ["dataset.va=truth"], ConfigError, "dataset.va=truth leaves nothing to measure"),
        ("5.png,0,0", ["batch_size=0"], ConfigError, "batch_size=0 does not fit"),
        ("5.png,0,0", ["dataset.limit=0"], ConfigError, "dataset.limit=0 does not fit"),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_one_sentence(
    rated: Path, tmp_path: Path, row: str, words: list[Any], error: Any, message: str
) -> None:
    """What was found and what to type; no figures are left behind."""
    rated.write_text(f"path,valence,arousal\n{row}\n")

    with pytest.raises(error, match=message):
        evaluate(configured(rated, *words), tmp_path / "run", registry=registry())

    assert not (tmp_path / "run" / EVALUATION).exists()


class Loud:
    """A dataset whose third party rates from 1 to 9."""

    def items(self) -> Iterator[Any]:
        yield plane(200, Truth(valence=7, arousal=5))


def test_a_dataset_with_ratings_out_of_range_is_named(fresh_cache: Path, tmp_path: Path) -> None:
    """Truth refuses them; the sentence says whose they are."""
    with pytest.raises(ContractError, match=r"Loud.items failed: ValueError: valence must lie in \[-1, 1\], not 7"):
        evaluate(configured(Path("x"), dataset="fake"), tmp_path / "run", registry=registry(dataset=Loud()))


def test_a_folder_of_another_evaluation_is_refused(rated: Path, tmp_path: Path) -> None:
    """The same configuration may be repeated there."""
    for _ in range(2):
        evaluate(configured(rated), tmp_path / "run", registry=registry())

    with pytest.raises(RunFolderError, match="holds the evaluation of another configuration"):
        evaluate(configured(rated, "seed=1"), tmp_path / "run", registry=registry())


def test_an_interrupted_evaluation_keeps_its_folder(rated: Path, tmp_path: Path) -> None:
    """For the same configuration, to which agreeing to a licence makes no difference."""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(configured(rated), tmp_path / "run", registry=registry(), on_record=interrupt)

    with pytest.raises(RunFolderError, match="holds the evaluation of another configuration"):
        evaluate(configured(rated, "seed=1"), tmp_path / "run", registry=registry())
    assert evaluate(configured(rated, "accept_licence=true"), tmp_path / "run", registry=registry()).figures


def test_the_figures_are_there_only_with_all_that_belongs_to_them(
    rated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluation that could not be finished has no figures, neither new nor old ones."""
    evaluate(configured(rated), tmp_path / "run", registry=registry())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("affectlm.report.figures.draw_agreement", full)
    with pytest.raises(RunFolderError, match="No space left on device"):
        evaluate(configured(rated), tmp_path / "run", registry=registry())

    assert not (tmp_path / "run" / EVALUATION).exists()


def test_two_evaluations_never_write_to_one_folder(rated: Path, tmp_path: Path) -> None:
    """The second is told, the first is not disturbed."""

    def again(_: object) -> None:
        with pytest.raises(RunFolderError, match="another run is writing"):
            evaluate(configured(rated), tmp_path / "run", registry=registry())

    assert evaluate(configured(rated), tmp_path / "run", registry=registry(), on_record=again).subset["faces"] == 5


@pytest.mark.parametrize("file", ["faces.csv", "scatter.svg", "evaluation.json"])
def test_a_file_that_cannot_be_written_is_one_sentence(rated: Path, tmp_path: Path, file: str) -> None:
    """It names the folder and the option."""
    (tmp_path / "run" / file).mkdir(parents=True)

    with pytest.raises(RunFolderError, match=r"run' cannot be written: Is a directory; set hydra\.run\.dir"):
        evaluate(configured(rated), tmp_path / "run", registry=registry())


def test_columns_with_other_names_are_told(rated: Path, tmp_path: Path) -> None:
    """What was found stands beside what was expected."""
    rated.write_text("path,val,aro\n5.png,0.5,0.1\n")

    with pytest.raises(ConfigError, match="a CSV with the columns path, valence and arousal; found val, aro"):
        evaluate(configured(rated), tmp_path / "run", registry=registry())


def test_the_command_prints_the_table_and_says_where_the_files_are(
    rated: Path, tmp_path: Path, command: Command
) -> None:
    """End to end, with the installed detector and estimator; ratings from 1 to 9 come to [-1, 1]."""
    rated.write_text("image,valence,arousal\n1.png,1,9\n2.png,5,5\n5.png,9,3\nbroken.png,5,5\nunrated.png,,\n")

    done = command("evaluate", str(rated), "detector=whole", "dataset.scale=[1,9]", "hydra.run.dir=run")

    content = json.loads((tmp_path / "run" / EVALUATION).read_text())
    rows = table_of(tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| CCC |" in done.stdout
    assert "pictures: 5, of them without a rating: 1, unreadable: 1, face found: 3, face not found: 0" in done.stdout
    assert "evaluation.json, evaluation.md, faces.csv and scatter.svg are in" in done.stdout
    assert len(content["components"]["estimator"]["weights_sha256"]) == 64
    assert [row["rated_valence"] for row in rows if row["outcome"] == "ok"] == ["-1.0", "0.0", "1.0"]


def test_the_command_ends_in_one_sentence_where_nothing_can_be_measured(command: Command) -> None:
    """A path that is not there, as anywhere."""
    done = command("evaluate", "none.csv")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("affectlm: path 'none.csv' does not exist; give a folder")
    assert len(done.stderr.splitlines()) == 1


def test_ferplus_is_evaluated_with_accuracy_and_the_note_on_its_ratings(
    data: Path, tmp_path: Path, fresh_cache: Path
) -> None:
    """Fifty faces, all of them found, and figures that are plainly not chance."""
    words = ["dataset=ferplus", "dataset.limit=50", "detector=whole", f"dataset.path='{data / 'ferplus'}'"]
    config = configuration.to_plain(configuration.compose(words, "evaluate"))

    evaluation = evaluate(config, tmp_path / "run")

    found: Any = evaluation.figures["found"]
    assert (evaluation.subset["pictures"], evaluation.subset["faces"]) == (50, 50)
    assert "made from its labels" in evaluation.page()
    for name in ("ccc_valence", "ccc_arousal", "accuracy"):
        assert 0.5 < found[name].low <= found[name].value <= found[name].high < 1


def test_outcomes_other_than_found_and_not_found_carry_no_figure() -> None:
    """An unreadable picture says nothing about the estimator."""
    faces = RatedFaces()
    for outcome in (Outcome.UNREADABLE_IMAGE, Outcome.SKIPPED):
        faces.add(record(outcome=outcome, truth=Truth(valence=0.5, arousal=0.5)), "group")

    assert (faces.rated, faces.subset()["pictures"]) == ([], 2)


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000])
def test_a_damaged_configuration_of_a_folder_names_the_remedy(tmp_path: Path, content: Any) -> None:
    """What an evaluation or a training is for can no longer be read: the user decides."""
    (tmp_path / "config.json").write_text(content)

    with pytest.raises(RunFolderError, match=r"is not a configuration: .*; choose another hydra\.run\.dir, or delete"):
        refuse_another_file(tmp_path / "config.json", {}, "evaluation")
