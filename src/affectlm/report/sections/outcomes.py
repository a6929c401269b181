"""How many records ended in which way, and what was left out."""

from __future__ import annotations

from affectlm.line.omissions import told
from affectlm.report.content import Block, Run, Section, Table
from affectlm.text import plural


def outcomes(run: Run) -> Section:
    """Counts of outcomes."""
    report = run.report
    blocks: list[Block] = [Table(("outcome", "records"), list(report.outcomes.items()), name="outcomes")]
    if report.left_out:
        blocks.append(f"Left out: {told(report.left_out)}.")
    if run.damaged:
        blocks.append(f"{run.damaged} {plural('line', run.damaged)} of the records could not be read.")
    return Section("Outcomes", blocks)
