"""`affectlm report RUN_DIR`: writes the pages of a run again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

USAGE = "report RUN_DIR"
HELP = "write the pages of a run again"


def run(words: Sequence[str]) -> int:
    """The exit status, after writing the pages of a finished, interrupted or older run."""
    arguments = argparse.ArgumentParser(prog="affectlm report", description="Writes the pages of a run again.")
    arguments.add_argument("folder", type=Path, metavar="RUN_DIR", help="the folder of a run, finished or not")
    folder: Path = arguments.parse_args(words).folder
    from affectlm.report.pages import write_pages
    from affectlm.report.reading import read_any_report
    from affectlm.store.records import PAGE
    from affectlm.store.run_folder import writing

    report = read_any_report(folder)
    with writing(folder):
        write_pages(report, folder)
    sys.stdout.write(f"the page is {folder / PAGE}\n")
    return 0
