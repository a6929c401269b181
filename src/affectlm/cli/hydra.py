"""From words to a job in Hydra's folder, or to one job per point of a sweep.

Only Hydra is imported until a job starts, so that `--help` and `--cfg job` are quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from affectlm.config import compose as configuration
from affectlm.config.watched import watched
from affectlm.errors import AffectlmError, ConfigError, RunFolderError
from affectlm.registry import OWN_CONFIG

Job = Callable[[DictConfig, Path], None]
_FULL_ERROR = "HYDRA_FULL_ERROR"


@contextmanager
def _composed(config: DictConfig, folder: Path) -> Iterator[None]:
    """Writes the composed configuration into a job's folder however the job ends, unless the folder was refused."""
    try:
        yield
    except RunFolderError:
        raise
    except BaseException:
        _save(config, folder)
        raise
    _save(config, folder)


def _save(config: DictConfig, folder: Path) -> None:
    from affectlm.store.run_folder import save_composed

    own = HydraConfig.get()
    save_composed(folder, config=config, hydra={"hydra": own}, overrides=own.overrides.task)


def overrides() -> list[str]:
    """The overrides of the job that Hydra has started."""
    return [str(word) for word in HydraConfig.get().overrides.task]


def is_sweep() -> bool:
    """Whether that job is one point of a sweep."""
    return bool(HydraConfig.get().mode is RunMode.MULTIRUN)


def start(words: Sequence[str], job: Job, *, name: str = "affectlm") -> None:
    """Lets Hydra compose the primary configuration `name` and call the job once, or once per point of a sweep.

    Raises:
        AffectlmError: the words do not compose, or a folder could not be made; or a job failed, after the other points
            of a sweep were run.
    """
    failed: list[AffectlmError] = []
    broken = False  # whether a job failed by a bug; other errors from Hydra are about words, flags and folders

    @hydra.main(config_path=f"pkg://{OWN_CONFIG}", config_name=name, version_base="1.3")
    def main(config: DictConfig) -> None:
        nonlocal broken
        folder = Path(HydraConfig.get().runtime.output_dir)
        try:
            with _composed(config, folder):
                job(config, folder)
        except AffectlmError as error:  # if raised here, Hydra would wrap our one sentence in four of its own
            failed.append(error)
        except Exception:
            broken = True
            raise

    # Hydra would overwrite the .hydra of another run before the job can refuse the folder.
    sys.argv = ["affectlm", *configuration.prepare(words, name), "hydra.output_subdir=null"]
    try:
        with _raised(), watched():
            main()
    except (HydraException, ValueError, OSError) as error:
        if broken or isinstance(error, BrokenPipeError):  # the reader of our output has gone
            raise
        if not isinstance(error, OSError):
            raise ConfigError(" ".join(str(error).split())) from error
        from affectlm.store.run_folder import unwritable

        raise unwritable(Path(error.filename or "."), error) from error
    if len(failed) > 1:
        raise AffectlmError("; ".join(str(error) for error in failed)) from failed[0]
    if failed:
        raise failed[0]


@contextmanager
def _raised() -> Iterator[None]:
    """Makes Hydra raise errors; by default it prints several lines, or a traceback if it cannot make a folder."""
    before = os.environ.get(_FULL_ERROR)
    os.environ[_FULL_ERROR] = "1"
    try:
        yield
    finally:
        del os.environ[_FULL_ERROR]
        if before is not None:
            os.environ[_FULL_ERROR] = before
