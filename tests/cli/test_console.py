"""What a run prints: names that differ, answers that fit, floors beside scores, a sweep's table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import rich.console

from affectlm.cli import console as console_module
from affectlm.cli.console import SHOWN, Console
from affectlm.cli.sweep import Point, print_sweep
from affectlm.report.questions import asked
from affectlm.store.records import Report
from affectlm.testing import record
from affectlm.text import natural, shortened, shortened_path
from affectlm.types import Outcome, Record, Score

LONG = "It seems calm. " * 100


def report(**fields: object) -> Report:
    return Report(**{"outcomes": {"ok": 1}, "usage": {"seconds": 1.0}, **fields})  # type: ignore[arg-type]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a run of these records prints on a terminal of a given width."""

    def show(records: Sequence[Record], *, width: int = 140, **fields: Any) -> Any:
        def of_width() -> Any:
            return rich.console.Console(width=width, highlight=False)

        monkeypatch.setattr(console_module, "output", of_width)
        console = Console()
        for each in records:
            console.record(each)
        console.finished(report(**fields), Path("run"))
        return capsys.readouterr().out

    return show


def face(name: str, rank: int = 0, **fields: object) -> Any:
    return record(id=f"{name}#{rank}", face=rank, valence=0.1, arousal=-0.2, **{"answer": "calm", **fields})


@pytest.mark.parametrize("width", [60, 140])
def test_image_and_answer_are_readable_at_any_width(shown: Any, width: int) -> None:
    """Sixty columns are a split window."""
    lines = shown([face("photos/session 1/grace_hopper.jpg", answer="The person seems calm and at ease.")], width=width)

    assert "hopper.jpg" in lines
    assert "The person" in lines
    assert max(map(len, lines.splitlines()[:-3])) <= width


def test_rows_are_sorted_with_numbers_as_numbers(shown: Any) -> None:
    """Records come in the order in which they are finished."""
    text = shown([face("10.jpg"), face("2.jpg"), face("1.jpg")])

    assert text.index(" 1.jpg") < text.index(" 2.jpg") < text.index(" 10.jpg")


def test_equal_names_of_different_folders_differ(shown: Any) -> None:
    """The folder tells them apart."""
    text = shown([face("a/face.png"), face("b/face.png")])

    assert "a/face.png" in text
    assert "b/face.png" in text


def test_a_long_answer_is_cut(shown: Any) -> None:
    """Twenty answers of a megabyte must not fill a terminal."""
    text = shown([face(f"{number}.png", answer=LONG * 1000) for number in range(20)])

    assert len(text) < 20_000
    assert "…" in text


def test_a_bad_outcome_is_told_at_any_width(shown: Any) -> None:
    """Where it has no column it stands before the reason."""
    records = [record(id="cat.png", outcome=Outcome.NO_FACE, reason="no face was found")]

    assert "no_face: no face" in shown(records, width=60)
    assert "no_face" in shown(records, width=140)


def test_a_second_face_is_told_apart_at_any_width(shown: Any) -> None:
    """By its rank."""
    assert "a.png#1" in shown([face("a.png"), face("a.png", 1)], width=60)


def test_more_records_than_fit_say_why_there_is_no_table(shown: Any) -> None:
    """A table of thousands helps nobody."""
    text = shown([face(f"{number}.png") for number in range(SHOWN + 1)])

    assert f"no table of more than {SHOWN} records" in text
    assert "0.png" not in text


def test_floor_and_ceiling_stand_beside_a_score(shown: Any) -> None:
    """Accuracy 0.080 says little until it is beside 0.760 for the commonest label."""
    parts = {"floor": 0.76, "ceiling": 0.9, "chance": 0.14}
    text = shown([face("a.png")], scores=[Score("accuracy", 0.08, 100, 0.03, 0.14, parts)])

    row = next(line for line in text.splitlines() if "accuracy" in line)
    assert row.split() == ["accuracy", "0.080", "0.030", "to", "0.140", "0.760", "0.900", "100"]


def test_the_floor_of_texts_stands_beside_their_score(shown: Any) -> None:
    """Other people's texts are the floor; it is no row of its own."""
    scores = [Score("bleu", 0.4, 9), Score("bleu_floor", 0.3, 9), Score("bleu_answered", 0.5, 8)]
    text = shown([face("a.png")], scores=[*scores, Score("bleu_floor_answered", 0.35, 8)])

    assert [line.split() for line in text.splitlines() if "bleu" in line] == [
        ["bleu", "0.400", "0.300", "9"],
        ["bleu_answered", "0.500", "0.350", "8"],
    ]


def test_records_left_out_of_a_score_are_counted(shown: Any) -> None:
    """A score over the rest looks better than it is."""
    text = shown([face("a.png")], scores=[Score("accuracy", 0.5, 57, parts={"outside": 43.0})])

    assert "left out: 43 of 100, label not among the choices (accuracy)" in text


def test_how_many_questions_differ_and_how_they_ask_is_told(shown: Any) -> None:
    """A run of 29 wordings has asked 29 questions."""
    text = shown([face("a.png")], questions={"distinct": 29, "effective": 11.345, "faces": 400, "style": "words"})

    assert "29 distinct prompts (effective number 11.3) about 400 faces, valence and arousal said in words" in text
    assert asked(report(questions={"distinct": 1, "faces": 1})) == "1 distinct prompt about 1 face"


def test_a_dry_run_shows_each_prompt_once(shown: Any) -> None:
    """The same question about two faces is one question."""
    fields: dict[str, Any] = {"outcome": Outcome.SKIPPED, "reason": "dry_run=true asks nothing", "prompt": "How calm?"}
    records = [face(f"{number}.png", prompt_sha256="same", **fields) for number in range(3)]

    assert shown(records).count("How calm?") == 1


def test_a_notice_is_not_lost_behind_another(capsys: pytest.CaptureFixture[str]) -> None:
    """What is waited for is told once in a while; anything else is told."""
    console = Console()
    for sentence in ("busy; asking again in 1.5 s", "busy; asking again in 2.5 s", "the dataset left out 3 files"):
        console.notice(sentence)

    assert capsys.readouterr().err.count("affectlm: ") == 2


def test_a_sweep_ends_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each run's own choices, what came of it, and its scores; a run that failed has its row."""
    done = report(outcomes={"ok": 3, "no_face": 1}, scores=[Score("accuracy", 0.25, 4), Score("kappa", 0.1, 4)])
    points = [Point(["x=1", "llm=a"], tmp_path / "0", done), Point(["x=1", "llm=b"], tmp_path / "1")]

    print_sweep(points)

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["1", "llm=a", "3", "of", "4", "0.250", "0.100"] in rows
    assert ["2", "llm=b", "failed"] in rows
    assert (tmp_path / "sweep.html").exists()


def test_text_is_cut_to_one_printable_line() -> None:
    """What steers a terminal is gone, and an ellipsis says that more follows."""
    assert shortened("a\x1b[31m b\n c", 20) == "a [31m b c"
    assert shortened("abcdef", 4) == "abc…"
    assert shortened(" " * 50 + "a", 4) == "…"
    assert shortened_path("abcdef", 4) == "…def"


def test_names_with_numbers_are_in_the_order_people_expect() -> None:
    """As file managers sort."""
    assert sorted(["b10", "b2", "a"], key=natural) == ["a", "b2", "b10"]
