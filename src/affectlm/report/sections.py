"""The report of a run for people: `report.md` and a self-contained `report.html`. All text of models is escaped."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import jinja2
from markupsafe import Markup

from affectlm.line.omissions import told
from affectlm.store.records import EXPLANATIONS, Report, explanation, read_records
from affectlm.text import shortened
from affectlm.types import Record

SHOWN = 200  # records on the page; all of them are in records.jsonl
MOST_TEXT = 1000  # characters of an answer, or of any other text; all of it is in records.jsonl
DRAWN = 20  # explanations inside report.html, some 100 KB each

_HTML = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>affectlm run</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0; width: 100% }
td, th { border-bottom: 1px solid #ddd; padding: .3em .7em; text-align: left; vertical-align: top }
img { max-width: 100% }
td.number { text-align: right; font-variant-numeric: tabular-nums }
</style>
<h1>affectlm run: {{ report.status }}</h1>
{% if report.error %}<p>{{ report.error }}</p>{% endif %}
<h2>Parts</h2>
<table>{% for kind, part in report.components.items() %}
<tr><th>{{ kind }}</th><td>{{ part | describe }}</td></tr>{% endfor %}</table>
<p>{{ report.usage | asked }}</p>
<h2>Outcomes</h2>
<table>{% for name, count in report.outcomes.items() %}
<tr><th>{{ name }}</th><td class="number">{{ count }}</td></tr>{% endfor %}</table>
{% if report.asked %}<p>{{ report.asked }}.</p>{% endif %}
{% if report.left_out %}<p>Left out: {{ report.left_out | told }}.</p>{% endif %}
{% if report.scores %}<h2>Scores</h2>
<table><tr><th>score</th><th>value</th><th>95 % interval</th><th>n</th><th>beside it</th></tr>
{% for score in report.scores %}
<tr><td>{{ score.name }}</td><td>{{ score.value | number }}</td>
<td>{{ score.low | number }} to {{ score.high | number }}</td><td>{{ score.count }}</td>
<td>{{ score.parts | beside }}</td></tr>
{% endfor %}</table>{% endif %}
{% if report.unscored %}<p>{{ report.unscored | unscored }}</p>{% endif %}
<h2>Records</h2>
<table><tr><th>id</th><th>valence</th><th>arousal</th><th>answer</th><th>outcome</th></tr>
{% for record in records %}
<tr><td>{{ record.id }}</td><td class="number">{{ record.valence | number }}</td>
<td class="number">{{ record.arousal | number }}</td>
<td>{{ record.answer or record.reason }}</td><td>{{ record.outcome.value }}</td></tr>{% endfor %}</table>
{% if more %}<p>The first {{ records | length }} of {{ total }} records; all are in records.jsonl.</p>{% endif %}
{% if pictures %}<h2>Explanations</h2>
{% for id, picture in pictures[:drawn] %}<figure><img alt="" src="data:image/png;base64,{{ picture | embed }}">
<figcaption>{{ id }}</figcaption></figure>
{% endfor %}
{% if pictures | length > drawn %}<p>All are in the folder {{ folder }} of the run.</p>{% endif %}{% endif %}
</html>
"""


_ESCAPES = {ord(character): f"&#{ord(character)};" for character in "\\`*_[]<>&|!~$@:#"}


def write_pages(report: Report, folder: Path) -> None:
    """Writes `report.md` and `report.html` beside the records."""
    records = list(islice(read_records(folder), SHOWN))
    total = sum(report.outcomes.values())
    pictures = [(record.id, path) for record in records if (path := folder / explanation(record.id)).is_file()]
    markdown = _markdown(report, records, total) + _explanations(pictures)
    (folder / "report.md").write_text(markdown, encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_clean)
    environment.filters |= {
        "number": _number,
        "describe": _describe,
        "embed": _embed,
        "asked": _asked,
        "beside": _beside,
        "unscored": _unscored,
        "told": told,
    }
    page = environment.from_string(_HTML).render(
        report=report,
        records=records,
        total=total,
        more=total > len(records),
        pictures=pictures,
        drawn=DRAWN,
        folder=EXPLANATIONS,
    )
    (folder / "report.html").write_text(page, encoding="utf-8", errors="backslashreplace")


def _markdown(report: Report, records: list[Record], total: int) -> str:
    lines = [f"# affectlm run: {report.status}", ""]
    lines += [f"- {kind}: {_cell(_describe(part))}" for kind, part in report.components.items()]
    lines += ["", _asked(report.usage), "", "| outcome | records |", "|---|---|"]
    lines += [f"| {name} | {count} |" for name, count in report.outcomes.items()]
    if report.asked:
        lines += ["", f"{_cell(report.asked)}."]
    if report.left_out:
        lines += ["", f"Left out: {_cell(told(report.left_out))}."]
    if report.scores:
        lines += ["", "| score | value | low | high | n | beside it |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {score.name} | {_number(score.value)} | {_number(score.low)} | {_number(score.high)} | {score.count} "
            f"| {_cell(_beside(score.parts))} |"
            for score in report.scores
        ]
    if report.unscored:
        lines += ["", _cell(_unscored(report.unscored))]
    lines += ["", "| id | valence | arousal | answer | outcome |", "|---|---|---|---|---|"]
    lines += [
        f"| {_cell(record.id)} | {_number(record.valence)} | {_number(record.arousal)} "
        f"| {_cell(record.answer or record.reason)} | {record.outcome.value} |"
        for record in records
    ]
    if total > len(records):
        lines.append(f"\nThe first {len(records)} of {total} records; all are in records.jsonl.")
    return "\n".join(lines) + "\n"


def _explanations(pictures: Sequence[tuple[str, Path]]) -> str:
    links = [f"- [{_cell(record_id)}]({EXPLANATIONS}/{path.name})" for record_id, path in pictures]
    return "\n".join(["\nExplanations:\n", *links, ""]) if links else ""


def _clean(value: object) -> object:
    """What a page shows of a value: text of models and files without control characters, and not without end."""
    return shortened(value, MOST_TEXT) if isinstance(value, str) and not isinstance(value, Markup) else value


def _embed(path: Path) -> Markup:
    return Markup(base64.b64encode(path.read_bytes()).decode())  # noqa: S704  # letters and digits


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _unscored(names: Sequence[str]) -> str:
    return f"Without a score, as no record has what they need: {', '.join(names)}."


def _asked(usage: Mapping[str, float]) -> str:
    """What asking took; what was never counted is left out."""
    counts = ("requests", "cache_hits", "prompt_tokens", "completion_tokens", "cost", "seconds")
    found = (f"{name.replace('_', ' ')} {usage[name]:,.6g}" for name in counts if name in usage)
    return f"Asking: {', '.join(found)}." if usage else ""


def _beside(parts: Mapping[str, float]) -> str:
    """The parts of a score that stand for it as a whole; those of single labels, "name: label", are in report.json."""
    return ", ".join(f"{name} {_brief(value)}" for name, value in parts.items() if ":" not in name)


def _brief(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and value > 1 else f"{value:.3f}"  # counts, and shares


def _describe(part: object) -> str:
    return ", ".join(f"{key}={value}" for key, value in part.items()) if isinstance(part, dict) else str(part)


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table, with nothing in it that Markdown or HTML would obey."""
    one_line = shortened(text, MOST_TEXT).encode(errors="backslashreplace").decode()
    return one_line.translate(_ESCAPES)
