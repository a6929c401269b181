"""Answers that need not be asked for: stored ones, those of this run, and those that another process is asking for."""

from __future__ import annotations

import time
from collections.abc import Mapping

import attrs

from affectlm.line.reply import from_store, to_store
from affectlm.store.cache import Claims, Store
from affectlm.types import Completion, Request

KEPT = 4096  # answers of this run that are kept in memory where the cache keeps none
PATIENCE = 120.0  # seconds after which a question is asked here all the same: the other process may be stopped


@attrs.define
class KnownAnswers:
    """What is known already, under the key of each question."""

    store: Store
    by_choices: bool
    repeatable: bool  # whether a reply may stand for the next one to the same question
    shared: bool  # whether other processes find here what this one asks, and this one what they ask
    claims: Claims = attrs.field(init=False)
    _memory: dict[str, Mapping[str, object]] = attrs.field(factory=dict, init=False)
    _since: dict[str, float] = attrs.field(factory=dict, init=False)  # when another process was first met at a question

    def __attrs_post_init__(self) -> None:
        """Opens what processes tell one another by; `claims` is to be closed."""
        self.claims = self.store.claims

    def find(self, key: str, request: Request) -> Completion | None:
        """The completion of a request, or None where nobody has it."""
        return from_store(request, self._memory.get(key) or self.store.load(key), by_choices=self.by_choices)

    def keep(self, key: str, completion: Completion) -> None:
        """Keeps a completion for the next who asks; errors are not kept."""
        if completion.error is not None or not self.repeatable:
            return
        content = to_store(completion)
        self.store.save(key, content)
        if self.store.mode != "on":
            self._memory[key] = content
            if len(self._memory) > KEPT:
                del self._memory[next(iter(self._memory))]

    def claim(self, key: str) -> bool:
        """Whether a question is this process's to ask: no other asks it, or one has done so for too long."""
        if not self.shared or self.claims.take(key):
            self._since.pop(key, None)
            return True
        return time.monotonic() > self._since.setdefault(key, time.monotonic()) + PATIENCE

    def release(self, key: str) -> None:
        """Lets other processes ask what they do not find."""
        self.claims.release(key)
