"""Downloads of files over https, complete or not at all; `named.py` checks the content."""

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
    """A transfer began and did not finish; worth another try."""


def download(
    url: str, target: Path, *, limit: int, timeout: float = 30.0, longest: float = 1800.0, loopback: bool = False
) -> None:
    """Downloads a URL to a file; an interrupted transfer starts again, with three tries in all.

    Args:
        url: https, and so must be all its redirects.
        target: the file; after an error it does not exist.
        limit: most bytes to accept.
        timeout: seconds without a byte after which a transfer counts as interrupted.
        longest: seconds for all tries together.
        loopback: for tests, allows plain http from 127.0.0.1 too.

    Raises:
        WeightsError: the address is not https, cannot be reached or does not serve the file; or the file is too large
            or comes too slowly.
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
    raise WeightsError(f"'{url}' is not an https address; nothing is fetched from there")


def _transfer(url: str, target: Path, limit: int, timeout: float, deadline: float, *, loopback: bool) -> None:
    with _open(url, timeout, loopback=loopback) as response:
        expected, count = response.length, 0
        try:
            with target.open("wb") as file:
                for chunk in _chunks(response):
                    count += len(chunk)
                    if max(count, expected or 0) > limit:
                        raise WeightsError(f"the file is larger than the {limit / 1e6:.1f} MB expected at most")
                    if time.monotonic() > deadline:
                        raise WeightsError(f"the file comes too slowly: {count / 1e6:.1f} MB when time was up")
                    file.write(chunk)
        except OSError as error:
            raise WeightsError(f"'{target}' cannot be written: {error.strerror}") from error
    if expected is not None and count < expected:
        raise _BrokenOffError(f"only {count} of {expected} bytes arrived")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The bytes as they arrive; `read` would wait for a whole chunk, however slowly it comes."""
    try:
        while chunk := response.read1(_CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from error


def _open(url: str, timeout: float, *, loopback: bool) -> HTTPResponse:
    check_address(url, loopback=loopback)
    opener = OpenerDirector()  # our own, because urllib's usual one also opens files and ftp
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
    except (TimeoutError, ConnectionError) as error:  # connected, and then no answer; urllib wraps a failed connection
        raise _BrokenOffError(str(error) or type(error).__name__) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a redirect to a malformed address
        reason = (error.reason if isinstance(error, URLError) else str(error)) or type(error).__name__
        raise WeightsError(f"'{urlsplit(url).hostname}' cannot be reached ({reason})") from error


class _Redirects(HTTPRedirectHandler):
    """Follows redirects to addresses that `check_address` allows."""

    def __init__(self, *, loopback: bool) -> None:
        self.loopback = loopback

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """The request for the new address."""
        check_address(newurl, loopback=self.loopback)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
