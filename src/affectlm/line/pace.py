"""How many requests a service may get at once, and how long to wait for it.

The number grows while the service does not complain. It is halved at a complaint, then grows by one per round.
"""

from __future__ import annotations

import random

import attrs

START, MOST = 16, 64  # open requests
SILENCE = 0.02  # seconds without a complaint after which START more may be open: services refuse at once


@attrs.frozen(kw_only=True)
class Patience:
    """How often and how long to wait for a service; times are in seconds."""

    attempts: int = 8  # per request
    first: float = 0.5  # wait after the first failure; doubled after each further one
    longest: float = 60.0
    patient_for: float = 600.0  # the run stops if a service asks for a longer wait
    given_up: int = 8  # the run stops after this many requests in a row were given up
    farewell: float = 30.0  # how long a run that stops waits for open requests

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait before the next attempt: at least `retry_after`, and random, so that requests spread out."""
        backoff = min(self.longest, self.first * 2.0 ** (attempt - 1))
        return max(backoff * random.uniform(0.5, 1.0), (retry_after or 0.0) * random.uniform(1.0, 1.05))  # noqa: S311


@attrs.define
class Pace:
    """How many requests may be open at once."""

    most: int
    limit: float = attrs.field(init=False)
    _unhurt: bool = attrs.field(default=True, init=False)
    _halved: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        """Starts with a low limit."""
        self.limit = float(min(START, self.most))

    def succeeded(self) -> None:
        """Raises the limit by one, or by one per round once the service has complained."""
        self.limit = min(float(self.most), self.limit + (1.0 if self._unhurt else 1.0 / self.limit))

    @property
    def grows_in_silence(self) -> bool:
        """Whether the limit may grow before the next reply."""
        return self._unhurt and self.limit < self.most

    def heard_nothing(self) -> None:
        """Raises the limit after `SILENCE`."""
        self.limit = min(float(self.most), self.limit + START)

    def complained(self, begun: float, now: float) -> None:
        """Halves the limit, unless the request began before the last halving, which already answers its complaint."""
        if begun >= self._halved:
            self.limit, self._halved, self._unhurt = max(1.0, self.limit / 2), now, False
