"""Which parts of a face raise or lower its valence and arousal, as a picture a face in the run's folder.

Occlusion asks any estimator; saliency comes from estimators that offer it. Nothing leaves the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import matplotlib
import numpy as np
import PIL.Image
from numpy.typing import NDArray

matplotlib.use("agg", force=False)

import matplotlib.figure

from affectlm.cache import write_atomically
from affectlm.errors import ContractError
from affectlm.pipeline import called, class_name
from affectlm.records import Record, explanation
from affectlm.types import VA, ExplainableEstimator, Face, Maps, Pixels, VAEstimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = 12  # places of the patch in each direction: 145 passes a face with the untouched one
_LARGEST = 256  # wider crops are reduced first: the maps are far coarser, and copies of large ones take seconds
_FAINT = 0.05  # an effect that small is drawn faint, whatever the strongest is


@attrs.frozen
class Explainer:
    """Draws each measured face it is called with into `folder`/explain; what is there already is kept.

    Beside `NAME.png` lies `NAME.npz` with `occlusion` (2, 12, 12) and, where the estimator offers it, `saliency`.
    """

    estimator: VAEstimator
    folder: Path
    batch_size: int = attrs.field(default=8, kw_only=True)

    def __call__(self, record: Record, face: Face) -> None:
        """Explains one face.

        Raises:
            ContractError: the estimator returned something its protocol does not allow.
        """
        path = self.folder / explanation(record.id)
        if path.exists():
            return
        crop = _reduced(face.pixels)
        maps = {"occlusion": occlusion(self.estimator, crop, batch_size=self.batch_size)}
        if isinstance(self.estimator, ExplainableEstimator):
            maps["saliency"] = saliency(self.estimator, crop)
        numbers = BytesIO()
        np.savez_compressed(numbers, **maps)  # type: ignore[arg-type]
        write_atomically(path.with_suffix(".npz"), numbers.getvalue())
        write_atomically(path, _drawn(record, crop, maps))


def occlusion(estimator: VAEstimator, face: Pixels, *, batch_size: int = 8) -> Maps:
    """How much valence and arousal fall when a part of the face is hidden: (2, 12, 12), negative where they rise.

    Zeiler & Fergus 2014, arXiv 1311.2901. The patch fades into the mean colour of the face (a Gaussian, its standard
    deviation a twelfth of the side), so as not to add edges of its own.

    Args:
        estimator: what is explained; asked 145 times.
        face: RGB crop (height, width, 3).
        batch_size: crops it is asked about at once.

    Raises:
        ContractError: it did not return finite numbers of shape (batch, 2).
    """
    crops = _hidden(face)
    asked = [_measured(estimator, [face])]
    while batch := list(islice(crops, batch_size)):
        asked.append(_measured(estimator, batch))
    affect = np.concatenate(asked)
    maps: Maps = (affect[0] - affect[1:]).T.reshape(2, GRID, GRID)
    return maps


def saliency(estimator: ExplainableEstimator, face: Pixels) -> Maps:
    """The estimator's own maps of one face, checked: (2, rows, columns), positive where a part raises the value.

    Raises:
        ContractError: it did not return finite numbers of shape (1, 2, rows, columns).
    """
    maps: Maps = np.asarray(called(estimator.saliency, [face]), dtype=np.float32)
    if maps.ndim != 4 or maps.shape[:2] != (1, 2) or not maps.size or not np.isfinite(maps).all():
        raise ContractError(
            f"{class_name(estimator)}.saliency returned shape {maps.shape}, expected finite (1, 2, rows, columns)"
        )
    return maps.reshape(maps.shape[1:])


def _measured(estimator: VAEstimator, faces: list[Pixels]) -> VA:
    affect = np.asarray(called(estimator.estimate, faces), dtype=np.float32)
    if affect.shape != (len(faces), 2) or not np.isfinite(affect).all():
        raise ContractError(
            f"{class_name(estimator)}.estimate returned shape {affect.shape} for faces hidden in part, "
            f"expected finite ({len(faces)}, 2): valence, arousal"
        )
    return affect


def _hidden(face: Pixels) -> Iterator[Pixels]:
    """The face with each part hidden in turn, row by row."""
    mean = face.mean(axis=(0, 1))
    for down in _bumps(face.shape[0]):
        for across in _bumps(face.shape[1]):
            veil = np.outer(down, across)[..., None]
            yield np.rint(face + veil * (mean - face)).astype(np.uint8)


def _bumps(length: int) -> NDArray[np.float64]:
    """The patch along one side, at each of its places: (12, length), at most 1."""
    pixels = (np.arange(length) + 0.5) * GRID / length
    places = np.arange(GRID) + 0.5
    return np.exp(-0.5 * (pixels - places[:, None]) ** 2)


def _reduced(face: Pixels) -> Pixels:
    picture = PIL.Image.fromarray(face)
    picture.thumbnail((_LARGEST, _LARGEST), PIL.Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(picture)


def _drawn(record: Record, face: Pixels, maps: dict[str, Maps]) -> bytes:
    """PNG: the face, then for each method what raises (red) and lowers (blue) valence, and arousal."""
    count = 1 + 2 * len(maps)
    figure = matplotlib.figure.Figure(figsize=(2.2 * count, 3.1), layout="constrained")
    panels = figure.subplots(1, count)
    grey = np.asarray(PIL.Image.fromarray(face).convert("L"))
    for panel in panels:
        panel.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=(0, 1, 1, 0))
        panel.set_axis_off()
    panels[0].set_title(f"valence {record.valence:+.2f}\narousal {record.arousal:+.2f}", fontsize=10)
    for panel, (method, row) in zip(panels[1:], ((method, row) for method in maps for row in (0, 1)), strict=True):
        _overlay(panel, method, ("valence", "arousal")[row], maps[method], row)
    figure.supxlabel("red raises the value, blue lowers it", fontsize=8)
    content = BytesIO()
    figure.savefig(content, format="png", dpi=80)
    return content.getvalue()


def _overlay(panel: Axes, method: str, name: str, maps: Maps, row: int) -> None:
    """One map over the face; valence and arousal share a scale, occlusion's in their own unit."""
    strongest = float(np.abs(maps).max())
    title, limit = f"{method}: {name}\n", strongest or 1.0
    if method == "occlusion":
        title += f"{min(0.0, maps[row].min()):+.2f} to {max(0.0, maps[row].max()):+.2f}"
        limit = max(strongest, _FAINT)
    panel.imshow(
        maps[row] / limit,
        cmap="RdBu_r",
        vmin=-1,
        vmax=1,
        alpha=0.75 * np.abs(maps[row]) / limit,
        extent=(0, 1, 1, 0),
        interpolation="bilinear",
    )
    panel.set_title(title, fontsize=10)
