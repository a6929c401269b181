"""Files that would never end, or never fit into memory, are refused within seconds and in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from affectlm.config.compose import compose as composed
from affectlm.errors import ConfigError
from affectlm.line.budget import Price, find_price
from affectlm.store.files import open_file, read_yaml

SECONDS = 60  # most of it to load libraries on a busy machine; without the check there is no end
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


@pytest.fixture(params=["pipe", "device"])
def endless(request, tmp_path) -> Path:
    """A file that never ends; to keep names' endings it is a link."""
    source = Path("/dev/zero")
    if request.param == "pipe":
        source = tmp_path / "pipe"
        os.mkfifo(source)
    link = tmp_path / "link"
    link.symlink_to(source)
    return link


def last_line(*words: str, cwd: Path) -> str:
    """What a process of Python says last, which must end in time."""
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@needs_pipes
@pytest.mark.parametrize(
    "words",
    [
        ("max_cost=1", "prices={}", "estimator=constant", "llm=circumplex"),
        ("estimator.weights={}",),
        ("estimator=timm", "estimator.weights={}"),
        ("dataset=folder", "dataset.manifest={}"),
    ],
)
def test_a_file_without_end_is_one_sentence_of_the_command(words, endless, tmp_path):
    """A list of prices, weights, a manifest."""
    said = last_line(
        "-m", "affectlm", "dataset=samples", "llm=circumplex", *(word.format(endless) for word in words), cwd=tmp_path
    )

    assert said.startswith("affectlm: ")
    assert "it is a pipe or device, expected an ordinary file" in said


@needs_pipes
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("x.h5", "from affectlm_facechannel.keras.original import load; load(Path('x.h5'))"),
        ("x.gguf", "from affectlm_chat.llamacpp.files import find_file; find_file('x.gguf')"),
        ("deploy.prototxt", "from affectlm_facechannel.ssd import Ssd; Ssd(path='.')"),
        (
            "annotations/1_val.npy",
            "from affectlm_data.affectnet import AffectNet; AffectNet(path='.', split=None)._number('1', 'val')",
        ),
        (
            "x.safetensors",
            "from affectlm.neural.files import load_weights; load_weights(None, Path('x.safetensors'), '')",
        ),
        ("x.safetensors", "from affectlm.weights.named import sha256; sha256(Path('x.safetensors'))"),
    ],
)
def test_a_file_without_end_is_an_error_of_whatever_reads_it(name, code, endless, tmp_path):
    """Readers of plugins, each by itself."""
    for folder in ("annotations", "images"):  # AffectNet's
        (tmp_path / folder).mkdir()
    (tmp_path / "annotations" / "1_exp.npy").touch()
    (tmp_path / name).symlink_to(endless)

    assert "it is a pipe or device, expected an ordinary file" in last_line(
        "-c", f"from pathlib import Path; {code}", cwd=tmp_path
    )


def test_an_ordinary_file_is_opened_up_to_its_limit(tmp_path):
    """A sparse file of any size costs nobody anything to make."""
    (tmp_path / "a").write_bytes(b"12345")

    with open_file(tmp_path / "a", 5) as file:
        assert file.read() == b"12345"
    with pytest.raises(OSError, match="it is larger than"):
        open_file(tmp_path / "a", 4)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path, 5)


@pytest.mark.parametrize(("content", "said"), ENDLESS.values(), ids=ENDLESS)
def test_a_file_in_yaml_that_unfolds_without_end_is_refused(content, said, tmp_path):
    """Names for lists of names are a few lines on disk, and more than memory holds when somebody walks through them."""
    (tmp_path / "x.yaml").write_text(content)

    with pytest.raises(ConfigError, match=f"'.*x.yaml' cannot be read as YAML or JSON: .*{said}"):
        read_yaml(tmp_path / "x.yaml")
    with pytest.raises(ConfigError, match=said):
        find_price(tmp_path / "x.yaml", "m")


@pytest.mark.parametrize(("content", "said"), ENDLESS.values(), ids=ENDLESS)
def test_a_configuration_of_the_user_that_unfolds_without_end_is_refused(content, said, tmp_path):
    """Hydra would copy every value of it."""
    (tmp_path / "x.yaml").write_text(content)

    found = last_line("-m", "affectlm", "--config-dir", ".", "--config-name", "x", cwd=tmp_path)

    assert found.startswith("affectlm: ")
    assert said in found


def test_words_that_are_nested_without_end_are_refused():
    """In one sentence, too."""
    with pytest.raises(ConfigError, match="the configuration is nested too deeply"):
        composed(["labels=" + "[" * 3000 + "]" * 3000])


@pytest.mark.parametrize("model", ["2024-02-30", "2024-06-01", "1.5", "on"])
def test_a_price_is_found_by_the_name_as_it_is_written(model, tmp_path):
    """YAML would read some names as dates, numbers or truth values, and fail at dates that are none."""
    (tmp_path / "prices.yaml").write_text(f"{model}: {{input: 1, output: 2.5e-1}}\n2024-13-45: 2024-99-99\n")

    assert find_price(tmp_path / "prices.yaml", model) == Price(1.0, 0.25)


@pytest.mark.parametrize("price", ["2024-13-01", "true", "-1", ".nan", "nan", "inf", "9" * 5000, "[1]", "!!int x", ""])
def test_a_price_that_is_none_is_one_short_sentence(price, tmp_path):
    """It names what was found."""
    (tmp_path / "prices.yaml").write_text(f"m: {{input: 1, output: {price}}}\n")

    with pytest.raises(ConfigError, match=r"the price of 'm' in '.*' is \{.*; expected 'gpt") as caught:
        find_price(tmp_path / "prices.yaml", "m")
    assert len(str(caught.value)) < 1000
