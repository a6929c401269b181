"""Which wording lets the default language model describe faces of every quadrant? Prints the table of the study.

python benchmarks/prompt_wording.py [--wordings NAME ...] [--radii 0.3 0.6 0.9] [--examples] [--threads 1]
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

from affectlm.affect.wording import level, words
from affectlm.types import Completion, Message, Request, Sample
from affectlm_chat.transformers.smollm2 import SmolLM2
from affectlm_descriptions.prompt import Description

Messages: TypeAlias = tuple[Message, ...]
ANGLES = (30, 60, 120, 150, 210, 240, 300, 330)
AXES = ((0.0, 0.0), (0.08, -0.08), (0.7, 0.0), (-0.7, 0.0), (0.0, 0.7), (0.0, -0.7))
QUADRANTS = {"V+A+": (1, 1), "V-A+": (-1, 1), "V-A-": (-1, -1), "V+A-": (1, -1)}
CLEAR = 0.14  # values nearer to 0 have no sign to agree with
SYSTEM = "You describe how people feel from their facial expression. Answer in one short sentence."
SHOTS = (
    (0.8, -0.5, "The person seems comfortable and at ease, with a soft, restful look."),
    (-0.5, 0.8, "The person seems troubled and on edge, as if something went wrong."),
    (0.5, 0.8, "The person seems delighted and full of energy, ready to laugh."),
    (-0.8, -0.5, "The person seems unhappy and worn out, with little energy left."),
)


def plain(valence: float, arousal: float) -> str:
    """One word for each axis, whatever the other says."""
    return f"{level(valence)}{'pleasant' if valence > 0 else 'unpleasant'} and " + (
        f"{level(arousal)}{'excited' if arousal > 0 else 'calm'}"
    )


def family(valence: float, arousal: float) -> str:
    """Emotion words of the eighth of the plane."""
    families = ["pleased, cheerful or warm", "excited, delighted or eager", "alert or surprised", "angry or afraid"]
    families += ["bitter or distressed", "sad, gloomy or discouraged", "drowsy or still", "peaceful or at ease"]
    return families[int((math.degrees(math.atan2(arousal, valence)) + 22.5) % 360 // 45)]


def single(text: str, system: str = "") -> Messages:
    """One question."""
    return (*((Message("system", system),) if system else ()), Message("user", text))


def few_shot(valence: float, arousal: float) -> Messages:
    """The question after an answered one from each quadrant."""
    question = "A person's face looks {}. How does the person seem to feel?"
    turns = [Message("system", SYSTEM)]
    for v, a, reply in SHOTS:
        turns += [Message("user", question.format(words(v, a))), Message("assistant", reply)]
    return (*turns, Message("user", question.format(words(valence, arousal))))


def described(**options: str | bool) -> Callable[[float, float], Messages]:
    """The prompt `description` itself."""
    prompt = Description(**options)  # type: ignore[arg-type]
    return lambda v, a: prompt.render(Sample("study", v, a)).messages


LOOKS = "A person's face looks {}. In one sentence, describe how the person seems to feel."
WORDINGS: Mapping[str, Callable[[float, float], Messages]] = {
    "description style=words (default)": described(style="words"),
    "description style=both": described(style="both"),
    "description style=numbers": described(style="numbers"),
    "description style=numbers definition=true": described(style="numbers", definition=True),
    "pleasant/unpleasant, calm/excited": lambda v, a: single(LOOKS.format(plain(v, a))),
    "same words as default, system message": lambda v, a: single(LOOKS.format(words(v, a)), SYSTEM),
    "same words, two sentences": lambda v, a: single(
        LOOKS.format(words(v, a)).replace("In one sentence", "In one or two sentences")
    ),
    "same words, mood in one short sentence": lambda v, a: single(
        f"Someone looks {words(v, a)}. Describe their mood in one short sentence."
    ),
    "same words, sentence to complete": lambda v, a: single(
        f"Complete the sentence in a few words. The person's face looks {words(v, a)}, so this person seems to feel"
    ),
    "same words and emotion words": lambda v, a: single(
        LOOKS.format(f"{words(v, a)}, as when someone is {family(v, a)}")
    ),
    "same words, four answered examples": few_shot,
}


@attrs.frozen(kw_only=True)
class Words:
    """Words that speak for and against one side of an axis."""

    high: frozenset[str]
    low: frozenset[str]

    def sign(self, text: str) -> int:
        """1, -1 or 0, whichever side has more words that are not negated."""
        total, said = 0, re.findall(r"[a-z']+", text.lower())
        for place, word in enumerate(said):
            if not NEGATIONS.intersection(said[max(0, place - 3) : place]):
                total += (word in self.high) - (word in self.low)
        return (total > 0) - (total < 0)


def _lexicon() -> dict[str, frozenset[str]]:
    lines = (Path(__file__).parent / "prompt_wording.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
    return {name.strip(): frozenset(listed.split()) for name, listed in pairs}


LEXICON = _lexicon()
NEGATIONS = LEXICON["negations"]
VALENCE = Words(high=LEXICON["pleasant"], low=LEXICON["unpleasant"])
AROUSAL = Words(high=LEXICON["activated"], low=LEXICON["deactivated"])
OFF_TASK = re.compile(
    r"\b(sorry|as an ai|i cannot|i can't|help you|language model|valence|arousal|http)|\d|\n.*\n", re.I
)
ON_TASK = re.compile(r"\b(feel|seem|look|appear|mood|emotion|expression|person|face|smile|sense)", re.I)


@attrs.frozen
class Asked:
    """One point with what was asked and answered."""

    point: tuple[float, float]
    prompt: str
    completion: Completion

    @property
    def own(self) -> str:
        """The reply without the words it repeats from the prompt."""
        given = set(re.findall(r"[a-z']+", self.prompt.lower()))
        return " ".join(word for word in re.findall(r"[a-z']+", self.completion.text.lower()) if word not in given)


def points(radii: Sequence[float]) -> list[tuple[float, float]]:
    """Every quadrant at each radius, the axes and the middle."""
    angles = [(radius, math.radians(angle)) for radius in radii for angle in ANGLES]
    return [*((round(r * math.cos(a), 2), round(r * math.sin(a), 2)) for r, a in angles), *AXES]


def ask(llm: SmolLM2, wording: Callable[[float, float], Messages], where: Sequence[tuple[float, float]]) -> list[Asked]:
    """The answers at all points."""
    requests = [Request(str(row), wording(*point)) for row, point in enumerate(where)]
    prompts = [" ".join(message.text for message in request.messages) for request in requests]
    return [Asked(*row) for row in zip(where, prompts, llm.complete(requests), strict=True)]


def share(hits: Sequence[bool]) -> str:
    """A share with two decimals."""
    return f"{sum(hits) / len(hits):.2f}" if hits else "-"


def row(name: str, asked: Sequence[Asked], seconds: float) -> str:
    """One line of the table."""
    texts = [one.completion.text for one in asked]
    clear = [one for one in asked if abs(one.point[0]) >= CLEAR]
    right = [(one.point, VALENCE.sign(one.own) * one.point[0] > 0) for one in clear]
    inside = [
        [hit for (valence, arousal), hit in right if valence * v > 0 and arousal * a > 0] for v, a in QUADRANTS.values()
    ]
    cells = [
        share([VALENCE.sign(one.completion.text) * one.point[0] > 0 for one in clear]),
        share([hit for _, hit in right]),
        *map(share, inside),
        share([AROUSAL.sign(one.completion.text) * one.point[1] > 0 for one in asked if abs(one.point[1]) >= CLEAR]),
        share(
            [bool(ON_TASK.search(text)) and not OFF_TASK.search(text) and 4 <= len(text.split()) < 50 for text in texts]
        ),
        share([any(text == shot for *_, shot in SHOTS) for text in texts]),
        str(len(set(texts))),
        share([one.completion.finish_reason == "length" for one in asked]),
        f"{seconds / len(asked):.1f}",
    ]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Prints the table, line by line as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordings", nargs="+", choices=list(WORDINGS), default=list(WORDINGS), metavar="NAME")
    parser.add_argument("--radii", nargs="+", type=float, default=[0.3, 0.6, 0.9])
    parser.add_argument("--examples", action="store_true", help="print a reply for each quadrant too")
    parser.add_argument("--threads", type=int, default=0, help="processor threads, 0 for all")
    options = parser.parse_args()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    llm = SmolLM2(batch_size=15, max_new_tokens=64)
    list(llm.complete([Request("warm", single("Hello"))]))
    say = sys.stdout.write
    say(
        "| wording | valence | own words | "
        + " | ".join(QUADRANTS)
        + " | arousal | on task | copied | distinct | cut | s |\n"
    )
    say("|---" * 13 + "|\n")
    for name in options.wordings:
        start = time.perf_counter()
        asked = ask(llm, WORDINGS[name], points(options.radii))
        say(row(name, asked, time.perf_counter() - start) + "\n")
        for one in asked if options.examples else ():
            if math.isclose(math.hypot(*one.point), options.radii[-2], abs_tol=0.01) or one.point == (0.0, 0.0):
                say(f"    {one.point} {one.completion.text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
