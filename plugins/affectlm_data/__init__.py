"""Sources of faces: folders of pictures, ratings, four sample pictures, FER+, the study's datasets."""

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
        "emotic": "affectlm_data.emotic.dataset:EMOTIC",
        "iimi": "affectlm_data.iimi:IIMI",
        "affectnet": "affectlm_data.affectnet:AffectNet",
        "anchors": "affectlm_data.anchors:Anchors",
        "simulated": "affectlm_data.simulated:Simulated",
    }
