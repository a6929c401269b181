"""How well labels are read out of the made-up replies that `replies/README.md` describes."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from affectlm.affect.taxonomies import label_set
from affectlm.line.reply import outcome_of
from affectlm.types import Completion, Message, Request
from affectlm_categories.prompt import Categories

REPLIES = Path(__file__).with_name("replies")


@attrs.frozen
class Made:
    """A made-up reply and how it is to be read."""

    id: str
    manner: str
    kind: str
    hard: bool
    choices: str | list[str]
    several: bool
    reply: str
    labels: list[str]
    outcome: str


def judged(made: Made) -> dict[str, bool]:
    """What is right about the reading of a reply."""
    choices = label_set(made.choices)
    completion = Completion(id="a", text=made.reply)
    answer = Categories(labels=choices).parse(completion)
    outcome, _ = outcome_of(Request("a", (Message("user", "?"),), choices=choices), completion, answer)
    found = [label for label in answer.labels if label in choices]
    return {
        "set": set(found) == set(made.labels),
        f"first of {'hard' if made.hard else 'plain'}": found[:1] == made.labels[:1],
        "outcome": outcome == made.outcome,
    }


@pytest.mark.parametrize("half", ["worked_on", "kept_aside"])
def test_replies_of_many_manners_are_read_as_a_person_reads_them(half: str) -> None:
    """Most sets of labels and most first labels are right; the bars hold on replies nobody looked at, too."""
    lines = (REPLIES / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()
    verdicts = [judged(Made(**json.loads(line))) for line in lines]

    shares = {}
    for name in ("set", "first of plain", "first of hard", "outcome"):
        right = [verdict[name] for verdict in verdicts if name in verdict]
        shares[name] = sum(right) / len(right)

    bars = {"set": 0.93, "first of plain": 0.97, "first of hard": 0.88, "outcome": 0.93}
    assert {name: share for name, share in shares.items() if share < bars[name]} == {}
