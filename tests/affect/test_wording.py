"""Valence and arousal as numbers of a scale."""

from __future__ import annotations

import pytest

from affectlm.affect.wording import SCALES, definition, numbers, phrase


@pytest.mark.parametrize(
    ("scale", "low", "middle", "high"),
    [("unit", "-1", "0", "1"), ("ten", "0", "5", "10"), ("sam", "1", "5", "9"), ("percent", "-100%", "0%", "100%")],
)
def test_each_scale_has_its_ends_and_its_middle(scale: str, low: str, middle: str, high: str) -> None:
    """-1, 0 and 1 become what the definition says."""
    assert [SCALES[scale].written(value, 0) for value in (-1, 0, 1)] == [low, middle, high]
    assert definition(scale).count(f"from {low} (very ") == 2
    assert definition(scale).count(f"through {middle} (neither) to {high} (very ") == 2


@pytest.mark.parametrize("scale", SCALES)
def test_no_number_is_a_negative_zero(scale: str) -> None:
    """What rounds to zero has no sign."""
    for value in (-0.0, -1e-9, -0.004, -0.0004):
        assert "-0" not in numbers(value, value, 0, scale).replace("-0.4", "")


def test_the_ends_of_another_scale_are_said_where_no_definition_says_them() -> None:
    """A number without its range means nothing; -1 to 1 is what valence is measured in."""
    assert phrase(0.5, 0, style="numbers", scale="sam").endswith(", on scales from 1 to 9")
    assert phrase(0.5, 0, style="both", scale="percent", decimals=0).endswith("0%, on scales from -100% to 100%)")
    assert phrase(0.5, 0, style="numbers", scale="sam", defined=True) == "like valence 7.00, arousal 5.00"
    assert phrase(0.5, 0, style="numbers") == "like valence 0.50, arousal 0.00"


def test_words_know_no_scale() -> None:
    """style=words is the same on every scale."""
    assert {phrase(0.5, -0.5, scale=scale) for scale in SCALES} == {"pleased and calm"}
