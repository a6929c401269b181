"""Whether probable answers are right as often as their probability says."""

from __future__ import annotations

from affectlm.report.content import Figure, Run, Section, Table
from affectlm.report.drawing import ACCENT, MUTED, Drawing

BINS = 10


def calibration(run: Run) -> Section:
    """The reliability diagram of the most probable labels."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for record in run.records:
        if record.probabilities and record.truth.labels:
            label, share = max(record.probabilities.items(), key=lambda item: item[1])
            bins[min(BINS - 1, max(0, int(share * BINS)))].append((share, label in record.truth.labels))
    rows = [
        (
            f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}",
            len(found),
            sum(share for share, _ in found) / len(found),
            sum(right for _, right in found) / len(found),
        )
        for place, found in enumerate(bins)
        if found
    ]
    if not rows:
        return Section("", [])
    drawing = Drawing(4.2)
    drawing.axes.axline((0, 0), slope=1, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    drawing.axes.plot([row[2] for row in rows], [row[3] for row in rows], "o-", color=ACCENT, linewidth=1)
    drawing.axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="probability of the answer", ylabel="share that is right")
    caption = "Answers by their probability; on the dashed line they would be right as often as that says."
    table = Table(("probability", "n", "mean probability", "right"), rows, name="calibration", folded="Numbers")
    figure = Figure(drawing.svg("calibration", "share of right answers by probability"), caption)
    return Section("Calibration", [figure, table])
