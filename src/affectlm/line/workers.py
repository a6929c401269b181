"""Sends many requests at once to a language model that takes one at a time, and retries if that may help."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from queue import Empty, SimpleQueue
from typing import TypeAlias

import attrs

from affectlm.errors import AffectlmError, BusyError, ContractError, TransientError
from affectlm.line.pace import MOST, SILENCE, Pace, Patience
from affectlm.types import Completion, ConcurrentLLM, Request, SingleLLM

Notice: TypeAlias = Callable[[str], None]
READY_SHARE = 8  # one more request is kept ready for this many open ones


def silent(sentence: str) -> None:
    """Ignores a notice."""


@attrs.define(order=True)
class _Task:
    due: float
    number: int
    request: Request = attrs.field(order=False)
    attempt: int = attrs.field(default=1, order=False)
    begun: float = attrs.field(default=0.0, order=False)
    reason: str = attrs.field(default="not asked yet", order=False)  # why it is to be asked again


_Result: TypeAlias = tuple[_Task, Completion | BaseException]


class _Workers:
    """Threads that send requests; they end with the process, so that Ctrl-C does not wait for replies."""

    def __init__(self, llm: SingleLLM) -> None:
        self._llm = llm
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._results: SimpleQueue[_Result] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self.allowed = 0  # threads, which is also the number of requests that wait for a reply
        self.under_way = 0  # tasks that a thread works on or that wait for a free thread

    def start(self, task: _Task) -> None:
        self.under_way += 1
        self._tasks.put(task)
        with self._lock:
            if self._threads < min(self.allowed, self.under_way):
                threading.Thread(target=self._work, daemon=True).start()
                self._threads += 1

    def recall(self) -> Iterator[_Task]:
        """Takes back the tasks that no thread has begun."""
        while True:
            try:
                task = self._tasks.get_nowait()
            except Empty:
                return
            if task is not None:
                self.under_way -= 1
                yield task

    def wait(self, seconds: float | None) -> _Result | None:
        """The next result, or None if there is none in that time."""
        try:
            result = self._results.get(timeout=seconds)
        except Empty:
            return None
        self.under_way -= 1
        return result

    def dismiss(self) -> None:
        list(self.recall())
        for _ in range(self._threads):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.begun = time.monotonic()
            try:
                self._results.put((task, self._llm.complete_one(task.request)))
            except BaseException as error:  # goes to the caller of `wait`
                self._results.put((task, error))
            with self._lock:
                if self._threads > self.allowed:
                    self._threads -= 1
                    return


@attrs.define
class _Scheduler:
    """Decides which request is sent when, new or again, and what to do with each result."""

    workers: _Workers
    requests: Iterator[Request]
    pace: Pace
    patience: Patience
    notice: Notice
    again: list[_Task] = attrs.field(factory=list)
    pause: float = 0.0  # time until which the service asked for no requests
    more: bool = True  # whether `requests` may have more
    failures: int = 0  # requests given up since the last reply
    stop: BaseException | None = None
    until: float | None = None  # by time.monotonic(); nothing is asked again later
    _numbers: Iterator[int] = attrs.field(factory=count)

    def fill(self) -> None:
        """Starts as many requests as may be open."""
        self.workers.allowed = int(self.pace.limit)
        while self.stop is None and self.workers.under_way < self._room:
            now = time.monotonic()
            if now < self._paused_until:
                return
            if self.again and self.again[0].due <= now:
                self.workers.start(heapq.heappop(self.again))
                continue
            if not self.more or self._held >= self._room:
                return
            request = next(self.requests, None)
            if request is None:
                self.more = False
                return
            self.workers.start(_Task(now, next(self._numbers), request))

    def idle_for(self) -> float | None:
        """Seconds until something can be started; None if only a result can change that."""
        if self.stop is not None or self.workers.under_way >= self._room:
            return None
        waits = [self.again[0].due] if self.again else []
        if self.more and self._held < self._room:
            waits.append(self._paused_until)
        return max(0.0, max(min(waits), self._paused_until) - time.monotonic()) if waits else None

    @property
    def _paused_until(self) -> float:
        return self.pause if self.until is None else min(self.pause, self.until)

    @property
    def _room(self) -> int:
        """How many requests may be taken: a few more than may be open, so that no thread waits for the next."""
        return int(self.pace.limit) + int(self.pace.limit) // READY_SHARE

    @property
    def _held(self) -> int:
        """How many requests were taken but not answered, including those to be sent again."""
        return self.workers.under_way + len(self.again)

    def receive(self, task: _Task, result: Completion | BaseException) -> Completion | None:
        """The completion, or None if the request is sent again or the run must stop."""
        if isinstance(result, Completion):
            self.pace.succeeded()
            self.failures = 0
            return result
        if isinstance(result, TransientError):
            return self._postponed(task, result)
        if not isinstance(result, BaseException):
            result = ContractError(f"complete_one gave {result!r}, expected a Completion")
        self.stop = self.stop or result
        return None

    def overdue(self) -> Iterator[Completion]:
        """Completions with an error for requests that can no longer be sent again in time."""
        while self.again and self.until is not None and max(self.again[0].due, time.monotonic()) >= self.until:
            task = heapq.heappop(self.again)
            yield Completion(id=task.request.id, error=f"no time was left to ask again ({task.reason})")

    def _postponed(self, task: _Task, error: TransientError) -> Completion | None:
        now = time.monotonic()
        wait = self.patience.wait(task.attempt, error.retry_after)
        if (error.retry_after or 0) > self.patience.patient_for:
            later = f"the service asks to wait {error.retry_after:.0f} s; repeat the command then to continue"
            self.stop = self.stop or AffectlmError(f"{error}: {later}")
            return None
        if isinstance(error, BusyError):
            self.pace.complained(task.begun, now)
            for ready in self.workers.recall():
                heapq.heappush(self.again, ready)
            if error.retry_after is not None:
                self.pause = max(self.pause, now + wait)
        if task.attempt < self.patience.attempts:
            self.notice(f"{error}; asking again in {wait:.1f} s")
            again = attrs.evolve(task, due=now + wait, attempt=task.attempt + 1, reason=str(error))
            heapq.heappush(self.again, again)
            return None
        self.failures += 1
        reason = f"{error} (asked {task.attempt} times)"
        if self.failures >= self.patience.given_up:
            self.stop = AffectlmError(f"{self.failures} requests in a row failed, the last: {reason}")
        return Completion(id=task.request.id, error=reason)


def complete_all(
    llm: SingleLLM,
    requests: Iterable[Request],
    *,
    patience: Patience | None = None,
    notice: Notice = silent,
    until: float | None = None,
) -> Iterator[Completion]:
    """One completion per request, as they finish; a request is taken when it can be sent.

    A failure that may pass is retried; if it stays, it becomes a completion with `error`. An error that stops the run
    is raised after the replies to open requests have come in.

    Args:
        llm: the language model, called from several threads.
        requests: taken by the calling thread only.
        patience: how often and how long to wait.
        notice: called with a sentence that says why the run waits.
        until: when to stop sending again, by time.monotonic(); replies to open requests are still waited for.

    Raises:
        AffectlmError: the language model raised it (not TransientError), or too many requests in a row failed.
    """
    workers = _Workers(llm)
    pace = Pace(llm.concurrency if isinstance(llm, ConcurrentLLM) else MOST)
    scheduler = _Scheduler(workers, iter(requests), pace, patience or Patience(), notice, until=until)
    try:
        yield from _replies(workers, scheduler, pace)
        if scheduler.stop is not None:
            list(workers.recall())
            yield from _farewell(workers, scheduler)
            raise scheduler.stop
    finally:
        workers.dismiss()


def _replies(workers: _Workers, scheduler: _Scheduler, pace: Pace) -> Iterator[Completion]:
    """The completions until all requests are answered or the run must stop."""
    while True:
        yield from scheduler.overdue()
        scheduler.fill()
        wait = scheduler.idle_for()
        if scheduler.stop is not None or (not workers.under_way and wait is None):
            return
        eager = scheduler.more and pace.grows_in_silence and (wait is None or wait > SILENCE)
        result = workers.wait(SILENCE if eager else wait)
        if result is None and eager:
            pace.heard_nothing()
        elif result and (completion := scheduler.receive(*result)):
            yield completion


def _farewell(workers: _Workers, scheduler: _Scheduler) -> Iterator[Completion]:
    """The replies to requests that were open when the run had to stop."""
    end = time.monotonic() + scheduler.patience.farewell
    while workers.under_way and (result := workers.wait(max(0.0, end - time.monotonic()))):
        if isinstance(result[1], Completion):
            yield result[1]
