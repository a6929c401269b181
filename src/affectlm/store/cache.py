"""A content-addressed store of small JSON values, under the user's cache folder.

One file a value, written beside and renamed: safe for several processes at once, nothing to lose. Locks only tell
other processes which values are being made.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NoReturn, TypeGuard
from uuid import uuid4

import attrs
import platformdirs

from affectlm.errors import ConfigError

if sys.platform != "win32":
    import fcntl

MODES = ("off", "read", "on")


def cache_folder() -> Path:
    """Where everything that can be made again is kept; `AFFECTLM_CACHE` moves it."""
    return Path(os.environ.get("AFFECTLM_CACHE") or platformdirs.user_cache_dir("affectlm")).expanduser()


def digest(value: object) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def parsed(content: bytes) -> object:
    """The JSON value that a file or line holds.

    Raises:
        ValueError: it holds none, one with NaN or infinity, or one nested beyond all reason.
    """
    try:
        return _STRICT.decode(content.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not in UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg[:1].lower()}{error.msg[1:]}, character {error.pos})") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


_STRICT = json.JSONDecoder(parse_constant=_refuse)


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value from JSON is a number that figures can be made of."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


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
            value = parsed(self._path(key).read_bytes())
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

    @property
    def claims(self) -> Claims:
        """Who makes which value; to be closed by who asked for it."""
        return Claims(_lock(self.root, self.sort))

    def _path(self, key: str) -> Path:
        return self.root / self.sort / key[:2] / f"{key}.json"


@attrs.define
class Claims:
    """Which values this process is making, so that other processes wait for them instead of making them too.

    A claim is a locked byte of one empty file, at a place that follows from the key: nothing is left behind, and the
    system lets go of a process's locks however it ends. Where files cannot be locked, as on Windows and on some
    network drives, every claim is granted: then each process makes what it needs. Threads of one process share theirs.
    """

    path: Path
    _file: int | None = attrs.field(default=None, init=False)
    _works: bool = attrs.field(default=sys.platform != "win32", init=False)

    def take(self, key: str) -> bool:
        """Whether the value under a key is this process's to make; False while another process makes it."""
        if not self._works:
            return True
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(key))
        except OSError as error:
            if self._file is not None and error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            self._works = False
        return True

    def release(self, key: str) -> None:
        """Lets others make what they do not find."""
        if self._file is not None and self._works:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(key))

    def close(self) -> None:
        """Releases all."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _lock(root: Path, sort: str) -> Path:
    return root / f"{sort}.lock"


def _place(key: str) -> int:
    return int(key[:15], 16)  # 60 bits, so that the largest file offset holds it


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
        sizes = [size for path in _files(folder) if (size := _size(path)) is not None]
        found.append(Usage(folder.name, len(sizes), sum(sizes)))
    return found


def _size(path: Path) -> int | None:
    """Bytes of a file; None for anything else, as for one that another process has just removed."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def prune(days: float, root: Path | None = None) -> int:
    """Removes stored values (not weights) that were not written in the last `days`, and parts; returns how many."""
    limit = time.time() - days * 86_400
    removed = 0
    root = root or cache_folder()
    for path in chain(_files(root / "affect"), _files(root / "completions")):
        try:
            if path.stat().st_mtime < limit:
                path.unlink()
                removed += 1
        except FileNotFoundError:  # another process was quicker
            continue
    return removed


def clear(root: Path | None = None) -> int:
    """Removes everything below the cache folder that affectlm made; returns how many files that were."""
    root = root or cache_folder()
    count = sum(entry.files for entry in usage(root) if entry.sort in SORTS)
    for sort in SORTS:
        shutil.rmtree(root / sort, ignore_errors=True)
        _lock(root, sort).unlink(missing_ok=True)
    return count


SORTS = ("affect", "completions", "models", "weights")


def _files(folder: Path) -> Iterator[Path]:
    """Whatever lies below a folder; folders that vanish meanwhile, as `Path.rglob` does not bear, are left out."""
    for above, _, names in os.walk(folder):
        yield from (Path(above, name) for name in names)
