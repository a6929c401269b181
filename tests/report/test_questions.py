"""What a report says of the questions."""

from __future__ import annotations

import pytest

from affectlm.report.questions import count_questions
from affectlm.testing import record


@pytest.mark.parametrize(
    ("prompts", "distinct", "effective"), [("abcd", 4, 4.0), ("aabb", 2, 2.0), ("aaaaaaab", 2, 64 / 50), ("a", 1, 1.0)]
)
def test_questions_count_as_many_as_they_are_even(prompts: str, distinct: int, effective: float) -> None:
    """Kish's n^2 / (sum of squared counts), which is the number of prompts only if each is asked equally often."""
    asked = [record(id=str(place), prompt_sha256=prompt, style="words") for place, prompt in enumerate(prompts)]
    found = count_questions(asked)

    assert found == {"distinct": distinct, "effective": effective, "faces": len(prompts), "style": "words"}


def test_a_run_without_prompts_has_no_questions() -> None:
    """Pictures without a face are not asked about, and a template need not have a style."""
    assert count_questions([record()]) == {}
    assert "style" not in count_questions([record(prompt_sha256="a"), record()])
