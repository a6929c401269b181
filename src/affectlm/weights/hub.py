"""The Hugging Face hub: whether it answers, which files a model's repository has, and those files at one revision.

The only module that knows the hub's client and address. Files on this machine come first.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import attrs

from affectlm.errors import AccessError, WeightsError
from affectlm.weights.announcement import announce

HUB = "https://huggingface.co"  # for messages; the client may be set to another
_TIMEOUT = 5.0  # seconds


@attrs.frozen
class HubModel:
    """A model's repository at one commit, with the names of its files."""

    model: str
    commit: str
    files: tuple[str, ...]


def hub_reachable(timeout: float = 3.0) -> bool:
    """Whether the hub answers within `timeout` seconds; its own client retries a dead host for 23 s.

    True behind a proxy, where only the client can find out; False if offline mode is set.
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


def cached_folder(model: str, revision: str = "main") -> Path | None:
    """The folder of a model's fetched files, named after its commit and perhaps incomplete; or None.

    Raises:
        AccessError: the name is not a model id.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, local_files_only=True))
    except HFValidationError as error:
        raise AccessError(
            f"'{model}' is neither on this machine nor a model id of the Hugging Face hub: {error}"
        ) from error
    except LocalEntryNotFoundError:
        return None


def find_commit(model: str, revision: str, remedies: str) -> str:
    """The commit that the hub serves; one request for config.json, which also shows whether this user may read it.

    Args:
        model, revision: of the repository.
        remedies: what else the user can do, for messages; follows "or".

    Raises:
        AccessError: there is no such model or revision, it has no config.json, its licence must be accepted first, or
            the hub does not answer.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    with _asking(model, revision, remedies):
        url = hf_hub_url(model, "config.json", revision=revision, endpoint=constants.ENDPOINT)
        return get_hf_file_metadata(url, timeout=_TIMEOUT).commit_hash or revision


def look_up(model: str, revision: str, remedies: str) -> HubModel:
    """The commit and the files of a repository; arguments and errors as for `find_commit`."""
    from huggingface_hub import HfApi

    with _asking(model, revision, remedies):
        info = HfApi().model_info(model, revision=revision, timeout=_TIMEOUT)
    return HubModel(model, info.sha or revision, tuple(entry.rfilename for entry in info.siblings or ()))


def announce_model(model: str, revision: str, patterns: Sequence[str]) -> None:
    """Says that the files of a model that match any of the patterns are about to be fetched."""
    from huggingface_hub import HfApi

    size, licence = None, "unknown"
    try:
        info = HfApi().model_info(model, revision=revision, files_metadata=True, timeout=_TIMEOUT)
    except Exception as error:  # the fetch that follows reports the error in full
        licence = f"unknown ({type(error).__name__})"
    else:
        licence = next((tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")), licence)
        files = [file for file in info.siblings or () if any(fnmatch(file.rfilename, pattern) for pattern in patterns)]
        size = sum(file.size or 0 for file in files)
    announce(model, "the Hugging Face hub", size, licence)


def fetch_file(model: str, file: str, revision: str = "main", *, announced: bool = False) -> Path:
    """One file of a model, from this machine's hub cache or from the hub.

    Args:
        model, file, revision: of the repository.
        announced: whether the fetch was announced already.

    Raises:
        WeightsError: the file is not here and the hub does not serve it.
    """
    from huggingface_hub import hf_hub_download

    folder = cached_folder(model, revision)
    if folder is not None and (folder / file).is_file():
        return folder / file
    with _fetching():
        if not announced:
            announce_model(model, revision, [file])
        return Path(hf_hub_download(model, file, revision=revision, etag_timeout=_TIMEOUT))


def fetch_folder(model: str, revision: str, patterns: Sequence[str]) -> Path:
    """The folder of a model's files that match any of the patterns, announced and fetched.

    Raises:
        WeightsError: the hub does not serve them.
    """
    from huggingface_hub import snapshot_download

    with _fetching():
        announce_model(model, revision, patterns)
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(patterns), etag_timeout=_TIMEOUT))


@contextmanager
def _fetching() -> Iterator[None]:
    if not hub_reachable():
        raise WeightsError(f"the hub cannot be reached: {_why_unreachable()}")
    try:
        yield
    except Exception as error:  # the hub client raises errors of several libraries
        raise WeightsError(f"the hub's client failed with {type(error).__name__}") from error


@contextmanager
def _asking(model: str, revision: str, remedies: str) -> Iterator[None]:
    """Turns an exception of the client about a model into an AccessError with remedies."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    remedies = f"accept the licence at {HUB}/{model} and set HF_TOKEN, or {remedies}"
    unreachable = f"'{model}' is not on this machine and the Hugging Face hub cannot be reached"
    if not hub_reachable():
        raise AccessError(f"{unreachable} ({_why_unreachable()}): {remedies}")
    try:
        yield
    except GatedRepoError as error:
        raise AccessError(f"'{model}' is behind a licence: {remedies}") from error
    except RevisionNotFoundError as error:
        raise AccessError(f"'{model}' has no revision '{revision}' on the Hugging Face hub") from error
    except RepositoryNotFoundError as error:
        raise AccessError(f"'{model}' does not exist on the hub, or is private: {remedies}") from error
    except EntryNotFoundError as error:
        raise AccessError(f"'{model}' has no config.json on the hub, so it is not a transformers model") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            raise AccessError(f"'{model}' is behind a licence: {remedies}") from error
        raise AccessError(f"{unreachable} (it answers with status {status}): {remedies}") from error
    except Exception as error:  # the hub client raises errors of several libraries
        raise AccessError(f"{unreachable} ({type(error).__name__}): {remedies}") from error


def _why_unreachable() -> str:
    for name in ("AFFECTLM_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(name, "") not in ("", "0"):
            return f"{name} forbids asking it"
    return "no connection"
