"""`affectlm PATH group=choice key=value`: runs and shows one run, or a sweep of runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from affectlm.cli.sweep import Point, print_sweep

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from affectlm.cli.console import Console
    from affectlm.store.records import Report

USAGES = {
    "PATH [PATH...] [group=choice] [key=value]": "on your pictures",
    "+estimator=facechannel +llm=llama3": "on the pictures in this folder (with or without plus)",
    "-m llm=smollm2,circumplex": "one run per choice",
}


def run_job(words: Sequence[str], *, demo: bool = False) -> int:
    """The exit status, 0 or 3, of a run on the pictures that the words name, or of a sweep of runs."""
    from affectlm.cli.hydra import start

    runs = _Runs(words, demo=demo)
    try:
        start(words, runs.job)
    finally:
        if runs.points:
            print_sweep(runs.points)
    for sentence in runs.missed:
        sys.stderr.write(f"affectlm: {sentence}\n")
    return 3 if runs.missed else 0


@attrs.define
class _Runs:
    """The run that the words name, or the runs of a sweep."""

    words: Sequence[str]
    demo: bool = attrs.field(kw_only=True)
    points: list[Point] = attrs.field(factory=list)  # empty unless it is a sweep
    missed: list[str] = attrs.field(factory=list)  # thresholds that were not reached, as sentences

    def job(self, config: DictConfig, folder: Path) -> None:
        """Does one run and shows it meanwhile."""
        from affectlm.cli.console import Console
        from affectlm.cli.hydra import is_sweep, overrides
        from affectlm.config.compose import to_plain
        from affectlm.jobs.run import run
        from affectlm.scores.scores import missed

        plain = to_plain(config)
        point, console = Point(overrides(), folder), Console()
        if is_sweep():
            self.points.append(point)
            sys.stdout.write(f"\n== run {len(self.points)}: {' '.join(point.overrides)}\n")
        try:
            with console.progress():
                point.report = report = run(
                    plain,
                    folder,
                    on_record=console.record,
                    on_notice=console.notice,
                    on_success=self._pages(console, folder),
                    command=["affectlm", *(["demo"] if self.demo else []), *self.words],
                )
        except KeyboardInterrupt:
            sys.stderr.write(f"affectlm: interrupted; to continue, repeat the command with hydra.run.dir={folder}\n")
            raise
        console.finished(report, folder)
        if not plain["dry_run"]:
            self.missed += missed(report, cast("dict[str, float]", plain["fail_under"] or {}))

    def _pages(self, console: Console, folder: Path) -> Callable[[Report], None]:
        """A function that draws the figures and writes the pages of a successful run."""

        def write(report: Report) -> None:
            from affectlm.report.pages import write_pages

            if self.demo:
                from affectlm.report.figures import draw_faces  # loads matplotlib, which is slow

                draw_faces(console.records, folder)
            write_pages(report, folder)

        return write
