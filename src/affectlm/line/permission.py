"""Whether more may be asked: the limits and what was asked, and the requests that are open now."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from affectlm.line.budget import Budget, Tally

Tokens = tuple[int, int]  # read and written
Before = Callable[[int, int, int], None]  # called with the numbers of requests, tokens read and tokens written


@attrs.define(kw_only=True)
class Permission:
    """What was asked and whether more may be asked; one for everything that the limits hold for together."""

    budget: Budget = attrs.field(factory=Budget)
    tally: Tally = attrs.field(factory=Tally)
    dry_run: bool = False
    before: Before = lambda *_: None  # called before each request with the totals that include it
    _estimated: set[str] = attrs.field(factory=set, init=False)  # keys that a dry run has counted

    def refusal(self) -> str:
        """Why nothing more may be asked; empty if more may be asked."""
        return "dry_run=true asks nothing" if self.dry_run else self.budget.spent(self.tally)

    def estimate(self, key: str, tokens: Tokens) -> None:
        """Counts, in a dry run, what would be asked, each question once."""
        if self.dry_run and key not in self._estimated:
            self._estimated.add(key)
            self.tally.estimated_requests += 1
            self.tally.estimated_prompt_tokens += tokens[0]
            self.tally.estimated_completion_tokens += tokens[1]


@attrs.define
class OpenRequests:
    """The requests of one stream that have no completion yet, each with the tokens it may take at most."""

    permission: Permission
    _tokens: dict[str, Tokens] = attrs.field(factory=dict, init=False)  # id of a request -> its tokens

    def must_wait(self, tokens: Tokens) -> bool:
        """Whether a request could exceed a limit together with the open ones, whose real cost is not known yet."""
        permission = self.permission
        return bool(self._tokens) and not permission.budget.holds(permission.tally, *self._at_most(tokens))

    def begin(self, request_id: str, tokens: Tokens) -> None:
        """Counts a request that is asked now."""
        self._tokens[request_id] = tokens
        tally = self.permission.tally
        tally.requests += 1
        read, written = self._at_most()
        self.permission.before(tally.requests, tally.prompt_tokens + read, tally.completion_tokens + written)

    def end(self, request_id: str, tokens: Tokens) -> None:
        """Counts the tokens that a request really took."""
        self._tokens.pop(request_id, None)
        self.permission.tally.prompt_tokens += tokens[0]
        self.permission.tally.completion_tokens += tokens[1]

    def _at_most(self, *further: Tokens) -> Tokens:
        """The tokens of open and further requests, added up."""
        tokens = [*self._tokens.values(), *further]
        return sum(read for read, _ in tokens), sum(written for _, written in tokens)
