"""An estimator that measures colour: warm faces are pleasant, bright ones aroused."""

from affectlm import hookimpl


@hookimpl
def affectlm_estimators():
    return {"other": "affectlm_other.estimator:ColourEstimator"}


@hookimpl
def affectlm_config():
    return "affectlm_other.conf"
