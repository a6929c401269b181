"""Draws which parts of a face raise or lower its valence and arousal, one picture per face in the run's folder.

Occlusion works with any estimator; saliency needs one that offers it. Nothing leaves the machine.
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
from matplotlib.colors import LinearSegmentedColormap

from affectlm.contract import called, class_name
from affectlm.errors import ContractError
from affectlm.store.cache import write_atomically
from affectlm.store.records import explanation
from affectlm.types import VA, ExplainableEstimator, Face, Maps, Pixels, Sample, VAEstimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = 12  # positions of the patch in each direction: 145 estimates per face, including the untouched face
_LARGEST = 256  # larger crops are reduced first: the maps are far coarser, and copying large crops takes seconds
_SHOWN = 128  # pixels per side of the drawn face: a picture takes 70 to 260 KB, and a report has twenty
_FAINT = 0.05  # an effect this small is drawn faint even if it is the strongest
_EXTENT = (0.0, 1.0, 1.0, 0.0)
_BLUE, _RED = (0.05, 0.2, 0.75), (0.8, 0.0, 0.05)
_SHADES = LinearSegmentedColormap.from_list(  # weak effects are transparent; few steps make small files
    "shades", [(0.0, (*_BLUE, 0.9)), (0.5, (*_BLUE, 0)), (0.5, (*_RED, 0)), (1.0, (*_RED, 0.9))], N=31
)


@attrs.frozen
class Explainer:
    """Draws each face it is called with into `folder`/explain; existing pictures are kept.

    Beside `NAME.png` is `NAME.npz` with `occlusion` (2, 12, 12) and, if the estimator offers it, `saliency`.
    """

    estimator: VAEstimator
    folder: Path
    batch_size: int = attrs.field(default=8, kw_only=True)

    def __call__(self, sample: Sample, face: Face) -> None:
        """Explains one face.

        Raises:
            ContractError: the estimator returned something that its protocol does not allow.
        """
        path = self.folder / explanation(sample.id)
        if path.exists():
            return
        crop = _reduced(face.pixels, _LARGEST)
        maps = {"occlusion": occlusion(self.estimator, crop, batch_size=self.batch_size)}
        if isinstance(self.estimator, ExplainableEstimator):
            maps["saliency"] = saliency(self.estimator, crop)
        numbers = BytesIO()
        np.savez_compressed(numbers, **maps)  # type: ignore[arg-type]
        write_atomically(path.with_suffix(".npz"), numbers.getvalue())
        write_atomically(path, _drawn(sample, _reduced(crop, _SHOWN), maps))


def occlusion(estimator: VAEstimator, face: Pixels, *, batch_size: int = 8) -> Maps:
    """How much valence and arousal fall if a part of the face is hidden: (2, 12, 12), negative where they rise.

    Zeiler & Fergus 2014, arXiv 1311.2901. The patch has the mean colour of the face and fades out, so that it adds no
    edges (a Gaussian with a standard deviation of a twelfth of the side).

    Args:
        estimator: the estimator to explain; it measures 145 crops.
        face: RGB crop (height, width, 3).
        batch_size: crops measured at once.

    Raises:
        ContractError: the estimator did not return finite numbers of shape (batch, 2).
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
        ContractError: the estimator did not return finite numbers of shape (1, 2, rows, columns).
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
            f"{class_name(estimator)}.estimate returned shape {affect.shape} for partly hidden faces, "
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
    """The patch along one side, at each of its positions: (12, length), at most 1."""
    pixels = (np.arange(length) + 0.5) * GRID / length
    places = np.arange(GRID) + 0.5
    return np.exp(-0.5 * (pixels - places[:, None]) ** 2)


def _reduced(face: Pixels, largest: int) -> Pixels:
    picture = PIL.Image.fromarray(face)
    picture.thumbnail((largest, largest), PIL.Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(picture)


def _drawn(sample: Sample, face: Pixels, maps: dict[str, Maps]) -> bytes:
    """A PNG with the face, and a row per method with valence, arousal and the scale of the colours."""
    figure = matplotlib.figure.Figure(figsize=(9, 3.2 * len(maps)), layout="constrained")
    grid = figure.add_gridspec(len(maps), 3)
    panel = figure.add_subplot(grid[:, 0])
    panel.imshow(face, extent=_EXTENT, interpolation="nearest")
    panel.set_title(f"valence {sample.valence:+.2f}\narousal {sample.arousal:+.2f}", fontsize=11)
    panel.set_axis_off()
    grey = np.asarray(PIL.Image.fromarray(face).convert("L"))
    for row, (method, pair) in enumerate(maps.items()):
        _overlay([figure.add_subplot(grid[row, column]) for column in (1, 2)], grey, method, pair)
    content, smaller = BytesIO(), BytesIO()
    figure.savefig(content, format="png", dpi=100)
    with PIL.Image.open(content) as drawn:
        drawn.convert("RGB").save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def _overlay(panels: list[Axes], face: NDArray[np.uint8], method: str, maps: Maps) -> None:
    """Draws the two maps of a method over the face, on one scale; occlusion is in the unit of valence and arousal."""
    strongest = float(np.abs(maps).max())
    limit = max(strongest, _FAINT) if method == "occlusion" else strongest or 1.0
    for panel, name, found in zip(panels, ("valence", "arousal"), maps, strict=True):
        panel.imshow(face, cmap="gray", vmin=0, vmax=255, extent=_EXTENT, interpolation="nearest")
        drawn = panel.imshow(found, cmap=_SHADES, vmin=-limit, vmax=limit, extent=_EXTENT, interpolation="bilinear")
        panel.set_title(
            f"{method}: {name}\n{min(0.0, found.min()):+#.2g} to {max(0.0, found.max()):+#.2g}", fontsize=11
        )
        panel.set_axis_off()
    bar = panels[0].figure.colorbar(drawn, ax=panels, label="blue lowers it, red raises it", ticks=[-limit, 0, limit])
    bar.set_ticklabels([f"{-limit:+#.2g}", "0", f"{limit:+#.2g}"])
