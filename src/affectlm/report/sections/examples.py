"""A few right and wrong answers, with the face if its picture is still there."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import PIL.Image

from affectlm.errors import ImageError
from affectlm.line import images
from affectlm.report.content import Face, Faces, Run, Section
from affectlm.report.sections.slices import is_right
from affectlm.text import shortened
from affectlm.types import Outcome, Record

MOST = 6  # examples of a kind
_SIDE = 160  # pixels


def examples(run: Run) -> Section:
    """Right and wrong answers, the most probable first; without truth, the first answers."""
    answered = [record for record in run.records if record.outcome is Outcome.OK and record.valence is not None]
    judged = [record for record in answered if record.truth.labels and record.labels]
    kinds = {"Answers": answered}
    if judged:
        right = [record for record in judged if is_right(record)]
        kinds = {"Right": right, "Wrong": [record for record in judged if not is_right(record)]}
    shown = {heading: _varied(records) for heading, records in kinds.items()}
    return Section("Examples", [Faces(name, [_face(each) for each in found]) for name, found in shown.items() if found])


def _varied(records: Sequence[Record]) -> list[Record]:
    """The most probable answers, each pair of answer and truth once while others are left."""
    ranked = sorted(records, key=lambda record: -max((record.probabilities or {"": 0.0}).values(), default=0.0))
    first = {(record.answer, record.truth.labels): record for record in reversed(ranked)}
    chosen = [record for record in ranked if first[record.answer, record.truth.labels] is record]
    return [*chosen, *(record for record in ranked if all(record is not each for each in chosen[:MOST]))][:MOST]


def _face(record: Record) -> Face:
    truth = f" True: {', '.join(record.truth.labels)}." if record.truth.labels else ""
    text = f"{shortened(record.answer, 300)}.{truth}" if truth else shortened(record.answer, 300)
    title = f"{record.id}: valence {record.valence or 0:+.2f}, arousal {record.arousal or 0:+.2f}"
    return Face(title, text, _portrait(record))


def _portrait(record: Record) -> str:
    """The face as JPEG in base64; empty if its picture is gone, was changed or cannot be read."""
    if record.box is None or not record.image:
        return ""
    try:
        pixels, digest = images.read(Path(record.image))
        if record.image_sha256 not in (None, digest):
            return ""
        picture = PIL.Image.fromarray(images.crop(pixels, record.box))
    except (ImageError, OSError, ValueError):
        return ""
    picture.thumbnail((_SIDE, _SIDE))
    content = BytesIO()
    picture.save(content, "JPEG", quality=80)
    return base64.b64encode(content.getvalue()).decode()
