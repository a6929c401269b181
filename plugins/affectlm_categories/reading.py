"""Reads labels out of a reply, however the model dressed them: bare, quoted, JSON, or inside a sentence."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from affectlm_categories.labels import known_words, spellings

_THOUGHT = re.compile(r"<think>.*?(</think>|$)", re.DOTALL | re.IGNORECASE)
_OBJECT = re.compile(r"\{[^{}]*\}")
_MARKER = re.compile(r"\b(?:final answer|answer|emotion|label|category)\b[\s*_\"']*(?::|=|\bis\b)", re.IGNORECASE)
_KEYS = ("emotion", "label", "answer", "category", "emotions", "labels")
_CLAUSE = re.compile(r"[,.;:!?\n]|\b(?:but|however|although|though|instead)\b")
_NEGATION = re.compile(
    r"\b(?:not(?! only)|never|no(?! doubt)|nor|neither|without|isn't|aren't|doesn't|don't|wasn't|cannot|can't|hardly"
    r"|rather than|instead of|than)\b"
)
_REACH = 5  # words over which a negation holds: "does not seem to be very sad"


def read_labels(text: str, choices: Sequence[str]) -> tuple[str, ...]:
    """The choices a reply names, in its order; a known emotion outside them when it names none; else nothing.

    A reply that names every one of three or more choices repeats the question and says nothing. A negated label
    ("not sad") is not named.

    >>> read_labels("The person seems happy, not sad.", ["happiness", "sadness"])
    ('happiness',)
    """
    plain = _plain(text)
    stated = _stated(plain)
    offered = spellings(choices)
    for part in stated:
        if found := _find(part, offered):
            repeated = len(choices) > 2 and len(found) == len(choices)
            return () if repeated else found
    others = known_words()
    return next((found for part in stated if (found := _find(part, others))), ())


def _plain(text: str) -> str:
    """The reply in lower case, without the thoughts before it, with plain quotes."""
    text = unicodedata.normalize("NFKC", _THOUGHT.sub(" ", text)).replace("’", "'")
    return text.casefold()


def _stated(plain: str) -> list[str]:
    """Where to look, the surest place first: JSON values, what follows the last "answer:", all of it."""
    places = _json_values(plain)
    markers = list(_MARKER.finditer(plain))
    if markers:
        places.append(plain[markers[-1].end() :].lstrip().split("\n")[0])
    return [*places, plain]


def _json_values(plain: str) -> list[str]:
    for match in _OBJECT.finditer(plain):
        try:
            value = json.loads(match.group())
        except (ValueError, RecursionError):
            continue
        found = next((value[key] for key in _KEYS if key in value), None)
        words = found if isinstance(found, list) else [found]
        if texts := [word for word in words if isinstance(word, str)]:
            return ["\n".join(texts)]
    return []


def _find(text: str, forms: Mapping[str, str]) -> tuple[str, ...]:
    """The labels whose forms stand in the text and are not negated, in order, each once."""
    longest_first = sorted(forms, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    found = (forms[match.group()] for match in pattern.finditer(text) if not _negated(text[: match.start()]))
    return tuple(dict.fromkeys(found))


def _negated(before: str) -> bool:
    clause = _CLAUSE.split(before[-200:])[-1]
    return bool(_NEGATION.search(" ".join(clause.split()[-_REACH:])))
