"""How many different questions a run asked, how evenly, and in which style; counted, and put into words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from affectlm.store.records import Report
from affectlm.text import plural
from affectlm.types import Record


def count_questions(records: Sequence[Record]) -> dict[str, object]:
    """The numbers of distinct prompts and of faces, the effective number of prompts, and their style; empty without.

    The effective number is Kish's: n^2 / (sum of squared counts). It says how many prompts, each asked equally often,
    would tell as much: 1 if nearly all faces get the same prompt, the number of distinct ones if each comes equally
    often (Kish 1965, Survey Sampling).
    """
    asked = [record for record in records if record.prompt_sha256 is not None]
    if not asked:
        return {}
    counts = Counter(record.prompt_sha256 for record in asked).values()
    effective = len(asked) ** 2 / sum(count**2 for count in counts)
    faces, repeats = len({record.asked_about for record in asked}), max(record.repeat for record in asked)
    found = {"distinct": len(counts), "effective": round(effective, 3), "faces": faces}
    return found | ({"repeats": repeats} if repeats > 1 else {}) | ({"style": asked[0].style} if asked[0].style else {})


def asked(report: Report) -> str:
    """A sentence on how many different questions were asked and in which style; empty if there were none."""
    found = report.questions
    if not found:
        return ""
    distinct, faces = found.get("distinct"), found.get("faces")
    even = f" (effective number {found['effective']:.1f})" if "effective" in found else ""
    often = f", each asked {found['repeats']} times" if "repeats" in found else ""
    style = f", valence and arousal said in {found['style']}" if "style" in found else ""
    return f"{distinct} distinct {plural('prompt', distinct)}{even} about {faces} {plural('face', faces)}{often}{style}"
