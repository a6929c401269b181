"""Reads labels from a reply, in whatever form: bare, quoted, JSON, or inside a sentence.

A reply is read place by place, the most certain first. Letters and numbers of an enumeration ("B", "2.") are not
labels, because no prompt enumerates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from affectlm.affect.labels import folded
from affectlm.line.json_answers import json_answers
from affectlm.line.thoughts import without_thoughts
from affectlm_categories.naming import Words, is_bare, named, vocabulary
from affectlm_categories.weighing import HEADS, SECOND

EDGE = 20_000  # characters to read at each end of a longer reply
_AFTER = 500  # characters that may belong to an "Answer:"
_TRIES = 20  # most markers to examine

_FENCE = re.compile(r"```(?:(?:json|text|plaintext|markdown|yaml|xml|python)\b)?")
_ASIDE = re.compile(  # the model about itself: "I'm afraid that", "I'd be happy to", "Confidence: 0.9"
    r"\bi(?:'m| am|'d be| would be|'ll be| will be)(?: (?:very|quite|pretty|rather|so|more than|always|\w+ly|\d+ ?%))?"
    r" (?:afraid|confident|confused|engaged in|surprised|happy to|content to)\b"
    r"|\bhappy to (?:help|assist)\b|\bi (?:hope|trust)\b|\btrust (?:me|my|your)\b"
    r"|\b(?:no|little|without(?: an?y?)?|beyond(?: any?)?|when in|if in) doubt\b|\bi fear\b"
    r"|\bmy (?:own )?(?:anticipation|confidence|pleasure|surprise|doubts?|fear|pain|sympath\w+|happiness|joy)\b"
    r"|\b(?:with|a) (?:great )?pleasure\b(?= to\b|[,:!])|\b(?:with|in) (?:\w+ )?(?:confidence|doubts?)\b"
    r"|\bconfidence(?: level| score| rating)?[\s*\"]*[:=(]?[\s*\"]*(?:is |of )?(?=\.?\d|(?:high|low|medium|moderate)\b)"
)
_KEY = re.compile(  # also "primary_emotion", but not "secondary_emotion"
    rf"(?!.*\b{SECOND})(?:.*[ _-])?(?:answer|emotions?|labels?|category|class|prediction|feeling|choice|match|fit"
    rf"|result"
    r"|conclusion)$",
    re.IGNORECASE,
)
_DECOR = r"[\s*\"'`\\]*"
_MARKED = re.compile(rf"\b{HEADS}s?\b(?: ?\([^()\n]{{0,40}}\))?(?: is| would be)?{_DECOR}[:=>]|\\boxed\{{")
_PASSED_OVER = re.compile(rf"\b(?:{SECOND}|possible|not(?: (?:the|an?))?)\W*$")  # "Secondary emotion: surprise"
_VALUE = re.compile(
    r"(?:\s|\*\*|[:`\\>])*(?:\"(?P<quoted>[^\"\n]+)|\[(?P<list>[^\]]+)"
    r"|(?P<items>(?:(?:[-*•]|\d+[.)]) [^\n]*\n*)+)|(?P<line>[^\n]+))"
)
_HEAD_END = re.compile(r"(?<!\d)\.(?=\s|$)|!|\((?=[^\W\d])(?![^()\n]{0,80}\) ?[,;])")


def read_labels(text: str, choices: Sequence[str]) -> tuple[str, ...]:
    """The choices that a reply names, in its order; if none, the known emotions outside them; else nothing.

    A JSON value is the most certain, then labels alone at the beginning, the text after the last "Answer:", labels
    alone at the end, and the whole reply. Of its labels those count that it chooses ("so it is fear"); if it chooses
    none, those it says; then those it only talks of ("fear would be stronger"). A denied label ("not sad") does not
    count. Labels that each have a number ({"happiness": 0.8, "sadness": 0.1}) are ordered by falling number, and only
    those above half of the highest count. A reply that names all of three or more choices without choosing repeats the
    question and names none. Of a reply longer than 40,000 characters, both ends are read.

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
    yield from map(folded, json_answers(text, _KEY))
    plain = _ASIDE.sub(" ", plain)
    lines = [line for line in plain.split("\n") if line.strip()]
    yield _bare_lines(lines, words) or _bare_head(lines[:1], words)
    yield from _marked(plain, words)
    yield "\n".join(_bare_lines(lines[::-1], words).split("\n")[::-1])
    yield plain


def _marked(plain: str, words: Sequence[Words]) -> Iterator[str]:
    """The text after each "Answer:", the last first: a quotation, a list, or the line."""
    for match in list(_MARKED.finditer(plain))[: -_TRIES - 1 : -1]:
        value = _VALUE.match(plain, match.end(), match.end() + _AFTER)
        passed_over = _PASSED_OVER.search(plain[max(0, match.start() - 20) : match.start()])
        if value is not None and value.lastgroup is not None and not passed_over:
            stated = value[value.lastgroup]
            yield _bare_head([stated], words) or stated


def _bare_lines(lines: Sequence[str], words: Sequence[Words]) -> str:
    """The first lines, as long as they have only labels."""
    return "\n".join(takewhile(lambda line: is_bare(line, words), lines))


def _bare_head(lines: Sequence[str], words: Sequence[Words]) -> str:
    """The labels at the beginning of a line, up to a mark: "Sadness. The mouth ..."; else nothing."""
    heads = (_HEAD_END.split(line, maxsplit=1)[0] for line in lines)
    return "".join(head for head in heads if is_bare(head, words))
