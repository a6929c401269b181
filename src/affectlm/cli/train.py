"""`affectlm train`: runs and shows a training."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

USAGE = "train [key=value]"
HELP = "train an estimator"


def run(words: Sequence[str]) -> int:
    """The exit status of a training in Hydra's folder."""
    from affectlm.cli.hydra import start

    start(words, _job, name="train")
    return 0


def _job(config: DictConfig, folder: Path) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from affectlm.config.compose import to_plain
    from affectlm.jobs.train import training

    console = Console(stderr=True)
    try:
        with training(to_plain(config), folder) as job:
            sys.stderr.write(f"affectlm: {len(job.training)} faces to train on, {len(job.validation)} to validate\n")
            with Progress(console=console, disable=not console.is_terminal) as bar:
                task = bar.add_task("training", total=1.0)

                def progress(share: float, loss: float) -> None:
                    bar.update(task, completed=share, description=f"training, loss {loss:.3f}")

                for values in job.epochs(progress):
                    sys.stderr.write("  ".join(f"{name} {value:.4g}" for name, value in values.items()) + "\n")
    except KeyboardInterrupt:
        sys.stderr.write(
            "affectlm: interrupted; to continue after the last finished epoch, repeat the command with "
            f"hydra.run.dir={folder}\n"
        )
        raise
    sys.stdout.write(f"weights, log and checkpoint are in {folder}\n")
