"""What a page is made of: sections of paragraphs, quotes, tables, figures and faces; `pages.py` turns it into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import attrs
from markupsafe import Markup

from affectlm.store.records import Report
from affectlm.types import Record

Cell: TypeAlias = "str | int | float | None"


@attrs.frozen
class Run:
    """What a report is made from."""

    report: Report
    records: Sequence[Record]  # without their large fields
    pictures: Sequence[tuple[str, Path]] = ()  # id of a face, and the picture that explains it
    prompt: str = ""  # the first one
    damaged: int = 0  # lines that are no records


@attrs.frozen
class Table:
    """Rows of cells under column names; a table with a name is also written as CSV and JSON."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    name: str = ""  # of its files
    folded: str = ""  # what to click to see it; always seen if empty

    @property
    def numeric(self) -> list[bool]:
        """For each column, whether it holds numbers only."""
        return [all(not isinstance(row[place], str) for row in self.rows) for place in range(len(self.columns))]


@attrs.frozen
class Figure:
    """A drawing inside the HTML page; the table after it has its numbers."""

    drawing: Markup
    caption: str


@attrs.frozen
class Quote:
    """A text word by word, with its lines."""

    text: str


@attrs.frozen
class Face:
    """A face with what was measured and answered."""

    title: str
    text: str
    picture: str = ""  # JPEG in base64; empty if the picture is gone


@attrs.frozen
class Faces:
    """Faces side by side under a heading."""

    heading: str
    faces: Sequence[Face]


@attrs.frozen
class Picture:
    """A picture in the run's folder; Markdown links to it."""

    caption: str
    path: Path
    embedded: bool  # whether the HTML page contains it


Block: TypeAlias = "str | Table | Figure | Quote | Faces | Picture"  # a string is a paragraph


@attrs.frozen
class Section:
    """Blocks under a title; a section without blocks is left out."""

    title: str
    blocks: Sequence[Block]
