"""A run and its folder: continued, refused, interrupted, judged."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import jinja2
import numpy as np
import PIL.Image
import pytest

import affectlm
from affectlm.cli.run import run_job
from affectlm.errors import AffectlmError, ConfigError, ContractError, RunFolderError
from affectlm.jobs.run import run
from affectlm.offers import Component
from affectlm.registry import Registry
from affectlm.report.pages import write_pages
from affectlm.scores.scores import missed, score_all
from affectlm.store.records import RECORDS, Report, read_records, read_report
from affectlm.store.tables import TABLE
from affectlm.testing import BrightnessEstimator, PlainPrompt, ScriptedLLM, WholeDetector, record
from affectlm.types import VA, Box, Completion, Image, Outcome, Pixels, Record, Request, Score
from tests.conftest import Compose


class Parts:
    """A registry of stand-ins beside the installed components."""

    def __init__(self, **parts: Any) -> None:
        self.llm = ScriptedLLM()
        self.estimator = BrightnessEstimator()
        named = {"detector": WholeDetector(), "estimator": self.estimator, "llm": self.llm, "prompt": PlainPrompt()}
        installed = Registry.installed()
        self.registry = Registry([])
        self.registry.components = [
            *(component for component in installed.components if component.kind in ("dataset", "metric")),
            *(Component(kind, "fake", "test", lambda part=part, **_: part) for kind, part in (named | parts).items()),
        ]


class StyledPrompt(PlainPrompt):
    """A template that says how it gives valence and arousal."""

    style = "numbers"


@pytest.fixture
def configured(compose: Compose, fresh_cache: Path) -> Any:
    """A configuration in which detector, estimator, prompt and model are stand-ins."""

    def build(path: Path, *words: str) -> Any:
        plain = compose(f"dataset.path='{path}'", *words)
        for kind in ("detector", "estimator", "prompt", "llm"):
            plain[kind] = {"name": "fake"}
        return plain

    return build


def test_a_run_leaves_records_and_a_report(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """Every picture has its line, and the report counts them."""
    report = run(configured(pictures), tmp_path / "run", registry=Parts().registry)

    assert [each.id for each in read_records(tmp_path / "run")] == ["p0.png#0", "p1.png#0", "p2.png#0"]
    assert (report.status, report.outcomes, report.usage["requests"]) == ("success", {"ok": 3}, 3)
    assert read_report(tmp_path / "run").versions["affectlm"]


def test_a_finished_run_of_the_same_configuration_asks_and_opens_nothing(
    configured: Any, pictures: Path, tmp_path: Path
) -> None:
    """Continuing what is complete is free, even without a cache."""
    config = configured(pictures, "cache=off")
    run(config, tmp_path / "run", registry=Parts().registry)
    before = (tmp_path / "run" / RECORDS).read_bytes()
    again = Parts()

    report = run(config, tmp_path / "run", registry=again.registry)

    assert (again.llm.asked, again.estimator.batches, report.outcomes) == ([], [], {"ok": 3})
    assert (tmp_path / "run" / RECORDS).read_bytes() == before


def test_a_folder_of_another_configuration_is_refused(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """Two configurations never share a folder."""
    run(configured(pictures), tmp_path / "run", registry=Parts().registry)

    with pytest.raises(RunFolderError, match=r"another configuration \(seed differ"):
        run(configured(pictures, "seed=1"), tmp_path / "run", registry=Parts().registry)


class Interrupted(ScriptedLLM):
    """A model during whose second answer the user presses Ctrl-C."""

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for number, completion in enumerate(super().complete(requests)):
            if number == 1:
                raise KeyboardInterrupt
            yield completion


def test_an_interrupted_run_is_readable_and_continues_without_asking_twice(
    configured: Any, pictures: Path, tmp_path: Path
) -> None:
    """What was answered stays answered; a torn line is cut off."""
    folder = tmp_path / "run"
    config = configured(pictures, "cache=off")
    with pytest.raises(KeyboardInterrupt):
        run(config, folder, registry=Parts(llm=Interrupted()).registry)
    assert read_report(folder).status == "interrupted"
    assert len(list(read_records(folder))) == 1
    assert len((folder / TABLE).read_text().splitlines()) == 2  # its columns and what was answered
    with (folder / RECORDS).open("ab") as file:
        file.write(b'{"id": "torn')
    second = Parts()

    report = run(config, folder, registry=second.registry)

    assert [request.id for request in second.llm.asked] == ["p1.png#0", "p2.png#0"]
    assert (report.status, report.outcomes) == ("success", {"ok": 3})
    assert len(list(read_records(folder))) == 3


class Failing(ScriptedLLM):
    """A model that fails for the second request."""

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for number, completion in enumerate(super().complete(requests)):
            yield attrs.evolve(completion, error="HTTP 503") if number == 1 else completion


def test_a_continued_run_repeats_failed_requests_and_only_those(
    configured: Any, pictures: Path, tmp_path: Path
) -> None:
    """An error is no answer."""
    config = configured(pictures, "cache=off")
    first = run(config, tmp_path / "run", registry=Parts(llm=Failing()).registry)
    second = Parts()

    report = run(config, tmp_path / "run", registry=second.registry)

    assert first.outcomes == {"api_error": 1, "ok": 2}
    assert [request.id for request in second.llm.asked] == ["p1.png#0"]
    assert report.outcomes == {"ok": 3}


class Crashing(BrightnessEstimator):
    def estimate(self, faces: Sequence[Pixels]) -> VA:
        raise RuntimeError("out of memory")


def test_a_crash_leaves_a_report_that_says_so(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """status=error, with the reason."""
    with pytest.raises(ContractError, match=r"Crashing\.estimate failed: RuntimeError: out of memory"):
        run(configured(pictures), tmp_path / "run", registry=Parts(estimator=Crashing()).registry)

    report = read_report(tmp_path / "run")
    assert report.status == "error"
    assert "out of memory" in (report.error or "")


def test_odd_pictures_change_nothing_for_the_others(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """An unreadable file and a 1x1 picture give their outcomes."""
    (pictures / "broken.png").write_bytes(b"no picture")
    PIL.Image.new("RGB", (1, 1)).save(pictures / "dot.png")

    report = run(configured(pictures), tmp_path / "run", registry=Parts().registry)

    assert report.outcomes == {"no_face": 1, "ok": 3, "unreadable_image": 1}


def test_a_run_of_which_everything_failed_is_an_error(configured: Any, tmp_path: Path) -> None:
    """It must not exit 0; the records stay."""
    (tmp_path / "notes.jpg").write_text("hello")

    with pytest.raises(AffectlmError, match=r"all 1 records failed; the first, 'notes\.jpg'"):
        run(configured(tmp_path / "notes.jpg"), tmp_path / "run", registry=Parts().registry)
    assert [each.outcome for each in read_records(tmp_path / "run")] == [Outcome.UNREADABLE_IMAGE]


@attrs.define
class Listed:
    """Pictures by their paths, there or not."""

    paths: list[Path]

    def items(self) -> Iterator[Any]:
        return (Image(path.name, path) for path in self.paths)


def test_a_picture_that_could_not_be_read_is_read_again(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """A folder on a network may vanish for a while."""
    dataset = Listed(sorted(pictures.iterdir()))
    config = configured(pictures) | {"dataset": {"name": "listed"}}
    registry = Parts().registry
    registry.components.append(Component("dataset", "listed", "test", lambda: dataset))
    pictures.rename(tmp_path / "away")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "away" / "p0.png").rename(pictures / "p0.png")
    first = run(config, tmp_path / "run", registry=registry)
    for path in (tmp_path / "away").iterdir():
        path.rename(pictures / path.name)

    second = run(config, tmp_path / "run", registry=registry)

    assert (first.outcomes, second.outcomes) == ({"ok": 1, "unreadable_image": 2}, {"ok": 3})


class Unreachable(ScriptedLLM):
    """A model that never answers."""

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            yield Completion(id=request.id, error="no connection")


def test_a_run_whose_requests_all_failed_is_an_error_whatever_else_was_there(
    configured: Any, pictures: Path, tmp_path: Path
) -> None:
    """A picture without a face is no answer."""
    PIL.Image.new("RGB", (4, 4)).save(pictures / "tiny.png")

    with pytest.raises(AffectlmError, match=r"all 3 requests failed; the first, about 'p0\.png#0': no connection"):
        run(configured(pictures), tmp_path / "run", registry=Parts(llm=Unreachable()).registry)


def test_a_start_that_failed_does_not_block_its_folder(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """The mended command may use it."""
    with pytest.raises(ConfigError, match="no llm named 'unknown'"):
        run(configured(pictures) | {"llm": {"name": "unknown"}}, tmp_path / "run", registry=Parts().registry)

    assert run(configured(pictures), tmp_path / "run", registry=Parts().registry).outcomes == {"ok": 3}


def test_a_report_holds_command_date_versions_and_how_was_asked(
    configured: Any, pictures: Path, tmp_path: Path
) -> None:
    """Whoever reads a figure can make it again."""
    run(
        configured(pictures),
        tmp_path / "run",
        registry=Parts(prompt=StyledPrompt()).registry,
        command=["affectlm", "photos"],
    )

    report = read_report(tmp_path / "run")
    assert report.command == ["affectlm", "photos"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(report.started)) < timedelta(minutes=5)
    assert {"onnxruntime", "timm", "scipy", "nltk"} <= set(report.versions)
    assert report.questions == {"distinct": 3, "effective": 3.0, "faces": 3, "style": "numbers"}
    assert {each.style for each in read_records(tmp_path / "run")} == {"numbers"}


def test_five_hundred_pictures_run_with_flat_memory(configured: Any, tmp_path: Path) -> None:
    """The tenth hundred costs no more than the first: neither pixels nor prompts are kept."""
    folder = tmp_path / "many"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(folder / "000.png")
    for number in range(1, 500):
        os.link(folder / "000.png", folder / f"{number:03d}.png")
    peaks = []
    for limit in (50, 500):
        config = configured(folder, f"dataset.limit={limit}", "cache=off")
        tracemalloc.start()
        run(config, tmp_path / f"run{limit}", registry=Parts().registry)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] - peaks[0] < 450 * 4096  # 4 KB a record, far below one picture of 270 KB


class Twice:
    def items(self) -> Iterator[Any]:
        yield Image("a", np.full((9, 9, 3), 1, np.uint8))
        yield Image("a", np.full((9, 9, 3), 2, np.uint8))


def test_a_dataset_with_an_id_twice_is_refused(configured: Any, tmp_path: Path) -> None:
    """Records are known by their id."""
    parts = Parts(dataset=Twice())
    config = configured(tmp_path) | {"dataset": {"name": "fake", "limit": None, "va": "estimated"}}

    with pytest.raises(ContractError, match="the id 'a' twice"):
        run(config, tmp_path / "run", registry=parts.registry)


def test_ratings_take_the_place_of_pictures(compose: Compose, fresh_cache: Path, tmp_path: Path) -> None:
    """With dataset.va=truth no picture is opened and no estimator built."""
    (tmp_path / "table.csv").write_text("path,valence,arousal,label\nnone.png,0.5,-0.25,happiness\nno.png,,,\n")
    config = compose(f"dataset.path='{tmp_path}/table.csv'", "dataset.va=truth", "llm=circumplex", "cache=off")

    report = run(config, tmp_path / "run")

    assert report.outcomes == {"ok": 1, "skipped": 1}
    rated = next(each for each in read_records(tmp_path / "run") if each.outcome is Outcome.OK)
    assert (rated.valence, rated.arousal, rated.truth.labels) == (0.5, -0.25, ("happiness",))


def test_ratings_that_nobody_has_are_an_error(compose: Compose, fresh_cache: Path, tmp_path: Path) -> None:
    """No score is made of records that were never asked about."""
    (tmp_path / "table.csv").write_text("path,valence,arousal,label\nno.png,,,happiness\n")
    words = ("dataset.va=truth", "llm=circumplex", "prompt=categories", "metric=accuracy")

    with pytest.raises(ConfigError, match="no item of the dataset has rated valence and arousal"):
        run(compose(f"dataset.path='{tmp_path}/table.csv'", *words), tmp_path / "run")


def test_metrics_that_find_nothing_to_judge_by_are_named(compose: Compose, fresh_cache: Path, tmp_path: Path) -> None:
    """In the report and on its page."""
    (tmp_path / "table.csv").write_text("path,valence,arousal\nno.png,0.5,0.1\n")
    words = ("dataset.va=truth", "llm=circumplex", "prompt=categories", "metric=[accuracy,unmapped,bleu]")

    report = run(compose(f"dataset.path='{tmp_path}/table.csv'", *words), tmp_path / "run")

    assert [score.name for score in report.scores] == ["unmapped"]
    assert read_report(tmp_path / "run").unscored == report.unscored == ["accuracy", "bleu"]
    write_pages(report, tmp_path / "run")
    for page in ("report.md", "report.html"):
        assert "accuracy, bleu." in (tmp_path / "run" / page).read_text()


@pytest.mark.parametrize(
    ("metric", "human_text"), [("rouge", "the dataset's own texts"), ("polarity", ""), ("accuracy", "")]
)
def test_a_report_says_what_texts_answers_were_compared_with(
    compose: Compose, fresh_cache: Path, tmp_path: Path, metric: str, human_text: str
) -> None:
    """If a metric compares texts."""
    (tmp_path / "table.csv").write_text("path,valence,arousal,text,label\nno.png,0.5,0.1,She smiles.,joy\n")
    words = ("dataset.va=truth", "llm=circumplex", f"metric={metric}")

    run(compose(f"dataset.path='{tmp_path}/table.csv'", *words), tmp_path / "run")

    assert read_report(tmp_path / "run").human_text == human_text


def test_missing_truth_is_told_before_the_first_question(compose: Compose, fresh_cache: Path, tmp_path: Path) -> None:
    """Once for all metrics that need it, and not for those that do without."""
    (tmp_path / "table.csv").write_text("path,valence,arousal\n" + "".join(f"{n}.png,0.5,0.1\n" for n in range(70)))
    words = ("dataset.va=truth", "llm=circumplex", "prompt=categories", "metric=[accuracy,unmapped,rouge,bleu]")
    told: list[str] = []

    config = compose(f"dataset.path='{tmp_path}/table.csv'", *words)
    run(config, tmp_path / "run", on_notice=told.append, on_record=lambda _: told.append("record"))

    assert told[0] == (
        "no score for accuracy, rouge, bleu unless later items of the dataset differ; "
        "the first 64 have no labels and no text by people"
    )
    assert told[1:] == ["record"] * 70


def test_nothing_is_told_of_truth_that_is_there(compose: Compose, fresh_cache: Path, tmp_path: Path) -> None:
    """One item with labels is enough."""
    (tmp_path / "table.csv").write_text("path,valence,arousal,label\na.png,0.5,0.1,\nb.png,0.5,0.1,fear\n")
    words = ("dataset.va=truth", "llm=circumplex", "prompt=categories", "metric=accuracy")
    told: list[str] = []

    run(compose(f"dataset.path='{tmp_path}/table.csv'", *words), tmp_path / "run", on_notice=told.append)

    assert told == []


def test_noise_moves_valence_and_arousal_the_same_way_in_every_run(
    configured: Any, pictures: Path, tmp_path: Path
) -> None:
    """perturb.va_sd asks how sure the numbers must be."""
    values, measured = [], []
    for name, words in (("plain", ()), ("a", ("perturb.va_sd=0.2",)), ("b", ("perturb.va_sd=0.2",))):
        run(configured(pictures, *words), tmp_path / name, registry=Parts().registry)
        values.append([(each.valence, each.arousal) for each in read_records(tmp_path / name)])
        measured.append([each.measured for each in read_records(tmp_path / name)])

    assert values[1] == values[2]
    assert measured == [values[0]] * 3
    assert read_report(tmp_path / "a").noise["asked"] == 0.2
    assert 0.01 < np.abs(np.array(values[1]) - np.array(values[0])).mean() < 0.5


class Right:
    def values(self, records: Sequence[Record]) -> dict[str, Any]:
        right = [float("nan") if not r.truth.labels else float(r.labels[:1] == r.truth.labels[:1]) for r in records]
        return {"right": np.array(right)}


RIGHT: Any = Right()


def test_a_mean_gets_an_interval_drawn_by_picture() -> None:
    """Records without truth are left out of value and count."""
    records = [record(id=f"{n}", image=f"{n}", label="fear", truth="fear" if n % 2 else "anger") for n in range(60)]

    score = score_all([*records, record(label="fear")], [RIGHT])[0]

    assert (score.name, score.value, score.count) == ("right", 0.5, 60)
    assert score.low == pytest.approx(0.5 - 1.96 * 0.5 / 60**0.5, abs=0.03)


def test_a_score_says_how_many_pictures_its_interval_rests_on() -> None:
    """Of the records it counts; where each has its own picture there is nothing to say, whatever its prompt."""
    few = [record(id=f"{n}", image=f"{n % 10}", label="fear", truth="fear") for n in range(30)]
    own = [attrs.evolve(record(id=f"{n}", label="fear", truth="fear"), prompt_sha256=f"{n % 3}") for n in range(30)]

    assert score_all([*few, record(id="x", image="x", label="fear")], [RIGHT])[0].parts == {"clusters": 10}
    assert score_all(own, [RIGHT])[0].parts == {}


def test_the_setting_says_by_what_intervals_are_drawn(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """A wrong word is told before anything is measured."""
    with pytest.raises(ConfigError, match=r"intervals.by is 'face', expected picture, person, prompt or group.NAME"):
        run(configured(pictures, "intervals.by=face"), tmp_path / "run", registry=Parts().registry)
    with pytest.raises(ConfigError, match=r"no record has a group 'subject', which intervals.by=group.subject needs"):
        run(configured(pictures, "group=subject"), tmp_path / "run", registry=Parts().registry)


def test_thresholds_that_are_missed_are_told(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """A score that does not exist misses its threshold."""
    report = run(configured(pictures), tmp_path / "run", registry=Parts().registry)
    report.scores = [Score("accuracy", 0.3, 10)]

    assert missed(report, {"accuracy": 0.2}) == []
    assert missed(report, {"accuracy": 0.4, "ccc": 0.1}) == [
        "accuracy is 0.3000, below 0.4",
        "there is no score 'ccc', expected at least 0.1",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["faces=some"], "expected all or best"),
        (["dataset.va=guess"], "expected estimated or truth"),
        (["answer=choices"], "ScriptedLLM gives none"),
        (["privacy.send_images=true"], "takes no pictures; leave it out"),
        (["cache=maybe"], "cache=maybe is unknown; expected off or read or on"),
        (["dataset.limit=-1"], "dataset.limit=-1 does not fit"),
        (["batch_size=0"], "batch_size=0 does not fit; expected a whole number, 1 or more"),
        (["perturb.va_sd=-0.1"], "perturb.va_sd=-0.1 is not a standard deviation"),
        (["seed=abc"], "seed=abc does not fit"),
        (["fail_under.accuracy=high"], "is not a threshold"),
    ],
)
def test_wrong_settings_are_told_before_the_first_picture(
    configured: Any, pictures: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    """A wrong run costs nothing."""
    parts = Parts()

    with pytest.raises(ConfigError, match=message):
        run(configured(pictures, *words), tmp_path / "run", registry=parts.registry)
    assert parts.estimator.batches == []


def test_a_run_folder_that_cannot_be_made_is_named(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """The message says what to set."""
    (tmp_path / "file").touch()

    with pytest.raises(RunFolderError, match=r"set hydra\.run\.dir"):
        run(configured(pictures), tmp_path / "file" / "run", registry=Parts().registry)


def test_all_that_is_missing_is_told_at_once(configured: Any, tmp_path: Path) -> None:
    """Mending one thing must not reveal the next."""
    config = configured(tmp_path) | {"llm": {"name": "unknown"}}

    with pytest.raises(ConfigError, match=r"found no pictures in .*; also: no llm named 'unknown'"):
        run(config, tmp_path / "run", registry=Parts().registry)


class Returning:
    """A detector that returns what it was given."""

    def __init__(self, boxes: Any) -> None:
        self.boxes = boxes

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        return [self.boxes for _ in images]


@pytest.mark.parametrize(
    "boxes", [[Box(0, 0, float("inf"), 9)], [(0, 0, 9, 9)], [Box(0, 0, 1e9, 9)], [Box(0, 0, 9, 9, float("nan"))]]
)
def test_a_detector_that_returns_no_boxes_is_named(configured: Any, pictures: Path, tmp_path: Path, boxes: Any) -> None:
    """What a plugin does wrong is told as the plugin's."""
    with pytest.raises(ContractError, match=r"Returning\.detect returned .*, expected a Box"):
        run(configured(pictures), tmp_path / "run", registry=Parts(detector=Returning(boxes)).registry)


