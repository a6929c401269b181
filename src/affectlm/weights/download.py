"""Files over https, whole or not at all; whether the content is the right one is for `named.py` to say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    BaseHandler,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from affectlm.errors import WeightsError

TRIES = 3
_CHUNK = 1 << 16


class _BrokenOffError(Exception):
    """A transfer that began and did not end; worth another try."""


def download(
    url: str, target: Path, *, limit: int, timeout: float = 30.0, longest: float = 1800.0, loopback: bool = False
) -> None:
    """Writes what a URL gives to a file; a transfer that breaks off begins anew, three times in all.

    Args:
        url: https, and so must be whatever it redirects to.
        target: the file; after an error it is not there.
        limit: bytes; more are not taken.
        timeout: seconds without a byte after which a transfer counts as broken off.
        longest: seconds for all tries together.
        loopback: for tests, takes plain http too, from 127.0.0.1 only.

    Raises:
        WeightsError: the address is not https, cannot be reached, does not give the file, or gives too much of it or
            too slowly.
    """
    deadline = time.monotonic() + longest
    try:
        for tried in range(1, TRIES + 1):
            try:
                _transfer(url, target, limit, timeout, deadline, loopback=loopback)
                return
            except _BrokenOffError as error:
                if tried == TRIES:
                    raise WeightsError(f"the transfer broke off {TRIES} times, the last time: {error}") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def check_address(url: str, *, loopback: bool = False) -> None:
    """Raises WeightsError unless a URL is https, or with `loopback` http from 127.0.0.1."""
    address = urlsplit(url)
    if address.scheme == "https" or (loopback and address.scheme == "http" and address.hostname == "127.0.0.1"):
        return
    raise WeightsError(f"'{url}' is no https address; nothing is fetched from there")


def _transfer(url: str, target: Path, limit: int, timeout: float, deadline: float, *, loopback: bool) -> None:
    with _open(url, timeout, loopback=loopback) as response:
        expected, count = response.length, 0
        try:
            with target.open("wb") as file:
                for chunk in _chunks(response):
                    count += len(chunk)
                    if max(count, expected or 0) > limit:
                        raise WeightsError(f"it is larger than the {limit / 1e6:.1f} MB that were expected at most")
                    if time.monotonic() > deadline:
                        raise WeightsError(f"it comes too slowly: {count / 1e6:.1f} MB when time was up")
                    file.write(chunk)
        except OSError as error:
            raise WeightsError(f"'{target}' cannot be written: {error.strerror}") from error
    if expected is not None and count < expected:
        raise _BrokenOffError(f"only {count} of {expected} bytes came")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """What arrives, as it arrives: `read` would wait for a whole chunk, however slowly its bytes drip in."""
    try:
        while chunk := response.read1(_CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from error


def _open(url: str, timeout: float, *, loopback: bool) -> HTTPResponse:
    check_address(url, loopback=loopback)
    opener = OpenerDirector()  # of our own: urllib's usual one also opens files and ftp
    handlers: list[BaseHandler] = [HTTPHandler(), HTTPSHandler(), HTTPErrorProcessor(), HTTPDefaultErrorHandler()]
    if not loopback:
        handlers.append(ProxyHandler())
    for handler in [*handlers, _Redirects(loopback=loopback)]:
        opener.add_handler(handler)
    try:
        return cast("HTTPResponse", opener.open(Request(url, headers={"User-Agent": "affectlm"}), timeout=timeout))  # noqa: S310  # checked above
    except HTTPError as error:
        error.close()
        raise WeightsError(f"the server answers {error.code} {' '.join(str(error.reason).split())}") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: it redirects to what is no address
        reason = (error.reason if isinstance(error, URLError) else str(error)) or type(error).__name__
        raise WeightsError(f"'{urlsplit(url).hostname}' cannot be reached ({reason})") from error


class _Redirects(HTTPRedirectHandler):
    """Follows redirects to addresses that could have been asked for in the first place."""

    def __init__(self, *, loopback: bool) -> None:
        self.loopback = loopback

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """The request for the new address."""
        check_address(newurl, loopback=self.loopback)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
