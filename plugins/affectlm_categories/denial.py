"""Whether a sentence denies a word: "not sad", "neither happy nor sad", "less sad than angry", "anger is unlikely"."""

from __future__ import annotations

import re

_REACH = 5  # words that a negation reaches over: "does not seem to be very sad"
_BEFORE = 200  # characters that are searched for one

_CLAUSE = re.compile(
    r"[,.;:!?(\n]|\bso much \w+ as\b|(?<!anything )\bbut\b|\b(?:however|although|though|instead(?! of)|whereas"
    r"|while|because|yet)\b"
)
_SHOWN = (  # "not only", "couldn't be happier" and "cannot hide" deny nothing
    r"(?! (?:only|just|merely|simply|(?:be|been) (?:more|\w+ier)|hid|conceal|contain|suppress|mask|disguis|deny"
    r"|mistak|help (?:but|\w+ing)))"
)
_NEGATION = re.compile(
    rf"\b(?:not|never|\w+n't|(?:is|does|do)nt|cannot|hardly|barely|scarcely|without|nor|neither)\b{_SHOWN}"
    r"|\b(?:no|none|rather than|instead of|other than|anything but|far from|absence of|lack of|lacks|opposite of"
    r"|nothing(?! (?:but|less than|short of))"
    r"|free of|free from|devoid of|unlike|unlikely|less likely|rul(?:e|es|ed|ing) out|exclud(?:e|es|ed|ing)|except"
    r"|(?:choos|chose|pick|prefer|favou?r|select)\w*[^,]* over|i doubt|nicht|keine?[nmrs]?|weder|ohne|non|pas|ni"
    r"|sans|sin)\b"
)
_LESS = re.compile(r"(?<!more or )\bless\b(?!.*\bthan\b)")
_THAN = re.compile(r"(?<!\bmore )\bthan\b")

# Holds to the end of the sentence: "I cannot tell whether the person is happy or sad".
_UNKNOWN = re.compile(
    r"\bwhether\b|\b(?:cannot|can't|can not|couldn't|could not|unable to|(?:im|not )possible to|(?:hard|difficult) to)"
    r" (?:\w+ ){0,2}?(?:tell|determine|say|know|identify|assess|decide|infer|detect|recogni[sz]e|distinguish|classify"
    r"|provide|give|choose|select|answer|assist|help (?:you|with))\b"
)
_RESUMED = re.compile(
    r"[.;:!?\n]|\b(?:but|however|although|though|instead|yet|probably|likely|perhaps|maybe|guess|choose|pick)\b"
)
_BEHIND = re.compile(
    r"[\"'*)]{0,4}(?: ?[✗✘❌×☒]"
    r"| ?[:?=|–—-] ?[\"*]{0,3}(?:no|none|not(?: at all| really)?|unlikely|absent|(?:very )?low)\b"
    r"(?=[\"'*]{0,3}\s?(?:[,.;)}|\n]|$))"
    r"| (?:\w+n't|cannot|seems? unlikely)\b"
    r"| (?:is|are|was|seems?|appears?|can|could|would|should|does|do|has|have)"
    r"(?: (?:be|also|probably|clearly|therefore|thus|most|very|highly|quite))?"
    r" (?:not(?! only| just)|unlikely|less likely|(?:ruled )?out|off|wrong|excluded|absent|impossible|missing)\b)"
)


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether the text around the word from `start` to `end` denies it.

    >>> is_denied("not sad", 4, 7), is_denied("not happy but sad", 14, 17), is_denied("sad is unlikely", 0, 3)
    (True, False, True)
    """
    return is_denied_before(text, start, end) or _BEHIND.match(text, end) is not None


def is_denied_before(text: str, start: int, end: int) -> bool:
    """Whether the text before the word from `start` to `end` denies it."""
    before = text[max(0, start - _BEFORE) : start]
    if _UNKNOWN.search(_RESUMED.split(before)[-1]):
        return True
    near = " ".join(_CLAUSE.split(before)[-1].split()[-_REACH:])
    negation = _NEGATION.search(f"{near} {text[start:end]}")  # "couldn't be" denies "happy", not "happier"
    if (negation and negation.start() < len(near)) or _LESS.search(near):
        return True
    return "less" not in near and _THAN.search(near) is not None
