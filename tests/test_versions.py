"""The versions that are installed: what pyproject.toml allows, and what constraints.txt holds."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = sorted(
    {*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)}
)
HELD = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def held(name: str, python: str) -> list[str]:
    """The versions that constraints.txt names for a distribution and a Python on Linux."""
    place = {"python_full_version": python, "sys_platform": "linux", "platform_machine": "x86_64"}
    return [
        next(iter(each.specifier)).version
        for each in HELD
        if each.name.lower() == name.lower() and (each.marker is None or each.marker.evaluate(place))
    ]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("line", WANTED)
def test_what_is_wanted_is_held_at_one_version_inside_its_range(line: Any, python: Any) -> None:
    """A stranger's machine gets what was tested, on every Python that is supported."""
    wanted = Requirement(line)
    if wanted.name == "pip":
        pytest.skip("pip is not held: it would replace itself while it installs")

    (version,) = held(wanted.name, python)

    assert wanted.specifier.contains(version)


def test_constraints_name_no_place_of_one_machine() -> None:
    """Paths and hosts of whoever made the file are of no use to others."""
    text = (ROOT / "constraints.txt").read_text()

    assert not [line for line in text.splitlines() if "://" in line or line.startswith(("-", "/"))]


def test_the_commands_of_the_readme_install_what_was_tested() -> None:
    """The first thing a stranger types."""
    installs = [line for line in (ROOT / "README.md").read_text().splitlines() if "venv/bin/activate" in line]

    assert installs
    assert all("pip install --quiet -c constraints.txt" in line for line in installs)
