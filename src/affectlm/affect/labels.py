"""The forms in which a reply may name a label. People read the table: keep it short and certain."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

# Inflections and adjectives of one emotion, and only those synonyms nobody would dispute, in British and American
# spelling. The words that prompts use for valence and arousal (pleased, upset, agitated, ...) are not forms: a reply
# that repeats the prompt names no label. Nor are words a model uses to comment on its task (surprisingly, painfully).
FORMS: Mapping[str, tuple[str, ...]] = {
    "affection": ("affections", "affectionate", "affectionately"),
    "amusement": ("amused",),
    "anger": (
        "angry", "angrier", "angrily", "angered", "angers", "furious", "furiously", "fury", "rage", "enraged", "irate",
        "outraged", "wut", "wütend", "ärger", "zorn", "zornig", "colère", "enojo", "enojado", "enojada", "ira",
        "enfado",
    ),
    "annoyance": ("annoyed", "annoying", "annoys", "irritated", "irritation"),
    "anticipation": ("anticipating", "anticipates", "anticipatory"),
    "aversion": ("averse",),
    "awe": ("awed", "awestruck"),
    "boredom": ("bored",),
    "confidence": ("confident", "confidently"),
    "confusion": ("confused", "confusedly"),
    "contempt": (
        "contemptuous", "contemptuously", "disdain", "disdainful", "scorn", "scornful", "scornfully",
        "verachtung", "mépris", "desprecio",
    ),
    "contentment": ("content", "contented", "contentedly"),
    "disappointment": ("disappointed", "disappointedly"),
    "disapproval": ("disapproving", "disapprovingly", "disapproves", "disapproved"),
    "disconnection": ("disconnected",),
    "disgust": (
        "disgusted", "disgusting", "disgusts", "disgustedly", "revulsion", "revolted", "repulsed", "ekel", "angewidert",
        "dégoût", "asco",
    ),
    "disquietment": ("disquitement", "disquiet", "disquieted", "disquietude"),
    "doubt": ("doubtful", "doubtfully", "doubting", "doubts"),
    "embarrassment": ("embarrassed", "embarrassedly"),
    "engagement": ("engaged",),
    "enthrallment": ("enthralled", "enthralment"),
    "envy": ("envious", "enviously"),
    "esteem": (),
    "exasperation": ("exasperated",),
    "excitement": ("excited", "excitedly"),
    "fatigue": ("fatigued", "exhausted", "exhaustion", "weary", "weariness"),
    "fear": (
        "afraid", "fears", "feared", "fearing", "fearful", "fearfully", "fearfulness", "scared", "frightened", "fright",
        "terrified", "terror", "petrified", "panicked", "angst", "furcht", "ängstlich", "peur", "miedo",
    ),
    "frustration": ("frustrated", "frustratedly"),
    "happiness": (
        "happy", "happily", "happier", "happiest", "joy", "joyful", "joyfully", "joyfulness", "joyous", "joyously",
        "cheerful", "cheerfully", "cheerfulness", "delighted", "freude", "glück", "glücklich", "fröhlich", "joie",
        "bonheur", "heureux", "heureuse", "alegría", "felicidad", "feliz",
    ),
    "horror": ("horrified",),
    "love": ("loving", "lovingly"),
    "lust": ("lustful", "lustfully"),
    "neglect": ("neglected",),
    "nervousness": ("nervous", "nervously"),
    "neutral": ("neutrality", "neutrally", "neutre"),
    "optimism": ("optimistic", "optimistically"),
    "pain": ("pained", "painful"),
    "peace": ("peaceful", "peacefully", "peacefulness"),
    "pleasure": ("pleasurable",),
    "pride": ("proud", "proudly"),
    "relief": ("relieved",),
    "sadness": (
        "sad", "sadly", "sadder", "saddest", "saddened", "saddens", "sorrow", "sorrowful", "sorrowfully",
        "gloomy", "heartbroken", "mournful", "traurig", "traurigkeit", "trauer", "triste", "tristesse", "tristeza",
    ),
    "sensitivity": ("sensitive",),
    "shame": ("ashamed", "shameful"),
    "suffering": ("suffers", "suffered"),
    "surprise": (
        "surprised", "surprising", "surprises", "astonished", "astonishment", "amazed",
        "amazement", "überraschung", "überrascht", "sorpresa", "sorprendido", "sorprendida",
    ),
    "sympathy": (
        "sympathetic", "sympathetically", "sympathise", "sympathises", "sympathising", "sympathize", "sympathizes",
        "sympathizing",
    ),
    "torment": ("tormented",),
    "trust": ("trusting", "trustful"),
    "yearning": ("yearn", "yearns", "yearned", "yearnful", "longing"),
    "zest": ("zestful",),
    "fearfully surprised": ("fearful surprise", "surprise and fear", "fear and surprise"),
    "happily surprised": ("happy surprise", "surprise and happiness", "happiness and surprise"),
    "sadly surprised": ("sad surprise", "surprise and sadness", "sadness and surprise"),
    "disgustedly surprised": ("disgusted surprise", "surprise and disgust", "disgust and surprise"),
    "angrily surprised": ("angry surprise", "surprise and anger", "anger and surprise"),
    "sadly fearful": ("sad fear", "fear and sadness", "sadness and fear"),
    "sadly angry": ("sad anger", "anger and sadness", "sadness and anger"),
}  # fmt: skip

# Emotion words that only show that a reply names something, though not one of the choices.
OTHERS = (
    "admiration", "anxiety", "anxious", "anxiously", "apathetic", "apathy", "apprehension", "apprehensive",
    "bitterness", "calmness", "compassion", "curiosity", "curious", "depressed", "depression", "despair",
    "determination", "empathy", "euphoria", "grateful", "gratitude", "grief", "guilt", "guilty", "hatred", "hope",
    "hopeful", "hostility", "impatience", "indifference", "indifferent", "jealous", "jealousy", "loneliness", "lonely",
    "melancholic", "melancholy", "miserable", "nostalgia", "nostalgic", "regret", "remorse", "resentful", "resentment",
    "serene", "serenity", "shocked", "stress", "stressed", "tenderness", "unhappiness", "unhappy", "worried", "worry",
)  # fmt: skip

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe0e\ufe0f\ufeff]")  # joiners, direction marks
_QUOTES = {**dict.fromkeys("’‘ʼ", "'"), **dict.fromkeys("“”„«»", '"')}
_BREAKS = dict.fromkeys("\r\u2028\u2029", "\n")
_PLAIN = str.maketrans({**_QUOTES, **_BREAKS, "_": " ", "ı": "i"})  # the upper case of Turkish dotless i is a plain I
_SPACES = re.compile(r"[^\S\n]+")
_HYPHEN = re.compile(r"(?<=[^\W\d])[-‐‑](?=[^\W\d])")
_SLASH = re.compile(r" ?/ ?")


def folded(text: str) -> str:
    """The text in the form used to compare labels: one case, plain quotes, single spaces, nothing invisible.

    A hyphen or an underscore inside a word becomes a space, in labels and replies alike.

    >>> folded(" Very_Happy"), folded("DOUBT / Confusion"), folded("self-doubt")
    ('very happy', 'doubt/confusion', 'self doubt')
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
        text = unicodedata.normalize("NFKC", text).replace("i\u0307", "i")
    text = text.casefold().translate(_PLAIN)
    text = _HYPHEN.sub(" ", _SPACES.sub(" ", text))
    return _SLASH.sub("/", text).strip()


