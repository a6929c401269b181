"""What the JSON inside a reply says."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

_OPENING = re.compile(r"[{\[]")
_TRIES = 20  # most brackets that turn out not to be JSON
_SCORE = re.compile(r".*(?:score|probability|confidence|weight|intensity|likelihood|percentage)", re.IGNORECASE)


def json_answers(text: str, key: re.Pattern[str]) -> list[str]:
    r"""What each JSON value in a text says, the last value first and one statement per line.

    Of an object that is the value under the first key that the pattern matches; if there is none, all its texts, and
    without any text its keys with their numbers. An item of a list is followed by its score if it has one.

    >>> json_answers('Here: {"valence": 0.2, "emotion": "joy"}', re.compile("emotion"))
    ['joy']
    >>> json_answers('[{"label": "fear", "score": 0.9}, {"label": "awe", "score": 0.1}]', re.compile("label"))
    ['fear: 0.9\nawe: 0.1']
    """
    decoder = json.JSONDecoder(parse_int=float)  # int refuses thousands of digits
    found: list[str] = []
    start = failures = 0
    while (opening := _OPENING.search(text, start)) and failures < _TRIES:
        try:
            value, start = decoder.raw_decode(text, opening.start())
            found.append("\n".join(_statements(value, key)))
        except ValueError:
            start, failures = opening.end(), failures + 1
        except RecursionError:
            break
    return found[::-1]


def _statements(value: object, key: re.Pattern[str]) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [f"{statement}{_score(each)}" for each in value for statement in _statements(each, key)]
    if not isinstance(value, dict):
        return []
    answers = (_statements(value[name], key) for name in value if key.match(name))
    texts = next(filter(None, answers), None) or [text for each in value.values() for text in _statements(each, key)]
    return texts or [f"{name}: {number}" for name, number in _numbers(value)]


def _score(item: object) -> str:
    scores = (number for name, number in _numbers(item) if _SCORE.match(name)) if isinstance(item, dict) else iter(())
    return next((f": {number}" for number in scores), "")


def _numbers(value: dict[str, object]) -> Iterator[tuple[str, float]]:
    numbers = ((name, float(each)) for name, each in value.items() if isinstance(each, int | float))
    return ((name, number) for name, number in numbers if math.isfinite(number))
