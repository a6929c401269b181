"""What the report of a run says, section by section, in this order.

To add a section, write a function from a `Run` to a `Section` in a file of its own and add it to `SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable

from affectlm.report.content import Run, Section
from affectlm.report.sections.again import again, usage
from affectlm.report.sections.asked import asked
from affectlm.report.sections.calibration import calibration
from affectlm.report.sections.confusion import confusion
from affectlm.report.sections.examples import examples
from affectlm.report.sections.listing import explanations, records
from affectlm.report.sections.outcomes import outcomes
from affectlm.report.sections.plane import plane
from affectlm.report.sections.scores import scores, similarity
from affectlm.report.sections.slices import classes, groups

SECTIONS: tuple[Callable[[Run], Section], ...] = (
    *(asked, scores, confusion, plane, classes, groups, similarity),
    *(outcomes, examples, calibration, usage, again, records, explanations),
)


def sections(run: Run) -> list[Section]:
    """All sections that have blocks."""
    return [section for make in SECTIONS if (section := make(run)).blocks]
