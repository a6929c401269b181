"""Pages from templates: text is escaped, shortened, and without control characters."""

from __future__ import annotations

import base64
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from affectlm.report.content import Cell
from affectlm.text import printable, shortened

MOST_TEXT = 1000  # characters of any text; all of it is in records.jsonl and report.json
MOST_QUOTE = 8000


def render(template: str, **content: object) -> str:
    """A template of this package with the content, escaped and without control characters."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_clean,
        loader=jinja2.PackageLoader("affectlm.report"),
    )
    environment.filters |= {"cell": cell_text, "embed": _embed, "text": lambda text: escape(quoted(text))}
    environment.filters["template"] = lambda block: f"{type(block).__name__.lower()}.html"
    return environment.get_template(template).render(**content)


def quoted(value: str) -> str:
    """A text with its lines, without other control characters."""
    return "\n".join(map(printable, value[:MOST_QUOTE].split("\n")))


def _clean(value: object) -> object:
    """A value as a page shows it: text without control characters, shortened to `MOST_TEXT` characters."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return shortened(value, MOST_TEXT)


def _embed(path: Path) -> Markup:
    return Markup(base64.b64encode(path.read_bytes()).decode())  # noqa: S704  # letters and digits


def cell_text(value: Cell) -> str:
    """A cell of a table as text; empty for None."""
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
