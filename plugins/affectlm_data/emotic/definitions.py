"""What each of EMOTIC's 26 categories means, in our own words, and how their names are spelled in files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from affectlm.affect.taxonomies import EMOTIC

DEFINITIONS: Mapping[str, str] = {
    "affection": "Feels warmly attached to somebody and shows it, as people do who hold each other dear.",
    "anger": "Is furious about something that was done, and would like to strike back.",
    "annoyance": "Is bothered and losing patience, because something keeps getting in the way.",
    "anticipation": "Has the next moment in mind: awaits something, or gets ready for it.",
    "aversion": "Is put off by something and wants to keep it away, out of disgust or strong dislike.",
    "confidence": "Is sure of how things will turn out and of being able to handle them, and carries it with pride.",
    "disapproval": "Judges that something is wrong or worth nothing, and looks down on it.",
    "disconnection": "Takes no part in what is going on: is bored, absent or thinking of something else.",
    "disquietment": "Cannot settle down: is worried, strained or under pressure about what may happen.",
    "doubt/confusion": "Does not know what to think or which way to choose.",
    "embarrassment": "Would rather not be seen, feeling ashamed or at fault before others.",
    "engagement": "Gives something full attention and is taken up by it.",
    "esteem": "Thinks highly of somebody, with admiration or thankfulness.",
    "excitement": "Is full of energy and eagerness, thrilled by what happens.",
    "fatigue": "Has no strength left and would like to rest or sleep.",
    "fear": "Feels threatened and dreads that harm or something terrible is near.",
    "happiness": "Is in bright spirits, enjoying things and finding them fun.",
    "pain": "Hurts bodily, as from a wound, a blow or an illness.",
    "peace": "Is at ease and content, with nothing to worry about.",
    "pleasure": "Enjoys what is felt, tasted, heard or seen right now.",
    "sadness": "Is low and disheartened, as after a loss or a disappointment.",
    "sensitivity": "Is easily hurt, and stands there tender and without protection.",
    "suffering": "Is in distress inside, tormented by something that is hard to bear.",
    "surprise": "Has just met with something that was not expected at all.",
    "sympathy": "Feels with somebody who is in trouble, and wants to comfort or help.",
    "yearning": "Longs for something or somebody out of reach, perhaps with jealousy of those who have it.",
}


def _letters(label: str) -> str:
    return re.sub(r"[^a-z]", "", label.lower())


_SPELLINGS = {
    **{_letters(label): label for label in EMOTIC},
    "affections": "affection",
    "disquitement": "disquietment",
    "doubt": "doubt/confusion",
    "confusion": "doubt/confusion",
}


def find_label(written: str) -> str | None:
    """The category for a spelling found in files; None if it is not one of the 26.

    >>> find_label("Disquitement"), find_label("Doubt Confusion"), find_label("joy")
    ('disquietment', 'doubt/confusion', None)
    """
    return _SPELLINGS.get(_letters(written))
