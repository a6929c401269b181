"""Valence and arousal in words or numbers, for prompts and for sentences about a face.

The words were chosen by the study in docs/prompt-wording.md: small models read "calm" and "excited" as good news, so
the word for arousal depends on the sign of valence.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

STYLES = ("numbers", "words", "both")
NEAR = 0.12  # values closer to the middle are "neither"
SLIGHT, STRONG = 0.35, 0.65


@attrs.frozen
class Scale:
    """How a value in [-1, 1] is written as a number.

    >>> SCALES["sam"].written(-0.5, 1), SCALES["percent"].written(-0.5, 0), SCALES["unit"].written(-0.001, 2)
    ('3.0', '-50%', '0.00')
    """

    low: int
    high: int
    sign: str = ""  # after every number

    @property
    def middle(self) -> int:
        """What 0 becomes."""
        return (self.low + self.high) // 2

    def written(self, value: float, decimals: int) -> str:
        """The value on this scale, rounded; never "-0.00"."""
        scaled = self.middle + value * (self.high - self.middle)
        return f"{round(scaled, decimals) + 0.0:.{decimals}f}{self.sign}"


SCALES: Mapping[str, Scale] = {
    "unit": Scale(-1, 1),
    "ten": Scale(0, 10),
    "sam": Scale(1, 9),  # Self-Assessment Manikin, Bradley and Lang 1994, doi 10.1016/0005-7916(94)90063-9
    # Signed: models read an unsigned percentage as strength, and "50% valence" as half pleased, not as neither.
    "percent": Scale(-100, 100, "%"),
}


def definition(scale: str = "unit") -> str:
    """What valence and arousal mean, with the ends and the middle of a scale.

    >>> definition("sam").split(". ")[0]
    'Valence says how pleasant a feeling is, from 1 (very unpleasant) through 5 (neither) to 9 (very pleasant)'
    """
    low, middle, high = _points(SCALES[scale])
    return (
        f"Valence says how pleasant a feeling is, from {low} (very unpleasant) through {middle} (neither) to "
        f"{high} (very pleasant). Arousal says how much energy it has, from {low} (very calm or tired) through "
        f"{middle} (neither) to {high} (very excited or tense)."
    )


def phrase(
    valence: float,
    arousal: float,
    *,
    style: str = "words",
    decimals: int = 2,
    scale: str = "unit",
    defined: bool = False,
) -> str:
    """A point of the plane as prompts say it; fits after "looks".

    Args:
        valence, arousal: in [-1, 1].
        style: one of `STYLES`.
        decimals: of the numbers.
        scale: of the numbers, one of `SCALES`.
        defined: whether the prompt already has the `definition`, so that the ends of the scale can be left out.

    >>> phrase(0.7, -0.2, style="both")
    'very pleased and slightly calm (valence 0.70, arousal -0.20)'
    >>> phrase(0.7, -0.2, style="numbers", decimals=1, scale="ten")
    'like valence 8.5, arousal 4.0, on scales from 0 to 10'

    Raises:
        ValueError: there is no such style.
    """
    text = numbers(valence, arousal, decimals, scale)
    if scale != "unit" and not defined:
        low, _, high = _points(SCALES[scale])
        text += f", on scales from {low} to {high}"
    if style == "numbers":
        return f"like {text}"
    if style == "words":
        return words(valence, arousal)
    if style == "both":
        return f"{words(valence, arousal)} ({text})"
    raise ValueError(f"style is '{style}'; expected one of: {', '.join(STYLES)}")


def numbers(valence: float, arousal: float, decimals: int = 2, scale: str = "unit") -> str:
    """Both values with their names, rounded; never "-0.00".

    >>> numbers(0.512, -0.001)
    'valence 0.51, arousal 0.00'
    """
    written = SCALES[scale].written
    return f"valence {written(valence, decimals)}, arousal {written(arousal, decimals)}"


def words(valence: float, arousal: float) -> str:
    """Both values in everyday words, each with a level.

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
    """A word for the strength of a value and a space; empty for medium strength.

    >>> level(-0.9), level(0.5), level(0.2)
    ('very ', '', 'slightly ')
    """
    if abs(value) >= STRONG:
        return "very "
    return "" if abs(value) >= SLIGHT else "slightly "


def _points(scale: Scale) -> tuple[str, str, str]:
    """The lowest, middle and highest number of a scale, as prompts write them."""
    low, middle, high = (f"{value}{scale.sign}" for value in (scale.low, scale.middle, scale.high))
    return low, middle, high
