"""`affectlm cache`: shows or removes what is stored."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

from affectlm.cli.tables import parser, show

USAGE = "cache [info|prune|clear] [--json]"
HELP = "stored answers and measurements"


def run(words: Sequence[str]) -> int:
    """The exit status, after showing or removing what is stored."""
    arguments = parser("cache", "Stored answers, measurements, converted models and weights.")
    arguments.add_argument("action", choices=("info", "prune", "clear"), nargs="?", default="info")
    arguments.add_argument("--days", type=_days, default=30.0, help="prune: keep files from the last DAYS days (30)")
    given = arguments.parse_args(words)
    from affectlm.store import cache

    if given.action == "info":
        rows = [
            {"content": entry.kind, "files": str(entry.files), "size": f"{entry.bytes / 1e6:.1f} MB"}
            for entry in cache.usage()
        ]
        if not given.json:
            sys.stdout.write(f"{cache.cache_folder()}\n")
        show(rows, as_json=given.json)
        return 0
    removed = cache.prune(given.days) if given.action == "prune" else cache.clear()
    show([{"removed": str(removed), "folder": str(cache.cache_folder())}], as_json=given.json)
    return 0


def _days(word: str) -> float:
    """A number of days from the command line."""
    try:
        days = float(word)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(f"found '{word}', expected a number of days, 0 or more")
    return days
