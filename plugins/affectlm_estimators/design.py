"""The design of a network on a timm backbone: new, read from a weight file, or started from timm's weights."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge, instance_of

from affectlm.errors import ConfigError, WeightsError
from affectlm.neural.files import read_metadata
from affectlm.weights.hub import fetch_file

if TYPE_CHECKING:
    from torch import Tensor

    from affectlm_estimators.network import AffectNetwork

_WANTED = "expected the timm.safetensors that 'affectlm train estimator=timm' wrote"


@attrs.frozen(kw_only=True)
class Design:
    """The design of a network; a weight file has it in its metadata."""

    architecture: str = attrs.field(validator=instance_of(str))
    side: int = attrs.field(validator=[instance_of(int), ge(16)])
    categories: tuple[str, ...] = ()
    excitation: bool = False

    def build(self, *, dropout: float = 0.0, pretrained: Mapping[str, Tensor] | None = None) -> AffectNetwork:
        """The network with random weights, or with a backbone that starts from given tensors.

        Raises:
            ConfigError: timm cannot build this architecture for this side.
        """
        import torch

        from affectlm_estimators.network import AffectNetwork

        try:
            network = AffectNetwork(
                self.architecture,
                self.side,
                categories=len(self.categories),
                excitation=self.excitation,
                dropout=dropout,
                pretrained=pretrained,
            )
            with torch.inference_mode():  # many architectures fail only when they get a wrong side
                network.eval()(torch.zeros(1, 1, self.side, self.side))
            return network
        except Exception as error:  # each of timm's thousand architectures fails in its own way
            raise ConfigError(
                f"architecture '{self.architecture}' with side {self.side} cannot be built: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            ) from error

    def to_metadata(self) -> dict[str, str]:
        """The metadata for `from_metadata`."""
        return {"architecture": self.architecture, "design": json.dumps(attrs.asdict(self))}

    @classmethod
    def from_metadata(cls, path: Path) -> Design:
        """The design in the metadata of a weight file.

        Raises:
            WeightsError: the file cannot be read, or has no design.
        """
        try:
            stored = json.loads(read_metadata(path)["design"])
            design = cls(**{**stored, "categories": tuple(stored["categories"])})
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"'{path}' does not say what network it holds; {_WANTED}") from error
        check_architecture(design.architecture)
        return design


def check_architecture(name: str) -> None:
    """Raises ConfigError unless timm knows the name."""
    import timm

    if name.count(":") == 0 and timm.is_model(name):
        return
    close = difflib.get_close_matches(name, timm.list_models(), n=3)
    hint = f"did you mean {' or '.join(repr(each) for each in close)}? " if close else ""
    raise ConfigError(
        f"timm has no architecture '{name}'; {hint}list its names: python -c 'import timm; print(*timm.list_models())'"
    )


def from_hub(architecture: str) -> Mapping[str, Tensor]:
    """The tensors of a backbone that timm publishes, from this machine's hub cache or from the hub.

    Raises:
        WeightsError: there are none, or they cannot be fetched.
    """
    import timm
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    published = timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    if published is None or not published.hf_hub_id:
        raise WeightsError(f"timm publishes no weights for '{architecture}'; use estimator.pretrained=false")
    try:
        return load_file(fetch_file(published.hf_hub_id, "model.safetensors"))
    except (WeightsError, SafetensorError, OSError) as error:
        raise WeightsError(
            f"the backbone '{published.hf_hub_id}' is not on this machine and cannot be fetched "
            f"({error}); use estimator.pretrained=false, or plan.start=PATH of an earlier training"
        ) from error
