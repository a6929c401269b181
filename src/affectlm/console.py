"""What a run shows: progress on stderr when that is a terminal, a table and the scores on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import rich.console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from affectlm.cli import printable
from affectlm.parts import Parts
from affectlm.records import Record, Report

QUIET = 10.0  # seconds between two notices
SHOWN = 25  # records in the table; a larger run is told by its counts


class Console:
    """Shows one run."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._count = 0
        self._quiet_until = 0.0
        wide = None if sys.stdout.isatty() else 140
        self._out = rich.console.Console(width=wide, highlight=False)
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

    def started(self, parts: Parts) -> None:
        """Says what `auto` chose."""
        for kind, said in parts.described().items():
            if "chosen" in said:
                sys.stderr.write(f"affectlm: {kind} auto chose {said['chosen']} ({said.get('reason', '')})\n")

    def notice(self, sentence: str) -> None:
        """Says what is waited for, at most once in a while."""
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET
            sys.stderr.write(f"affectlm: {printable(sentence)}\n")

    def record(self, record: Record) -> None:
        """Counts a record and keeps the first ones for the table."""
        self._count += 1
        if len(self.records) < SHOWN:
            self.records.append(record)
        if record.reason.startswith("dry_run") and record.prompt:
            self._out.print(escape(record.prompt), soft_wrap=True)
        self._progress.advance(self._task)

    def finished(self, report: Report, folder: Path) -> None:
        """The table of a small run, counts, scores, and where everything is."""
        if self._count <= SHOWN:
            self._out.print(_table(self.records))
        counts = ", ".join(f"{count} {name}" for name, count in report.outcomes.items())
        self._out.print(f"{self._count} records: {counts}; {report.usage['seconds']:.1f} s", soft_wrap=True)
        if report.usage.get("estimated_requests"):
            self._out.print(_estimate(report.usage), soft_wrap=True)
        for score in report.scores:
            bounds = f" [{score.low:.3f}, {score.high:.3f}]" if score.low is not None and score.high is not None else ""
            self._out.print(f"{score.name} {score.value:.3f}{bounds} (n={score.count})", soft_wrap=True)
        # ccc is chosen by default, for those who have ratings.
        if unscored := ", ".join(name for name in report.unscored if name != "ccc"):
            self._out.print(f"without a score, as no record has what they need: {unscored}", soft_wrap=True)
        self._out.print(f"records and report are in {escape(str(folder))}", soft_wrap=True)


def _estimate(usage: Mapping[str, float]) -> str:
    """What a dry run would cost."""
    cost = f", at most {usage['estimated_cost']:.4f} by your prices" if "estimated_cost" in usage else ""
    return (
        f"to be asked: {usage['estimated_requests']:,.0f} requests, about {usage['estimated_prompt_tokens']:,.0f} "
        f"tokens to read and at most {usage['estimated_completion_tokens']:,.0f} to write{cost}; "
        f"{usage['cache_hits']:,.0f} answers are stored"
    )


def _table(records: Sequence[Record]) -> Table:
    table = Table("image", "face", "valence", "arousal", "answer", "outcome")
    for record in records:
        table.add_row(
            escape(printable(Path(record.image).name or record.id)),
            "" if record.face is None else str(record.face),
            "" if record.valence is None else f"{record.valence:+.2f}",
            "" if record.arousal is None else f"{record.arousal:+.2f}",
            escape(printable(record.answer or record.reason)),
            record.outcome.value,
        )
    return table
