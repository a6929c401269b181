"""A server on loopback that speaks OpenAI's chat completions, and misbehaves as it is told.

As a process of its own, for measurements: `python tests/loopback.py --port 8000 --latency 0.2`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeAlias

Json: TypeAlias = Mapping[str, object]
_GREETING = "It looks calm."


def reply(text: str | None = _GREETING, *, finish: str | None = "stop", **message: object) -> dict[str, object]:
    """The body of a chat completion; further names go into its message."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "loopback-1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
    }


def failure(message: str = "something is wrong", **error: object) -> dict[str, object]:
    """The body of an error as OpenAI writes it."""
    return {"error": {"message": message, "type": "error", "param": None, "code": None, **error}}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens to one request; times are in seconds."""

    status: int = 200
    body: Json | bytes = field(default_factory=reply)
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0  # before the first byte
    drip: float = 0.0  # between bytes
    drip_headers: bool = False  # the headers drip too
    reset: int | None = None  # breaks the connection after so many bytes of the body; -1: before the first header
    endless: bool = False  # the body is repeated without end


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]  # names in lower case
    content: bytes
    at: float  # time.monotonic()

    @property
    def body(self) -> dict[str, object]:
        """The content, read as JSON."""
        found: dict[str, object] = json.loads(self.content)
        return found


Behaviour: TypeAlias = Callable[[int, Mapping[str, object]], Plan]


def _well(_: int, __: Json) -> Plan:
    return Plan()


class LoopbackServer:
    """A real HTTP/1.1 server in a thread of its own, for any number of connections.

    `behaviour(number, body)` gives the `Plan` for each request, numbered from 0 in order of arrival; the server's
    thread calls it for one at a time, so it must not block. Without it, every request gets the same good reply.

        with LoopbackServer(lambda number, body: Plan(status=429) if number == 0 else Plan()) as server:
            ...  # ask server.url
        assert len(server.requests) == 2

    With `late`, connections are refused for that many seconds; the port is its own from the beginning.

    Attributes:
        url: what `base_url` takes.
        requests: what came in, in order.
        peak: the most requests that were under way at once.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        latency: float = 0.0,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        late: float = 0.0,
        keep: bool = True,
    ) -> None:
        self.behaviour, self.latency, self.late, self.keep = behaviour or _well, latency, late, keep
        self.requests: list[Received] = []
        self.count = self.now = self.peak = 0
        self.connections: set[_Connection] = set()
        self.fixed = _head(200, {}, _GOOD) + _GOOD if behaviour is None else None
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._serving = threading.Event()
        self._socket = socket.socket()  # refuses connections until it listens
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self) -> LoopbackServer:
        self._thread.start()
        if not self.late:
            self._serving.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def serve(self) -> None:
        """Serves until the loop is stopped."""
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._listen())
        self._serving.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for connection in list(self.connections):
                connection.transport.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _listen(self) -> asyncio.Server:
        await asyncio.sleep(self.late)
        return await self._loop.create_server(
            lambda: _Connection(self, self._loop), sock=self._socket, ssl=self._tls, backlog=1024
        )


class _Connection(asyncio.Protocol):
    """One client; its requests are answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, server: LoopbackServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server, self._loop = server, loop
        self._buffer = b""
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._server.connections.discard(self)
        self._done()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer[:1].isalpha():
            self._next()
        else:  # no HTTP, as the first words of TLS
            self.transport.write(_head(400, {}, None))
            self.transport.close()

    def _next(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if self._busy or end < 0:
            return
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        whole = end + 4 + int(headers.get("content-length", "0"))
        if len(self._buffer) < whole:
            return
        content, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
        self._busy = True
        self._answer(Received(first.split(" ")[1], headers, content, time.monotonic()))

    def _answer(self, received: Received) -> None:
        server = self._server
        number, server.count = server.count, server.count + 1
        server.now += 1
        server.peak = max(server.peak, server.now)
        if server.keep:
            server.requests.append(received)
        if server.fixed is not None:
            self._later(server.latency, self._write, server.fixed)
            return
        try:
            body = json.loads(received.content or b"{}")
        except ValueError:
            body = {}
        plan = server.behaviour(number, body)
        self._later(server.latency + plan.delay, self._begin, plan)

    def _later(self, seconds: float, what: Callable[..., None], *values: object) -> None:
        if seconds:
            self._loop.call_later(seconds, what, *values)
        else:
            what(*values)

    def _begin(self, plan: Plan) -> None:
        body = plan.body if isinstance(plan.body, bytes) else json.dumps(plan.body).encode()
        head = _head(plan.status, plan.headers, None if plan.endless else body)
        if plan.reset is not None:
            self._break(b"" if plan.reset < 0 else head + body[: plan.reset])
        elif plan.endless:
            self.transport.write(head)
            self._repeat(body)
        elif not plan.drip:
            self._write(head + body)
        elif plan.drip_headers:
            self._drip(head + body, 0, plan.drip)
        else:
            self.transport.write(head)
            self._drip(body, 0, plan.drip)

    def _write(self, content: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(content)
        self._done()
        self._next()

    def _drip(self, content: bytes, place: int, seconds: float) -> None:
        if self.transport.is_closing():
            return
        if place + 1 >= len(content):
            self._write(content[place:])
            return
        self.transport.write(content[place : place + 1])
        self._loop.call_later(seconds, self._drip, content, place + 1, seconds)

    def _repeat(self, content: bytes) -> None:
        if not self.transport.is_closing():
            if self.transport.get_write_buffer_size() < 1 << 20:
                self.transport.write(content)
            self._loop.call_later(0.0005, self._repeat, content)

    def _break(self, content: bytes) -> None:
        """Sends what is given and a reset (RST) instead of an end."""
        raw = self.transport.get_extra_info("socket")
        self.transport.write(content)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._loop.call_later(0.05, self.transport.abort)

    def _done(self) -> None:
        self._server.now -= self._busy
        self._busy = False


def _head(status: int, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The head of an answer; without a body it has no length, and the end of the connection would end it."""
    given = {"Content-Type": "application/json"}
    given |= {"Connection": "close"} if body is None else {"Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (given | dict(headers)).items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode()


_GOOD = json.dumps(reply()).encode()


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description="A chat completion server that always gives the same reply.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    words = parser.parse_args()
    server = LoopbackServer(latency=words.latency, port=words.port, keep=False)
    print(server.url, flush=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        print(f"{server.count} requests, at most {server.peak} at once")


if __name__ == "__main__":
    main()
