"""Runs beside one another: what is compared, what is refused, and what is left out with a word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from affectlm.errors import AffectlmError
from affectlm.jobs.compare import compare
from affectlm.scores.scores import score_all
from affectlm.store.records import RECORDS, Report, to_line
from affectlm.store.run_folder import save_composed
from affectlm.testing import record
from affectlm.types import Outcome, Record, Truth
from affectlm_categories.accuracy import Accuracy

LABELS = ["fear", "anger", "joy"]
Written = Callable[..., Path]


def answers(right: int, size: int = 30, **fields: object) -> list[Record]:
    """Records of which the first are right."""
    return [
        record(id=f"{place:02}", truth="fear", label="fear" if place < right else "joy", **fields)
        for place in range(size)
    ]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a finished run's folder."""

    def write(name: str, records: list[Record], overrides: tuple[str, ...] = (), **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        labels = changes.pop("labels", LABELS)
        config = {
            "dataset": {"name": "manifest", "path": "people.csv", "split": changes.pop("split", None)},
            "labels": labels,
            "metric": changes.pop("metric", {"accuracy": {"name": "accuracy", "labels": labels}}),
            "dry_run": changes.pop("dry_run", False),
        }
        (folder / RECORDS).write_bytes(b"".join(map(to_line, records)))
        report = Report(status="success", outcomes={"ok": len(records)}, config=config)
        attrs.evolve(report, **changes).save(folder)
        save_composed(folder, overrides=list(overrides))
        return folder

    return write


def test_the_significantly_better_run_is_marked_in_both_files(written: Written, tmp_path: Path) -> None:
    """Its values are those of its own report; runs are named by what tells them apart, and all text is escaped."""
    good, bad = answers(28), answers(10)
    folders = [written("a", good, ("seed=1", "llm=<b>")), written("b", bad, ("seed=1", "llm=x"))]

    found = compare(folders, tmp_path / "out")

    [score], [pair] = found.scores, found.pairs
    assert score.values == {
        name: score_all(records, [Accuracy()])[0].value for name, records in {"llm=<b>": good, "llm=x": bad}.items()
    }
    assert score.best == "llm=<b>"
    assert (pair.only_first, pair.only_second) == (18, 0)
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["scores"][0]["best"] == "llm=<b>"
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "0.933*" in page
    assert "llm=&lt;b&gt;" in page
    assert "<b>" not in page


def test_the_best_of_several_runs_is_marked_only_if_it_beats_every_other(written: Written, tmp_path: Path) -> None:
    """Three runs, the best two alike; p is raised for all three tests."""
    folders = [written(name, answers(right)) for name, right in (("a", 28), ("b", 27), ("c", 5))]

    found = compare(folders, tmp_path)

    assert [score.best for score in found.scores] == [None]
    assert len(found.pairs) == 3
    assert min(pair.p_holm for pair in found.pairs) == pytest.approx(3 * min(pair.p for pair in found.pairs))


def test_a_sweeps_folder_is_its_runs_in_their_order(written: Written, tmp_path: Path) -> None:
    """Ten after nine."""
    for number in range(11):
        written(f"sweep/{number}", answers(number), (f"seed={number}",))

    found = compare([tmp_path / "sweep"], tmp_path)

    assert [run.name for run in found.runs] == [f"seed={number}" for number in range(11)]


@pytest.mark.parametrize(
    ("records", "changes", "message"),
    [
        (answers(5, 29), {}, "1 record, such as '29', is not in both 'a' and 'b'; --common compares the 29 records"),
        (answers(5), {"split": "test"}, "dataset.split is None in 'a' and test in 'b'"),
        (answers(5), {"labels": ["fear", "joy"]}, "labels are"),
        ([attrs.evolve(each, truth=Truth(labels=("joy",))) for each in answers(5)], {}, "the truth of '00' is not the"),
        (answers(5), {"status": "interrupted"}, "'b' has the status interrupted"),
        (answers(5), {"outcomes": {"ok": 31}}, "'b' has 30 of the 31 records that its report counts"),
        (answers(5), {"dry_run": True}, "was a dry run"),
        (answers(5), {"schema_version": 99}, "was written by a newer affectlm"),
        ([], {}, "has no records"),
    ],
)
def test_runs_that_did_not_ask_the_same_are_refused(
    records: list[Record], changes: dict[str, Any], message: str, written: Written, tmp_path: Path
) -> None:
    """One sentence says what differs."""
    folders = [written("a", answers(5)), written("b", records, **changes)]

    with pytest.raises(AffectlmError, match=message):
        compare(folders, tmp_path)

    assert not (tmp_path / "compare.json").exists()


def test_common_compares_what_all_runs_have(written: Written, tmp_path: Path) -> None:
    """And the page says what was left aside."""
    folders = [written("a", answers(20)), written("b", answers(5, 25), status="interrupted")]

    found = compare(folders, tmp_path, common=True)

    assert found.records == 25
    assert found.scores[0].values == {"a": 20 / 25, "b": 5 / 25}
    assert "status interrupted" in found.notes[0]


def test_a_line_that_was_cut_is_missed(written: Written, tmp_path: Path) -> None:
    """A full disk leaves half a line."""
    first, second = written("a", answers(5)), written("b", answers(5))
    whole = (second / RECORDS).read_bytes()
    (second / RECORDS).write_bytes(whole[:-20])

    with pytest.raises(AffectlmError, match="'b' has 29 of the 30 records"):
        compare([first, second], tmp_path)


def test_the_order_of_the_labels_is_a_difference_of_wording_alone(written: Written, tmp_path: Path) -> None:
    """So runs that differ in it are compared, with every metric."""
    found = compare([written("a", answers(5)), written("b", answers(9), labels=LABELS[::-1])], tmp_path)

    assert len(found.pairs) == 1
    assert found.notes == []


def test_metrics_that_cannot_be_compared_are_named(written: Written, tmp_path: Path) -> None:
    """Those that one run lacks, that differ in an option, or that are not installed."""
    own: dict[str, Any] = {"accuracy": {"name": "accuracy", "labels": LABELS}, "gone": {"name": "not_there"}}
    first = written("a", answers(5), metric={**own, "ccc": {"name": "ccc"}, "top_k": {"name": "top_k", "k": 2}})
    second = written("b", answers(9), metric={**own, "top_k": {"name": "top_k", "k": 3}})

    found = compare([first, second], tmp_path)

    assert [score.name for score in found.scores] == ["accuracy"]
    notes = "\n".join(found.notes)
    assert "ccc is left out: not all runs have this metric." in notes
    assert "top_k is left out: its options differ" in notes
    assert "gone is left out: " in notes


def test_without_truth_there_is_no_score_and_a_note_says_so(written: Written, tmp_path: Path) -> None:
    """Nothing is made up."""
    unjudged = [attrs.evolve(each, truth=Truth()) for each in answers(5)]

    found = compare([written("a", unjudged), written("b", unjudged)], tmp_path)

    assert found.scores == []
    assert "No score: no record has what the metrics that all runs have need." in found.notes


def test_one_record_is_compared_without_an_interval(written: Written, tmp_path: Path) -> None:
    """It can show nothing, so p is 1."""
    [pair] = compare([written("a", answers(1, 1)), written("b", answers(0, 1))], tmp_path).pairs

    assert (pair.difference, pair.p, pair.p_mcnemar, pair.low) == (1, 1, 1, None)


def test_the_score_of_answered_records_is_over_those_that_all_runs_answered(written: Written, tmp_path: Path) -> None:
    """Else a run would gain by refusing what is hard."""
    refused = [attrs.evolve(each, outcome=Outcome.REFUSED, labels=()) for each in answers(30)[:10]]

    found = compare([written("a", answers(15)), written("b", [*refused, *answers(20)[10:]])], tmp_path)

    values = {score.name: score.values for score in found.scores}
    assert values == {"accuracy": {"a": 15 / 30, "b": 10 / 30}, "accuracy_answered": {"a": 5 / 20, "b": 10 / 20}}


def test_faces_of_one_picture_are_a_cluster(written: Written, tmp_path: Path) -> None:
    """So McNemar's test, which takes them for independent, is left out."""
    faces = [attrs.evolve(each, image=f"{place // 3}.png") for place, each in enumerate(answers(5))]

    found = compare([written("a", faces), written("b", faces)], tmp_path)

    assert (found.clusters, found.pairs[0].clusters, found.pairs[0].p_mcnemar) == (10, 10, None)
    assert "McNemar's test is left out" in found.notes[0]
    assert compare([tmp_path / "a", tmp_path / "b"], tmp_path, by="person").clusters == 30


def test_words_that_name_no_runs_are_refused(written: Written, tmp_path: Path) -> None:
    """One run, the same run twice, a folder of something else, an unknown kind of cluster, a file in the way."""
    first, second = written("a", answers(5)), written("b", answers(5))

    with pytest.raises(AffectlmError, match="found 1 run, expected two or more"):
        compare([first, first], tmp_path)
    with pytest.raises(AffectlmError, match=r"is not the folder of a run or of a sweep: it has no report\.json"):
        compare([first, tmp_path / "nowhere"], tmp_path)
    with pytest.raises(AffectlmError, match=r"intervals\.by is 'moon'"):
        compare([first, second], tmp_path, by="moon")
    with pytest.raises(AffectlmError, match="cannot be written"):
        compare([first, second], first / RECORDS)


def test_a_crossed_sweep_says_what_each_option_explains(written: Written, tmp_path: Path) -> None:
    """Here all is the style; shares add up, and the labels' agreement stands beside them."""
    for number, (style, seed) in enumerate((style, seed) for style in ("words", "numbers") for seed in (1, 2)):
        written(f"sweep/{number}", answers(20 if style == "words" else 5), (f"style={style}", f"seed={seed}"))

    found = compare([tmp_path / "sweep"], tmp_path)

    assert found.variance == {"accuracy": pytest.approx({"style": 1, "seed": 0, "rest": 0})}
    assert found.agreement is not None
    assert found.agreement.alpha == pytest.approx(1 - 119 * 15 * 8 / 3 / (120**2 - 50**2 - 70**2))
    assert found.agreement.records == 30
    assert "100.0%" in (tmp_path / "compare.html").read_text()


def test_a_sweep_with_holes_has_no_shares(written: Written, tmp_path: Path) -> None:
    """A failed run leaves one; the page says why."""
    folders = [
        written(name, answers(right), words)
        for name, right, words in (("a", 5, ("x=1", "y=1")), ("b", 9, ("x=1", "y=2")), ("c", 20, ("x=2", "y=1")))
    ]

    found = compare(folders, tmp_path)

    assert found.variance == {}
    assert "What x, y explain is left out" in found.notes[-1]
