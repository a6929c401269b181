"""Records and reports: what is written is what is read."""

from __future__ import annotations

import json

import pytest

from affectlm.errors import RunFolderError
from affectlm.records import RECORDS, Record, Report, from_json, read_records, read_report, to_json, to_line
from affectlm.types import Box, Outcome, Score, Truth

FULL = Record(
    id="a#0",
    outcome=Outcome.OK,
    image="ü.png",
    face=0,
    box=Box(1, 2, 3, 4),
    valence=-0.5,
    arousal=0.25,
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
    "valence",
    "arousal",
    "extra",
    "prompt",
    "prompt_sha256",
    "model",
    "reply",
    "answer",
    "labels",
    "outcome",
    "reason",
    "truth",
]


def test_a_record_is_one_flat_object_with_the_keys_of_the_contract():
    """Scripts read these names."""
    line = to_json(FULL)

    assert set(KEYS) <= set(line)
    assert (line["left"], line["bottom"], line["outcome"], line["labels"]) == (1, 4, "ok", ["anger"])


def test_a_record_survives_its_json_line():
    """Also with text that UTF-8 cannot hold."""
    assert from_json(json.loads(to_line(FULL))) == FULL


def test_a_torn_last_line_is_left_out(tmp_path):
    """A killed run leaves a readable file."""
    (tmp_path / RECORDS).write_bytes(to_line(FULL) + to_line(FULL)[:-20])

    assert [record.id for record in read_records(tmp_path)] == ["a#0"]


def test_a_foreign_line_is_named(tmp_path):
    """The line's number helps to find it."""
    (tmp_path / RECORDS).write_bytes(to_line(FULL) + b'{"id": 1}\n')

    with pytest.raises(RunFolderError, match="line 2 of"):
        list(read_records(tmp_path))


def test_a_report_survives_its_file(tmp_path):
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


def test_a_folder_without_a_report_is_an_error(tmp_path):
    """The message names the file."""
    with pytest.raises(RunFolderError, match=r"report\.json' is no report"):
        read_report(tmp_path)