def spellings(choices: Iterable[str]) -> dict[str, str]:
    """Every form in which a reply may name one of the choices, in lower case, and the choice it names.

    A form that two choices share goes to the choice it looks like: "joyful" to joy, not to happiness.

    >>> spellings(["happy"])["happiness"]
    'happy'
    """
    parts = {choice: (folded(choice), *map(str.strip, folded(choice).split("/"))) for choice in choices}
    found = {whole: choice for choice, (whole, *_) in parts.items()}
    pairs = [(part, choice) for choice in parts for part in parts[choice]]
    related = [(form, part, choice) for part, choice in pairs for form in _relatives(part)]
    alike = [(form, choice) for form, part, choice in related if form[:3] == part[:3]]
    for form, choice in (*pairs, *alike, *((form, choice) for form, _, choice in related)):
        found.setdefault(form, choice)
    found |= {choice.casefold(): choice for choice in parts}  # as a label set may spell it: "very-happy"
    found.pop("", None)
    return found


def known_words() -> dict[str, str]:
    """Every emotion word of this module, and the label it stands for."""
    return spellings([*FORMS, *OTHERS])


def noun(word: str) -> str:
    """The label that a word is a form of, or the word itself.

    >>> noun("frightened"), noun("yodelling")
    ('fear', 'yodelling')
    """
    return next((label for label, forms in FORMS.items() if word == label or word in forms), word)


def _relatives(word: str) -> tuple[str, ...]:
    label = noun(word)
    return (label, *FORMS[label]) if label in FORMS else ()
