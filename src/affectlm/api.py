"""affectlm inside other programs: a run as a function, and a reader of single pictures that writes no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs
from omegaconf import OmegaConf

from affectlm import config as configuration
from affectlm.cache import Store
from affectlm.errors import ConfigError, ImageError
from affectlm.images import from_pil
from affectlm.pipeline import Asking, Finding, Step, ask, estimate, find_faces
from affectlm.records import Record, Report
from affectlm.registry import Registry
from affectlm.run import run as run_config
from affectlm.types import FaceDetector, Image, LLMAdapter, Outcome, Pixels, PromptTemplate, Sample, VAEstimator

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

Picture: TypeAlias = "str | Path | Pixels | PILImage"


def run(*words: str) -> Report:
    """Runs what the command line of the same words would run, silently, and returns its report.

    >>> report = affectlm.run("photos/", "llm=circumplex")  # doctest: +SKIP

    Raises:
        AffectlmError: see `affectlm.run.run`.
    """
    folder = next((word.partition("=")[2] for word in words if word.startswith("hydra.run.dir=")), None)
    config = configuration.compose(words)
    path = Path(folder) if folder else Path("outputs") / datetime.now().strftime("%Y-%m-%d/%H-%M-%S-%f")
    report = run_config(configuration.to_plain(config), path)
    hydra_folder = path / ".hydra"
    hydra_folder.mkdir(exist_ok=True)
    OmegaConf.save(config, hydra_folder / "config.yaml")
    OmegaConf.save(OmegaConf.create(list(words)), hydra_folder / "overrides.yaml")
    return report


def load(*words: str, **choices: str) -> Reader:
    """A reader with the given choices, as in `load(estimator="facechannel", llm="smollm2")`; words are overrides.

    Raises:
        ConfigError: a choice or option cannot be used.
    """
    overrides = [*(f"{group}={choice}" for group, choice in choices.items()), *words]
    return Reader(config=configuration.to_plain(configuration.compose(overrides)))


@attrs.define(slots=False, kw_only=True)
class Reader:
    """Reads single pictures. Parts are built when they are first used; nothing is written but the cache."""

    config: Mapping[str, object] = attrs.field(repr=False)
    registry: Registry = attrs.field(factory=Registry.installed, repr=False)

    @cached_property
    def detector(self) -> FaceDetector:
        """What finds faces."""
        return cast("FaceDetector", self._build("detector"))

    @cached_property
    def estimator(self) -> VAEstimator:
        """What measures them."""
        return cast("VAEstimator", self._build("estimator"))

    @cached_property
    def prompt(self) -> PromptTemplate:
        """What asks."""
        return cast("PromptTemplate", self._build("prompt"))

    @cached_property
    def llm(self) -> LLMAdapter:
        """What answers."""
        return cast("LLMAdapter", self._build("llm"))

    def estimate(self, picture: Picture) -> list[Sample]:
        """Valence and arousal of each face of a picture, the best face first; empty when there is none.

        Args:
            picture: a path, a PIL image, or RGB pixels (height, width, 3) of uint8.

        Raises:
            ImageError: it cannot be read as a picture.
        """
        samples = []
        for step in self._measured(picture):
            if isinstance(step, Finding):
                record = step.record
                samples.append(
                    Sample(record.id, cast("float", record.valence), cast("float", record.arousal), record.extra)
                )
            elif step.outcome is Outcome.UNREADABLE_IMAGE:
                raise ImageError(step.reason)
        return samples

    def read(self, picture: Picture) -> list[Record]:
        """A record with valence, arousal and answer for each face, or one that says why there is none."""
        asking = Asking(prompt=self.prompt, llm=self.llm, store=Store("completions", "off"))
        return list(ask(self._measured(picture), asking))

    def _measured(self, picture: Picture) -> Iterator[Step]:
        image = _as_image(picture)
        return estimate(find_faces([image], self.detector), self.estimator)

    def _build(self, kind: str) -> object:
        return self.registry.build(kind, cast("Mapping[str, object]", self.config[kind]))


def _as_image(picture: Picture) -> Image:
    if isinstance(picture, str | Path):
        return Image(Path(picture).name, Path(picture))
    if hasattr(picture, "convert"):
        return Image("picture", from_pil(cast("PILImage", picture)))
    if not hasattr(picture, "shape"):
        raise ConfigError(f"found {type(picture).__name__}, expected a path, a PIL image or uint8 RGB pixels")
    return Image("picture", picture)
