"""What pyproject.toml cannot say: all packages below `src` and `plugins`, and `conf` as `affectlm.conf`."""

from setuptools import find_packages, setup

PLUGINS = find_packages("plugins")

setup(
    packages=[*find_packages("src"), "affectlm.conf", *PLUGINS],
    package_dir={
        "affectlm": "src/affectlm",
        "affectlm.conf": "conf",
        **{name: f"plugins/{name}" for name in PLUGINS if "." not in name},
    },
)
