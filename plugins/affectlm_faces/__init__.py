"""Face detectors: YuNet (the default, `auto`), OpenCV's Haar cascade, the whole picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affectlm import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from affectlm.hooks import Factory
    from affectlm.weights.named import Weights


@hookimpl
def affectlm_detectors() -> Mapping[str, Factory]:
    """The detectors of this plugin."""
    return {
        "auto": "affectlm_faces.auto:Auto",
        "haar": "affectlm_faces.haar:Haar",
        "whole": "affectlm_faces.whole:Whole",
        "yunet": "affectlm_faces.yunet:YuNet",
    }


@hookimpl
def affectlm_weights() -> Sequence[Weights]:
    """YuNet's network, stored beside this file; the cascade comes with OpenCV."""
    from affectlm.weights.named import Hub, Packaged, Weights

    file = "face_detection_yunet_2023mar.onnx"
    return [
        Weights(
            name="yunet",
            sources=(Packaged("affectlm_faces", file), Hub("opencv/face_detection_yunet", file)),
            digest="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            size=232_589,
            licence="MIT",
            citation="Wu et al. 2023, YuNet: A Tiny Millisecond-level Face Detector, doi 10.1007/s11633-023-1423-y",
        )
    ]
