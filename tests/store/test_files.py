"""Files that would never end, or never fit into memory, are refused within seconds and in a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from affectlm.config.compose import compose as composed
from affectlm.errors import ConfigError
from affectlm.line.budget import Price, find_price
from affectlm.store.files import open_file, read_yaml
from tests.processes import command, run_each

SECONDS = 120  # most of it to load libraries on a busy machine; without the checks there is no end
LEVELS = [f"a{number}: &a{number} [{','.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 30)]
BOMB = "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *LEVELS, ""])
CHAIN = "\n".join(["a0: &a0 [x]", *(f"a{number}: &a{number} [*a{number - 1}]" for number in range(1, 60)), ""])
ENDLESS = {
    "bomb": (BOMB, "expands to more than 100,000 values"),
    "chain": (CHAIN, "or 40 levels"),
    "part of itself": ("a: &a {b: [*a]}\n", "is part of itself"),
    "depth": ("[" * 100_000, "nested too deeply"),
    "depth of mappings": ("{a: " * 5000 + "}" * 5000, "nested too deeply"),
}
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


WORDS = (
    ("max_cost=1", "prices=endless", "estimator=constant", "llm=circumplex"),
    ("estimator.weights=endless",),
    ("estimator=timm", "estimator.weights=endless"),
    ("dataset=folder", "dataset.manifest=endless"),
)
READERS = {
    "x.h5": "from affectlm_facechannel.keras.original import load; load(Path('x.h5'))",
    "x.gguf": "from affectlm_chat.llamacpp.files import find_file; find_file('x.gguf')",
    "deploy.prototxt": "from affectlm_facechannel.ssd import Ssd; Ssd(path='.')",
    "annotations/1_val.npy": (
        "from affectlm_data.affectnet import AffectNet; AffectNet(path='.', split=None)._number('1', 'val')"
    ),
    "x.safetensors": "from affectlm.neural.files import load_weights; load_weights(None, Path('x.safetensors'), '')",
    "y.safetensors": "from affectlm.weights.named import sha256; sha256(Path('y.safetensors'))",
}


def last_lines(codes: Iterable[str], folder: Path) -> list[str]:
    """What each piece of Python says last in a process that must end in time."""
    done = run_each([*codes], cwd=folder, environment={}, timeout=SECONDS)
    assert {each.returncode for each in done} == {1}
    return [each.stderr.splitlines()[-1] for each in done]


@pytest.fixture(params=["pipe", "device"])
def endless(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder in which all names lead to a file that never ends; to keep names' endings they are links."""
    source = Path("/dev/zero")
    if request.param == "pipe":
        source = tmp_path / "pipe"
        os.mkfifo(source)
    for folder in ("annotations", "images"):  # AffectNet's
        (tmp_path / folder).mkdir()
    (tmp_path / "annotations" / "1_exp.npy").touch()
    for name in ("endless", *READERS):
        (tmp_path / name).symlink_to(source)
    return tmp_path


@needs_pipes
def test_a_file_without_end_is_one_sentence_of_the_command(endless: Path) -> None:
    """A list of prices, weights, a manifest."""
    for said in last_lines((command(["dataset=samples", "llm=circumplex", *words]) for words in WORDS), endless):
        assert said.startswith("affectlm: ")
        assert "it is a pipe or device, expected an ordinary file" in said


@needs_pipes
def test_a_file_without_end_is_an_error_of_whatever_reads_it(endless: Path) -> None:
    """Readers of plugins, each by itself."""
    for said in last_lines((f"from pathlib import Path; {code}" for code in READERS.values()), endless):
        assert "it is a pipe or device, expected an ordinary file" in said


def test_an_ordinary_file_is_opened_up_to_its_limit(tmp_path: Path) -> None:
    """A sparse file of any size costs nobody anything to make."""
    (tmp_path / "a").write_bytes(b"12345")

    with open_file(tmp_path / "a", 5) as file:
        assert file.read() == b"12345"
    with pytest.raises(OSError, match="it is larger than"):
        open_file(tmp_path / "a", 4)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path, 5)


@pytest.mark.parametrize(("content", "said"), ENDLESS.values(), ids=ENDLESS)
def test_a_file_in_yaml_that_unfolds_without_end_is_refused(content: Any, said: Any, tmp_path: Path) -> None:
    """Names for lists of names are a few lines on disk, and more than memory holds when somebody walks through them."""
    (tmp_path / "x.yaml").write_text(content)

    with pytest.raises(ConfigError, match=f"'.*x.yaml' cannot be read as YAML or JSON: .*{said}"):
        read_yaml(tmp_path / "x.yaml")
    with pytest.raises(ConfigError, match=said):
        find_price(tmp_path / "x.yaml", "m")


def test_a_configuration_of_the_user_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    """Hydra would copy every value of it."""
    for number, (content, _) in enumerate(ENDLESS.values()):
        (tmp_path / f"x{number}.yaml").write_text(content)
    words = [["--config-dir", ".", "--config-name", f"x{number}"] for number in range(len(ENDLESS))]

    for found, (_, said) in zip(last_lines(map(command, words), tmp_path), ENDLESS.values(), strict=True):
        assert found.startswith("affectlm: ")
        assert said in found


def test_words_that_are_nested_without_end_are_refused() -> None:
    """In one sentence, too."""
    with pytest.raises(ConfigError, match="the configuration is nested too deeply"):
        composed(["labels=" + "[" * 3000 + "]" * 3000])


@pytest.mark.parametrize("model", ["2024-02-30", "2024-06-01", "1.5", "on"])
def test_a_price_is_found_by_the_name_as_it_is_written(model: str, tmp_path: Path) -> None:
    """YAML would read some names as dates, numbers or truth values, and fail at dates that are none."""
    (tmp_path / "prices.yaml").write_text(f"{model}: {{input: 1, output: 2.5e-1}}\n2024-13-45: 2024-99-99\n")

    assert find_price(tmp_path / "prices.yaml", model) == Price(1.0, 0.25)


@pytest.mark.parametrize("price", ["2024-13-01", "true", "-1", ".nan", "nan", "inf", "9" * 5000, "[1]", "!!int x", ""])
def test_a_price_that_is_none_is_one_short_sentence(price: Any, tmp_path: Path) -> None:
    """It names what was found."""
    (tmp_path / "prices.yaml").write_text(f"m: {{input: 1, output: {price}}}\n")

    with pytest.raises(ConfigError, match=r"the price of 'm' in '.*' is \{.*; expected 'gpt") as caught:
        find_price(tmp_path / "prices.yaml", "m")
    assert len(str(caught.value)) < 1000
