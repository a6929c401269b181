"""`affectlm plugins`: shows what is installed."""

from __future__ import annotations

from collections.abc import Sequence

from affectlm.cli.tables import parser, show

USAGE = "plugins [--json]"
HELP = "what is installed"


def run(words: Sequence[str]) -> int:
    """The exit status, after showing every component with its plugin, and plugins that cannot be loaded."""
    text = "Every component with its plugin, and plugins that cannot be loaded."
    as_json = parser("plugins", text).parse_args(words).json
    from affectlm.registry import Registry

    registry = Registry.installed()
    rows = []
    for plugin in registry.plugins:
        base = {"plugin": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
        tail = {"status": plugin.status, "error": plugin.error}
        offered = [component for component in registry.components if component.plugin == plugin.name]
        rows += [{"name": each.name, "kind": each.kind, **base, **tail} for each in offered]
        if not offered:
            rows.append({"name": "", "kind": "", **base, **tail})
    rows.sort(key=lambda row: (row["kind"], row["name"]))
    show(rows, as_json=as_json)
    return 0
