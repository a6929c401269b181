"""What README, docs and examples say is true."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import PIL.Image
import pytest
import skimage

from affectlm.registry import Registry
from tests.conftest import Command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"


def test_every_choice_of_the_readme_is_installed_and_every_installed_one_is_told() -> None:
    """The table is the truth."""
    table = dict(re.findall(r"^\| (dataset|detector|estimator|llm|prompt|metric) \| (.*) \|$", README, re.MULTILINE))

    told = {group: set(re.findall(r"`(\w+)`", text)) for group, text in table.items()}

    assert told == {group: set(Registry.installed().files(group)) for group in told}
    assert len(told) == 6


@pytest.mark.parametrize(
    "line", re.findall(r"^affectlm .*", "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)), re.MULTILINE)
)
def test_every_command_of_the_readme_runs(line: str, tmp_path: Path, command: Command) -> None:
    """A sweep runs dry, other runs only compose, since their models may not be here; listings run as they stand."""
    (tmp_path / "photos").mkdir()
    PIL.Image.new("RGB", (32, 32)).save(tmp_path / "photos" / "grey.png")
    words = line.split("#")[0].split()[1:]
    if "-m" in words:
        words += ["dry_run=true"]
    elif words[0] not in ("plugins", "weights", "cache", "doctor"):
        words += ["--cfg", "job"]
    done = command(*words)

    assert done.returncode == (1 if words[0] == "doctor" else 0), done.stderr
    assert done.stdout


def test_the_examples_run(tmp_path: Path) -> None:
    """Each as its first line says."""
    words = {"read_picture.py": [str(ASTRONAUT)], "compare_models.py": [str(ASTRONAUT), "circumplex"]}
    for path in sorted((ROOT / "examples").glob("*.py")):
        done = subprocess.run(
            [sys.executable, str(path), *words[path.name]], cwd=tmp_path, capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, done.stderr
        assert "pleased" in done.stdout


def test_the_wheel_holds_what_the_tree_holds(tmp_path: Path) -> None:
    """All that is committed travels: nested packages, templates, YAML files, weights and typing markers."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    tree, list_files = tmp_path / "tree", ["git", "ls-files", "-z", "src", "plugins", "conf"]
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tree)], check=True)  # only what is committed
    files = subprocess.run(list_files, cwd=tree, capture_output=True, text=True, check=True).stdout.rstrip("\0")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(tree)]
    subprocess.run(command, check=True, capture_output=True)

    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()

    places = {"src": "", "plugins": "", "conf": "affectlm/conf/"}
    targets = {places[place] + rest for place, _, rest in (file.partition("/") for file in files.split("\0"))}
    assert "affectlm/report/templates/report.html" in targets
    assert sorted(targets - set(names)) == []
