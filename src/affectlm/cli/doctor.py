"""`affectlm doctor`: what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from affectlm.cli.tables import parser, show

USAGE = "doctor [words of a run] [--json]"
HELP = "what is missing for that run"


def run(words: Sequence[str]) -> int:
    """Shows what a run needs and has; returns the exit status, 1 where something is missing."""
    words_of = parser("doctor", "What is missing for the run that the overrides name; nothing is fetched.")
    words_of.add_argument("overrides", nargs="*", help="as for a run: a path, llm=llama3, ...")
    given = words_of.parse_intermixed_args(words)
    from affectlm.jobs.doctor import examine

    rows = examine(given.overrides)
    show(rows, as_json=given.json)
    return 1 if any(row["status"] == "missing" for row in rows) else 0
