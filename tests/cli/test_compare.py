"""`affectlm compare` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Command

PEOPLE = "id,valence,arousal,label\n" + "".join(
    f"p{place},{(place % 5 - 2) / 2},{(place % 3 - 1) / 1},{('happiness', 'sadness')[place % 2]}\n"
    for place in range(20)
)


def test_a_sweep_is_compared_in_the_terminal_and_in_two_files(command: Command, tmp_path: Path) -> None:
    """Runs are told by their overrides; the files are in the folder that --out names."""
    (tmp_path / "people.csv").write_text(PEOPLE)
    words = ["people.csv", "dataset=manifest", "dataset.va=truth", "+experiment=basic", "hydra.sweep.dir=sweep"]
    assert command("-m", *words, "llm=circumplex", "prompt.label_order=given,shuffled").returncode == 0

    done = command("compare", "sweep", "--out", "out")

    assert done.returncode == 0, done.stderr
    assert "2 runs over the same 20 records" in done.stdout
    assert "run 2: prompt.label_order=shuffled" in done.stdout
    assert "balanced_accuracy" in done.stdout
    assert (tmp_path / "out" / "compare.html").exists()
    assert json.loads(command("compare", "sweep", "--json").stdout)["records"] == 20


def test_a_folder_that_is_no_run_is_one_sentence(command: Command) -> None:
    """And exit status 1."""
    done = command("compare", "here", "there")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("affectlm: 'here' is not the folder of a run or of a sweep")
    assert command("compare").returncode == 2
