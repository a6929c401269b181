"""What asking has cost, may cost and would cost.

Prices come from a file that the user keeps; affectlm ships none because prices change. The file is YAML or JSON. It
gives, under a model's name, the price of a million tokens read (`input`) and written (`output`):

    gpt-4o-mini: {input: 0.15, output: 0.60}
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from affectlm.errors import ConfigError
from affectlm.store.files import read_yaml

EXAMPLE = "'gpt-4o-mini: {input: 0.15, output: 0.60}', the price of a million tokens read and written"
MOST_SHOWN = 500  # characters of a list in a message


@attrs.frozen
class Price:
    """The price of a million tokens, in the currency of the user's price list."""

    input: float
    output: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """The cost of this many tokens.

        >>> Price(2.0, 8.0).cost(500_000, 250_000)
        3.0
        """
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


def find_price(path: Path, model: str) -> Price:
    """The price of a model in a list.

    Raises:
        ConfigError: the file is not a price list, or does not name the model.
    """
    try:
        prices = read_yaml(path)
    except OSError as error:
        raise ConfigError(f"the price list '{path}' cannot be read: {(error.strerror or '').lower()}") from error
    except ConfigError as error:
        raise ConfigError(f"the price list {error}; expected {EXAMPLE}") from error
    if not isinstance(prices, Mapping):
        raise ConfigError(f"the price list '{path}' names no models; expected {EXAMPLE}")
    if model not in prices:
        known = ", ".join(sorted(prices)) or "none"
        raise ConfigError(f"the price list '{path}' does not name '{model}'; models: {known[:MOST_SHOWN]}")
    match prices[model]:
        case {"input": str() as read, "output": str() as written} if _is_price(read) and _is_price(written):
            return Price(float(read), float(written))
    raise ConfigError(f"the price of '{model}' in '{path}' is {str(prices[model])[:MOST_SHOWN]}; expected {EXAMPLE}")


def _is_price(written: str) -> bool:
    try:
        return 0 <= float(written) < math.inf
    except ValueError:
        return False


ASKED = ("requests", "prompt_tokens", "completion_tokens")
ESTIMATES = ("estimated_requests", "estimated_prompt_tokens", "estimated_completion_tokens")


@attrs.define
class Tally:
    """How much was asked so far."""

    requests: int = 0
    cache_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated_requests: int = 0  # what a run without dry_run=true would ask
    estimated_prompt_tokens: int = 0
    estimated_completion_tokens: int = 0  # the most that could be written

    @property
    def tokens(self) -> int:
        """The number of tokens read and written."""
        return self.prompt_tokens + self.completion_tokens


@attrs.define
class Ledger:
    """A file that counts each request before it is sent, so that limits hold however the run ends.

    It is one line of JSON of constant length, so that rewriting leaves no remains of an older line.
    """

    path: Path
    _file: int | None = attrs.field(default=None, init=False)

    def write(self, requests: int, prompt_tokens: int, completion_tokens: int) -> None:
        """Writes what was asked, including open requests with the most tokens they may take."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
        numbers = dict(zip(ASKED, (requests, prompt_tokens, completion_tokens), strict=True))
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, json.dumps(numbers).ljust(120).encode() + b"\n")

    def read(self) -> dict[str, int]:
        """The counts in the file, by name; empty if it cannot be read."""
        try:
            found = json.loads(self.path.read_bytes())
            return {name: int(found[name]) for name in ASKED}
        except (OSError, ValueError, TypeError, KeyError):
            return {}

    def remove(self) -> None:
        """Closes and deletes the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self.path.unlink(missing_ok=True)


@attrs.frozen(kw_only=True)
class Budget:
    """The limits of a run; None for no limit."""

    max_requests: int | None = None
    max_tokens_total: int | None = None
    max_cost: float | None = None
    max_seconds: float | None = None
    price: Price | None = None
    _begin: float = attrs.field(factory=time.monotonic, init=False)

    @property
    def until(self) -> float | None:
        """When `max_seconds` are over, by time.monotonic(); None for no limit."""
        return None if self.max_seconds is None else self._begin + self.max_seconds

    def spent(self, tally: Tally) -> str:
        """Which limit was reached, as a sentence; empty if none was."""
        if self.max_requests is not None and tally.requests >= self.max_requests:
            return f"max_requests={self.max_requests} was reached"
        if self.max_tokens_total is not None and tally.tokens >= self.max_tokens_total:
            return f"max_tokens_total={self.max_tokens_total} was reached"
        if self.max_cost is not None and self.cost(tally) >= self.max_cost:
            return f"max_cost={self.max_cost} was reached"
        if self.until is not None and time.monotonic() >= self.until:
            return f"max_seconds={self.max_seconds} was reached"
        return ""

    def holds(self, tally: Tally, prompt_tokens: int, completion_tokens: int) -> bool:
        """Whether this many more tokens stay within the limits; if not, asking waits for the open requests."""
        after = attrs.evolve(
            tally,
            prompt_tokens=tally.prompt_tokens + prompt_tokens,
            completion_tokens=tally.completion_tokens + completion_tokens,
        )
        fits = self.max_tokens_total is None or after.tokens <= self.max_tokens_total
        return fits and (self.max_cost is None or self.cost(after) <= self.max_cost)

    def cost(self, tally: Tally) -> float:
        """The cost of what was asked so far; 0 without a price."""
        return 0.0 if self.price is None else self.price.cost(tally.prompt_tokens, tally.completion_tokens)
