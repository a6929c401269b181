"""Tables for spreadsheets: the fields of the records, nothing that is obeyed, nothing that is held."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import affectlm
from affectlm.store.records import RECORDS, read_records, to_line
from affectlm.store.tables import TABLE, harmless, write_table
from affectlm.testing import record
from affectlm.types import Box, Outcome, Truth


def written(folder: Path, *records: Any) -> Any:
    (folder / RECORDS).write_bytes(b"".join(map(to_line, records)))
    write_table(folder)
    return rows(folder)


def rows(folder: Path) -> Any:
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_says_what_its_record_says_without_long_texts(tmp_path: Path) -> None:
    """Box and score, numbers, labels joined by bars, truth, and a column for each number or group by name."""
    full = record(
        id="a b#0",
        image="a b.png",
        face=0,
        box=Box(1, 2, 3.5, 4, 0.75),
        valence=-0.5,
        arousal=0.25,
        extra={"anger": 0.125},
        prompt="How does it feel?",
        reply="Glad, and surprised.",
        labels=("joy", "surprise"),
        probabilities={"joy": 0.75, "fear": 0.25},
        choice_logprobs={"joy": -1.0, "fear": -2.0},
        truth=Truth(labels=("joy", "fear"), valence=-1, arousal=0, text=("She smiles.",), group={"subject": "s1"}),
    )
    none = record(id="b", image="b.png", outcome=Outcome.NO_FACE, reason="no face was found", too_small=2)

    first, second = written(tmp_path, full, none)

    expected = {
        **{"id": "a b#0", "image": "a b.png", "face": "0", "outcome": "ok", "others": "0", "too_small": "0"},
        **{"left": "1", "top": "2", "right": "3.5", "bottom": "4", "score": "0.75"},
        **{"valence": "-0.5", "arousal": "0.25", "extra.anger": "0.125", "labels": "joy|surprise"},
        **{"probability.joy": "0.75", "probability.fear": "0.25", "group.subject": "s1"},
        **{"truth.labels": "joy|fear", "truth.valence": "-1", "truth.arousal": "0"},
    }
    assert expected.items() <= first.items()
    assert not {"prompt", "reply", "choice_logprobs", "truth.text"} & set(first)
    assert (second["outcome"], second["reason"], second["too_small"]) == ("no_face", "no face was found", "2")
    assert {second[name] for name in ("face", "left", "score", "valence", "probability.joy", "truth.valence")} == {""}


def test_every_field_of_a_record_is_in_the_table_or_left_out_on_purpose(tmp_path: Path) -> None:
    """A field that records get later is noticed here."""
    whole = record(extra={"x": 1.0}, probabilities={"x": 1.0}, truth=Truth(votes={"x": 1.0}, group={"x": "y"}))

    (row,) = written(tmp_path, whole)

    long = {"prompt", "reply", "choice_logprobs", "choice_tokens", "choice_means", "choice_normalised"}
    line = json.loads((tmp_path / RECORDS).read_text())
    told = {name.split(".")[0].replace("probability", "probabilities").replace("group", "truth") for name in row}
    assert told == set(line) - long


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d"])
def test_no_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    """Whoever chose it: a file's name, a model's answer, a label, a column of a manifest."""
    text = f"{start}cmd|' /C calc'!A0"
    evil = record(
        id=text, image=text, model=text, answer=text, labels=(text,), truth=Truth(labels=(text,), group={text: text})
    )

    written(tmp_path, evil)

    with (tmp_path / TABLE).open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert sum(cell.startswith("'") for cell in cells) >= 5
    assert not any(cell.startswith(start) for cell in cells)


@pytest.mark.parametrize("number", ["-0.5", "+5", "-1e-3", "-.5", -0.5, 3, None, "", "smile", "a=b"])
def test_numbers_and_plain_text_stay_as_they_are(number: str | float | None) -> None:
    """A value below zero is no formula."""
    assert harmless(number) == number


@pytest.mark.parametrize("formula", ["-1+2", "+5*2", "--1", "-", "-1e", "=1", "-1\n"])
def test_what_only_begins_like_a_number_is_text(formula: str) -> None:
    """A spreadsheet would work it out."""
    assert harmless(formula) == f"'{formula}"


def test_an_answer_is_one_line_and_cut(tmp_path: Path) -> None:
    """All of it is in records.jsonl; half a character does not stop the table."""
    (row,) = written(tmp_path, record(answer="a\nb\x1b[31m\x00 " + 1000 * "long ", image="\ud800"))

    assert row["answer"].startswith("a b [31m long long")
    assert 290 < len(row["answer"]) <= 300
    assert row["answer"].endswith("\u2026")
    assert row["image"] == "\\ud800"


def test_the_table_is_not_held_in_memory(tmp_path: Path) -> None:
    """Of a record of 900 bytes no more is kept than its id, so that one that comes twice is noticed."""
    peaks = []
    for count in (200, 2000):
        (tmp_path / RECORDS).write_bytes(b"".join(to_line(record(id=f"{n}", reply=500 * "x")) for n in range(count)))
        tracemalloc.start()
        write_table(tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] - peaks[0] < 1800 * 200


def test_a_run_ends_with_the_table_of_its_records(pictures: Path, tmp_path: Path) -> None:
    """Nothing else is left beside it."""
    words = [str(pictures), "detector=whole", "estimator=constant", "llm=circumplex"]

    affectlm.run(*words, f"hydra.run.dir={tmp_path / 'run'}")

    assert [row["id"] for row in rows(tmp_path / "run")] == [each.id for each in read_records(tmp_path / "run")]
    assert {row["score"] for row in rows(tmp_path / "run")} == {"1.0"}
    assert not list((tmp_path / "run").glob("*.part"))


def test_a_dry_run_has_no_table(pictures: Path, tmp_path: Path) -> None:
    """Nothing was asked, so there is nothing to compare."""
    words = [str(pictures), "detector=whole", "estimator=constant", "llm=circumplex", "dry_run=true"]

    affectlm.run(*words, f"hydra.run.dir={tmp_path / 'run'}")

    assert not (tmp_path / "run" / TABLE).exists()
