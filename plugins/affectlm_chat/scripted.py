"""Prepared replies under a name, to try a line of components or to show one; there is no language model."""

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
    """Gives prepared replies in turn and repeats the last; a run that is continued begins with the first again.

    Args:
        replies: at least one.
        model: the name that records tell.
    """

    repeatable: ClassVar[bool] = False  # what is said depends on the turn, not on the question

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
            raise ValueError(f"model is always '{MODEL}', for there is no language model to choose")

    @_llm.default
    def _prepare(self) -> ScriptedLLM:
        return ScriptedLLM(self.replies)

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """The next reply for each request."""
        return self._llm.complete(requests)
