"""`affectlm doctor`: shows what a run is missing."""

from __future__ import annotations

from collections.abc import Sequence

from affectlm.cli.tables import parser, show

USAGE = "doctor [words of a run] [--json]"
HELP = "what that run is missing"


def run(words: Sequence[str]) -> int:
    """The exit status, after showing what a run needs and has; 1 if something is missing."""
    arguments = parser("doctor", "What the run with these overrides is missing; nothing is fetched.")
    arguments.add_argument("overrides", nargs="*", help="as for a run: a path, llm=llama3, ...")
    given = arguments.parse_intermixed_args(words)
    from affectlm.jobs.doctor import examine

    rows = examine(given.overrides)
    show(rows, as_json=given.json)
    return 1 if any(row["status"] == "missing" for row in rows) else 0
