"""Reads labels from a reply, in whatever form: bare, quoted, JSON, or inside a sentence.

A reply is read place by place, the most certain first. Letters and numbers of an enumeration ("B", "2.") are not
labels, because no prompt enumerates.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from affectlm.affect.labels import folded
from affectlm.line.thoughts import without_thoughts
from affectlm_categories.naming import Words, is_bare, named, vocabulary
from affectlm_categories.weighing import HEADS, SECOND

EDGE = 20_000  # characters to read at each end of a longer reply
_AFTER = 500  # characters that may belong to an "Answer:"
_TRIES = 20  # most markers to examine, and most brackets that turn out not to be JSON

_FENCE = re.compile(r"```(?:(?:json|text|plaintext|markdown|yaml|xml|python)\b)?")
_BOXED = re.compile(r"\\boxed\{([^{}]*(?:\{[^{}]*)?)")
_ASIDE = re.compile(  # the model about itself: "I'm afraid that", "I'd be happy to", "Confidence: 0.9"
    r"\bi(?:'m| am|'d be| would be|'ll be| will be)(?: (?:very|quite|pretty|rather|so|more than|always|\w+ly|\d+ ?%))?"
    r" (?:afraid|confident|confused|engaged in|surprised|happy to|content to)\b"
    r"|\bhappy to (?:help|assist)\b|\bi (?:hope|trust)\b|\btrust (?:me|my|your)\b"
    r"|\b(?:no|little|without(?: an?y?)?|beyond(?: any?)?|when in|if in) doubt\b|\bi fear\b"
    r"|\bmy (?:own )?(?:anticipation|confidence|pleasure|surprise|doubts?|fear|pain|sympath\w+|happiness|joy)\b"
    r"|\b(?:with|a) (?:great )?pleasure\b(?= to\b|[,:!])|\bwith (?:\w+ )?(?:confidence|doubts?)\b"
    r"|\bconfidence(?: level| score| rating)?[\s*\"]*[:=(]?[\s*\"]*(?:is |of )?(?=\.?\d|(?:high|low|medium|moderate)\b)"
)
_OPENING = re.compile(r"[{\[]")
_KEYS = (  # how the key of an answer ends: "primary_emotion"
    "answer", "emotion", "label", "category", "class", "prediction", "feeling", "choice", "match", "fit", "result",
    "conclusion", "emotions", "labels",
)  # fmt: skip
_SCORES = ("score", "probability", "confidence", "weight", "intensity", "likelihood", "percentage")
_DECOR = r"[\s*\"'`\\]*"
_FINAL = re.compile(rf"\b(?:final (?:answer|emotion|label|choice|verdict)|conclusion)\b{_DECOR}(?:[:=>]|is\b)")
_MARKED = re.compile(rf"\b{HEADS}s?\b(?: ?\([^()\n]{{0,40}}\))?(?: is| would be)?{_DECOR}[:=>]")
_PASSED_OVER = re.compile(rf"\b(?:{SECOND}|possible|not(?: (?:the|an?))?)\W*$")  # "Secondary emotion: surprise"
_VALUE = re.compile(
    r"(?:\s|\*\*|[:`\\>])*(?:\"(?P<quoted>[^\"\n]+)|\[(?P<list>[^\]]+)"
    r"|(?P<items>(?:(?:[-*•]|\d+[.)]) [^\n]*\n*)+)|(?P<line>[^\n]+))"
)
_HEAD_END = re.compile(r"(?<!\d)\.(?=\s|$)|!|\((?=[^\W\d])")


def read_labels(text: str, choices: Sequence[str]) -> tuple[str, ...]:
    """The choices that a reply names, in its order; if none, the known emotions outside them; else nothing.

    A JSON or boxed value is the most certain, then a final answer, labels alone at the beginning, the text after the
    last "Answer:", labels alone at the end, "the emotion is", and the whole reply. Labels that each have a number
    ({"happiness": 0.8, "sadness": 0.1}) are ordered by falling number, and only those above 0 count. A reply that names
    all of three or more choices without choosing repeats the question and names none. A denied label ("not sad") does
    not count. Of a reply longer than 40,000 characters, both ends are read.

    >>> read_labels("The person seems happy, not sad.", ["happiness", "sadness"])
    ('happiness',)
    """
    words = offered, others = vocabulary(tuple(choices))
    text = _ends(without_thoughts(text))
    plain = _FENCE.sub("", _ends(folded(text))).strip()
    if plain in offered.labels:
        return (offered.labels[plain],)
    for place in _places(text, plain, words):
        if found := named(place, offered) or named(place, others):
            return found
    return ()


def _ends(text: str) -> str:
    """The text, or its beginning and end if it is long; one character may fold to eighteen."""
    return text if len(text) <= 2 * EDGE else f"{text[:EDGE]}\n{text[-EDGE:]}"


def _places(text: str, plain: str, words: Sequence[Words]) -> Iterator[str]:
    """The parts of a reply to read, the most certain first."""
    yield from map(folded, _json_statements(text))
    yield from reversed(_BOXED.findall(plain))
    plain = _ASIDE.sub(" ", plain)
    yield from _marked(plain, _FINAL, words)
    lines = [line for line in plain.split("\n") if line.strip()]
    yield _bare_lines(lines, words) or _bare_head(lines[:1], words)
    yield from _marked(plain, _MARKED, words)
    yield "\n".join(_bare_lines(lines[::-1], words).split("\n")[::-1])
    yield plain


def _json_statements(text: str) -> list[str]:
    """The statements of the JSON values in a text, the last value first."""
    decoder = json.JSONDecoder(parse_int=float)  # int refuses thousands of digits
    found: list[str] = []
    start = failures = 0
    while (opening := _OPENING.search(text, start)) and failures < _TRIES:
        try:
            value, start = decoder.raw_decode(text, opening.start())
            found.append("\n".join(_statements(value)))
        except ValueError:
            start, failures = opening.end(), failures + 1
        except RecursionError:
            break
    return found[::-1]


def _statements(value: object) -> list[str]:
    """The texts of a JSON value; of an object, those of its answer if it has such a key, else its keys and numbers."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [f"{statement}{_score(each)}" for each in value for statement in _statements(each)]
    if not isinstance(value, dict):
        return []
    items = {folded(key): each for key, each in value.items()}
    for ending in _KEYS:
        for key in (key for key in items if key.endswith(ending) and not _PASSED_OVER.search(key[: -len(ending)])):
            if answer := _statements(items[key]):
                return answer
    texts = [statement for each in value.values() for statement in _statements(each)]
    numbers = {key: each for key, each in value.items() if isinstance(each, int | float) and math.isfinite(each)}
    return texts or [f"{key}: {float(number)}" for key, number in numbers.items()]


