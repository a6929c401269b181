"""affectlm inside other programs: a run as a function, and a reader for single pictures that writes no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs

from affectlm.config.asking import asking_of, permission_of
from affectlm.config.components import Components
from affectlm.config.compose import compose, to_plain
from affectlm.config.settings import RunSettings, settings
from affectlm.errors import ConfigError, ImageError
from affectlm.jobs.run import run as run_config
from affectlm.line.ask import ask
from affectlm.line.faces import find_faces
from affectlm.line.images import from_pil
from affectlm.line.measure import Measured, Step, estimate
from affectlm.line.permission import Permission
from affectlm.line.source import repeated
from affectlm.registry import Registry
from affectlm.report.pages import write_pages
from affectlm.store.cache import Store
from affectlm.store.records import Report
from affectlm.store.run_folder import save_composed
from affectlm.types import (
    FaceDetector,
    Image,
    LLMAdapter,
    Outcome,
    Pixels,
    PromptTemplate,
    Record,
    Sample,
    SingleLLM,
    VAEstimator,
)

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

Picture: TypeAlias = "str | Path | Pixels | PILImage"


def run(*words: str, registry: Registry | None = None) -> Report:
    """The report of the run that these words start on the command line; prints nothing.

    >>> report = affectlm.run("photos/", "llm=circumplex")  # doctest: +SKIP

    Args:
        words: overrides and paths.
        registry: finds the components that the words name; the installed registry by default.

    Raises:
        AffectlmError: see `affectlm.jobs.run.run`.
    """
    folder = next((word.partition("=")[2] for word in words if word.startswith("hydra.run.dir=")), None)
    config = compose(words)
    path = Path(folder) if folder else Path("outputs") / datetime.now().strftime("%Y-%m-%d/%H-%M-%S-%f")

    def keep(report: Report) -> None:
        save_composed(path, config=config, overrides=list(words))
        write_pages(report, path)

    return run_config(to_plain(config), path, registry=registry, on_success=keep, command=["affectlm", *words])


def load(*words: str, registry: Registry | None = None, **choices: str | bool) -> Reader:
    """A reader with the given components, as in `load(estimator="facechannel", llm="smollm2")`; words are overrides.

    Settings such as `accept_licence=True` work as keywords too. `registry` finds the components, by default the
    installed one.

    Raises:
        ConfigError: a choice or option cannot be used.
    """
    overrides = [*(f"{group}={choice}" for group, choice in choices.items()), *words]
    return Reader(config=to_plain(compose(overrides)), registry=registry or Registry.installed())


@attrs.define(slots=False, kw_only=True)
class Reader:
    """Reads single pictures. Components are built on first use, by one thread; nothing is written to disk."""

    config: Mapping[str, object] = attrs.field(repr=False)
    registry: Registry = attrs.field(factory=Registry.installed, repr=False)
    _chosen: RunSettings = attrs.field(init=False, repr=False, eq=False)
    _building: RLock = attrs.field(factory=RLock, init=False, repr=False, eq=False)
    _built: dict[str, object] = attrs.field(factory=dict, init=False, repr=False, eq=False)

    @_chosen.default
    def _settings(self) -> RunSettings:
        return settings(self.config, RunSettings)

    @property
    def detector(self) -> FaceDetector:
        """What finds faces."""
        return cast("FaceDetector", self._build("detector"))

    @property
    def estimator(self) -> VAEstimator:
        """What measures them."""
        return cast("VAEstimator", self._build("estimator"))

    @property
    def prompt(self) -> PromptTemplate:
        """What asks."""
        return cast("PromptTemplate", self._build("prompt"))

    @property
    def llm(self) -> LLMAdapter | SingleLLM:
        """What answers."""
        return cast("LLMAdapter | SingleLLM", self._build("llm"))

    def estimate(self, picture: Picture) -> list[Sample]:
        """Valence and arousal of each face of a picture, the best face first; empty if there is none.

        Args:
            picture: a path, a PIL image, or RGB pixels (height, width, 3) of uint8.

        Raises:
            ImageError: it cannot be read as a picture.
        """
        samples = []
        for step in self._measured(picture):
            if isinstance(step, Measured):
                samples.append(step.sample)
            elif step.outcome is Outcome.UNREADABLE_IMAGE:
                raise ImageError(step.reason)
        return samples

    def read(self, picture: Picture) -> list[Record]:
        """A record with valence, arousal and answer per face, or one that says why there is no face."""
        with self._building:  # one permission for all calls, so that limits hold for them together
            if "permission" not in self._built:
                self._built["permission"] = permission_of(self._chosen, self.llm)
        asking = asking_of(self._chosen, self.prompt, self.llm)
        permission = cast("Permission", self._built["permission"])
        steps = repeated(self._measured(picture), self._chosen.repeats)
        return list(ask(steps, asking, store=Store("completions", "off"), permission=permission))

    def _measured(self, picture: Picture) -> Iterator[Step]:
        found = find_faces([_as_image(picture)], self.detector, best_only=self._chosen.faces == "best")
        return estimate(found, self.estimator, keep_faces=self._chosen.send_images)

    def _build(self, kind: str) -> object:
        with self._building:
            if kind not in self._built:
                self._built[kind] = Components.of(self.config, self.registry, self._chosen).build(kind)
            return self._built[kind]


def _as_image(picture: Picture) -> Image:
    if isinstance(picture, str | Path):
        return Image(Path(picture).name, Path(picture))
    if hasattr(picture, "convert"):
        return Image("picture", from_pil(cast("PILImage", picture)))
    if not hasattr(picture, "shape"):
        raise ConfigError(f"found {type(picture).__name__}, expected a path, a PIL image or uint8 RGB pixels")
    return Image("picture", picture)
