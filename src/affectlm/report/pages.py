"""The report of a run for people: `report.md` and a self-contained `report.html`. Text from models is escaped."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from affectlm.report.reading import read
from affectlm.report.sections import Block, Cell, Picture, Run, Section, Table, sections
from affectlm.store.records import EXPLANATIONS, Report, explanation
from affectlm.text import shortened

PAGE = "report.html"
SHOWN = 200  # records on the page; all of them are in records.jsonl
MOST_TEXT = 1000  # characters of an answer, or of any other text; all of it is in records.jsonl
TEMPLATE = files("affectlm.report") / "templates" / "report.html"
_MARKUP = re.compile(r"[\\`*\[\]<>&|!~$@]|^#|(?<!\w)_|_(?!\w)|:(?! )")  # by Markdown or HTML; no_face is harmless


def write_pages(report: Report, folder: Path) -> None:
    """Writes `report.md` and `report.html` beside the records."""
    found = read(folder)
    records = found.records[:SHOWN]
    pictures = [(record.id, path) for record in records if (path := folder / explanation(record.id)).is_file()]
    run = Run(report, records, sum(report.outcomes.values()), pictures)
    first = Section("", [report.error] if report.error else [])
    title, content = f"affectlm run: {report.status}", [first, *sections(run)]
    (folder / "report.md").write_text(_markdown(title, content), encoding="utf-8")
    (folder / "report.html").write_text(_html(title, content), encoding="utf-8", errors="backslashreplace")


def _html(title: str, content: list[Section]) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_clean)
    environment.filters |= {"cell": _cell, "embed": _embed}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(title=title, sections=content)


def _clean(value: object) -> object:
    """A value as a page shows it: text without control characters, shortened to `MOST_TEXT` characters."""
    return shortened(value, MOST_TEXT) if isinstance(value, str) and not isinstance(value, Markup) else value


def _embed(path: Path) -> Markup:
    return Markup(base64.b64encode(path.read_bytes()).decode())  # noqa: S704  # letters and digits


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _markdown(title: str, content: list[Section]) -> str:
    lines = [f"# {title}"]
    for section in content:
        lines += ["", f"## {section.title}"] if section.title else []
        for block in section.blocks:
            lines += _lines(block)
    return "\n".join(lines) + "\n"


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Picture):
        yield f"- [{_escaped(block.caption)}]({EXPLANATIONS}/{block.path.name})"
        return
    yield ""
    if isinstance(block, Table):
        for row in (block.columns, ["---"] * len(block.columns), *block.rows):
            yield f"| {' | '.join(_escaped(_cell(cell)) for cell in row)} |"
    else:
        yield _escaped(block)


def _escaped(text: str) -> str:
    """Text on one line, with nothing that Markdown or HTML would treat as markup."""
    one_line = shortened(text, MOST_TEXT).encode(errors="backslashreplace").decode()
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line)
