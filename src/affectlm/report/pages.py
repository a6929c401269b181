"""The report of a run for people: `report.md`, a self-contained `report.html`, and its tables. Text is escaped."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from affectlm.report.content import Block, Faces, Figure, Picture, Quote, Run, Section, Table
from affectlm.report.reading import read
from affectlm.report.rendering import MOST_TEXT, cell_text, quoted, render
from affectlm.report.sections import sections
from affectlm.store.records import EXPLANATIONS, PAGE, Report, explanation
from affectlm.store.tables import harmless
from affectlm.text import shortened

TABLES = "tables"  # folder with each table as CSV and JSON
_MARKUP = re.compile(r"[\\`*\[\]<>&|!~$@]|^#|(?<!\w)_|_(?!\w)|:(?! )")  # by Markdown or HTML; no_face is harmless


def write_pages(report: Report, folder: Path) -> None:
    """Writes `report.md`, `report.html` and the tables beside the records."""
    found = read(folder)
    ids = [record.id for record in found.records]
    pictures = [(name, path) for name in ids if (path := folder / explanation(name)).is_file()]
    run = Run(report, found.records, pictures, found.prompt, found.damaged)
    first = Section("", [report.error] if report.error else [])
    title, content = f"affectlm run: {report.status}", [first, *sections(run)]
    (folder / "report.md").write_text(_markdown(title, content), encoding="utf-8")
    page = render("report.html", title=title, facts=_facts(run), sections=content)
    (folder / PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")
    write_tables(content, folder / TABLES)


def write_tables(content: list[Section], folder: Path) -> None:
    """Writes each named table as CSV, with cells that no spreadsheet obeys, and as a JSON list of objects."""
    tables = [block for section in content for block in section.blocks if isinstance(block, Table) and block.name]
    if tables:
        folder.mkdir(exist_ok=True)
    for table in tables:
        with (folder / f"{table.name}.csv").open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerows([table.columns, *([harmless(cell) for cell in row] for row in table.rows)])
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        (folder / f"{table.name}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _facts(run: Run) -> str:
    """When, what and how much, on one line."""
    names = [str(each["name"]) for each in run.report.components.values() if isinstance(each, dict) and "name" in each]
    return " · ".join(filter(None, [run.report.started[:10], f"{len(run.records):,} records", *names]))


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
    if isinstance(block, Faces):
        yield from ("", f"### {_escaped(block.heading)}", "")
        yield from (f"- {_escaped(face.title)}. {_escaped(face.text)}" for face in block.faces)
        return
    yield ""
    if isinstance(block, Table):
        for row in (block.columns, ["---"] * len(block.columns), *block.rows):
            yield f"| {' | '.join(_escaped(cell_text(cell)) for cell in row)} |"
    elif isinstance(block, Quote):
        yield from (f"> {_escaped(line)}" for line in quoted(block.text).split("\n"))
    elif isinstance(block, Figure):
        yield f"{_escaped(block.caption)} (The figure is in {PAGE}.)"
    else:
        yield _escaped(block)


def _escaped(text: str) -> str:
    """Text on one line, with nothing that Markdown or HTML would treat as markup."""
    one_line = shortened(text, MOST_TEXT).encode(errors="backslashreplace").decode()
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line)
