"""What small subcommands share: a parser with --json, and rows as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence


def parser(command: str, text: str) -> argparse.ArgumentParser:
    """A parser for a subcommand's words, with the flag --json."""
    found = argparse.ArgumentParser(prog=f"affectlm {command}", description=text)
    found.add_argument("--json", action="store_true", help="print JSON")
    return found


def show(rows: Sequence[dict[str, str]], *, as_json: bool) -> None:
    """Prints rows as JSON, or as a table of plain columns."""
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    if not rows:
        return
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
    for line in [dict(zip(names, names, strict=True)), *rows]:
        cells = (line[name].ljust(width) for name, width in zip(names, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
