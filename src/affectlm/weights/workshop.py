"""The temporary folder of weights that are being fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affectlm.errors import WeightsError
from affectlm.store.cache import cache_folder
from affectlm.weights.announcement import say

_PATIENCE = 3600.0  # seconds to wait for another process that fetches


@contextmanager
def workshop() -> Iterator[Path]:
    """An empty folder for files that are being fetched, for one process at a time.

    It removes what a killed process left behind.

    Raises:
        WeightsError: the folder cannot be made, or another process keeps it for too long.
    """
    from filelock import FileLock, Timeout  # slow to load and seldom needed

    folder = cache_folder() / "weights" / ".part"
    lock = FileLock(cache_folder() / "weights.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say("waiting for another process that is fetching weights")
            lock.acquire(timeout=_PATIENCE)
    except Timeout as error:
        raise WeightsError("another process has been fetching weights for an hour; end it") from error
    except OSError as error:
        raise unwritable(folder.parent, error) from error
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def unwritable(folder: Path, error: OSError) -> WeightsError:
    """The error for a cache folder that cannot be written."""
    return WeightsError(f"the cache folder '{folder}' cannot be written ({error.strerror}); set AFFECTLM_CACHE")
