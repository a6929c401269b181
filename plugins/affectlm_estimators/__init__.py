"""Estimators besides FaceChannel: any timm backbone, any ONNX model, an ensemble, a constant; and the metric `ccc`."""

from __future__ import annotations

from collections.abc import Mapping

from affectlm import hookimpl


@hookimpl
def affectlm_estimators() -> Mapping[str, str]:
    """The estimators by name."""
    return {
        "timm": "affectlm_estimators.timm:TimmEstimator",
        "onnx": "affectlm_estimators.onnx:OnnxEstimator",
        "ensemble": "affectlm_estimators.ensemble:Ensemble",
        "constant": "affectlm_estimators.constant:Constant",
    }


@hookimpl
def affectlm_metrics() -> Mapping[str, str]:
    """The metric of agreement between measured valence and arousal and ratings."""
    return {"ccc": "affectlm_estimators.metrics:Concordance"}