class Undefined:
    def score(self, records: Sequence[Record]) -> list[Score]:
        return [Score("m", float("nan"), len(records))]


def test_a_metric_that_gives_no_number_is_told_and_the_report_is_whole(
    configured: Any, pictures: Path, tmp_path: Path
) -> None:
    """NaN is no JSON and no score."""
    config = configured(pictures) | {"metric": {"m": {"name": "fake"}}}

    with pytest.raises(ContractError, match="gave nan as 'm'"):
        run(config, tmp_path / "run", registry=Parts(metric=Undefined()).registry)
    assert read_report(tmp_path / "run").status == "error"


def test_two_runs_never_write_to_one_folder(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """The second is told, the first is not disturbed."""
    config = configured(pictures)

    class Nested(ScriptedLLM):
        def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
            with pytest.raises(RunFolderError, match="another run is writing"):
                run(config, tmp_path / "run", registry=Parts().registry)
            yield from super().complete(requests)

    assert run(config, tmp_path / "run", registry=Parts(llm=Nested()).registry).outcomes == {"ok": 3}


def test_a_continued_run_finds_every_face_of_a_grouped_picture(configured: Any, tmp_path: Path) -> None:
    """A group says nothing about one person: all faces of the picture count."""
    PIL.Image.new("RGB", (60, 40)).save(tmp_path / "two.png")
    (tmp_path / "table.csv").write_text("path,group\ntwo.png,g1\n")
    two = Returning([Box(0, 0, 30, 30), Box(30, 0, 60, 30)])
    config = configured(tmp_path / "table.csv", "cache=off")
    run(config, tmp_path / "run", registry=Parts(detector=two).registry)
    lines = (tmp_path / "run" / RECORDS).read_bytes().splitlines(keepends=True)
    (tmp_path / "run" / RECORDS).write_bytes(lines[0])

    report = run(config, tmp_path / "run", registry=Parts(detector=two).registry)

    assert (len(lines), report.outcomes) == (2, {"ok": 2})


MEASURED = {"valence": 0.5, "arousal": 0.5, "extra": {}}
ANSWERED = {
    "text": "x",
    "model": "m",
    "finish_reason": "stop",
    "usage": None,
    "choice_logprobs": None,
    "choice_tokens": None,
}


@pytest.mark.parametrize("kept", [MEASURED, ANSWERED])
def test_a_stored_value_as_it_should_be_is_used(
    configured: Any, pictures: Path, tmp_path: Path, fresh_cache: Path, kept: Any
) -> None:
    """Else the test of damaged ones would prove nothing."""
    run(configured(pictures), tmp_path / "a", registry=Parts().registry)
    for path in (fresh_cache / ("affect" if kept is MEASURED else "completions")).rglob("*.json"):
        path.write_text(json.dumps(kept))
    second = Parts()

    run(configured(pictures), tmp_path / "b", registry=second.registry)

    assert len(second.llm.asked if kept is ANSWERED else second.estimator.batches) == 0


@pytest.mark.parametrize(
    "content",
    [
        '{"x": 1}',  # of another version
        '{"valence": 0.5, "aro',
        "[" * 100_000,
        *(
            json.dumps(MEASURED | wrong)
            for wrong in list[dict[str, Any]](
                [
                    {"valence": 5.0},
                    {"arousal": None},
                    {"valence": "0.5"},
                    {"valence": True},
                    {"extra": []},
                    {"extra": {"fear": "much"}},
                    {"extra": {"fear": 10**400}},
                    {"extra": {"fear": float("nan")}},
                ]
            )
        ),
        *(
            json.dumps(ANSWERED | wrong)
            for wrong in list[dict[str, Any]](
                [
                    {"text": None},
                    {"model": 3},
                    {"finish_reason": ["stop"]},
                    {"usage": [1, 2]},
                    {"usage": {"prompt_tokens": "many"}},
                    {"usage": {"prompt_tokens": 10**400}},
                    {"choice_logprobs": "fear"},
                    {"choice_logprobs": {"fear": None}},
                    {"choice_logprobs": {"fear": 10**400}},
                    {"choice_tokens": {"fear": 1.5}},
                ]
            )
        ),
    ],
    ids=lambda content: content[:60],
)
def test_a_damaged_cache_is_measured_and_asked_again(
    configured: Any, pictures: Path, tmp_path: Path, fresh_cache: Path, content: Any
) -> None:
    """What is damaged, or what another version wrote, is no answer."""
    run(configured(pictures), tmp_path / "a", registry=Parts().registry)
    for path in fresh_cache.rglob("*.json"):
        path.write_text(content)
    second = Parts()

    report = run(configured(pictures), tmp_path / "b", registry=second.registry)

    assert (report.outcomes, len(second.llm.asked), sum(second.estimator.batches)) == ({"ok": 3}, 3, 3)


class Counting:
    """A detector with three faces in each picture, of which it leaves out two for their size."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        return [boxes for boxes, _ in self.detect_counting(images)]

    def detect_counting(self, images: Sequence[Pixels]) -> list[tuple[list[Box], int]]:
        return [([Box(0, 0, 30, 30), Box(5, 0, 35, 30), Box(9, 0, 39, 30)], 2) for _ in images]


@pytest.mark.parametrize(
    ("words", "table", "expected"),
    [
        ((), "", {}),
        (("faces=best",), "", {"face beside the best": 6}),
        ((), ",label\n{},fear", {"face beside the person that the truth is about": 6}),
        # The second person of a picture is no face that nobody took.
        (
            (),
            ",left,top,right,bottom\n{0},0,0,20,30\n{0},20,0,40,30",
            {"face beside the person that the truth is about": 3},
        ),
    ],
)
def test_faces_that_were_not_taken_are_counted(
    configured: Any, pictures: Path, tmp_path: Path, words: tuple[Any, ...], table: str, expected: dict[str, Any]
) -> None:
    """Those that are too small, and those beside the one that was chosen, by the reason."""
    if table:
        header, *lines = table.split("\n")
        rows = [line.format(f"p{number}.png") for number in range(3) for line in lines]
        (pictures / "t.csv").write_text("\n".join([f"path{header}", *rows]))
    config = configured(pictures / "t.csv" if table else pictures, *words)

    report = run(config, tmp_path / "run", registry=Parts(detector=Counting()).registry)

    assert report.left_out == {"face smaller than detector.min_size": 6, **expected}
    assert read_report(tmp_path / "run").left_out == report.left_out


class Unsized:
    def items(self) -> Iterator[Any]:
        return iter([Image(f"{number}", np.full((9, 9, 3), number, np.uint8)) for number in range(3)])


@pytest.mark.parametrize(
    ("dataset", "limit", "expected"),
    [
        ("folder", None, {}),
        ("folder", 2, {"item beyond dataset.limit=2": 1}),
        ("folder", 3, {}),
        ("fake", 2, {"item beyond dataset.limit=2": None}),
        ("fake", 4, {}),
    ],
)
def test_what_lies_beyond_the_limit_is_counted(
    configured: Any, pictures: Path, tmp_path: Path, dataset: str, limit: int | None, expected: dict[str, Any]
) -> None:
    """A dataset that does not know its length is not asked for more: it says that there may be some."""
    config = configured(pictures)
    config["dataset"] |= {"limit": limit}
    config |= {"dataset": {"name": "fake", "limit": limit, "va": "estimated"}} if dataset == "fake" else {}

    report = run(config, tmp_path / "run", registry=Parts(dataset=Unsized()).registry)

    assert report.left_out == expected


def test_a_continued_run_counts_what_it_left_out_once(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """The counts come from the records: the second try opens one picture again, one anew, and one not at all."""
    config = configured(pictures, "cache=off", "faces=best")

    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "run", registry=Parts(detector=Counting(), llm=Interrupted()).registry)
    report = run(config, tmp_path / "run", registry=Parts(detector=Counting()).registry)

    assert report.outcomes == {"ok": 3}
    assert report.left_out == {"face smaller than detector.min_size": 6, "face beside the best": 6}


class Miscounting:
    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        return [[] for _ in images]

    def detect_counting(self, images: Sequence[Pixels]) -> Any:
        return [([], None) for _ in images]


def test_a_detector_that_gives_no_count_is_named(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """What a plugin does wrong is told as the plugin's."""
    with pytest.raises(ContractError, match=r"Miscounting\.detect_counting returned None with the boxes of a picture"):
        run(configured(pictures), tmp_path / "run", registry=Parts(detector=Miscounting()).registry)


def test_a_killed_run_remembers_what_it_asked(
    configured: Any, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Limits are the run's, however it ended: what was asked is noted while it runs."""
    from affectlm.jobs import run as runs

    monkeypatch.setattr(runs, "NOTE_EVERY", 0.0)
    noted = []

    def look(record: Any) -> None:
        noted.append(read_report(tmp_path / "run").usage.get("requests"))

    run(configured(pictures, "batch_size=1"), tmp_path / "run", registry=Parts().registry, on_record=look)

    assert noted[-1] == len(noted) > 1


@pytest.mark.parametrize(("dry", "scores"), [("true", 0), ("false", 1)])
def test_a_dry_run_judges_nothing(compose: Compose, pictures: Path, tmp_path: Path, dry: str, scores: int) -> None:
    """What was not asked is not wrong."""
    table = pictures / "labels.csv"
    table.write_text("path,label\n" + "".join(f"p{number}.png,anger\n" for number in range(3)))

    parts = ("detector=whole", "estimator=constant", "llm=circumplex", "prompt=categories", "metric=accuracy")

    report = run(compose(f"dataset.path={table}", f"dry_run={dry}", *parts), tmp_path / "run")

    assert [score.name for score in report.scores].count("accuracy") == scores


def test_success_is_said_when_the_pages_exist(configured: Any, pictures: Path, tmp_path: Path) -> None:
    """A report that says success has its pages beside it; pages that cannot be written fail the run."""
    said = []

    def pages(report: Any) -> None:
        said.append((report.status, report.outcomes, read_report(tmp_path / "run").status))
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunFolderError, match=r"run' cannot be written: No space left on device; set hydra\.run\.dir"):
        run(configured(pictures), tmp_path / "run", registry=Parts().registry, on_success=pages)

    report = read_report(tmp_path / "run")
    assert said == [("success", {"ok": 3}, "started")]
    assert (report.status, "No space left" in str(report.error)) == ("error", True)


def test_a_command_whose_pages_fail_says_no_success(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they fail by a defect, and from Python."""
    broken = jinja2.DictLoader({"report.html": "{{ nothing }}"})
    monkeypatch.setattr("affectlm.report.rendering.jinja2.PackageLoader", lambda _: broken)

    with pytest.raises(jinja2.UndefinedError):
        affectlm.run(str(pictures), "llm=circumplex", "detector=whole", f"hydra.run.dir={tmp_path / 'run'}")
    with pytest.raises(jinja2.UndefinedError):
        run_job([str(pictures), "llm=circumplex", "detector=whole", f"hydra.run.dir={tmp_path / 'job'}"])

    assert [read_report(tmp_path / name).status for name in ("run", "job")] == ["error", "error"]


FULL_DISK = """
import resource, sys
from affectlm.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), -1))
main(sys.argv[2:])
"""


@pytest.mark.parametrize(("limit", "status"), [(0, None), (10_000, "error")])
def test_a_folder_that_fills_up_is_one_sentence(tmp_path: Path, limit: int, status: str | None) -> None:
    """Before the first report, or amid the records; nothing says success, and what was recorded can be continued."""
    (tmp_path / "r.csv").write_text("valence,arousal\n" + "\n".join(f"0.{number},0.5" for number in range(1, 90)))
    words = ["+experiment=basic", "dataset=manifest", "dataset.path=r.csv", "llm=circumplex", "hydra.run.dir=run"]
    words += ["cache=off", "hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(limit), *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    sentence = f"affectlm: the run folder '{tmp_path / 'run'}' cannot be written: File too large; set hydra.run.dir"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, sentence)
    assert "Traceback" not in done.stderr
    if status is not None:
        assert read_report(tmp_path / "run").status == status
        assert 0 < len(list(read_records(tmp_path / "run"))) < 89


def test_a_full_disk_takes_the_status_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written anew is changed in place, and stays a report."""
    Report(config={"a": 1}).save(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("affectlm.store.records.write_atomically", full)
    for status, found in (("error", "error"), ("interrupted", "error"), ("success", "success")):
        with pytest.raises(OSError, match="No space"):
            Report(status=status, config={"a": 2}, error="far more than there was before" * 99).save(tmp_path)
        assert (read_report(tmp_path).status, read_report(tmp_path).config) == (found, {"a": 1})
