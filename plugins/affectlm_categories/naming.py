"""The labels of a set that a text names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, islice, pairwise

import attrs

from affectlm.affect.labels import known_words, spellings
from affectlm_categories.denial import is_denied, is_denied_before
from affectlm_categories.weighing import Weight, is_one_part, weigh

_MOST = 500  # mentions that are examined in one text
_TALKED_OF = 2  # most labels that are an answer though a reply only talks of them
_LINE = 2000  # most characters of a bare line
_GAP = 30  # most characters between neighbours in a list
_DRESS = re.compile(r"(?:[^\w?]|\d+[.):]|\b(?:and|or|und|et|ou|y|o)\b)*")  # around and between bare labels
_END_OF_LIST = re.compile(r"[\n.:=>→]")
_PRONOUN = re.compile(r"\bthe (?:former|latter)\b")
_PRONOUN_REACH = 200  # characters before it that may hold the labels it stands for
_OR = re.compile(r"\s*,?\s*(?:or|nor|ou|ni|o)\b\s*")
_COMMA = re.compile(r"\s*,\s*")
_NUMBER = re.compile(  # "fear: 0.8", "fear (80%)", "| fear | .8 |"
    r"[\"'*)\]`]{0,4} ?(?:[:=|(–~≈-]|\bat\b|\bwith\b|(?=\d*\.\d)|(?=\d+ ?%)) ?[\"'*(]{0,4}"
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
    """The labels that the text names and does not deny, each once: by falling number, or in order of mention.

    Labels that are chosen come before those that are only said, and these before those said in passing. If each has a
    number, those count that have more than half of the highest.
    """
    found: dict[Weight, dict[str, float | None]] = {weight: {} for weight in Weight}
    part = -1
    text = _spelled_out(text, words)
    matches = list(islice(words.pattern.finditer(text), _MOST))
    lists = (_beyond_the_list(run, text, words) for run in _runs(matches, text, _is_list))
    for run in (run for kept in lists for run in _runs(kept, text, is_one_part)):
        weight, begin = weigh(text, run[0].start(), run[-1].end())
        undecided = weight is Weight.PASSING or is_denied_before(text, *run[0].span())
        if len(run) > 1 and undecided and _ends_in_or(run, text):
            continue
        if weight is Weight.CHOSEN and begin != part:  # the last choice holds
            found[weight], part = {}, begin
        for match in run:
            if not is_denied(text, *match.span()):
                found[weight].setdefault(words.labels[match[0]], _number(text, match.end()))
    weight = next((weight for weight in reversed(Weight) if found[weight]), Weight.SAID)
    numbers = found[weight]
    if numbers and None not in numbers.values():
        enough = max(number or 0 for number in numbers.values()) / 2
        kept = {label: number for label, number in numbers.items() if number and number > max(enough, 0)}
        return tuple(sorted(kept, key=lambda label: -kept[label]))
    vague = weight < Weight.SAID and len(numbers) > _TALKED_OF
    repeated = weight < Weight.CHOSEN and set().union(*found.values()) == words.everything
    return () if vague or repeated else tuple(numbers)


def _spelled_out(text: str, words: Words) -> str:
    """The text with labels in place of "the former" and "the latter"."""

    def meant(pronoun: re.Match[str]) -> str:
        before = words.pattern.findall(text, max(0, pronoun.start() - _PRONOUN_REACH), pronoun.start())
        return f"the label {before[-1 if 'latter' in pronoun[0] else -2]}" if len(before) > 1 else pronoun[0]

    return _PRONOUN.sub(meant, text)


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


def _runs(matches: Sequence[re.Match[str]], text: str, joins: Callable[[str], bool]) -> Iterator[list[re.Match[str]]]:
    """The matches in groups: those are together whose gap joins them."""
    run = list(matches[:1])
    for before, match in pairwise(matches):
        if not joins(text[before.end() : match.start()]):
            yield run
            run = []
        run.append(match)
    if run:
        yield run


def _is_list(gap: str) -> bool:
    return len(gap) <= _GAP and _DRESS.fullmatch(gap) is not None


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
