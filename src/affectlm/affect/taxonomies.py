"""The label sets of the field, the folder names of expressions, and published relations between labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")

# Only other forms of the same word: a synonym in somebody's folder names may mean another class.
_EXPRESSIONS: Mapping[str, tuple[str, ...]] = {
    "neutral": (),
    "happiness": ("happy", "joy"),
    "surprise": ("surprised",),
    "sadness": ("sad",),
    "anger": ("angry",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid"),
    "contempt": ("contemptuous",),
}
_NAMES = {form: noun for noun, forms in _EXPRESSIONS.items() for form in (noun, *forms)}
FERPLUS = tuple(_EXPRESSIONS)
AFFECTNET = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""The same eight expressions in the order of AffectNet's numbers."""

EMOTIC = (
    "affection", "anger", "annoyance", "anticipation", "aversion", "confidence", "disapproval", "disconnection",
    "disquietment", "doubt/confusion", "embarrassment", "engagement", "esteem", "excitement", "fatigue", "fear",
    "happiness", "pain", "peace", "pleasure", "sadness", "sensitivity", "suffering", "surprise", "sympathy", "yearning",
)  # fmt: skip
PLUTCHIK = ("joy", "trust", "fear", "surprise", "sadness", "disgust", "anger", "anticipation")

OPPOSITES: Mapping[str, str] = {
    label: PLUTCHIK[(place + len(PLUTCHIK) // 2) % len(PLUTCHIK)] for place, label in enumerate(PLUTCHIK)
}
"""Across the wheel of Plutchik 2001 (American Scientist 89, 344-350)."""

# Shaver et al. 1987 (J. Personality and Social Psychology 52, 1061-1086) sorted 135 words by similarity; as printed in
# Parrott 2001 (Emotions in Social Psychology): six primary, 25 secondary emotions, and the words of each.
PARROTT: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "love": {
        "affection": (
            "adoration", "love", "fondness", "liking", "attraction", "caring", "tenderness", "compassion",
            "sentimentality",
        ),
        "lust": ("arousal", "desire", "passion", "infatuation"),
        "longing": (),
    },
    "joy": {
        "cheerfulness": (
            "amusement", "bliss", "gaiety", "glee", "jolliness", "joviality", "delight", "enjoyment", "gladness",
            "happiness", "jubilation", "elation", "satisfaction", "ecstasy", "euphoria",
        ),
        "zest": ("enthusiasm", "zeal", "excitement", "thrill", "exhilaration"),
        "contentment": ("pleasure",),
        "pride": ("triumph",),
        "optimism": ("eagerness", "hope"),
        "enthrallment": ("rapture",),
        "relief": (),
    },
    "surprise": {"surprise": ("amazement", "astonishment")},
    "anger": {
        "irritation": ("aggravation", "agitation", "annoyance", "grouchiness", "grumpiness"),
        "exasperation": ("frustration",),
        "rage": (
            "outrage", "fury", "wrath", "hostility", "ferocity", "bitterness", "hate", "loathing", "scorn", "spite",
            "vengefulness", "dislike", "resentment",
        ),
        "disgust": ("revulsion", "contempt"),
        "envy": ("jealousy",),
        "torment": (),
    },
    "sadness": {
        "suffering": ("agony", "hurt", "anguish"),
        "sadness": (
            "depression", "despair", "hopelessness", "gloom", "glumness", "unhappiness", "grief", "sorrow", "woe",
            "misery", "melancholy",
        ),
        "disappointment": ("dismay", "displeasure"),
        "shame": ("guilt", "regret", "remorse"),
        "neglect": (
            "alienation", "isolation", "loneliness", "rejection", "homesickness", "defeat", "dejection", "insecurity",
            "embarrassment", "humiliation", "insult",
        ),
        "sympathy": ("pity",),
    },
    "fear": {
        "horror": ("alarm", "shock", "fright", "terror", "panic", "hysteria", "mortification"),
        "nervousness": ("anxiety", "tenseness", "uneasiness", "apprehension", "worry", "distress", "dread"),
    },
}  # fmt: skip

TAXONOMIES: Mapping[str, tuple[str, ...]] = {
    "basic": BASIC,
    "basic7": (*BASIC, "neutral"),
    "basic8": (*BASIC, "neutral", "contempt"),
    "ferplus": FERPLUS,
    "emotic": EMOTIC,
    "plutchik": PLUTCHIK,
    "parrott": tuple(PARROTT),
    "parrott25": tuple(secondary for branch in PARROTT.values() for secondary in branch),
    "mikels": ("amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness"),
    "leia": ("happiness", "affection", "sadness", "anger", "fear"),
    "c_expr": (
        "fearfully surprised", "happily surprised", "sadly surprised", "disgustedly surprised", "angrily surprised",
        "sadly fearful", "sadly angry",
    ),
}  # fmt: skip
"""docs/taxonomies.md gives the source of each."""


def find_expression(name: str) -> str | None:
    """The expression, one of eight, that a folder's name stands for in any case, noun or adjective; or None.

    >>> find_expression("Angry"), find_expression("HAPPY"), find_expression("rage")
    ('anger', 'happiness', None)
    """
    return _NAMES.get(name.strip().casefold())


def label_set(labels: str | Sequence[str]) -> tuple[str, ...]:
    """The labels of a named taxonomy, or the list itself.

    >>> label_set("basic7")[-1]
    'neutral'

    Raises:
        ValueError: there is no such taxonomy, no label, an empty label, or a label is given twice.
    """
    if isinstance(labels, str):
        if labels not in TAXONOMIES:
            raise ValueError(f"labels are '{labels}'; expected a list of labels or one of: {', '.join(TAXONOMIES)}")
        return TAXONOMIES[labels]
    if not labels:
        raise ValueError(f"labels are empty; expected a list of labels or one of: {', '.join(TAXONOMIES)}")
    if any(not isinstance(label, str) or not label.strip() for label in labels):
        raise ValueError(f"labels are {list(labels)}; expected words that are not empty")
    if len({label.strip().casefold() for label in labels}) < len(labels):
        raise ValueError(f"a label is given twice in {list(labels)}")
    return tuple(label.strip() for label in labels)
