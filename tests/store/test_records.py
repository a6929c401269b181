"""Records and reports: what is written is what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from affectlm.errors import RunFolderError
from affectlm.store.records import RECORDS, Report, from_json, read_records, read_report, to_json, to_line
from affectlm.types import Box, Outcome, Record, Score, Truth

FULL = Record(
    id="a#0",
    outcome=Outcome.OK,
    image="ü.png",
    face=0,
    box=Box(1, 2, 3, 4, 0.75),
    valence=-0.5,
    arousal=0.25,
    measured_valence=-0.4,
    measured_arousal=0.5,
    extra={"anger": 0.5},
    reply="\ud800 \x1b[31m",
    labels=("anger",),
    truth=Truth(labels=("fear",), text=("x",), group={"age": "adult"}),
)
KEYS = [
    "id",
    "image",
    "image_sha256",
    "face",
    "left",
    "top",
    "right",
    "bottom",
    "score",
    "valence",
    "arousal",
    "extra",
    "prompt",
    "prompt_sha256",
    "style",
    "model",
    "reply",
    "answer",
    "labels",
    "outcome",
    "reason",
    "truth",
    "too_small",
]


def test_a_record_is_one_flat_object_with_the_keys_of_the_contract() -> None:
    """Scripts read these names."""
    line = to_json(FULL)

    assert set(KEYS) <= set(line)
    assert (line["left"], line["score"], line["outcome"], line["labels"]) == (1, 0.75, "ok", ["anger"])


def test_a_record_survives_its_json_line() -> None:
    """Also with text that UTF-8 cannot hold."""
    assert from_json(json.loads(to_line(FULL))) == FULL


def test_records_of_older_versions_are_read() -> None:
    """They have no score of the box and no count of small faces."""
    line = {name: value for name, value in to_json(FULL).items() if name not in ("score", "too_small")}

    assert from_json(line) == attrs.evolve(FULL, box=Box(1, 2, 3, 4))


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    """A killed run leaves a readable file."""
    (tmp_path / RECORDS).write_bytes(to_line(FULL) + to_line(FULL)[:-20])

    assert [record.id for record in read_records(tmp_path)] == ["a#0"]


def test_a_foreign_line_is_named(tmp_path: Path) -> None:
    """The line's number helps to find it."""
    (tmp_path / RECORDS).write_bytes(to_line(FULL) + b'{"id": 1}\n')

    with pytest.raises(RunFolderError, match="line 2 of"):
        list(read_records(tmp_path))


def damaged(**changed: Any) -> Any:
    """The line of FULL with other values."""
    return json.dumps(to_json(FULL) | changed)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[1]", r"found \[1\], expected an object"),
        ("{}", "it has no 'id'"),
        (damaged(reply=None).replace('"reply": null', '"reply": NaN'), "NaN is not a JSON number"),
        (damaged(others=None).replace('"others": null', f'"others": {"9" * 4000}'), "'others' is 999.*expected a"),
        (damaged(valence=5.0), "'valence' is 5.0, expected a number from -1 to 1 or null"),
        (damaged(arousal="0.5"), "'arousal' is '0.5', expected a number"),
        (damaged(id=3), "'id' is 3, expected a text"),
        (damaged(outcome="fine"), "'outcome' is 'fine', expected one of ok, no_face"),
        (damaged(labels="anger"), "'labels' is 'anger', expected a list"),
        (damaged(extra={"fear": None}), "'extra' is .*, expected an object whose values are each a number"),
        (damaged(face=True), "'face' is True, expected a whole number"),
        (damaged(left=None), "some of left, top, right, bottom are null"),
        (damaged(right=0), "right 0 must exceed left 1"),
        (damaged(reply=["x"]), r"'reply' is \['x'\], expected a text or null"),
        (damaged(choice_tokens={"joy": 0.5}), "'choice_tokens' is"),
        (damaged(choice_logprobs={"a": 0}, choice_normalised={"b": 0}), "'choice_normalised' has other labels than"),
        (damaged(truth=[]), r"'truth' is \[\], expected an object"),
        (damaged(truth={"votes": {"joy": "x"}}), "'votes' is"),
        (damaged(new=1), "new"),
        (damaged(id="twice"), "an earlier line has the same id 'twice'"),
    ],
    ids=lambda value: value[:40],
)
def test_a_damaged_line_is_one_sentence_with_its_number(tmp_path: Path, line: Any, said: str) -> None:
    """Nothing that was changed by hand or by a disk is judged silently, or ends in a traceback."""
    (tmp_path / RECORDS).write_bytes(to_line(attrs.evolve(FULL, id="twice")) + line.encode() + b"\n")

    with pytest.raises(RunFolderError, match=f"line 2 of '.*{RECORDS}' is not a record: .*{said}.*; delete that line"):
        list(read_records(tmp_path))


def test_records_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    """As where a folder stands in their place."""
    (tmp_path / RECORDS).mkdir()

    with pytest.raises(RunFolderError, match=r"records\.jsonl' cannot be read: Is a directory"):
        list(read_records(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        "",
        '{"status": "succ',
        "[" * 100_000,
        "null",
        *(
            json.dumps({"status": "error", "config": {}, "scores": [], "usage": {}} | wrong)
            for wrong in list[dict[str, Any]](
                [
                    {"usage": []},
                    {"usage": None},
                    {"usage": {"requests": "many"}},
                    {"usage": {"requests": -1}},
                    {"usage": {"seconds": float("inf")}},
                    {"usage": {"requests": int("9" * 4000)}},
                    {"config": []},
                    {"config": None},
                    {"scores": [1]},
                    {"scores": [{"name": "ccc", "value": "x", "count": 1}]},
                    {"outcomes": {"ok": None}},
                    {"new": 1},
                ]
            )
        ),
    ],
    ids=lambda content: content[:80],
)
def test_a_damaged_report_is_one_sentence_with_its_remedy(tmp_path: Path, content: Any) -> None:
    """A folder is never blocked without a word of what to do."""
    (tmp_path / "report.json").write_text(content)

    with pytest.raises(
        RunFolderError, match=r"is not a report of a run: .*; choose another hydra\.run\.dir, or delete"
    ):
        read_report(tmp_path)


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    """report.json is the report."""
    report = Report(status="success", scores=[Score("accuracy", 0.5, 2, 0.1, 0.9)], outcomes={"ok": 2})
    report.save(tmp_path)

    assert read_report(tmp_path).score("accuracy") == Score("accuracy", 0.5, 2, 0.1, 0.9)
    assert set(json.loads((tmp_path / "report.json").read_text())) >= {
        "schema_version",
        "status",
        "config",
        "seed",
        "versions",
        "components",
        "outcomes",
        "scores",
        "usage",
    }


def test_a_folder_without_a_report_is_an_error(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(RunFolderError, match=r"report\.json' is not a report"):
        read_report(tmp_path)
