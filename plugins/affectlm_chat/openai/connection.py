"""The line to a service: the SDK's client, within a time and a size for each request, and without its exceptions.

Imported with the first request, for the SDK takes its time to load.
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
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpcore2
import httpx2
import openai

from affectlm.errors import AccessError, AffectlmError, TransientError
from affectlm_chat.openai.service import is_local

STARTING = 2.0  # seconds
MOST_BYTES = 16_000_000  # of one reply; what is larger is no answer to a question of ours
_OVER = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # the connection ended, as it may without encryption


class _RefusedError(TransientError):
    """Nobody listens at the address."""


class OversizeError(AffectlmError):
    """A reply is larger than any answer could be."""


@attrs.frozen
class Reply:
    """What a service sent back."""

    status: int
    headers: Mapping[str, str]  # asked for in lower case
    content: bytes = attrs.field(repr=False)


class Line:
    """A connection to one service, for several threads at once; each request is sent once."""

    def __init__(
        self, base_url: str, key: str | None, *, timeout: float, connections: int, plain: bool, remedy: str
    ) -> None:
        """`plain` leaves out what the SDK's own variables add to requests to OpenAI.

        `remedy` says what to do about a server on this machine that does not answer.
        """
        self._base_url, self._timeout, self._remedy = base_url, timeout, remedy
        self._answered = False
        # Stand-ins for keys, as "none" or "ollama", are no secret and may well be part of a reply.
        least = 12 if key and (key.isalpha() or key.isdigit()) else 6
        self._secret = key.encode() if key and len(key) >= least else b""
        # Redirects are not followed: they might carry the key elsewhere.
        http = httpx2.Client(
            transport=_Transport(base_url, timeout=timeout, connections=connections),
            timeout=timeout,
            headers={"Accept-Encoding": "identity"},
        )
        weakref.finalize(self, http.close)
        make = _PlainClient if plain else openai.OpenAI
        self._client = make(api_key=key or "none", base_url=base_url, timeout=timeout, max_retries=0, http_client=http)
        self._headers: dict[str, str | openai.Omit] = {"Content-Type": "application/json"}
        if not key:
            self._headers["Authorization"] = openai.omit

    def post(self, path: str, content: bytes) -> Reply:
        """The service's reply, whatever its status; where it repeats the key, there are stars instead.

        A server on this machine that has not answered yet is waited for, as long as it may take to open its port.

        Raises:
            TransientError: no connection, a broken one, or no reply in time.
            AccessError: the encryption cannot be agreed on, or no server on this machine was started.
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
        failed: AffectlmError
        try:
            # The model class of a completion would cost as much time as everything else together.
            response = self._client.post(
                path, content=content, cast_to=httpx2.Response, options={"headers": self._headers}
            )
        except openai.APIStatusError as error:
            response = error.response
        except AffectlmError:
            raise
        except Exception as error:  # of the SDK and of what it stands on
            failed = self._failure(error)
            response = None
        if response is None:  # raised here, so that no SDK error with its request hangs on it
            raise failed
        return Reply(response.status_code, response.headers, self._starred(response.content))

    def _starred(self, content: bytes) -> bytes:
        return content.replace(self._secret, b"***") if self._secret else content

    def _failure(self, error: Exception) -> AffectlmError:
        if isinstance(error, openai.APITimeoutError):
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


class _PlainClient(openai.OpenAI):
    """The SDK's client without the headers of OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS."""

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        """What every request carries."""
        return {"Accept": "application/json", "User-Agent": self.user_agent}


class _Allowance(threading.local):
    """What the request of a thread may still take."""

    until: float = math.inf
    left: int = MOST_BYTES

    def seconds(self) -> float:
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise httpcore2.ReadTimeout("the time for this request is over")
        return min(seconds, threading.TIMEOUT_MAX)

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise OversizeError(f"the reply is larger than {MOST_BYTES / 1e6:.0f} MB")


class _Transport(httpx2.HTTPTransport):
    """Connections whose requests have a time for everything together, however slowly bytes drip in."""

    def __init__(self, base_url: str, *, timeout: float, connections: int) -> None:
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        try:
            super().__init__(limits=limits, proxy=_proxy(base_url))
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            raise AccessError(
                f"the proxy of this machine cannot be used ({type(error).__name__}); give HTTPS_PROXY an address as "
                f"http://HOST:PORT, or set NO_PROXY={urlsplit(base_url).hostname}"
            ) from None
        self._timeout, self._allowance = timeout, _Allowance()
        # httpx2 hands no backend on to its pool.
        self._pool._network_backend = _Backend(self._allowance)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response, whose body is still to be read by the same thread."""
        self._allowance.until, self._allowance.left = time.monotonic() + self._timeout, MOST_BYTES
        response = super().handle_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":  # may unfold to any size
            response.close()
            raise AccessError("the service compresses its replies though it was asked not to; choose another")
        return response


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


def _proxy(base_url: str) -> str | None:
    """The proxy this machine asks for, or None; nobody else's machine stands between this one and itself."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if is_local(host) or urllib.request.proxy_bypass(host):
        return None
    found = urllib.request.getproxies()
    proxy = found.get(parts.scheme) or found.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _reason(chain: list[BaseException]) -> str:
    """What happened, as the system says it; nothing of the request is in it."""
    for error in chain:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is refused: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return f"{error.reason or type(error).__name__}".lower().replace("_", " ")
        if isinstance(error, socket.gaierror):
            return "there is no such host, or no network"
        if isinstance(error, OSError) and error.strerror:
            return error.strerror.lower()
    if any(isinstance(error, httpx2.RemoteProtocolError) for error in chain):
        return "the connection ended before the reply did"
    return type(chain[0] if len(chain) == 1 else chain[1]).__name__
