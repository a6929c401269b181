"""How many requests may be under way at a service, and how long to wait for it.

Their number follows the service: more and more while it does not complain, half when it does, then one more per round.
"""

from __future__ import annotations

import random

import attrs

START, MOST = 16, 64  # requests under way
SILENCE = 0.02  # seconds without a complaint after which START more may be under way; who refuses, refuses at once


@attrs.frozen(kw_only=True)
class Patience:
    """How often and how long to wait for a service; times are in seconds."""

    attempts: int = 8  # of one request
    first: float = 0.5  # wait after the first failure; twice as long after each further one
    longest: float = 60.0
    patient_for: float = 600.0  # a service that asks for more time than this stops the run
    given_up: int = 8  # requests given up one after the other, after which the run stops
    farewell: float = 30.0  # how long a run that stops waits for what is under way

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """How long to wait before asking again; at least what the service asks for, and never all at one moment."""
        backoff = min(self.longest, self.first * 2.0 ** (attempt - 1))
        return max(backoff * random.uniform(0.5, 1.0), (retry_after or 0.0) * random.uniform(1.0, 1.05))  # noqa: S311


@attrs.define
class Pace:
    """How many requests may be under way at once."""

    most: int
    limit: float = attrs.field(init=False)
    _unhurt: bool = attrs.field(default=True, init=False)
    _halved: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        """Starts carefully."""
        self.limit = float(min(START, self.most))

    def succeeded(self) -> None:
        """Grows: by one, or by one a round once the service has complained."""
        self.limit = min(float(self.most), self.limit + (1.0 if self._unhurt else 1.0 / self.limit))

    @property
    def grows_in_silence(self) -> bool:
        """Whether more may be under way soon, without a reply."""
        return self._unhurt and self.limit < self.most

    def heard_nothing(self) -> None:
        """Grows, after `SILENCE`."""
        self.limit = min(float(self.most), self.limit + START)

    def complained(self, begun: float, now: float) -> None:
        """Halves; requests that began before the last halving complain about what is mended already."""
        if begun >= self._halved:
            self.limit, self._halved, self._unhurt = max(1.0, self.limit / 2), now, False
