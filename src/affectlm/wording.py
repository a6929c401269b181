"""Valence and arousal in words or numbers, for prompts and for sentences about a face.

The words were chosen by the study in docs/prompt-wording.md: small models read "calm" and "excited" as good news, so
the word for arousal depends on the sign of valence.
"""

from __future__ import annotations

STYLES = ("numbers", "words", "both")
SCALES = (
    "Valence says how pleasant a feeling is, from -1 (very unpleasant) to 1 (very pleasant). "
    "Arousal says how much energy it has, from -1 (very calm or tired) to 1 (very excited or tense)."
)
NEAR = 0.12  # so close to the middle a value says neither
SLIGHT, STRONG = 0.35, 0.65


def phrase(valence: float, arousal: float, *, style: str = "words", decimals: int = 2) -> str:
    """A place in the plane as a prompt says it; fits after "looks".

    >>> phrase(0.7, -0.2, style="both")
    'very pleased and slightly calm (valence 0.70, arousal -0.20)'

    Raises:
        ValueError: no such style.
    """
    if style == "numbers":
        return f"like {numbers(valence, arousal, decimals)}"
    if style == "words":
        return words(valence, arousal)
    if style == "both":
        return f"{words(valence, arousal)} ({numbers(valence, arousal, decimals)})"
    raise ValueError(f"style is '{style}'; expected one of: {', '.join(STYLES)}")


def numbers(valence: float, arousal: float, decimals: int = 2) -> str:
    """Both values with their names, rounded; never "-0.00".

    >>> numbers(0.512, -0.001)
    'valence 0.51, arousal 0.00'
    """
    return f"valence {_rounded(valence, decimals)}, arousal {_rounded(arousal, decimals)}"


def words(valence: float, arousal: float) -> str:
    """Both values in everyday words, with a level each.

    >>> words(-0.5, 0.8), words(-0.5, -0.8)
    ('upset and very agitated', 'upset and very tired')
    >>> words(0.0, 0.0)
    'neither pleased nor upset, and neither energetic nor calm'
    """
    if abs(valence) < NEAR:
        feeling = "neither pleased nor upset"
    else:
        feeling = level(valence) + ("pleased" if valence > 0 else "upset")
    high, low = ("agitated", "tired") if valence <= -NEAR else ("energetic", "calm")
    if abs(arousal) < NEAR:
        return feeling if abs(valence) >= NEAR else f"{feeling}, and neither {high} nor {low}"
    return f"{feeling} and {level(arousal)}{high if arousal > 0 else low}"


def level(value: float) -> str:
    """How strongly a value is meant, with a space behind it; empty in the middle of its half.

    >>> level(-0.9), level(0.5), level(0.2)
    ('very ', '', 'slightly ')
    """
    if abs(value) >= STRONG:
        return "very "
    return "" if abs(value) >= SLIGHT else "slightly "


def _rounded(value: float, decimals: int) -> str:
    return f"{round(value, decimals) + 0.0:.{decimals}f}"
