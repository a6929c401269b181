"""What `perturb.va_sd` did to valence and arousal: clipping to [-1, 1] makes noise smaller than asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affectlm.store.records import Report
from affectlm.types import Record


def measure_noise(records: Sequence[Record], asked: float) -> dict[str, float]:
    """The standard deviation asked for, those of the noise in the records, and the share of clipped numbers.

    Empty if no record has noise.
    """
    noisy = [record for record in records if record.measured_valence is not None]
    if not noisy:
        return {}
    given = np.array([(record.valence, record.arousal) for record in noisy], np.float64)
    valence, arousal = (given - np.array([record.measured for record in noisy], np.float64)).std(axis=0).tolist()
    clipped = float((np.abs(given) == 1).mean())
    return {"asked": asked, "valence": valence, "arousal": arousal, "clipped": clipped}


def noise(report: Report) -> str:
    """A sentence on the noise of a run; empty if there was none."""
    found = report.noise
    if not found:
        return ""
    return (
        f"noise: standard deviation {found['asked']:g} asked for, {found['valence']:.3f} in valence and "
        f"{found['arousal']:.3f} in arousal after clipping {found['clipped']:.0%} of the numbers to [-1, 1]"
    )
