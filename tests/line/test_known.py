"""Several processes on one cache: each question is asked by one of them, and nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import pytest

from affectlm.line import ask as module
from affectlm.line import known
from affectlm.line.ask import ask
from affectlm.line.measure import Measured
from affectlm.line.question import Asking
from affectlm.store.cache import Claims, Store, clear, digest
from affectlm.testing import PlainPrompt, ScriptedLLM
from affectlm.types import Completion, Outcome, Request, Sample

QUESTIONS = 40
PROCESSES = 3


@attrs.define
class Slow:
    """Answers after a while, and writes down what it was asked."""

    log: Path
    concurrency: int = 8

    def complete_one(self, request: Request) -> Completion:
        with self.log.open("a") as file:
            file.write(f"{request.id}\n")
        time.sleep(0.2)
        return Completion(id=request.id, text="x")


def found(count: int) -> list[Measured]:
    return [Measured(Sample(f"f{number}", number / 1000, 0.0)) for number in range(count)]


def ask_slowly(folder: Path, number: int, mode: str) -> int:
    """Asks all questions once every process is there; returns how many were answered."""
    (folder / f"here {number}").touch()
    while len(list(folder.glob("here *"))) < PROCESSES:
        time.sleep(0.01)
    asking, store = Asking(prompt=PlainPrompt(), llm=Slow(folder / "log")), Store("completions", mode, folder / "cache")
    return sum(record.outcome is Outcome.OK for record in ask(found(QUESTIONS), asking, store=store))


def together(folder: Path, mode: str) -> tuple[list[int], Counter[str]]:
    """What each process answered, and how often each question was asked."""
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        answered = list(pool.map(ask_slowly, *zip(*((folder, n, mode) for n in range(PROCESSES)), strict=True)))
    return answered, Counter((folder / "log").read_text().split())


def test_processes_on_one_cache_ask_each_question_once(tmp_path: Path) -> None:
    """What one process asks, the others wait for; and nothing is left behind but one empty file."""
    answered, asked = together(tmp_path, "on")

    assert answered == [QUESTIONS] * PROCESSES
    assert (len(asked), asked.total()) == (QUESTIONS, QUESTIONS)
    beside = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".json"]
    assert [path.stat().st_size for path in beside] == [0]
    clear(tmp_path / "cache")
    assert not beside[0].exists()


def test_processes_without_a_cache_wait_for_nobody(tmp_path: Path) -> None:
    """Who finds no answers of others has no reason to wait; and the folder is not made."""
    answered, asked = together(tmp_path, "off")

    assert answered == [QUESTIONS] * PROCESSES
    assert asked.total() == QUESTIONS * PROCESSES
    assert not (tmp_path / "cache").exists()


def claim_all(root: Path) -> None:
    """Claims every question that `found` asks, and sleeps."""
    llm = Holding(root / "claimed")
    list(ask(found(3), Asking(prompt=PlainPrompt(), llm=llm), store=Store("completions", root=root)))


@attrs.define
class Holding:
    """Takes questions and never answers."""

    ready: Path

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        yield from ()
        for _ in requests:
            pass
        self.ready.touch()
        time.sleep(600)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Any]:
    """A process that has claimed all questions and answers none."""
    process = get_context("spawn").Process(target=claim_all, args=(tmp_path,))
    process.start()
    while not (tmp_path / "claimed").exists():
        assert process.is_alive()
        time.sleep(0.02)
    yield process
    process.kill()
    process.join()


def test_a_killed_process_holds_nobody_up(tmp_path: Path, holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system lets go of what it claimed; until then nothing is asked twice."""
    llm = ScriptedLLM(["x"])
    waits = []

    def wait(_: float) -> None:
        waits.append(len(llm.asked))
        if len(waits) == 3:
            holder.kill()
            holder.join()

    monkeypatch.setattr("affectlm.line.ask.time.sleep", wait)

    records = list(ask(found(3), Asking(prompt=PlainPrompt(), llm=llm), store=Store("completions", root=tmp_path)))

    assert [record.answer for record in records] == ["x"] * 3
    assert waits[:3] == [0, 0, 0]


def test_a_stopped_process_is_not_waited_for_without_end(
    tmp_path: Path, holder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps its claims; after a while the question is asked all the same."""
    os.kill(holder.pid, signal.SIGSTOP)
    monkeypatch.setattr(known, "PATIENCE", 0.3)
    begin = time.monotonic()

    monkeypatch.setattr(module, "LOOKS_PER_NOTICE", 2)
    asking = Asking(prompt=PlainPrompt(), llm=ScriptedLLM(["x"]))
    told: list[str] = []
    records = list(ask(found(3), asking, store=Store("completions", root=tmp_path), notice=told.append))

    assert [record.answer for record in records] == ["x"] * 3
    assert "waiting for another process that asks 3 of the same questions" in told
    assert 0.3 < time.monotonic() - begin < 30


def test_a_claim_that_cannot_be_made_is_granted(tmp_path: Path) -> None:
    """Where nothing can be locked, each process makes what it needs."""
    (tmp_path / "file").touch()
    claims = Claims(tmp_path / "file" / "completions.lock")

    assert claims.take(digest(1))
    claims.release(digest(1))
    claims.close()
