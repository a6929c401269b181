"""The components, what asking them took, and the command that does it again."""

from __future__ import annotations

import shlex

from affectlm.report.content import Block, Quote, Run, Section, Table


def usage(run: Run) -> Section:
    """Requests, tokens, cost and time."""
    found = run.report.usage
    counts = ("requests", "cache_hits", "prompt_tokens", "completion_tokens", "cost", "seconds")
    rows = [(name.replace("_", " "), f"{found[name]:,.6g}") for name in counts if name in found]
    return Section("Cost and usage", [Table(("what", "how much"), rows, name="usage")] if rows else [])


def again(run: Run) -> Section:
    """The command, the components and the versions."""
    report = run.report
    rows = [(kind, _options(component)) for kind, component in report.components.items()]
    blocks: list[Block] = [Quote(shlex.join(report.command))] if report.command else []
    if rows:
        blocks.append(Table(("kind", "component"), rows, name="components"))
    if report.versions:
        blocks.append(Table(("package", "version"), list(report.versions.items()), folded="Versions"))
    return Section("How to run it again", blocks)


def _options(component: object) -> str:
    if not isinstance(component, dict):
        return str(component)
    return ", ".join(f"{key}={value}" for key, value in component.items())
