"""What models that think aloud write before they answer."""

from __future__ import annotations

import re

_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|$)", re.DOTALL | re.IGNORECASE)
_TAIL = re.compile(r"^.*</(think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)


def without_thoughts(text: str) -> str:
    """The reply without its blocks of reasoning; a block that never ends leaves nothing.

    Some chat templates open the block themselves, so that a reply has only its end.

    >>> without_thoughts("<think>valence is high</think>happiness")
    'happiness'
    >>> without_thoughts("valence is high</think> happiness")
    'happiness'
    """
    return _TAIL.sub("", _THOUGHT.sub(" ", text)).strip()
