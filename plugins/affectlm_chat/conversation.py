"""Conversations as chat templates take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from affectlm.types import Message

Turn: TypeAlias = Mapping[str, str]  # role, content


def turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    """The conversation in the form for chat templates."""
    return [{"role": message.role, "content": message.text} for message in messages]


def without_system(conversation: Sequence[Turn]) -> list[Turn]:
    """The conversation with its system messages moved into the first user message."""
    system = [turn["content"] for turn in conversation if turn["role"] == "system"]
    rest = [dict(turn) for turn in conversation if turn["role"] != "system"]
    user = next((turn for turn in rest if turn["role"] == "user"), None)
    if not system or user is None:
        return list(conversation)
    user["content"] = "\n\n".join([*system, user["content"]])
    return list(rest)
