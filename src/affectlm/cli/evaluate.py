"""`affectlm evaluate`: runs and shows an evaluation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

USAGE = "evaluate [PATH] [key=value]"
HELP = "measure an estimator against ratings"


def run(words: Sequence[str]) -> int:
    """The exit status of an evaluation in Hydra's folder, or of one per point of a sweep."""
    from affectlm.cli.hydra import start

    start(words, _job, name="evaluate")
    return 0


def _job(config: DictConfig, folder: Path) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from affectlm.config.compose import to_plain
    from affectlm.jobs.evaluate import EVALUATION, FACES, PAGE, evaluate
    from affectlm.store.pictures import SCATTER

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("faces", total=None)
        evaluation = evaluate(to_plain(config), folder, on_record=lambda _: bar.advance(task))
    sys.stdout.write(f"{evaluation.page()}\n{EVALUATION}, {PAGE}, {FACES} and {SCATTER} are in {folder}\n")
