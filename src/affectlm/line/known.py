"""Answers that need no request: stored ones, those of this run, and those that another process is requesting."""

from __future__ import annotations

import time
from collections.abc import Mapping

import attrs

from affectlm.line.reply import from_store, to_store
from affectlm.store.cache import Claims, Store
from affectlm.types import Completion, Request

KEPT = 4096  # answers of this run that are kept in memory if the cache does not keep them
PATIENCE = 120.0  # seconds to wait for another process's answer before asking anyway: that process may be suspended


@attrs.define
class KnownAnswers:
    """The answers known so far, by the key of each question."""

    store: Store
    by_choices: bool
    repeatable: bool  # whether a reply may stand for the next one to the same question
    shared: bool  # whether this process and others see which questions each of them is asking
    claims: Claims = attrs.field(init=False)
    _memory: dict[str, Mapping[str, object]] = attrs.field(factory=dict, init=False)
    _since: dict[str, float] = attrs.field(factory=dict, init=False)  # key -> first time another process was asking

    def __attrs_post_init__(self) -> None:
        """Opens the claims that processes share; the caller closes `claims`."""
        self.claims = self.store.claims

    def find(self, key: str, request: Request) -> Completion | None:
        """The known completion of a request, or None."""
        return from_store(request, self._memory.get(key) or self.store.load(key), by_choices=self.by_choices)

    def keep(self, key: str, completion: Completion) -> None:
        """Keeps a completion for later questions; errors are not kept."""
        if completion.error is not None or not self.repeatable:
            return
        content = to_store(completion)
        self.store.save(key, content)
        if self.store.mode != "on":
            self._memory[key] = content
            if len(self._memory) > KEPT:
                del self._memory[next(iter(self._memory))]

    def claim(self, key: str) -> bool:
        """Whether this process may ask a question: no other process asks it, or one has done so for too long."""
        if not self.shared or self.claims.take(key):
            self._since.pop(key, None)
            return True
        return time.monotonic() > self._since.setdefault(key, time.monotonic()) + PATIENCE

    def release(self, key: str) -> None:
        """Lets other processes ask this question."""
        self.claims.release(key)
