"""The connection to a service: pooled, with a time and size limit per request, and with our own errors.

Imported with the first request, because the library loads slowly.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
import urllib.request
import weakref
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import attrs
import httpcore2

from affectlm.errors import AccessError, AffectlmError, TransientError
from affectlm_chat.openai.address import is_local

STARTING = 2.0  # seconds
_IDLE = 5.0  # seconds after which an unused connection is not used again
MOST_BYTES = 16_000_000  # of one reply; no answer to our questions is larger
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "content-type": "application/json",
    "user-agent": "affectlm",
}
_FAILURES = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)
_OVER = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # the connection ended; not a failure of encryption


class _RefusedError(TransientError):
    """No server listens at the address."""


class OversizeError(AffectlmError):
    """A reply is larger than any answer could be."""


@attrs.frozen
class Reply:
    """What a service sent back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    content: bytes = attrs.field(repr=False)


class Line:
    """A connection to one service, for several threads; each request is sent once."""

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        timeout: float,
        connections: int,
        headers: Mapping[str, str],
        remedy: str,
    ) -> None:
        """`headers` are sent with each request, names in lower case.

        `remedy` says what to do if a server on this machine does not answer.
        """
        self._base_url, self._timeout, self._remedy = base_url, timeout, remedy
        self._answered = False
        # Placeholders for keys, such as "none" or "ollama", are not secret and may well be part of a reply.
        least = 12 if key and (key.isalpha() or key.isdigit()) else 6
        self._secret = key.encode() if key and len(key) >= least else b""
        signed = {"authorization": f"Bearer {key}"} if key else {}
        self._headers = [(name, value.encode()) for name, value in {**_HEADERS, **signed, **headers}.items()]
        self._allowance = _Allowance()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            proxy=_proxy(base_url),
            max_connections=connections,
            keepalive_expiry=_IDLE,
            network_backend=_Backend(self._allowance),
        )
        weakref.finalize(self, self._pool.close)

    def post(self, path: str, content: bytes) -> Reply:
        """The service's reply, whatever its status; if it repeats the key, there are stars instead.

        A server on this machine that has never answered gets some seconds to open its port.

        Raises:
            TransientError: no connection, a broken one, or no reply in time.
            AccessError: encryption failed, or no server was started on this machine.
            OversizeError: the reply is larger than `MOST_BYTES`.
        """
        until = time.monotonic() + STARTING
        while True:
            try:
                reply = self._post(path, content)
            except _RefusedError:
                if self._answered or not is_local(urlsplit(self._base_url).hostname or ""):
                    raise
                if time.monotonic() >= until:
                    raise AccessError(f"nothing answers at '{self._base_url}'; {self._remedy}") from None
                time.sleep(0.1)
            else:
                self._answered = True
                return reply

    def _post(self, path: str, content: bytes) -> Reply:
        try:
            return self._exchange(path, content)
        except (*_FAILURES, OSError) as error:
            failed = self._failure(error)
        raise failed  # outside the except block, so that no error with the request is attached

    def _exchange(self, path: str, content: bytes) -> Reply:
        self._allowance.begin(self._timeout)
        url, waiting = _ascii(self._base_url + path), {"timeout": {"pool": self._timeout}}
        # Redirects are not followed: they might carry the key elsewhere.
        with self._pool.stream("POST", url, headers=self._headers, content=content, extensions=waiting) as response:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            if headers.get("content-encoding", "identity") != "identity":  # may decompress to any size
                raise AccessError("the service compresses its replies although it was asked not to; choose another")
            return Reply(response.status, headers, self._starred(response.read()))

    def _starred(self, content: bytes) -> bytes:
        return content.replace(self._secret, b"***") if self._secret else content

    def _failure(self, error: Exception) -> AffectlmError:
        if isinstance(error, httpcore2.TimeoutException):
            return TransientError(f"no reply from '{self._base_url}' within {self._timeout:g} s")
        chain = list(_causes(error))
        if any(isinstance(each, ConnectionRefusedError) for each in chain):
            return _RefusedError(f"no answer from '{self._base_url}': {_reason(chain)}")
        if any(isinstance(each, ssl.SSLError) and not isinstance(each, _OVER) for each in chain):
            return AccessError(
                f"no encrypted connection to '{self._base_url}' ({_reason(chain)}); check the address in llm.base_url "
                "and the certificate"
            )
        return TransientError(f"no answer from '{self._base_url}': {_reason(chain)}")


class _Allowance(threading.local):
    """The time and bytes that are left for the request of a thread."""

    until: float = math.inf
    left: int = MOST_BYTES

    def begin(self, seconds: float) -> None:
        self.until, self.left = time.monotonic() + seconds, MOST_BYTES

    def seconds(self) -> float:
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise httpcore2.ReadTimeout("the time for this request is over")
        return min(seconds, threading.TIMEOUT_MAX)

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise OversizeError(f"the reply is larger than {MOST_BYTES / 1e6:.0f} MB")


class _Backend(httpcore2.SyncBackend):
    def __init__(self, allowance: _Allowance) -> None:
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        seconds = self._allowance.seconds()
        return _Stream(super().connect_tcp(host, port, seconds, local_address, socket_options), self._allowance)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, allowance: _Allowance) -> None:
        self._inner, self._allowance = inner, allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, self._allowance.seconds())
        self._allowance.take(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._allowance.seconds())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        seconds = self._allowance.seconds()
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, seconds), self._allowance)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _proxy(base_url: str) -> httpcore2.Proxy | None:
    """The proxy that this machine's settings name, or None; always None for services on this machine.

    Raises:
        AccessError: the address of the proxy cannot be used.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if is_local(host) or urllib.request.proxy_bypass(host):
        return None
    found = urllib.request.getproxies()
    address = found.get(parts.scheme) or found.get("all")
    if not address:
        return None
    try:
        return _read_proxy(address if "://" in address else f"http://{address}")
    except ValueError:
        raise AccessError(
            f"the proxy of this machine cannot be used; give HTTPS_PROXY an address such as http://HOST:PORT, or set "
            f"NO_PROXY={host}"
        ) from None


def _read_proxy(address: str) -> httpcore2.Proxy:
    """The proxy at an address, perhaps with name and password; raises ValueError if the address is invalid."""
    parts = urlsplit(address)
    schemes = ("http", "https", "socks5", "socks5h") if find_spec("socksio") else ("http", "https")
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:  # an invalid port raises ValueError
        raise ValueError("not a proxy")
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username).encode(), unquote(parts.password or "").encode())
    return httpcore2.Proxy(_ascii(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"), auth)


def _ascii(address: str) -> str:
    """An address in ASCII, as it is sent.

    >>> _ascii("https://bücher.example:8080/v1/größe")
    'https://xn--bcher-kva.example:8080/v1/gr%C3%B6%C3%9Fe'
    """
    parts = urlsplit(address)
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~")
    return f"{parts.scheme}://{parts.netloc.encode('idna').decode()}{path}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _reason(chain: list[BaseException]) -> str:
    """What happened, in the system's words, without anything from the request."""
    for error in chain:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is refused: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return f"{error.reason or type(error).__name__}".lower().replace("_", " ")
        if isinstance(error, socket.gaierror):
            return "there is no such host, or no network"
        if isinstance(error, OSError) and error.strerror:
            return error.strerror.lower()
    if any(isinstance(error, httpcore2.RemoteProtocolError) for error in chain):
        return "the connection ended before the reply did"
    return type(chain[0]).__name__
