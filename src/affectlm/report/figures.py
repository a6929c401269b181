"""Figures of a run: a face beside its point on the circumplex of affect; of an evaluation: predicted against rated."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("agg", force=False)

import matplotlib.figure
import numpy as np
from matplotlib.patches import Circle
from numpy.typing import NDArray

from affectlm.affect.points import FEELINGS
from affectlm.errors import ImageError
from affectlm.line import images
from affectlm.text import printable
from affectlm.types import Pixels, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LANDMARKS = ("excited", "happy", "calm", "tired", "sad", "afraid", "angry")  # far enough apart to be read


def draw_faces(records: Iterable[Record], folder: Path) -> list[Path]:
    """The paths of the figures of all measured faces, drawn into `folder`/faces/ID.png; reads the pictures again."""
    paths = []
    for record in records:
        if record.valence is None or record.arousal is None or record.box is None:
            continue
        try:
            pixels, _ = images.read(Path(record.image))
            face = images.crop(pixels, record.box)
        except ImageError:
            continue
        path = folder / "faces" / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', record.id)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _face_figure(record, face).savefig(path, dpi=100)
        paths.append(path)
    return paths


def _face_figure(record: Record, crop: Pixels) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(9, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(crop)
    left.set_axis_off()
    left.set_title(_plain(record.id), fontsize=10)
    draw_circumplex(right)
    right.plot(record.valence, record.arousal, "o", markersize=11, color="crimson")
    right.set_title(f"valence {record.valence:+.2f}, arousal {record.arousal:+.2f}", fontsize=10)
    answer = "\n".join(textwrap.wrap(_plain(record.answer or record.reason), 110)[:4])
    figure.supxlabel(answer, fontsize=9)
    return figure


def draw_circumplex(axes: Axes) -> None:
    """Draws the plane of valence and arousal with words at their places in Russell (1980)."""
    axes.add_patch(Circle((0, 0), 1, fill=False, color="0.6"))
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.axvline(0, color="0.8", linewidth=0.8)
    for landmark in (anchor for anchor in FEELINGS if anchor.word in _LANDMARKS):
        axes.text(landmark.valence, landmark.arousal, landmark.word, color="0.45", fontsize=8, ha="center", va="center")
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xlabel="valence", ylabel="arousal", aspect="equal")


def draw_agreement(predicted: NDArray[np.float64], rated: NDArray[np.float64], path: Path) -> None:
    """Draws predicted against rated valence and arousal, arrays of shape (n, 2), side by side into an SVG file."""
    figure = matplotlib.figure.Figure(figsize=(9, 4.6), layout="constrained")
    for column, (axes, name) in enumerate(zip(figure.subplots(1, 2), ("valence", "arousal"), strict=True)):
        axes.axline((0, 0), slope=1, color="0.6", linewidth=0.8)
        axes.axhline(0, color="0.8", linewidth=0.8)
        axes.axvline(0, color="0.8", linewidth=0.8)
        # Thousands of vector points would make the file megabytes large.
        axes.plot(
            rated[:, column],
            predicted[:, column],
            "o",
            markersize=3,
            markeredgewidth=0,
            alpha=max(0.15, min(0.8, 100 / len(rated))),
            color="crimson",
            rasterized=True,
        )
        axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xlabel=f"rated {name}", ylabel=f"predicted {name}")
        axes.set(xticks=(-1, -0.5, 0, 0.5, 1), yticks=(-1, -0.5, 0, 0.5, 1), aspect="equal")
        axes.set_title(f"{name}, {len(rated):,} faces", fontsize=10)
    with matplotlib.rc_context({"svg.hashsalt": "affectlm"}):  # the same faces give the same file
        figure.savefig(path, dpi=200, metadata={"Date": None})


def _plain(text: str) -> str:
    """Text that matplotlib draws literally: no mathematics, no control characters."""
    return printable(text).replace("$", r"\$")
