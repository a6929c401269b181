"""How much of the model's probability the labels hold with `answer=choices`, and what their probabilities mean."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

from affectlm.store.records import Report
from affectlm.types import Record

LITTLE = 0.1  # of the probability: with less, a reply would hardly ever be a label


def measure_held(records: Sequence[Record]) -> dict[str, float]:
    """The median and the mean share of the model's probability that the labels hold; empty without such records."""
    found = [record.choice_mass for record in records if record.choice_mass is not None]
    return {"median": median(found), "mean": fmean(found)} if found else {}


def held(report: Report) -> str:
    """A sentence on the labels' share and on their probabilities; empty if the labels were not scored."""
    found = report.choice_mass
    if not found:
        return ""
    little = (
        ", which is little: the model would hardly ever answer with a label, so try another wording or model"
        if found["median"] < LITTLE
        else ""
    )
    return (
        f"labels hold {found['median']:.1%} of the model's probability (median over faces; mean {found['mean']:.1%})"
        f"{little}; probabilities are of the labels alone, by choice_score={report.config.get('choice_score')}"
    )
