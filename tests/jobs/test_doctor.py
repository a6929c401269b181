"""What doctor says about a run that cannot begin."""

from __future__ import annotations

from pathlib import Path

from affectlm.jobs.doctor import examine

WORDS = ("detector=whole", "estimator=constant", "llm=circumplex", "metric=[accuracy]", "prompt=categories")


def rows(pictures: Path, *words: str) -> dict[str, dict[str, str]]:
    return {row["item"]: row for row in examine([str(pictures), *WORDS, *words])}


def test_components_that_fit_have_no_row_of_their_own(pictures: Path) -> None:
    """Each is ready, and so is the whole."""
    found = rows(pictures)

    assert {row["status"] for row in found.values()} == {"ok"}
    assert "components" not in found


def test_components_that_do_not_fit_together_have_a_row(pictures: Path) -> None:
    """Each alone is ready, but no metric gives the score that is to reach a threshold."""
    found = rows(pictures, "fail_under.kappa=0.5")

    assert found["components"]["status"] == "missing"
    assert "fail_under names 'kappa', a score that no metric of this run gives" in found["components"]["detail"]
    assert found["metric accuracy"]["status"] == "ok"
