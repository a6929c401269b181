"""Fixtures for all tests; nothing here reaches the network or the user's own cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from affectlm.config import compose as configuration


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


Compose = Callable[..., dict[str, object]]


@pytest.fixture
def compose() -> Compose:
    """The plain configuration of command-line words."""
    return lambda *words: configuration.to_plain(configuration.compose(words))
