"""What a report says of labels that were scored."""

from __future__ import annotations

import pytest

from affectlm.report.choices import held, measure_held
from affectlm.store.records import Report
from affectlm.testing import record


def test_the_share_of_the_labels_is_their_median_and_mean() -> None:
    """Faces that were not scored do not count; without any there is nothing to say."""
    found = measure_held([record(choice_mass=value) for value in (0.1, 0.2, 0.9, None)])

    assert found == pytest.approx({"median": 0.2, "mean": 0.4})
    assert measure_held([record()]) == {}
    assert held(Report()) == ""


@pytest.mark.parametrize(("median", "little"), [(0.002, True), (0.42, False)])
def test_a_report_warns_of_labels_that_the_model_would_hardly_write(median: float, little: bool) -> None:
    """The order of unlikely labels says little; which score the probabilities are made of is said too."""
    said = held(Report(choice_mass={"median": median, "mean": 0.5}, config={"choice_score": "sum"}))

    assert f"{median:.1%} of the model's probability" in said
    assert ("would hardly ever answer with a label" in said) is little
    assert said.endswith("of the labels alone, by choice_score=sum")
