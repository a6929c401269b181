"""`affectlm demo`: a run on sample portraits, with a figure of each face."""

from __future__ import annotations

from collections.abc import Sequence

from affectlm.cli.run import run_job

USAGE = "demo"
HELP = "the whole line on sample portraits"


def run(words: Sequence[str]) -> int:
    """Runs the sample portraits with the settings that the words name; returns the exit status."""
    return run_job(["dataset=samples", *words], demo=True)
