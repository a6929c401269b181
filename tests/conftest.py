"""Fixtures for all tests; nothing here reaches the network or the user's own cache."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import PIL.Image
import pytest

from affectlm.cli.main import main
from affectlm.config import compose as configuration


def pytest_configure() -> None:
    """Gives each of several workers its share of the processors, before torch is loaded and takes all of them."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No workers for tests that are named one by one: they would take longer to start than to work."""
    return 0 if any("::" in word for word in config.args) else None


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One cache for the whole session, so that a model is fetched and converted once."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ["AFFECTLM_CACHE"] = os.environ.get("AFFECTLM_TEST_CACHE") or str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    folder = tmp_path / "fresh cache"
    monkeypatch.setenv("AFFECTLM_CACHE", str(folder))
    return folder


@pytest.fixture
def data() -> Path:
    """The folder of development data, from AFFECTLM_TEST_DATA."""
    folder = os.environ.get("AFFECTLM_TEST_DATA")
    if not folder:
        pytest.skip("AFFECTLM_TEST_DATA is not set")
    return Path(folder)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures of noise."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(3):
        pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"p{number}.png")
    return folder


Compose = Callable[..., dict[str, Any]]


@pytest.fixture
def compose() -> Compose:
    """The plain configuration of command-line words."""
    return lambda *words: configuration.to_plain(configuration.compose(words))


Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `affectlm WORDS` in an empty folder with a cache of its own, in this process: its start takes seconds.

    Keywords are environment variables. Libraries that are loaded already do not look at theirs again.
    """

    def run(*words: str, **environment: str) -> Done:
        monkeypatch.chdir(tmp_path)
        capfd.readouterr()
        variables = {"AFFECTLM_CACHE": str(tmp_path / "cache"), **environment}
        with _restored(), mock.patch.dict(os.environ, variables), pytest.raises(SystemExit) as end:
            main(words)
        return subprocess.CompletedProcess(words, int(end.value.code or 0), *capfd.readouterr())

    return run


@contextmanager
def _restored() -> Iterator[None]:
    """Puts back what the command changes for the whole process, which it expects to be its own."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    words, root = sys.argv, logging.getLogger()
    handlers, level = [*root.handlers], root.level
    try:
        with warnings.catch_warnings():
            yield
    finally:
        sys.argv, root.handlers = words, handlers
        root.setLevel(level)
        for number, handler in signals.items():
            signal.signal(number, handler)
