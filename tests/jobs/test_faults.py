"""Whole runs against a server on loopback that misbehaves: the scores of a clean run, or a clear stop."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import affectlm
from affectlm.errors import AffectlmError, RunFolderError
from affectlm.jobs.doctor import examine
from affectlm.store.records import RECORDS, REPORT, read_records, read_report
from tests.conftest import Command
from tests.loopback import Json, LoopbackServer, Plan, Received, failure, reply

COMMAND = [sys.executable, "-m", "affectlm"]
KEY = "sk-test-7d1f0c"
LABELS = ("anger", "fear", "happiness", "sadness")
RATED = 24


@pytest.fixture(autouse=True)
def _environment(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)


def rate(path: Path, count: int) -> Path:
    """Writes a manifest of rated faces, no two alike."""
    points = np.random.default_rng(0).uniform(-1, 1, (count, 2))
    lines = [f"p{number},{v:.4f},{a:.4f},{LABELS[number % 4]}" for number, (v, a) in enumerate(points)]
    path.write_text("\n".join(["id,valence,arousal,label", *lines]))
    return path


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """A manifest of as many faces as most tests ask about."""
    return rate(tmp_path / "ratings.csv", RATED)


def words(ratings: Path, server: LoopbackServer, *more: str) -> list[str]:
    return [
        *("+experiment=basic", "dataset=manifest", f"dataset.path={ratings}", "style=numbers"),
        *("prompt.decimals=4", "llm=openai", "llm.model=loopback-1", f"llm.base_url={server.url}", *more),
    ]


def question(body: Any) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else next(part["text"] for part in content if part["type"] == "text")


def good(body: Any) -> Plan:
    """A reply that depends on the question alone."""
    number = int(hashlib.sha256(question(body).encode()).hexdigest(), 16)
    return Plan(body=reply(LABELS[number % 4]))


def faulty(plan: Plan) -> Any:
    """A server that fails each third question the first time it is asked."""
    asked: Counter[str] = Counter()

    def behaviour(_: object, body: Any) -> Any:
        asked[question(body)] += 1
        fails = int(hashlib.sha256(question(body).encode()).hexdigest(), 16) % 3 == 0
        return plan if fails and asked[question(body)] == 1 else good(body)

    return behaviour


def accuracy(report: Any) -> tuple[float, dict[str, int]]:
    return report.score("accuracy").value, report.outcomes


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[float, dict[str, int]]:
    """What a run against a faultless server gives."""
    folder = tmp_path_factory.mktemp("clean")
    with LoopbackServer(lambda _, body: good(body)) as server:
        line = words(rate(folder / "ratings.csv", RATED), server, "cache=off", f"hydra.run.dir={folder / 'run'}")
        return accuracy(affectlm.run(*line))


FAULTS = {
    "429": Plan(status=429, body=failure("slow down")),
    "429 with Retry-After": Plan(status=429, body=failure("slow down"), headers={"Retry-After": "1"}),
    "500": Plan(status=500, body=failure()),
    "503 without a body": Plan(status=503, body=b""),
    "reset mid-body": Plan(reset=20),
    "reset before the first byte": Plan(reset=-1),
    "slow drip": Plan(drip=0.5),
    "timeout": Plan(delay=30),
    "malformed JSON": Plan(body=b'{"choices": [{'),
    "empty choices": Plan(body={**reply(), "choices": []}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_leaves_no_trace(ratings: Path, clean: tuple[float, dict[str, int]], fault: str) -> None:
    """The run ends with the scores of a clean one."""
    with LoopbackServer(faulty(FAULTS[fault])) as server:
        report = affectlm.run(*words(ratings, server, "llm.timeout=2"), "cache=off")

    assert accuracy(report) == clean
    assert RATED < len(server.requests) < 2 * RATED


def test_a_server_that_is_late_is_waited_for(ratings: Path) -> None:
    """Connections are refused for a second, then all is well."""
    with LoopbackServer(lambda _, body: good(body), late=1.0) as server:
        report = affectlm.run(*words(ratings, server), "cache=off")

    assert report.outcomes == {"ok": RATED}


@pytest.mark.parametrize(("status", "named"), [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "loopback-1")])
def test_what_stays_wrong_stops_the_run_at_once(ratings: Path, status: int, named: str) -> None:
    """The variable or the model is named, the key never; nothing is asked a second time."""
    plan = Plan(status=status, body=failure(f"Incorrect API key provided: {KEY}"))
    with LoopbackServer(lambda *_: plan) as server, pytest.raises(AffectlmError, match=named) as caught:
        affectlm.run(*words(ratings, server, "llm.concurrency=4"))

    assert KEY not in str(caught.value)
    assert len(server.requests) <= 8


OUTCOMES = {
    "content filter": (Plan(body=reply("", finish="content_filter")), "refused"),
    "refusal": (Plan(body=reply(None, refusal="I cannot help with that.")), "refused"),
    "length": (Plan(body=reply("The person", finish="length")), "truncated"),
    "null content": (Plan(body=reply(None)), "unparseable"),
    "bad request": (Plan(status=400, body=failure("bad request")), "api_error"),
    "1 MB reply": (Plan(body=reply("word " * 200_000)), "unparseable"),
    "lone surrogates": (
        Plan(body=b'{"choices":[{"message":{"content":"\\ud800"},"finish_reason":"stop"}]}'),
        "unparseable",
    ),
    "sympathy": (Plan(body=reply("I'm sorry to hear that. Sadness.")), "ok"),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_every_reply_becomes_an_outcome(ratings: Path, case: Any) -> None:
    """Whatever comes back is counted, and the run goes on."""
    plan, outcome = OUTCOMES[case]
    first = []

    def behaviour(_: object, body: Any) -> Any:
        first.append(question(body))
        return plan if question(body) == first[0] else good(body)

    with LoopbackServer(behaviour) as server:
        report = affectlm.run(*words(ratings, server))

    assert report.outcomes == dict(Counter(["ok"] * (RATED - 1) + [outcome]))
    assert len(server.requests) == RATED


def test_no_file_and_no_output_holds_the_key(ratings: Path, tmp_path: Path, command: Command) -> None:
    """Neither records nor reports, configuration, cache or messages."""
    calls: Counter[str] = Counter()

    def behaviour(_: int, body: Json) -> Plan:
        calls["all"] += 1
        return Plan(status=400, body=failure(f"key {KEY} is odd")) if calls["all"] % 5 == 0 else good(body)

    with LoopbackServer(behaviour) as server:
        done = command(*words(ratings, server, "hydra.run.dir=run"))

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert done.returncode == 0, done.stderr
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert len(files) > RATED
    assert KEY not in done.stdout + done.stderr
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_a_killed_run_asks_again_only_what_was_under_way(ratings: Path, tmp_path: Path) -> None:
    """Every answer that had come in is kept, however the process ended."""
    most = 4
    with LoopbackServer(lambda _, body: good(body), latency=0.15) as server:
        line = words(ratings, server, f"llm.concurrency={most}", "hydra.run.dir=run")
        first = subprocess.Popen([*COMMAND, *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(server.requests) < RATED // 2 and first.poll() is None:
            time.sleep(0.01)
        first.kill()
        first.wait()
        before = len(server.requests)
        affectlm.run(*line)

    assert RATED // 2 <= before < RATED
    assert len(server.requests) <= RATED + most
    assert sorted(record.id for record in read_records(tmp_path / "run")) == sorted(f"p{n}" for n in range(RATED))


def test_a_second_run_asks_nothing(ratings: Path) -> None:
    """Not even once."""
    with LoopbackServer(lambda _, body: good(body)) as server:
        first = affectlm.run(*words(ratings, server))
        asked = len(server.requests)
        second = affectlm.run(*words(ratings, server))

    assert (asked, len(server.requests)) == (RATED, RATED)
    assert accuracy(first) == accuracy(second)
    assert second.usage["cache_hits"] == RATED


def messages(received: Received) -> list[dict[str, Any]]:
    """What a request asks."""
    found: Any = received.body["messages"]
    return list(found)


def shown(server: LoopbackServer) -> list[bytes]:
    """The pictures that a server was sent."""
    parts = [
        part
        for received in server.requests
        for message in messages(received)
        if not isinstance(message["content"], str)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    return [base64.b64decode(part["image_url"]["url"].partition("base64,")[2]) for part in parts]


@pytest.mark.parametrize("send", [False, True])
def test_a_picture_leaves_the_machine_by_consent_only(pictures: Path, send: bool) -> None:
    """Without privacy.send_images=true no request holds anything but text; with it, the crop alone."""
    line = [str(pictures), "detector=whole", "estimator=constant", "llm=openai", "llm.model=loopback-1"]
    with LoopbackServer() as server:
        affectlm.run(*line, f"llm.base_url={server.url}", f"privacy.send_images={str(send).lower()}")

    found = shown(server)
    if not send:
        assert found == []
        assert all(isinstance(message["content"], str) for got in server.requests for message in messages(got))
        assert all(b"image" not in got.content and b"PNG" not in got.content for got in server.requests)
        return
    sent = {PIL.Image.open(io.BytesIO(content)).tobytes() for content in found}
    kept = {PIL.Image.open(path).convert("RGB").tobytes() for path in pictures.iterdir()}
    assert sent == kept


ENDINGS = ((signal.SIGTERM, 130), (signal.SIGKILL, -9), (signal.SIGHUP, 130), (signal.SIGKILL, -9))


def test_a_limit_holds_however_often_and_however_a_run_is_ended(tmp_path: Path, command: Command) -> None:
    """What is asked is on disk before it is asked: with all endings, there are no more than thirty questions."""
    many = rate(tmp_path / "many.csv", 200)

    with LoopbackServer(lambda _, body: Plan(body=reply("fear"), delay=0.3)) as server:
        line = words(many, server, "max_requests=30", "llm.concurrency=2", "cache=off", "hydra.run.dir=run")
        for number, status in ENDINGS:
            before = len(server.requests)
            process = subprocess.Popen([*COMMAND, *line], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            while len(server.requests) < before + 3 and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(number)
            said = process.communicate(timeout=60)[1]

            assert process.returncode == status, said
            if number != signal.SIGKILL:
                assert read_report(tmp_path / "run").status == "interrupted"
                assert "to continue, repeat the command" in said
        last = command(*line)

    assert len(server.requests) <= 30  # one fewer for a question that was noted and not asked yet
    assert "skipped" in last.stdout


DAMAGE = {
    "a line of brackets": (RECORDS, b"[" * 100_000 + b"\n"),
    "a line that is not a record": (RECORDS, b'{"id": 1}\n'),
    "a line of bytes": (RECORDS, b"\xff\xfe\n"),
    "an empty report": (REPORT, b""),
    "a report of brackets": (REPORT, b"[" * 100_000),
    "a report of another kind": (REPORT, b'{"config": [], "usage": null}'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_folder_is_one_sentence_for_every_command(ratings: Path, tmp_path: Path, damage: Any) -> None:
    """Continued, replayed, or looked at by the doctor: no traceback, and the file is named."""
    line = ["+experiment=basic", "dataset=manifest", f"dataset.path={ratings}"]
    folder = tmp_path / "run"
    affectlm.run(*line, "llm=circumplex", f"hydra.run.dir={folder}")
    name, content = DAMAGE[damage]
    (folder / name).write_bytes(content)

    with pytest.raises(RunFolderError, match=re.escape(f"'{folder / name}'")):
        affectlm.run(*line, "llm=circumplex", f"hydra.run.dir={folder}")
    if name == RECORDS:
        replay = [*line, "llm=replay", f"llm.path={folder}"]
        with pytest.raises(AffectlmError, match=f"line 1 of '{folder / name}' is not a record"):
            affectlm.run(*replay, f"hydra.run.dir={tmp_path / 'again'}")
        missing = [row["detail"] for row in examine(replay) if row["status"] == "missing"]
        assert any(f"line 1 of '{folder / name}' is not a record" in detail for detail in missing)
