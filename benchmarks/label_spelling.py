"""How should `answer=choices` spell the labels that it scores? Prints how probable and how good they are.

python benchmarks/label_spelling.py [--points 8] [--shots 7] [--threads 1]

Points are drawn around those published for the seven labels of `basic7`, as many for each; the nearest label is the
true one. Every point is asked about in six wordings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from affectlm.affect.points import EMOTIONS
from affectlm.types import Message, Sample
from affectlm_categories.prompt import Categories
from affectlm_chat.transformers.choices import Question, Tokens
from affectlm_chat.transformers.generation import ChatModel
from affectlm_chat.transformers.smollm2 import SmolLM2

FloatArray: TypeAlias = NDArray[np.float64]
LABELS = tuple(anchor.word for anchor in EMOTIONS)
CUE = " Emotion:"  # with which the question ends
LONG = "The emotion that fits best is"  # with which SmolLM2 itself begins most replies


@attrs.frozen
class Way:
    """One way to score the labels."""

    lead: str = ""  # the reply begins with it
    cued: bool = False  # whether the question ends in the cue
    capital: str = "no"  # no, yes, sum (of both) or best (the likelier)
    whole: bool = False  # whether an end of the reply, a full stop, a comma or a new line must follow

    def __str__(self) -> str:
        words = {"no": "`joy`", "yes": "`Joy`", "sum": "`joy` or `Joy`", "best": "likelier of `joy`, `Joy`"}
        cued, whole = ("yes" if each else "no" for each in (self.cued, self.whole))
        return f"{cued} | {self.lead or '-'} | {words[self.capital]} | {whole}"


WAYS = (
    *(Way(cued=True, capital=capital) for capital in ("no", "yes", "sum", "best")),
    Way(cued=True, whole=True),
    Way("Emotion:", cued=True),
    *(Way("Emotion:", capital=capital) for capital in ("no", "yes", "sum", "best")),
    Way("Emotion:", whole=True),
    Way(LONG),
)


def points(count: int) -> list[tuple[str, float, float]]:
    """The true label with valence and arousal, `count` of them for each label."""
    draw, found = np.random.default_rng(0), []
    for anchor in EMOTIONS:
        own = 0
        while own < count:
            v, a = np.clip(draw.normal((anchor.valence, anchor.arousal), 0.15), -1, 1).tolist()
            if min(EMOTIONS, key=lambda other: other.distance(v, a)) is anchor:
                found.append((anchor.word, v, a))
                own += 1
    return found


def wordings(shots: int) -> Mapping[str, Categories]:
    """Ways to ask."""
    common: dict[str, object] = {"shots": shots, "examples": {"name": "anchors"} if shots else None}
    options: Sequence[dict[str, object]] = [
        {}, {"style": "numbers"}, {"style": "both"}, {"definition": True}, {"label_order": "shuffled"}, {"suffix": 3},
    ]  # fmt: skip
    return {str(each): Categories(**common, **each) for each in options}  # type: ignore[arg-type]


def turns(messages: Sequence[Message], way: Way) -> list[dict[str, str]]:
    """The conversation, with the cue at the end of each question or at the beginning of each reply."""
    found = []
    for message in messages:
        text = message.text if way.cued else message.text.removesuffix(CUE)
        if message.role == "assistant" and way.lead:
            text = f"{way.lead} {text}"
        found.append({"role": message.role, "content": text})
    return found


class Scorer:
    """Scores every spelling of the labels after every prompt, once."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self._known: dict[str, dict[str, float]] = {}
        self.ends = [chat._ends[0], *(chat._tokenizer(end).input_ids[0] for end in ".,\n")]

    def score(self, messages: Sequence[Message], way: Way) -> FloatArray:
        """The log-probability of each label."""
        text = self._chat.prompt(turns(messages, way)) + way.lead
        if text not in self._known:
            self._known[text] = self._read(text, " " if way.lead else "")
        found = self._known[text]
        both: list[Callable[[str], str]] = [str, str.capitalize]
        spell = {"no": both[:1], "yes": both[1:]}.get(way.capital, both)
        ends = [str(place) for place in range(len(self.ends))] if way.whole else [""]
        table = np.array([[found[f"{one(label)}{end}"] for one in spell for end in ends] for label in LABELS])
        return np.asarray(table.max(axis=1) if way.capital == "best" else np.logaddexp.reduce(table, axis=1))

    def _read(self, text: str, space: str) -> dict[str, float]:
        names = [spelled for label in LABELS for spelled in (label, label.capitalize())]
        texts = [text, *(f"{text}{space}{name}" for name in names)]
        prompt, *rows = [tuple(row) for row in self._chat._tokenizer(texts, add_special_tokens=False).input_ids]
        asked: dict[str, Tokens] = {}
        for name, row in zip(names, rows, strict=True):
            asked[name] = row[len(prompt) :]
            if name.islower():
                asked.update({f"{name}{place}": (*asked[name], end) for place, end in enumerate(self.ends)})
        return self._chat._choices.score([Question(prompt, asked)])[0]

    def lengths(self, way: Way) -> FloatArray:
        """How many tokens each label has, in small letters if both spellings count."""
        spelled = [label.capitalize() if way.capital == "yes" else label for label in LABELS]
        texts = [f"{way.lead or '.'}{' ' if way.lead else ''}{label}" for label in spelled]
        return np.array([len(self._chat._tokenizer(text).input_ids) for text in texts]) - len(
            self._chat._tokenizer(way.lead or ".").input_ids
        )


def row(scorer: Scorer, way: Way, asked: Sequence[tuple[str, float, float]], prompts: Sequence[Categories]) -> str:
    """One line of the table."""
    truth = np.array([LABELS.index(label) for label, *_ in asked])
    samples = [Sample("p", v, a) for _, v, a in asked]
    sums = np.array([[scorer.score(prompt.render(one).messages, way) for one in samples] for prompt in prompts])
    blind = np.array([scorer.score(prompt.render_blind().messages, way) for prompt in prompts])
    normalised = sums - blind[:, None]
    means = sums / scorer.lengths(way)
    right = [float((scores.argmax(-1) == truth).mean()) for scores in (sums, means, normalised)]
    loss = np.logaddexp.reduce(normalised, axis=-1) - normalised[:, np.arange(len(truth)), truth]
    answers = normalised.argmax(-1)
    same = np.mean([(answers[one] == answers[other]).mean() for one, other in combinations(range(len(prompts)), 2)])
    held = f"{np.median(np.exp(sums).sum(-1)):.2%}"
    return f"| {way} | {held} | {' | '.join(f'{value:.2f}' for value in (*right, loss.mean(), same))} |"


def main() -> None:
    """Prints the table, line by line as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=8, help="points per label")
    parser.add_argument("--shots", type=int, default=0, help="answered examples before the question")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scorer, asked = Scorer(SmolLM2(dtype="float32")._chat.ready()), points(options.points)
    columns = ("cue", "reply begins with", "then", "end scored", "held", "right: sum", "mean", "normalised")
    sys.stdout.write(f"| {' | '.join((*columns, 'log loss', 'agreement'))} |\n{'|---' * (len(columns) + 2)}|\n")
    for way in WAYS:
        sys.stdout.write(row(scorer, way, asked, list(wordings(options.shots).values())) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
