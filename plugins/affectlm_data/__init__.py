"""Where faces come from: folders of pictures, four sample portraits, FER+."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from affectlm import hookimpl

if TYPE_CHECKING:
    from affectlm.hooks import Factory


@hookimpl
def affectlm_datasets() -> Mapping[str, Factory]:
    """The datasets of this plugin."""
    return {
        "manifest": "affectlm_data.ratings:Manifest",
        "folder": "affectlm_data.folder:Folder",
        "samples": "affectlm_data.samples:Samples",
        "ferplus": "affectlm_data.ferplus:FERPlus",
    }
