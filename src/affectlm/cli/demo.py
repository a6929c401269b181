"""`affectlm demo`: runs on sample portraits, with a figure of each face."""

from __future__ import annotations

from collections.abc import Sequence

from affectlm.cli.run import run_job

USAGE = "demo"
HELP = "the whole line on sample portraits"


def run(words: Sequence[str]) -> int:
    """The exit status of a run on the sample portraits with these settings."""
    return run_job(["dataset=samples", *words], demo=True)
