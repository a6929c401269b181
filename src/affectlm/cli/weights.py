"""`affectlm weights`: lists, fetches and checks named weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from affectlm.cli.tables import parser, show

if TYPE_CHECKING:
    from pathlib import Path

    from affectlm.weights.named import Weights

USAGE = "weights [list|pull|verify] [NAME] [--json]"
HELP = "named weights with their source and licence"


def run(words: Sequence[str]) -> int:
    """The exit status, after listing named weights, fetching some, or checking their digests."""
    arguments = parser("weights", "Named weights: list them, fetch them, or check the digests of those present.")
    arguments.add_argument("action", choices=("list", "pull", "verify"), nargs="?", default="list")
    arguments.add_argument("name", nargs="?", help="which weights; all by default")
    arguments.add_argument("--accept-licence", action="store_true", help="pull: you agree to the terms of the weights")
    given = arguments.parse_args(words)
    from affectlm.errors import WeightsError
    from affectlm.registry import Registry
    from affectlm.weights.named import locate

    known = Registry.installed().weights
    if given.name and given.name not in known:
        raise WeightsError(f"no weights named '{given.name}'; known: {', '.join(sorted(known)) or 'none'}")
    rows, failed = [], False
    for weights in [known[given.name]] if given.name else [known[name] for name in sorted(known)]:
        try:
            status, path = _act(weights, given.action, named=bool(given.name), accept=given.accept_licence)
        except WeightsError as error:
            status, path, failed = f"error: {error}", locate(weights), True
        rows.append(
            {
                "name": weights.name,
                "size": weights.size_text,
                "licence": weights.licence,
                "source": ", then ".join(str(source) for source in weights.sources),
                "digest": weights.digest if given.json else weights.digest[:12],
                "status": status,
                "path": str(path or ""),
                **({"terms": weights.terms, "citation": weights.citation} if given.json else {}),
            }
        )
    show(rows, as_json=given.json)
    return 1 if failed else 0


def _act(weights: Weights, action: str, *, named: bool, accept: bool) -> tuple[str, Path | None]:
    """The status of weights after the action, and their path."""
    from affectlm.weights.named import accepting, locate, locate_unpacked, obtain, verify

    path = locate(weights)
    if path is None and (content := locate_unpacked(weights)):
        return "unpacked", content  # nothing to verify: the digest is the archive's
    if action == "pull":
        if path is None and weights.terms and not (named or accept):
            return "absent, needs --accept-licence", None
        with accepting(terms=accept):
            return "verified", obtain(weights)
    if path is None:
        return "absent", None
    if action == "verify":
        verify(weights, path)
        return "verified", path
    return "present", path
