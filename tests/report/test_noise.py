"""What a report says of noise on valence and arousal."""

from __future__ import annotations

from affectlm.line.measure import Measured
from affectlm.line.source import Noise
from affectlm.report.noise import measure_noise, noise
from affectlm.store.records import Report
from affectlm.testing import record
from affectlm.types import Outcome, Record, Sample


def moved(deviation: float, valence: float, count: int = 2000) -> list[Record]:
    steps = (Noise(deviation, 0)(Measured(Sample(str(number), valence, 0.0))) for number in range(count))
    return [step.record(Outcome.OK) for step in steps if isinstance(step, Measured)]


def test_noise_is_as_wide_as_asked_where_nothing_is_clipped() -> None:
    """In the middle of the plane."""
    found = measure_noise(moved(0.1, 0.0), 0.1)

    assert found["clipped"] == 0
    assert 0.097 < found["valence"] < 0.103
    assert 0.097 < found["arousal"] < 0.103


def test_clipping_makes_noise_smaller_and_the_report_says_so() -> None:
    """At valence 1 half of the noise is lost; the half that is left has a deviation of 0.584 of the whole.

    The deviation of min(0, z) for a standard normal z is sqrt(1/2 - 1/(2 pi)).
    """
    found = measure_noise(moved(0.2, 1.0), 0.2)

    assert 0.112 < found["valence"] < 0.122
    assert 0.23 < found["clipped"] < 0.27
    report = Report(noise={"asked": 0.2, "valence": 0.117, "arousal": 0.2, "clipped": 0.25})
    assert noise(report) == (
        "noise: standard deviation 0.2 asked for, 0.117 in valence and 0.200 in arousal after clipping 25% of the "
        "numbers to [-1, 1]"
    )


def test_a_run_without_noise_says_nothing_of_it() -> None:
    """Most runs have none."""
    assert measure_noise([record(valence=0.5, arousal=0.5)], 0.0) == {}
    assert noise(Report()) == ""
