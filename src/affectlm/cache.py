"""A content-addressed store of small JSON values, under the user's cache folder.

One file a value, written beside and renamed: safe for several processes at once, nothing to lock, nothing to lose.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import attrs
import platformdirs

from affectlm.errors import ConfigError

MODES = ("off", "read", "on")


def cache_folder() -> Path:
    """Where everything that can be made again is kept; `AFFECTLM_CACHE` moves it."""
    return Path(os.environ.get("AFFECTLM_CACHE") or platformdirs.user_cache_dir("affectlm")).expanduser()


def digest(value: object) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader sees the old content or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{uuid4().hex}")  # tempfile's would be readable by their owner only
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@attrs.frozen
class Store:
    """The values of one sort ("completions", "affect"); mode `read` adds nothing and `off` does nothing at all."""

    sort: str
    mode: str = attrs.field(default="on", validator=attrs.validators.in_(MODES))
    root: Path = attrs.field(factory=cache_folder)

    def load(self, key: str) -> Mapping[str, object] | None:
        """The value stored under a key from `digest`, or None; an unreadable file counts as absent."""
        if self.mode == "off":
            return None
        try:
            value = json.loads(self._path(key).read_bytes())
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def save(self, key: str, value: Mapping[str, object]) -> None:
        """Stores a value under a key from `digest`.

        Raises:
            ConfigError: the cache folder cannot be written.
        """
        if self.mode != "on":
            return
        try:
            write_atomically(self._path(key), json.dumps(value).encode())
        except OSError as error:
            raise ConfigError(
                f"the cache folder '{self.root}' cannot be written ({error.strerror}); "
                "set AFFECTLM_CACHE to a folder that can, or add cache=off"
            ) from error

    def _path(self, key: str) -> Path:
        return self.root / self.sort / key[:2] / f"{key}.json"


@attrs.frozen
class Usage:
    """How much of the cache one sort of content takes."""

    sort: str
    files: int
    bytes: int


def usage(root: Path | None = None) -> list[Usage]:
    """Files and bytes below each folder of the cache, sorted by name."""
    root = root or cache_folder()
    if not root.is_dir():
        return []
    found = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        found.append(Usage(folder.name, len(sizes), sum(sizes)))
    return found


def prune(days: float, root: Path | None = None) -> int:
    """Removes stored values (not weights) that were not written in the last `days`; returns how many."""
    limit = time.time() - days * 86_400
    removed = 0
    for path in _values(root or cache_folder()):
        if path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def clear(root: Path | None = None) -> int:
    """Removes everything below the cache folder that affectlm made; returns how many files that were."""
    root = root or cache_folder()
    count = sum(entry.files for entry in usage(root) if entry.sort in SORTS)
    for sort in SORTS:
        shutil.rmtree(root / sort, ignore_errors=True)
    return count


SORTS = ("affect", "completions", "models", "weights")


def _values(root: Path) -> Iterator[Path]:
    for sort in ("affect", "completions"):
        yield from (root / sort).rglob("*.json")
