"""The store: nothing lost, nothing torn, nothing where it was told to keep still."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from affectlm.cli.main import main
from affectlm.errors import ConfigError
from affectlm.store.cache import Store, clear, digest, prune, usage


def _save_many(root: str, writer: int) -> int:
    store = Store("completions", root=Path(root))
    for number in range(50):
        store.save(digest([writer, number]), {"text": f"{writer} {number}"})
        store.save(digest("shared"), {"text": f"{writer} {number}" * 1000})
    return writer


def test_a_stored_value_comes_back(tmp_path: Path) -> None:
    """What was stored is what is loaded."""
    store = Store("completions", root=tmp_path)
    store.save(digest({"b": 1, "a": 2}), {"text": "é"})

    assert store.load(digest({"a": 2, "b": 1})) == {"text": "é"}


def test_eight_processes_lose_nothing(tmp_path: Path) -> None:
    """Writers need no lock; the value they share is whole."""
    with ProcessPoolExecutor(8) as pool:
        list(pool.map(_save_many, [str(tmp_path)] * 8, range(8)))

    store = Store("completions", root=tmp_path)
    assert all(store.load(digest([writer, number])) for writer in range(8) for number in range(50))
    assert store.load(digest("shared")) is not None


@pytest.mark.parametrize(
    ("mode", "reads", "writes"), [("off", False, False), ("read", True, False), ("on", True, True)]
)
def test_modes_say_what_may_be_read_and_written(tmp_path: Path, mode: str, reads: bool, writes: bool) -> None:
    """cache=read adds nothing, cache=off does nothing."""
    Store("completions", root=tmp_path).save(digest(1), {"old": True})
    store = Store("completions", mode=mode, root=tmp_path)

    store.save(digest(2), {"new": True})

    assert (store.load(digest(1)) is not None) == reads
    assert (Store("completions", root=tmp_path).load(digest(2)) is not None) == writes


@pytest.mark.parametrize(
    "content", ['{"a"', "", "null", "[]", "[" * 100_000, '{"a": NaN}', '{"a": ' + "9" * 5000 + "}"]
)
def test_a_damaged_file_counts_as_absent(tmp_path: Path, content: Any) -> None:
    """A damaged cache costs time, not a run."""
    store = Store("completions", root=tmp_path)
    store.save(digest(1), {"a": 1})
    next((tmp_path / "completions").rglob("*.json")).write_text(content)

    assert store.load(digest(1)) is None


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The message says what to set."""
    blocked = tmp_path / "file"
    blocked.touch()

    with pytest.raises(ConfigError, match="AFFECTLM_CACHE"):
        Store("completions", root=blocked).save(digest(1), {})


def test_prune_removes_old_values_and_clear_removes_all(tmp_path: Path) -> None:
    """Pruning goes by the time of writing."""
    store = Store("completions", root=tmp_path)
    for number in range(3):
        store.save(digest(number), {})
    os.utime(next((tmp_path / "completions").rglob("*.json")), (0, time.time() - 10 * 86_400))

    assert prune(5, tmp_path) == 1
    assert [entry.files for entry in usage(tmp_path)] == [2]
    assert clear(tmp_path) == 2
    assert usage(tmp_path) == []


def test_prunings_at_the_same_time_do_no_harm(tmp_path: Path) -> None:
    """What another process has just removed is removed."""
    store = Store("completions", root=tmp_path)
    for number in range(1500):
        store.save(digest(number), {})

    with ProcessPoolExecutor(4) as pool:
        removed = list(pool.map(prune, [-1.0] * 4, [tmp_path] * 4))

    assert sum(removed) == 1500


def test_looking_at_a_cache_that_is_being_cleared_does_no_harm(tmp_path: Path) -> None:
    """Folders may vanish while they are listed."""
    store = Store("completions", root=tmp_path)
    for number in range(1500):
        store.save(digest(number), {})

    with ProcessPoolExecutor(3) as pool:
        cleared = pool.submit(clear, tmp_path)
        looks: list[Future[Any]] = [pool.submit(usage, tmp_path) for _ in range(20)]
        assert [look.exception() for look in (cleared, *looks)] == [None] * 21


@pytest.mark.parametrize("days", ["-1", "nan", "inf", "1e999", "soon"])
def test_pruning_takes_a_number_of_days(days: str, capsys: pytest.CaptureFixture[str], fresh_cache: Path) -> None:
    """-1 would be everything."""
    Store("completions").save(digest(1), {})

    with pytest.raises(SystemExit, match="2"):
        main(["cache", "prune", f"--days={days}"])

    assert f"found '{days}', expected a number of days, 0 or more" in capsys.readouterr().err
    assert len(list(fresh_cache.rglob("*.json"))) == 1
