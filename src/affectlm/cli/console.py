"""What a run shows: progress on stderr if that is a terminal; a table, counts and scores on stdout."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import rich.box
import rich.console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from affectlm.line.omissions import told
from affectlm.report.choices import held
from affectlm.report.noise import noise
from affectlm.report.questions import asked
from affectlm.store.records import PAGE, Report
from affectlm.text import natural, printable, shortened, shortened_path
from affectlm.types import Outcome, Record, Score

QUIET = 10.0  # seconds between two notices of the same kind
SHOWN = 30  # records in the table; a larger run shows only counts
ROOMY = 90  # terminal width from which face and outcome have their own columns
MOST_NAME, MOST_ANSWER = 40, 300  # characters of a picture's name, and of an answer
UNNOTICED = ("ccc",)  # default metrics that need ratings; without ratings, their missing score is not mentioned


def output() -> rich.console.Console:
    """The console for results: as wide as the terminal, or 140 columns in a pipe."""
    return rich.console.Console(width=None if sys.stdout.isatty() else 140, highlight=False)


class Console:
    """Shows one run."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._count = 0
        self._quiet_until: dict[str, float] = {}
        self._prompts: set[str] = set()
        self._out = output()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=rich.console.Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("faces", total=None)

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Shows how many records are done while the block runs."""
        with self._progress:
            yield

    def notice(self, sentence: str) -> None:
        """Prints a sentence; sentences that differ only in numbers are printed at most every `QUIET` seconds."""
        kind, now = re.sub(r"[\d.]+", "", sentence), time.monotonic()
        if now >= self._quiet_until.get(kind, 0.0):
            self._quiet_until[kind] = now + QUIET
            sys.stderr.write(f"affectlm: {printable(sentence)}\n")

    def record(self, record: Record) -> None:
        """Counts a record and keeps the first ones for the table; shows each prompt of a dry run once."""
        self._count += 1
        if len(self.records) < SHOWN:
            self.records.append(record)
        if record.reason.startswith("dry_run") and record.prompt and record.prompt_sha256 not in self._prompts:
            self._prompts.add(record.prompt_sha256 or "")
            self._out.print(escape(record.prompt), soft_wrap=True)
        self._progress.advance(self._task)

    def finished(self, report: Report, folder: Path) -> None:
        """Prints the table of a small run, counts, scores, and where the files are."""
        if self._count <= SHOWN:
            self._out.print(_records(self.records, self._out.width))
        else:
            self._say(f"no table of more than {SHOWN} records; report.html and records.csv show them")
        counts = ", ".join(f"{count} {name}" for name, count in report.outcomes.items())
        self._say(f"{self._count} records: {counts}; {report.usage['seconds']:.1f} s")
        for sentence in filter(None, (asked(report), held(report), noise(report))):
            self._say(sentence)
        if report.left_out:
            self._say(f"left out: {told(report.left_out)}")
        if report.usage.get("estimated_requests"):
            self._say(_estimate(report.usage))
        if report.scores:
            self._out.print(_scores(report.scores))
        for sentence in outside(report.scores):
            self._say(sentence)
        if unscored := ", ".join(name for name in report.unscored if name not in UNNOTICED):
            self._say(f"no score, because no record has what they need: {unscored}")
        self._say(f"records and report are in {folder}")
        if (folder / PAGE).is_file():
            self._say(f"the page is {folder / PAGE}")

    def _say(self, sentence: str) -> None:
        self._out.print(escape(sentence), soft_wrap=True)


def outside(scores: Sequence[Score]) -> list[str]:
    """Sentences on how many records scores leave out because their true label is not among the choices."""
    found: dict[str, list[str]] = {}
    for score in scores:
        if left_out := score.parts.get("outside"):
            sentence = f"left out: {left_out:.0f} of {left_out + score.count:.0f}, label not among the choices"
            found.setdefault(sentence, []).append(score.name)
    return [f"{sentence} ({', '.join(names)})" for sentence, names in found.items()]


def _estimate(usage: Mapping[str, float]) -> str:
    """What a dry run would ask and cost."""
    cost = f", at most {usage['estimated_cost']:.4f} by your prices" if "estimated_cost" in usage else ""
    return (
        f"to be asked: {usage['estimated_requests']:,.0f} requests, about {usage['estimated_prompt_tokens']:,.0f} "
        f"tokens to read and at most {usage['estimated_completion_tokens']:,.0f} to write{cost}; "
        f"{usage['cache_hits']:,.0f} answers are stored"
    )


def _records(records: Sequence[Record], width: int) -> Table:
    """A table of the records by name; if it is narrow, rank and outcome share the columns of name and answer."""
    roomy = width >= ROOMY
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("image", overflow="fold", min_width=min(width // 4, MOST_NAME))
    for name in (*(["face"] if roomy else []), "valence", "arousal"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("answer", overflow="fold", min_width=width // 4)
    if roomy:
        table.add_column("outcome", no_wrap=True)
    for record in sorted(records, key=lambda record: natural(record.id)):
        name, _, rank = record.id.rpartition("#") if record.face is not None else (record.id, "", "")
        answer, outcome = shortened(record.answer or record.reason, MOST_ANSWER), record.outcome.value
        if not roomy and record.outcome is not Outcome.OK:
            answer = f"{outcome}: {answer}"
        numbers = ("" if value is None else f"{value:+.2f}" for value in (record.valence, record.arousal))
        name = shortened_path(name if roomy or rank in ("", "0") else record.id, min(width // 4, MOST_NAME))
        cells = [name, *([rank] if roomy else []), *numbers, answer, *([outcome] if roomy else [])]
        table.add_row(*map(escape, cells))
    return table


def _scores(scores: Sequence[Score]) -> Table:
    """A table of the scores with intervals and, if there are any, floors and ceilings."""
    values = {score.name: score.value for score in scores}
    floors = {score.name: score.parts.get("floor", values.get(_floor(score.name))) for score in scores}
    ceilings = {score.name: score.parts.get("ceiling") for score in scores}
    beside = {"floor": floors, "ceiling": ceilings}
    beside = {name: column for name, column in beside.items() if any(value is not None for value in column.values())}
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("score", no_wrap=True)
    for name in ("value", "95 % interval", *beside, "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for score in scores:
        if score.name in map(_floor, values):
            continue
        clusters = score.parts.get("clusters")
        none = "" if clusters is None else f"none: {clusters:.0f} clusters"
        interval = none if score.low is None or score.high is None else f"{score.low:.3f} to {score.high:.3f}"
        others = (column[score.name] for column in beside.values())
        bounds = ("" if value is None else f"{value:.3f}" for value in others)
        table.add_row(escape(score.name), f"{score.value:.3f}", interval, *bounds, str(score.count))
    return table


def _floor(name: str) -> str:
    """The name of the score that is the floor of this one, as text metrics name it."""
    bare = name.removesuffix("_answered")
    return f"{bare}_floor{name.removeprefix(bare)}"
