"""How a run asks and how much it may ask, from its settings."""

from __future__ import annotations

from pathlib import Path

from affectlm.config.settings import RunSettings
from affectlm.errors import ConfigError
from affectlm.line.budget import EXAMPLE, Budget, Tally, find_price
from affectlm.line.permission import Before, Permission
from affectlm.line.question import Asking
from affectlm.types import LLMAdapter, NamedLLM, PromptTemplate, SingleLLM


def asking_of(chosen: RunSettings, prompt: PromptTemplate, llm: LLMAdapter | SingleLLM, *, key: object = "") -> Asking:
    """How a run with these settings asks."""
    return Asking(
        prompt=prompt,
        llm=llm,
        key=key,
        answer=chosen.answer,
        choice_score=chosen.choice_score,
        send_images=chosen.send_images,
    )


def permission_of(
    chosen: RunSettings,
    llm: LLMAdapter | SingleLLM,
    *,
    tally: Tally | None = None,
    before: Before = lambda *_: None,
) -> Permission:
    """How much a run with these settings may ask.

    Raises:
        ConfigError: `max_cost` is set, but the model's price is not known.
    """
    if chosen.max_cost is not None and chosen.prices is None:
        raise ConfigError(f"max_cost needs prices: write a file with lines such as {EXAMPLE}, and add prices=FILE")
    model = llm.model if isinstance(llm, NamedLLM) else ""
    budget = Budget(
        max_requests=chosen.max_requests,
        max_tokens_total=chosen.max_tokens_total,
        max_cost=chosen.max_cost,
        max_seconds=chosen.max_seconds,
        price=find_price(Path(chosen.prices).expanduser(), model) if chosen.prices else None,
    )
    return Permission(budget=budget, tally=tally or Tally(), dry_run=chosen.dry_run, before=before)
