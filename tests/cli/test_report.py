"""`affectlm report` writes the pages of any run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affectlm.store.records import RECORDS, REPORT, to_line
from affectlm.testing import record
from tests.conftest import Command

OLDER = {"id": "old#0", "outcome": "ok", "answer": "calm", "a_field_of_tomorrow": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    lines = json.dumps(OLDER).encode() + b"\n" + to_line(record(id="new#0"))
    (tmp_path / "run" / RECORDS).write_bytes(lines + b"not a record\n" + to_line(record(id="cut#0"))[:40])
    return tmp_path / "run"


def test_a_run_of_another_version_cut_in_the_middle_has_a_page(folder: Path, command: Command) -> None:
    """Missing fields are empty, unknown ones are left out."""
    (folder / REPORT).write_text('{"status": "interrupted", "a_field_of_tomorrow": 1}')

    done = command("report", str(folder))

    assert (done.returncode, done.stdout) == (0, f"the page is {folder}/report.html\n")
    page = (folder / "report.html").read_text()
    assert "interrupted" in page
    assert "old#0" in page
    assert "new#0" in page
    assert "cut#0" not in page


def test_a_folder_without_report_has_a_page_of_its_records(folder: Path, command: Command) -> None:
    """A killed run may have left only records."""
    assert command("report", str(folder)).returncode == 0
    assert "old#0" in (folder / "report.html").read_text()


def test_a_folder_without_a_run_is_refused_in_a_sentence(tmp_path: Path, command: Command) -> None:
    """Nothing is written there."""
    done = command("report", str(tmp_path))

    assert done.returncode == 1
    assert "is not the folder of a run" in done.stderr
    assert not (tmp_path / "report.html").exists()
