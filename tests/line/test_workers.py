"""Many requests at once: order, back-off, pace, stops."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from affectlm.errors import AccessError, AffectlmError, BusyError, TransientError
from affectlm.line.pace import Pace, Patience
from affectlm.line.workers import complete_all
from affectlm.types import Completion, Message, Request

QUICK = Patience(first=0.01, longest=0.05, farewell=2.0)


def requests(count: int) -> list[Request]:
    return [Request(f"r{number}", (Message("user", str(number)),)) for number in range(count)]


class Service:
    """Answers after a while; `fail(request, attempt)` may raise."""

    def __init__(self, fail: Any = lambda request, attempt: None, latency: float = 0.01, concurrency: int = 8) -> None:
        self.fail, self.latency, self.concurrency = fail, latency, concurrency
        self.attempts: Counter[str] = Counter()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def complete_one(self, request: Request) -> Completion:
        with self._lock:
            self.attempts[request.id] += 1
            attempt = self.attempts[request.id]
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            time.sleep(self.latency)
            self.fail(request, attempt)
            return Completion(id=request.id, text=request.messages[0].text)
        finally:
            with self._lock:
                self.now -= 1


def raising(error: Any, *, until: Any = 10**9, only: Any = None) -> Any:
    def fail(request: Request, attempt: Any) -> None:
        if attempt <= until and only in (None, request.id):
            raise error

    return fail


def test_every_request_is_answered_once_and_never_more_at_once_than_allowed() -> None:
    """The limit is the provider's."""
    service = Service(concurrency=8)

    found = list(complete_all(service, requests(60)))

    assert sorted(each.id for each in found) == sorted(each.id for each in requests(60))
    assert 4 <= service.most <= 8


@pytest.mark.parametrize("error", [TransientError("reset"), BusyError("HTTP 429"), BusyError("HTTP 429", 0.02)])
def test_what_may_pass_is_asked_again(error: Any) -> None:
    """The replies are those of a service that never failed."""
    service = Service(raising(error, until=2))
    told: list[str] = []

    found = {each.id: each.text for each in complete_all(service, requests(20), patience=QUICK, notice=told.append)}

    assert found == {each.id: each.messages[0].text for each in requests(20)}
    assert set(service.attempts.values()) == {3}
    assert "asking again in" in told[0]


def test_a_service_that_asks_for_time_gets_it() -> None:
    """Retry-After is a lower bound."""
    service = Service(raising(BusyError("HTTP 429", 0.4), until=1, only="r0"), concurrency=1)
    begin = time.monotonic()

    list(complete_all(service, requests(2), patience=QUICK))

    assert time.monotonic() - begin >= 0.4


def test_a_service_that_asks_for_a_day_stops_the_run() -> None:
    """Nobody wants to find a run asleep in the morning."""
    service = Service(raising(BusyError("HTTP 429", 86_400.0)))

    with pytest.raises(AffectlmError, match="HTTP 429: the service asks to wait 86400 s"):
        list(complete_all(service, requests(20), patience=QUICK))


def test_a_request_that_never_succeeds_is_an_error_and_the_others_are_answered() -> None:
    """One bad request does not hold the run."""
    service = Service(raising(TransientError("reset"), only="r3"))

    found = {each.id: each for each in complete_all(service, requests(30), patience=QUICK)}

    assert found["r3"].error == "reset (asked 8 times)"
    assert sum(each.error is None for each in found.values()) == 29


def test_a_service_that_only_fails_stops_the_run() -> None:
    """A dead server is not asked ten thousand times."""
    service = Service(raising(TransientError("connection refused")), latency=0)

    with pytest.raises(AffectlmError, match="8 requests in a row failed, the last: connection refused"):
        list(complete_all(service, requests(500), patience=QUICK))

    assert len(service.attempts) < 30


def test_a_wrong_key_stops_at_once_and_keeps_what_was_under_way() -> None:
    """What was paid for is handed over before the error."""
    service = Service(raising(AccessError("no key"), only="r5"), concurrency=4)
    found: list[str] = []

    with pytest.raises(AccessError, match="no key"):
        found.extend(each.id for each in complete_all(service, requests(500), patience=QUICK))

    assert {"r0", "r1", "r2", "r3", "r4"} <= set(found)
    assert len(service.attempts) < 20


def test_a_failure_of_the_adapter_itself_is_raised() -> None:
    """A mistake in a plugin is no weather."""
    with pytest.raises(ZeroDivisionError):
        list(complete_all(Service(lambda request, attempt: 1 / 0), requests(3)))


def test_requests_are_drawn_only_as_there_is_room() -> None:
    """Nothing accumulates."""
    drawn = []

    def stream() -> Iterator[Any]:
        for request in requests(50):
            drawn.append(request.id)
            yield request

    replies = complete_all(Service(concurrency=3), stream())
    next(replies)

    assert len(drawn) <= 5
    assert len(list(replies)) == 49


def test_the_pace_grows_fast_until_the_service_complains_then_halves() -> None:
    """Slow start, then additive increase and multiplicative decrease."""
    pace = Pace(128)
    starts = [pace.limit]
    for _ in range(2):
        for _ in range(int(pace.limit)):
            pace.succeeded()
        starts.append(pace.limit)
    pace.complained(begun=1.0, now=2.0)
    pace.complained(begun=1.5, now=2.1)
    halved = pace.limit
    for _ in range(32):
        pace.succeeded()

    assert (starts, halved) == ([16, 32, 64], 32)
    assert 32.9 < pace.limit < 33.1


def test_stopping_early_leaves_no_thread_working() -> None:
    """A run that is broken off asks nothing more."""
    service = Service(latency=0.05)
    replies: Any = complete_all(service, iter(requests(1000)))
    next(replies)
    replies.close()
    time.sleep(0.2)
    asked = sum(service.attempts.values())
    time.sleep(0.2)

    assert sum(service.attempts.values()) == asked < 40
