"""A content-addressed store of small JSON values in the user's cache folder.

Each value is one file, written under another name and then renamed, so that several processes can use the store at
once. Locks only show other processes which values are being made.
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
    """The folder for everything that can be made again; `AFFECTLM_CACHE` moves it."""
    return Path(os.environ.get("AFFECTLM_CACHE") or platformdirs.user_cache_dir("affectlm")).expanduser()


def digest(value: object) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def parsed(content: bytes) -> object:
    """The JSON value in a file or line.

    Raises:
        ValueError: the content is not JSON in UTF-8, contains NaN or infinity, or is nested too deeply.
    """
    try:
        return _STRICT.decode(content.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not in UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg[:1].lower()}{error.msg[1:]}, character {error.pos})") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


_STRICT = json.JSONDecoder(parse_constant=_refuse)


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value from JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader sees either the old content or all of the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{uuid4().hex}")  # a file from tempfile would be readable by its owner only
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@attrs.frozen
class Store:
    """The stored values of one kind, "completions" or "affect"; mode `read` adds nothing, `off` does nothing."""

    kind: str
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
                "set AFFECTLM_CACHE to a writable folder, or add cache=off"
            ) from error

    @property
    def claims(self) -> Claims:
        """Which process makes which value; the caller closes it."""
        return Claims(_lock(self.root, self.kind))

    def _path(self, key: str) -> Path:
        return self.root / self.kind / key[:2] / f"{key}.json"


@attrs.define
class Claims:
    """Which values this process is making, so that other processes wait for them instead of making them too.

    A claim is a locked byte in one empty file, at an offset that follows from the key. Nothing is left behind, and the
    system releases a process's locks however it ends. If files cannot be locked, as on Windows and some network drives,
    every claim is granted, and each process makes what it needs. Threads of one process share their claims.
    """

    path: Path
    _file: int | None = attrs.field(default=None, init=False)
    _works: bool = attrs.field(default=sys.platform != "win32", init=False)

    def take(self, key: str) -> bool:
        """Claims the value under a key; False while another process makes it."""
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
        """Lets other processes make the value."""
        if self._file is not None and self._works:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(key))

    def close(self) -> None:
        """Releases all claims."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _lock(root: Path, kind: str) -> Path:
    return root / f"{kind}.lock"


def _place(key: str) -> int:
    return int(key[:15], 16)  # 60 bits, which fit a file offset


@attrs.frozen
class Usage:
    """How much of the cache one kind of content takes."""

    kind: str
    files: int
    bytes: int


def usage(root: Path | None = None) -> list[Usage]:
    """The number of files and bytes in each folder of the cache, sorted by name."""
    root = root or cache_folder()
    if not root.is_dir():
        return []
    found = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        sizes = [size for path in _files(folder) if (size := _size(path)) is not None]
        found.append(Usage(folder.name, len(sizes), sum(sizes)))
    return found


def _size(path: Path) -> int | None:
    """The size of a file in bytes; None for anything else or if another process has just removed it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def prune(days: float, root: Path | None = None) -> int:
    """Removes stored values and unfinished files older than `days`, but no weights; returns how many files."""
    limit = time.time() - days * 86_400
    removed = 0
    root = root or cache_folder()
    for path in chain(_files(root / "affect"), _files(root / "completions")):
        try:
            if path.stat().st_mtime < limit:
                path.unlink()
                removed += 1
        except FileNotFoundError:  # another process removed it first
            continue
    return removed


def clear(root: Path | None = None) -> int:
    """Removes everything in the cache folder that affectlm made; returns how many files."""
    root = root or cache_folder()
    count = sum(entry.files for entry in usage(root) if entry.kind in KINDS)
    for kind in KINDS:
        shutil.rmtree(root / kind, ignore_errors=True)
        _lock(root, kind).unlink(missing_ok=True)
    return count


KINDS = ("affect", "completions", "models", "weights")


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder; skips folders that vanish meanwhile, which `Path.rglob` does not."""
    for above, _, names in os.walk(folder):
        yield from (Path(above, name) for name in names)
