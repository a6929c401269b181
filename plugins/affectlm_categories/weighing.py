"""What a mention of a label counts for in its sentence: chosen, said, or said in passing."""

from __future__ import annotations

import re
from enum import IntEnum

_REACH = 200  # characters of the sentence that are read on either side
_NEAR = 6  # words before a mention that may put it second: "a faint hint of something like fear"

HEADS = (
    r"(?:answer|emotion|label|category|feeling|choice|prediction|classification|selection|verdict|result|pick|score"
    r"|conclusion"
    r"|best (?:fit|match)|fits best|antwort|gefühl|réponse|émotion|respuesta|emoción)"
)
SECOND = (
    r"(?:second(?:ary)?(?! thought)|third|other|another|alternative|alternate|next|previous|wrong|incorrect|opposite"
    r"|less likely|least \w+|lowest|runner up)"
)
_REASON = r"(?:because|since|although|though|while|whereas|unlike|compared (?:to|with)|(?<=, )(?:as|given|which|if))\b"
_BREAK = re.compile(r"[.!?](?!\d)|[;\n]|:(?=\s)|\s[–—-]\s|(?=\b(?:but|so|hence|thus|therefore|however|yet|instead)\b)")
_END = re.compile(rf"{_BREAK.pattern}|(?=\b{_REASON})")
_CHOICE = re.compile(
    rf"\b{HEADS}\b[*\"'`]* (?:is|would be|seems to be|appears to be|ist|est|es)\b"
    r"|^\W*(?:so(?! (?:can|could|is|are|do|does|would)\b)|hence|thus|therefore"
    r"|overall|ultimately|finally|in the end|on (?:balance|reflection|second thought))\b"
    r"(?! \w+ that\b)"
    r"|\b(?:i|we)(?: would| will|'d|'ll)? (?:choose|chose|pick|picked|select|selected|say|guess|label|call|go|opt"
    r"|settle)\b"
    r"|\b(?:best|better|closest|closer|main|mainly|primar\w+|dominant|predominant\w*|strongest|highest|chosen|winner"
    r"|mostly|remains|is left|leaves|lean\w*|more like|rather(?! than)|my (?:\w+ )?(?:answer|choice|pick)|mo(?:st"
    r"|re) (?:likely|probably|close\w*|fitting|appropriate|suit\w+"
    r"|plausibl\w+|consistent|accurate\w*|natural\w*|prominent|apt\w*))\b|\bit is\W*$"
)
_PASSING = re.compile(
    rf"\b(?:might|may|could|candidates? (?:are|is|include)|first (?:thought|instinct|impression|guess)|{SECOND}"
    r"|among|between|either|consider\w*"
    r"|trac\w+|hints?|touch|tinge|undertones?|such as|including|possibly|perhaps|maybe|mixed with|some)\b"
)
_AS_SECOND = re.compile(rf"\W{{0,4}}as (?:an? |the |my )?{SECOND}\b")
_ASIDE = re.compile(  # a reason up to the end, and a concession up to its comma
    rf"(?<=\w )\b{_REASON}|, {_REASON}|^\W*(?:{_REASON}|as\b|given\b|considering|despite|if\b)[^,]*$"
    r"|^\W*(?:at first|initially|first|one (?:might|may|could))\b"
)
_QUESTION = re.compile(r"[\"'*)]{0,4} ?\?")
_SUBJECT = re.compile(r"^\W*(?:(?:and|or|both|also|that|the|even|a|pure|alone)\b\W*)*$")
_TOPIC = re.compile(  # "fear would be stronger" is about fear, not about the person
    r"[\"'*)]{0,4}(?: (?:alone|itself|both|all|also|too|usually|typically|often|generally|normally))*"
    r" (?:is|are|was|were|has|have|would|could|can|may|might|should|must|will|tends?|needs?|requires?|involves?"
    r"|carr\w+|impl\w+|means?|goes|do|does|sits|lies|seems?|\w+states?)\b"
)


class Weight(IntEnum):
    """What a mention counts for; of all mentions, only those of the highest weight are the answer."""

    PASSING = 0
    TOPIC = 1
    SAID = 2
    CHOSEN = 3


def weigh(text: str, start: int, end: int) -> tuple[Weight, int]:
    """What the labels from `start` to `end` count for, and where their part of the sentence begins.

    >>> text = "fear would be stronger, because it is tense, so it must be anger, rather than awe"
    >>> [weigh(text, text.index(word), text.index(word) + len(word))[0].name for word in ("fear", "tense", "anger")]
    ['TOPIC', 'PASSING', 'CHOSEN']
    """
    begin = max(
        [max(0, start - _REACH), *(each.end() for each in _BREAK.finditer(text, max(0, start - _REACH), start))]
    )
    stop = _END.search(text, end, end + _REACH)
    before, behind = text[begin:start], text[end : stop.start() if stop else end + _REACH]
    clause = before.rsplit(",", 1)[-1]
    if _PASSING.search(" ".join(clause.split()[-_NEAR:])) or _ASIDE.search(before) or _AS_SECOND.match(behind):
        return Weight.PASSING, begin
    if _CHOICE.search(f"{before}…{behind}"):
        return Weight.CHOSEN, begin
    if _QUESTION.match(text, end) or " would " in before + behind or (_SUBJECT.match(clause) and _TOPIC.match(behind)):
        return Weight.TOPIC, begin
    return Weight.SAID, begin


def is_one_part(gap: str) -> bool:
    """Whether what stands between two words leaves them in one part of a sentence."""
    return _BREAK.search(gap) is None
