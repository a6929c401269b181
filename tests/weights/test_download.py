"""Downloads from a real server on this machine: whole files or none, from addresses that may be asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import attrs
import pytest

from affectlm.errors import WeightsError
from affectlm.weights.download import TRIES, check_address, download

CONTENT = bytes(range(256)) * 1000
Answer = Callable[[BaseHTTPRequestHandler], None]


@attrs.define
class Server:
    """A server whose answers a test writes, one for each request; the last is repeated."""

    address: str
    answers: list[Answer] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        self.answers[min(len(self.asked), len(self.answers)) - 1](request)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            try:
                told.answer(self)
            except OSError:
                return  # the client has gone

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Server(f"http://127.0.0.1:{http.server_port}")
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    http.shutdown()
    thread.join()
    http.server_close()


def reply(status: int = 200, content: bytes = CONTENT, *, length: int | None = None, **headers: str) -> Answer:
    """An answer with a length that may not be true; -1 tells none."""

    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        if length != -1:
            request.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return send


def drip(pause: float) -> Answer:
    """An answer that arrives byte by byte."""

    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT)))
        request.end_headers()
        for byte in CONTENT[:200]:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            time.sleep(pause)

    return send


def fetch(server: Server, target: Path, path: str = "/file", **options: float) -> None:
    download(server.address + path, target, limit=int(options.pop("limit", 10**6)), loopback=True, **options)


def test_a_file_arrives_whole(server: Server, tmp_path: Path) -> None:
    """Byte for byte, in one request."""
    server.answers = [reply()]

    fetch(server, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == ["/file"]


def test_a_file_of_untold_length_arrives_too(server: Server, tmp_path: Path) -> None:
    """The end of the connection is its end; the digest tells whether it was the right one."""
    server.answers = [reply(length=-1)]

    fetch(server, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_transfer_that_breaks_off_begins_anew(server: Server, tmp_path: Path) -> None:
    """What came the first time is no part of the file."""
    server.answers = [reply(content=b"x" * 99, length=len(CONTENT)), reply()]

    fetch(server, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_transfer_that_always_breaks_off_leaves_nothing(server: Server, tmp_path: Path) -> None:
    """No part of a file may be taken for the whole."""
    server.answers = [reply(content=CONTENT[:99], length=len(CONTENT))]

    with pytest.raises(WeightsError, match=f"broke off 3 times.*only 99 of {len(CONTENT)} bytes arrived"):
        fetch(server, tmp_path / "file")
    assert len(server.asked) == TRIES
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_falls_silent_is_given_up(server: Server, tmp_path: Path) -> None:
    """Within the timeout, each of three times."""
    server.answers = [drip(1)]
    begin = time.monotonic()

    with pytest.raises(WeightsError, match=r"broke off 3 times.*timed out"):
        fetch(server, tmp_path / "file", timeout=0.1)
    assert time.monotonic() - begin < 60  # a guard against waiting without end
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_accepts_and_does_not_answer_is_asked_again(server: Server, tmp_path: Path) -> None:
    """A hung-up connection is a broken transfer, whether or not a first byte came."""
    server.answers = [lambda request: request.connection.close(), reply()]

    fetch(server, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_file_that_drips_in_is_given_up(server: Server, tmp_path: Path) -> None:
    """No single byte takes too long, all of them together do."""
    server.answers = [drip(0.01)]
    begin = time.monotonic()

    with pytest.raises(WeightsError, match="too slowly"):
        fetch(server, tmp_path / "file", timeout=1, longest=0.3)
    assert time.monotonic() - begin < 60  # a guard against waiting without end
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [None, -1])
def test_more_than_the_limit_is_not_taken(server: Server, tmp_path: Path, length: int | None) -> None:
    """Whether the server says so at once or not."""
    server.answers = [reply(length=length)]

    with pytest.raises(WeightsError, match=r"larger than the 0\.1 MB"):
        fetch(server, tmp_path / "file", limit=100_000)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    """A server's refusal is no broken transfer."""
    server.answers = [reply(404, b"no such file")]

    with pytest.raises(WeightsError, match="the server answers 404 Not Found"):
        fetch(server, tmp_path / "file")
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    """GitHub's raw files lie on another host."""
    server.answers = [reply(302, b"", Location="/other"), reply()]

    fetch(server, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == ["/file", "/other"]


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/file", "http://localhost/file", "http://example.org/file"]
)
def test_a_redirect_to_anything_but_https_is_refused(server: Server, tmp_path: Path, target: str) -> None:
    """A server must not choose a worse way, or a file of this machine."""
    server.answers = [reply(302, b"", Location=target)]

    with pytest.raises(WeightsError, match=r"is not allowed|is not an https address"):
        fetch(server, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_redirects_in_a_circle_end(server: Server, tmp_path: Path) -> None:
    """After ten of them."""
    server.answers = [reply(302, b"", Location="/file")]

    with pytest.raises(WeightsError, match="the server answers 302") as caught:
        fetch(server, tmp_path / "file")
    assert len(server.asked) <= 11
    assert "\n" not in str(caught.value)


def test_a_redirect_to_no_address_at_all_is_an_error_of_one_sentence(server: Server, tmp_path: Path) -> None:
    """Whatever a server says."""
    server.answers = [reply(302, b"", Location="https://[")]

    with pytest.raises(WeightsError, match="cannot be reached"):
        fetch(server, tmp_path / "file")


def test_a_dead_host_is_named(tmp_path: Path) -> None:
    """Without a second try."""
    with pytest.raises(WeightsError, match=r"'127\.0\.0\.1' cannot be reached"):
        download("http://127.0.0.1:9/file", tmp_path / "file", limit=1, loopback=True)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [("http://127.0.0.1/x", False), ("http://example.org/x", True), ("file:///x", True), ("/x", False)],
)
def test_only_https_addresses_are_asked(url: str, loopback: bool, tmp_path: Path) -> None:
    """Plain http is for tests, and for this machine only."""
    with pytest.raises(WeightsError, match="is not an https address"):
        download(url, tmp_path / "file", limit=1, loopback=loopback)


def test_an_https_address_is_fine() -> None:
    """The usual case."""
    check_address("https://github.com/x")
