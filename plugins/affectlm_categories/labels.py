"""Label sets and the forms in which a reply may name a label. The table is read by people: keep it short and sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
TAXONOMIES: Mapping[str, tuple[str, ...]] = {"basic": BASIC, "basic7": (*BASIC, "neutral")}

# Inflections and adjectives of one emotion, and only those synonyms nobody would dispute. Words by which a prompt
# says valence and arousal (pleased, upset, agitated, ...) are no forms: a reply that repeats it names no label.
FORMS: Mapping[str, tuple[str, ...]] = {
    "affection": ("affectionate",),
    "anger": ("angry", "angrily", "angered"),
    "annoyance": ("annoyed", "annoying"),
    "anticipation": ("anticipating", "anticipatory"),
    "aversion": ("averse",),
    "boredom": ("bored",),
    "confidence": ("confident",),
    "confusion": ("confused",),
    "contempt": ("contemptuous",),
    "contentment": ("content", "contented"),
    "disapproval": ("disapproving",),
    "disconnection": ("disconnected",),
    "disgust": ("disgusted", "disgusting"),
    "disquietment": ("disquieted", "disquiet"),
    "doubt": ("doubtful", "doubting"),
    "embarrassment": ("embarrassed",),
    "engagement": ("engaged",),
    "esteem": (),
    "excitement": ("excited",),
    "fatigue": ("fatigued",),
    "fear": ("afraid", "fearful", "fearfully", "scared", "frightened"),
    "frustration": ("frustrated",),
    "happiness": ("happy", "happily", "happier", "joy", "joyful"),
    "neutral": ("neutrality", "neutrally"),
    "pain": ("pained", "painful"),
    "peace": ("peaceful",),
    "pleasure": (),
    "sadness": ("sad", "sadly", "saddened"),
    "sensitivity": ("sensitive",),
    "suffering": (),
    "surprise": ("surprised", "surprising"),
    "sympathy": ("sympathetic",),
    "yearning": ("yearnful",),
}

# Emotion words that only tell that a reply names something, though nothing that was offered.
OTHERS = (
    "anxiety", "anxious", "calm", "depressed", "depression", "despair", "envy", "grief", "guilt", "hope", "jealousy",
    "loneliness", "love", "melancholy", "miserable", "nervous", "nervousness", "pride", "proud", "relief", "shame",
    "stress", "unhappy", "worried", "worry",
)  # fmt: skip


def label_set(labels: str | Sequence[str]) -> tuple[str, ...]:
    """The labels of a taxonomy's name, or the list itself.

    >>> label_set("basic7")[-1]
    'neutral'

    Raises:
        ValueError: no such taxonomy, no labels, an empty one or one given twice.
    """
    if isinstance(labels, str):
        if labels not in TAXONOMIES:
            raise ValueError(f"labels are '{labels}'; expected a list of labels or one of: {', '.join(TAXONOMIES)}")
        return TAXONOMIES[labels]
    if not labels:
        raise ValueError(f"labels are empty; expected a list of labels or one of: {', '.join(TAXONOMIES)}")
    if any(not isinstance(label, str) or not label.strip() for label in labels):
        raise ValueError(f"every label must be a word, and labels are {list(labels)}")
    if len({label.strip().casefold() for label in labels}) < len(labels):
        raise ValueError(f"a label is given twice in {list(labels)}")
    return tuple(label.strip() for label in labels)


def spellings(choices: Iterable[str]) -> dict[str, str]:
    """Every form, in lower case, in which a reply may name one of the choices, with the choice it names.

    >>> spellings(["happy"])["happiness"]
    'happy'
    """
    choices = tuple(choices)
    found = {choice.casefold(): choice for choice in choices}
    for choice in choices:
        for part in (choice.casefold(), *choice.casefold().split("/")):
            found.setdefault(part.strip(), choice)
    for choice in choices:
        for part in (choice.casefold(), *choice.casefold().split("/")):
            for form in _relatives(part.strip()):
                found.setdefault(form, choice)
    found.pop("", None)
    return found


def known_words() -> dict[str, str]:
    """Every emotion word of this module with the label it stands for."""
    return spellings([*FORMS, *OTHERS])


def _relatives(word: str) -> tuple[str, ...]:
    for label, forms in FORMS.items():
        if word == label or word in forms:
            return (label, *forms)
    return ()