def _score(value: object) -> str:
    """The number of an item of a list, as it stands behind a label: {"label": "fear", "score": 0.9}; else nothing."""
    pairs = value.items() if isinstance(value, dict) else ()
    return "".join(f": {float(each)}" for key, each in pairs if folded(key) in _SCORES and isinstance(each, int | float))


def _marked(plain: str, marker: re.Pattern[str], words: Sequence[Words]) -> Iterator[str]:
    """The text after each "Answer:", the last first: a quotation, a list, or the line."""
    for match in _last(marker, plain):
        value = _VALUE.match(plain, match.end(), match.end() + _AFTER)
        if value is not None and value.lastgroup is not None:
            stated = value[value.lastgroup]
            yield _bare_head([stated], words) or stated


def _last(marker: re.Pattern[str], plain: str) -> Iterator[re.Match[str]]:
    """The matches of a marker that introduce an answer, the last first."""
    for match in list(marker.finditer(plain))[: -_TRIES - 1 : -1]:
        if not _PASSED_OVER.search(plain[max(0, match.start() - 20) : match.start()]):
            yield match


def _bare_lines(lines: Sequence[str], words: Sequence[Words]) -> str:
    """The first lines, as long as they have only labels."""
    return "\n".join(takewhile(lambda line: is_bare(line, words), lines))


def _bare_head(lines: Sequence[str], words: Sequence[Words]) -> str:
    """The labels at the beginning of a line, up to a mark: "Sadness. The mouth ..."; else nothing."""
    heads = (_HEAD_END.split(line, maxsplit=1)[0] for line in lines)
    return "".join(head for head in heads if is_bare(head, words))
