"""Pages in a browser: nothing runs, nothing is fetched, nothing is wider than a phone, in light and dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image
import pytest

from affectlm.report.pages import write_pages
from affectlm.report.sweep import write_sweep
from affectlm.store.records import RECORDS, Report, to_line
from affectlm.testing import record
from affectlm.types import Box, Score, Truth

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = "<script>alert(1)</script><img src='https://example.org/x' onerror='alert(1)'> \x1b[31m \u202e " + "x" * 2000
LABELS = ("anger", "fear", "joy", "a<b>&\"'")
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of a run with all sections and of a sweep."""
    folder = tmp_path_factory.mktemp("run")
    PIL.Image.new("RGB", (60, 60), "grey").save(folder / "face.png")
    records = [
        record(
            id=f"{EVIL[:40]}{number}",
            image=str(folder / "face.png"),
            box=Box(5, 5, 50, 50),
            valence=number / 20 - 0.5,
            arousal=0.2,
            prompt=EVIL,
            prompt_sha256="0" * 64,
            answer=EVIL,
            labels=(LABELS[number % 4],),
            probabilities={LABELS[number % 4]: 0.7, "other": 0.3},
            truth=Truth(labels=(LABELS[number % 3],), group={"age": str(number % 2)}),
        )
        for number in range(20)
    ]
    (folder / RECORDS).write_bytes(b"".join(map(to_line, records)))
    parts = {"floor": 0.2, "ceiling": 0.9, "f1: anger": 0.4, "f1: fear": 0.6}
    scores = [Score("accuracy", 0.5, 20, 0.3, 0.7, parts), Score("cosine", 0.4, 20, parts={"gain": 0.1})]
    report = Report(status="success", outcomes={"ok": 20}, scores=[*scores, Score("cosine_floor", 0.3, 20)])
    report.command, report.usage, report.error = ["affectlm", "x" * 300], {"seconds": 1.0}, EVIL
    write_pages(report, folder)
    return {"report": folder / "report.html", "sweep": write_sweep([(["llm=" + "a" * 300], "0", report)], folder)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.mark.parametrize("name", ["report", "sweep"])
def test_a_page_is_quiet_and_fits_every_screen(
    browser: Browser, pages: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """At a phone's width and a desk's, in light and dark; hostile text stays text."""
    found: list[str] = []
    for width in (390, 1280):
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.on("console", lambda message: found.append(message.text))
            page.on("pageerror", lambda error: found.append(str(error)))
            page.on("dialog", lambda dialog: found.append(dialog.message))
            page.on("request", lambda request: found.append(request.url))
            page.goto(pages[name].as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png")

            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate("document.querySelectorAll('svg[role=img] > title').length") >= 1
            page.close()
    assert {url for url in found if not url.startswith("data:")} == {pages[name].as_uri()}


def test_a_page_has_every_section_and_its_tables(pages: dict[str, Path]) -> None:
    """What was asked, scores, classes, groups, examples with faces, how to do it again."""
    content = pages["report"].read_text(encoding="utf-8")

    titles = ("What was asked", "Scores", "Answers against truth", "Valence and arousal", "By class", "By group")
    more = (
        "Similarity above the floor",
        "Outcomes",
        "Examples",
        "Calibration",
        "Cost and usage",
        "How to run it again",
    )
    assert [title for title in (*titles, *more) if f"<h2>{title}</h2>" not in content] == []
    assert "data:image/jpeg;base64," in content
    tables = pages["report"].parent / "tables"
    first = (tables / "scores.csv").read_text().splitlines()[:2]
    assert first == ["score,value,low,high,floor,ceiling,n", "accuracy,0.5,0.3,0.7,0.2,0.9,20"]
    assert (tables / "confusion.json").is_file()
