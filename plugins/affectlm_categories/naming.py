"""The labels of a set that a text names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, islice, pairwise

import attrs

from affectlm.affect.labels import known_words, spellings
from affectlm_categories.denial import is_denied, is_denied_before

_MOST = 500  # mentions that are examined in one text
_LINE = 2000  # most characters of a bare line
_GAP = 30  # most characters between neighbours in a list
_DRESS = re.compile(r"(?:[^\w?]|\d+[.):]|\b(?:and|or|und|et|ou|y|o)\b)*")  # around and between bare labels
_END_OF_LIST = re.compile(r"[\n.:=>→]")
_OR = re.compile(r"\s*,?\s*(?:or|nor|ou|ni|o)\b\s*")
_COMMA = re.compile(r"\s*,\s*")
_NUMBER = re.compile(  # "fear: 0.8", "fear (80%)", "| fear | .8 |"
    r"[\"'*)\]`]{0,4} ?(?:[:=|(–~≈-]|\bat\b|\bwith\b) ?[\"'*(]{0,4}"
    r"(?P<number>[-+]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:e[-+]?\d{1,3})?)"
)


@attrs.frozen
class Words:
    """Forms of labels, a pattern that finds them, and the labels that mean nothing if all of them are named."""

    labels: Mapping[str, str]
    pattern: re.Pattern[str]
    everything: frozenset[str] = frozenset()


@lru_cache(maxsize=64)
def vocabulary(choices: tuple[str, ...]) -> tuple[Words, Words]:
    """The words for the choices, and the emotion words for anything else."""
    offered = spellings(choices)
    others = {form: label for form, label in known_words().items() if form not in offered}
    everything = frozenset(choices) if len(choices) > 2 else frozenset()
    return Words(offered, _pattern(offered), everything), Words(others, _pattern(others))


def is_bare(line: str, words: Iterable[Words]) -> bool:
    """Whether a line has only labels, punctuation, bullets and "and"."""
    if len(line) > _LINE:
        return False
    left = line
    for each in words:
        left = each.pattern.sub(" ", left)
    return left != line and _DRESS.fullmatch(left) is not None


def named(text: str, words: Words) -> tuple[str, ...]:
    """The labels that the text names and does not deny, each once: by falling number, or in order of mention."""
    matches = list(islice(words.pattern.finditer(text), _MOST))
    numbers: dict[str, float | None] = {}
    for run in _runs(matches, text):
        kept = _beyond_the_list(run, text, words)
        all_denied = len(kept) > 1 and _ends_in_or(kept, text) and is_denied_before(text, *kept[0].span())
        for match in () if all_denied else kept:
            label = words.labels[match[0]]
            if label not in numbers and not is_denied(text, *match.span()):
                numbers[label] = _number(text, match.end())
    if numbers and None not in numbers.values():
        weights = {label: number for label, number in numbers.items() if number and number > 0}
        return tuple(sorted(weights, key=lambda label: -weights[label]))
    return () if numbers.keys() == words.everything else tuple(numbers)


def _pattern(forms: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of the forms as a whole word, the longest first."""
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    parts = [
        f"{before}(?:{'|'.join(map(re.escape, group))}){behind}"
        for (before, behind), group in groupby(longest_first, key=_edges)
    ]
    return re.compile("|".join(parts) or "(?!)")


def _edges(form: str) -> tuple[str, str]:
    """Patterns for what may come before and after a form."""
    before = r"(?<![^\W_])(?<!-)(?<!\d[.,])" if form[0].isdigit() else r"(?<![^\W_])"
    behind = r"(?![^\W_])(?![.,]\d)" if form[-1].isdigit() else r"(?![^\W_])"
    return before if _stands_alone(form[0]) else "", behind if _stands_alone(form[-1]) else ""


def _stands_alone(character: str) -> bool:
    # Scripts without capitals join words (Chinese, Japanese, Thai) or articles and words (Arabic, Hebrew).
    return character.isalnum() and unicodedata.category(character) != "Lo"


def _runs(matches: Sequence[re.Match[str]], text: str) -> Iterator[list[re.Match[str]]]:
    """The matches in groups: labels that follow each other as in a list are one group."""
    run = list(matches[:1])
    for before, match in pairwise(matches):
        gap = text[before.end() : match.start()]
        if len(gap) > _GAP or not _DRESS.fullmatch(gap):
            yield run
            run = []
        run.append(match)
    if run:
        yield run


def _beyond_the_list(run: Sequence[re.Match[str]], text: str, words: Words) -> Sequence[re.Match[str]]:
    """The run without a list of all labels; a single label set off after such a list is the answer and stays."""
    seen: set[str] = set()
    for place, match in enumerate(run, 1):
        seen.add(words.labels[match[0]])
        if seen == words.everything:
            rest = run[place:]
            set_off = len(rest) == 1 and _END_OF_LIST.search(text[match.end() : rest[0].start()])
            return rest if set_off else ()
    return run


def _ends_in_or(run: Sequence[re.Match[str]], text: str) -> bool:
    """Whether a denial of the first label of a list denies all of them: "no anger, fear, or joy"."""
    *gaps, last = (text[before.end() : match.start()] for before, match in pairwise(run))
    return _OR.fullmatch(last) is not None and all(_COMMA.fullmatch(gap) or _OR.fullmatch(gap) for gap in gaps)


def _number(text: str, end: int) -> float | None:
    """The number right after a label, or None."""
    match = _NUMBER.match(text, end)
    return None if match is None else float(match["number"])
