"""What models that think aloud write before they answer."""

from __future__ import annotations

import re

_BEGIN = r"(?:<(?:think|thinking|thought|reasoning)>|\[think\]|◁think▷)"
_END = r"(?:</(?:think|thinking|thought|reasoning)>|\[/think\]|◁/think▷)"
_THOUGHT = re.compile(rf"{_BEGIN}.*?(?:{_END}|$)", re.DOTALL | re.IGNORECASE)
_TAIL = re.compile(rf"^.*(?:{_END}|<\|channel\|>final<\|message\|>)", re.DOTALL | re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>analysis<\|message\|>.*", re.DOTALL)
_BORDER = re.compile(  # special tokens of chat templates, and the next question of a model that goes on by itself
    r"<\|(?:im_start|start_header_id)\|>(?:assistant)?|<start_of_turn>(?:model)?|<\|[^|<>\s]{1,30}\|>|</?s>"
    r"|\[/?INST\]|<end_of_turn>|\n[^\w\n]{0,9}(?:question|user|human|instruction|input)\b[^\w\n:]{0,9}(?::|\n|$)",
    re.IGNORECASE,
)


def without_thoughts(text: str) -> str:
    """The reply without its blocks of reasoning and its template's tokens; a block that never ends leaves nothing.

    Some chat templates open the block themselves, so that a reply has only its end.

    >>> without_thoughts("<think>valence is high</think>happiness")
    'happiness'
    >>> without_thoughts("valence is high</think> happiness")
    'happiness'
    """
    text = _CHANNEL.sub("", _TAIL.sub("", _THOUGHT.sub(" ", text)))
    return next(filter(None, map(str.strip, _BORDER.split(text))), "")
