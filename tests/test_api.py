"""affectlm inside other programs."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import skimage

import affectlm
from affectlm.errors import ConfigError, ImageError, RunFolderError
from affectlm.offers import Component
from affectlm.registry import Registry
from affectlm.testing import ScriptedLLM

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"


@pytest.fixture(scope="module")
def reader() -> Any:
    return affectlm.load(estimator="facechannel", detector="haar", llm="circumplex")


def test_import_loads_nothing_heavy() -> None:
    """An embedding program pays when it uses something."""
    code = "import sys, affectlm; print([name for name in ('numpy', 'torch', 'hydra', 'cv2') if name in sys.modules])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_smiling_face_is_pleasant(reader: Any) -> None:
    """The point of it all, on a real photograph."""
    samples = reader.estimate(ASTRONAUT)

    assert len(samples) == 1
    assert samples[0].valence > 0.3


def test_path_pil_image_and_array_give_the_same_numbers(reader: Any) -> None:
    """Three ways to hand over one picture."""
    with PIL.Image.open(ASTRONAUT) as opened:
        picture = opened.convert("RGB")

    values = [reader.estimate(each)[0].valence for each in (str(ASTRONAUT), picture, np.asarray(picture))]

    assert values == pytest.approx([values[0]] * 3, abs=1e-6)


def test_reading_gives_a_record_with_an_answer_and_writes_no_files(
    reader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Valence, arousal and words in one object."""
    monkeypatch.chdir(tmp_path)

    record = reader.read(ASTRONAUT)[0]

    assert (record.outcome, record.valence > 0.3, bool(record.answer)) == ("ok", True, True)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_without_a_face_says_so(reader: Any) -> None:
    """No guess is ever made."""
    blank = np.full((200, 200, 3), 128, np.uint8)

    assert reader.estimate(blank) == []
    assert [record.outcome for record in reader.read(blank)] == ["no_face"]


def test_what_is_no_picture_is_an_error(reader: Any) -> None:
    """Found and expected are named."""
    with pytest.raises(ConfigError, match="found int, expected a path"):
        reader.estimate(3)
    with pytest.raises(ImageError, match="none"):
        reader.estimate("none.png")
    assert [record.outcome for record in reader.read("none.png")] == ["unreadable_image"]


def test_readers_work_in_threads(reader: Any) -> None:
    """One reader, several threads, the same numbers."""
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda _: reader.estimate(ASTRONAUT)[0].valence, range(8)))

    assert values == pytest.approx([values[0]] * 8, abs=1e-5)


def test_run_returns_the_report_of_the_same_words(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As the command line, silent, and as often as wanted."""
    monkeypatch.chdir(tmp_path)

    words = [str(pictures), "detector=whole", "llm=circumplex"]
    reports = [affectlm.run(*words, f"hydra.run.dir={name}") for name in ("first", "out")]

    report = reports[1]
    assert (report.status, report.outcomes) == ("success", {"ok": 3})
    assert (tmp_path / "out" / ".hydra" / "overrides.yaml").exists()
    assert (tmp_path / "out" / "report.html").exists()
    assert capfd.readouterr().out == ""


def test_a_run_is_not_written_among_pictures(pictures: Path) -> None:
    """As on the command line; nothing is left behind."""
    before = sorted(pictures.rglob("*"))

    with pytest.raises(RunFolderError, match=r"holds pictures \(3, such as 'p0\.png'\), so nothing is written there"):
        affectlm.run(str(pictures), "detector=whole", "llm=circumplex", f"hydra.run.dir={pictures}")
    assert sorted(pictures.rglob("*")) == before


def test_flags_are_refused_in_one_sentence(pictures: Path) -> None:
    """A sweep is the command line's."""
    with pytest.raises(ConfigError, match="'-m' is a flag of the command line"):
        affectlm.run("-m", str(pictures))


def test_composing_is_safe_in_threads() -> None:
    """Hydra keeps one state for the whole process."""
    with ThreadPoolExecutor(6) as pool:
        readers = list(pool.map(lambda number: affectlm.load(f"seed={number}", llm="circumplex"), range(12)))

    assert [reader.config["seed"] for reader in readers] == list(range(12))


def test_a_registry_of_ones_own_finds_the_components(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a run and for a reader; what it has not is not found."""
    monkeypatch.chdir(tmp_path)
    own = Registry([])
    installed = [each for each in Registry.installed().components if (each.kind, each.name) != ("llm", "circumplex")]
    own.components = [*installed, Component("llm", "circumplex", "test", lambda **_: ScriptedLLM())]
    words = [str(pictures), "detector=whole", "estimator=constant", "llm=circumplex", "metric=[]"]

    report = affectlm.run(*words, registry=own)
    [record] = affectlm.load(*words[1:], registry=own).read(pictures / "p0.png")

    assert report.outcomes == {"ok": 3}
    assert record.model == "scripted"
    with pytest.raises(ConfigError, match="no detector named 'whole'"):
        affectlm.run(*words, registry=Registry([]))
