"""Pages and figures for people: complete, and never obeying a model's text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from affectlm.cli.console import Console
from affectlm.report.figures import draw_faces
from affectlm.report.pages import write_pages
from affectlm.store.records import RECORDS, Report, read_records, to_line
from affectlm.testing import record
from affectlm.types import Box, Score

EVIL = "<script>alert(1)</script> [x](javascript:1) | $\\frac$ `a` \x1b[31m \ud800"


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    PIL.Image.new("RGB", (60, 60), "grey").save(tmp_path / "face.png")
    measured = record(
        id="a/b#0", image=str(tmp_path / "face.png"), box=Box(5, 5, 50, 50), valence=0.5, arousal=-0.5, answer=EVIL
    )
    (tmp_path / RECORDS).write_bytes(to_line(measured) + to_line(record(id="none")))
    return tmp_path


def test_a_models_text_is_escaped_on_the_page(folder: Path) -> None:
    """No reply can run code in the reader's browser."""
    write_pages(Report(status="success", outcomes={"ok": 2}, scores=[Score("accuracy", 0.5, 2)]), folder)

    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "://" not in page
    assert "default-src 'none'" in page
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    assert "<script" not in markdown
    assert "](javascript" not in markdown
    assert "| accuracy | 0.500 |" in markdown
    assert "&#60;script&#62;" in markdown


def test_nothing_on_a_page_steers_a_terminal_or_fills_a_disk(folder: Path) -> None:
    """Control and bidi characters are gone and an endless answer is cut; records.jsonl keeps all."""
    steering = "\x1b[31m\x07\x00\u202e" + "calm " * 200_000
    measured = [record(id=f"a\x1b]0;b#{n}", answer=steering, valence=0.5, arousal=-0.5) for n in range(20)]
    (folder / RECORDS).write_bytes(b"".join(map(to_line, measured)))

    write_pages(Report(status="success", outcomes={"ok": 20}, error=steering), folder)

    for name in ("report.md", "report.html"):
        page = (folder / name).read_text(encoding="utf-8")
        assert not [letter for letter in "\x1b\x07\x00\u202e" if letter in page]
        assert len(page) < 60_000
    assert next(read_records(folder)).answer == steering


def test_what_was_left_out_stands_on_every_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In report.md, report.html and at the end of what the terminal shows, safe to print."""
    questions = {"distinct": 2, "faces": 9, "style": "words"}
    left_out: dict[str, int | None] = {
        "face beside the best": 2,
        "folder that cannot be read, such as '\x1b[31m<b>'": 1,
    }
    report = Report(
        status="success", outcomes={"ok": 2}, left_out=left_out, questions=questions, usage={"seconds": 1.0}
    )

    write_pages(report, folder)
    Console().finished(report, folder)

    assert "<p>Left out: 2 faces beside the best, 1 folder that" in (folder / "report.html").read_text()
    assert "2 distinct prompts about 9 faces" in (folder / "report.html").read_text()
    assert "2 distinct prompts about 9 faces" in (folder / "report.md").read_text()
    assert "\nLeft out: 2 faces beside the best, 1 folder that" in (folder / "report.md").read_text()
    assert (
        "left out: 2 faces beside the best, 1 folder that cannot be read, such as ' [31m<b>'\n"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(("style", "said"), [("words", True), ("both", True), ("numbers", False)])
def test_a_page_says_what_answers_were_compared_with_and_what_is_an_echo(folder: Path, style: str, said: bool) -> None:
    """Words such as "upset" in the prompt name the polarity that the answer is scored for."""
    scores = [Score("rouge1", 0.2, 9), Score("polarity_agreement", 0.9, 9), Score("polarity_agreement_floor", 0.5, 9)]

    report = Report(scores=scores, human_text="the captions", questions={"distinct": 1, "faces": 9, "style": style})
    write_pages(report, folder)
    page = (folder / "report.html").read_text()

    assert "Metrics of texts compare answers with the captions." in page
    assert ("an echo of it: polarity_agreement. Type style=numbers." in page) is said


def test_each_measured_face_is_drawn_beside_its_point(folder: Path) -> None:
    """A file name made of an id stays inside the folder; strange text does not stop the drawing."""
    measured = record(
        id="../a b#0", image=str(folder / "face.png"), box=Box(5, 5, 50, 50), valence=0.5, arousal=-0.5, answer=EVIL
    )

    paths = draw_faces([measured, record(id="none")], folder)

    assert [path.parent for path in paths] == [folder / "faces"]
    with PIL.Image.open(paths[0]) as drawn:
        assert drawn.size == (900, 460)


def test_a_box_that_the_picture_cannot_hold_is_not_drawn(folder: Path) -> None:
    """The picture may have been replaced by a smaller one since it was measured."""
    measured = record(
        id="a#0", image=str(folder / "face.png"), box=Box(0, 0, 500, 500), valence=0.5, arousal=-0.5, answer="calm"
    )

    assert draw_faces([measured], folder) == []
