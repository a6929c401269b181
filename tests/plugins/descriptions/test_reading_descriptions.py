"""How well descriptions are taken out of the made-up replies that `replies/README.md` describes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affectlm.line.reply import outcome_of
from affectlm.types import Completion, Message, Outcome, Request
from affectlm_descriptions.prompt import Description

REPLIES = Path(__file__).with_name("replies")


def is_read(reply: str, description: str | None, outcome: str) -> bool:
    """Whether a reply is read as the description; one that is refused or says nothing has none."""
    completion = Completion(id="a", text=reply)
    answer = Description().parse(completion)
    found, _ = outcome_of(Request("a", (Message("user", "?"),)), completion, answer)
    return found == outcome and (found is not Outcome.OK or answer.text == description)


@pytest.mark.parametrize("half", ["worked_on", "kept_aside"])
def test_the_sentences_about_the_person_are_told_from_what_is_wrapped_around_them(half: str) -> None:
    """Nine of ten are read as a person reads them; the bar holds on replies nobody looked at, too."""
    lines = (REPLIES / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]

    right = [is_read(row["reply"], row["description"], row["outcome"]) for row in rows]

    assert sum(right) / len(right) >= 0.9
