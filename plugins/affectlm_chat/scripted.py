"""Prepared replies instead of a language model, to try out components or to demonstrate them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import attrs

from affectlm.testing import ScriptedLLM
from affectlm.types import Completion, Request

MODEL = "scripted"


def _replies(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


@attrs.frozen(kw_only=True)
class Scripted:
    """Returns prepared replies in turn, then repeats the last; a continued run starts with the first again.

    Args:
        replies: at least one.
        model: the name in the records.
    """

    repeatable: ClassVar[bool] = False  # a reply depends on the turn, not on the question

    replies: tuple[str, ...] = attrs.field(converter=_replies)
    model: str = attrs.field(default=MODEL)
    _llm: ScriptedLLM = attrs.field(init=False, repr=False, eq=False)

    @replies.validator
    def _check_replies(self, _: object, value: tuple[str, ...]) -> None:
        if not value:
            raise ValueError("replies are empty; expected at least one, as in llm.replies=[joy,fear]")

    @model.validator
    def _check_model(self, _: object, value: str) -> None:
        if value != MODEL:
            raise ValueError(f"model is always '{MODEL}'; there is no language model to choose")

    @_llm.default
    def _prepare(self) -> ScriptedLLM:
        return ScriptedLLM(self.replies)

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """The next reply for each request."""
        return self._llm.complete(requests)
