"""An outside package adds an estimator and its YAML, and broken ones disturb nobody."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from affectlm.store.records import read_report

PACKAGE = Path(__file__).parent / "third_party" / "affectlm-other"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The outside package, built and installed into a folder of its own."""
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "affectlm-other"
    shutil.copytree(PACKAGE, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return target


def affectlm(folder: Path, site: Any, *words: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "affectlm", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_an_outside_estimator_runs_by_its_name(installed: Any, pictures: Path, tmp_path: Path) -> None:
    """`+estimator=other` needs nothing but the package."""
    words = [str(pictures), "+estimator=other", "detector=whole", "llm=circumplex", "hydra.run.dir=run"]

    done = affectlm(tmp_path, installed, *words)

    assert done.returncode == 0, done.stderr
    report = read_report(tmp_path / "run")
    assert report.components["estimator"] == {"name": "other", "gain": 0.5}
    assert report.outcomes == {"ok": 3}


def test_an_outside_plugin_is_listed_with_its_distribution(installed: Any, tmp_path: Path) -> None:
    """Who offers what."""
    text = affectlm(tmp_path, installed, "plugins").stdout

    assert re.search(r"^other +estimator +other +affectlm-other +1\.2 +ok$", text, re.MULTILINE)


def test_a_broken_outside_plugin_is_told_and_the_run_goes_on(installed: Any, pictures: Path, tmp_path: Path) -> None:
    """Its reason is on stderr and in the listing."""
    site = tmp_path / "site"
    (site / "affectlm_broken-1.0.dist-info").mkdir(parents=True)
    (site / "affectlm_broken-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: affectlm-broken\nVersion: 1.0\n"
    )
    (site / "affectlm_broken-1.0.dist-info" / "entry_points.txt").write_text("[affectlm]\nbroken = affectlm_broken\n")
    (site / "affectlm_broken.py").write_text("import no_such_thing\n")

    done = affectlm(tmp_path, site, str(pictures), "detector=whole", "llm=circumplex")
    listing = affectlm(tmp_path, site, "plugins")

    assert done.returncode == 0, done.stderr
    assert (
        "plugin 'broken' (affectlm-broken) is left out: ModuleNotFoundError: No module named 'no_such_thing'"
        in done.stderr
    )
    assert "no_such_thing" in listing.stdout
