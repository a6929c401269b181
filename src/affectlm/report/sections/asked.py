"""What was asked: the first prompt word by word, the style, and how many different prompts there were."""

from __future__ import annotations

from affectlm.report.choices import held
from affectlm.report.content import Quote, Run, Section
from affectlm.report.noise import noise
from affectlm.report.questions import asked as questions


def asked(run: Run) -> Section:
    """The first prompt, and what is known of all."""
    sentences = [
        f"{sentence}." for sentence in (questions(run.report), held(run.report), noise(run.report)) if sentence
    ]
    return Section("What was asked", [*([Quote(run.prompt)] if run.prompt else []), *sentences])
