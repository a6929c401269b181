"""YuNet when its weights are here or can be fetched, otherwise the Haar cascade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from affectlm.errors import WeightsError
from affectlm.types import Box, Pixels
from affectlm_faces.haar import Haar
from affectlm_faces.yunet import YuNet

_positive = [attrs.validators.instance_of(int), attrs.validators.ge(1)]


@attrs.frozen(kw_only=True)
class Auto:
    """The best detector that this machine has; which one is decided when it is built, and `describe` tells."""

    max_side: int = attrs.field(default=1024, validator=_positive)  # larger pictures are looked at reduced to this
    min_size: int = attrs.field(default=16, validator=_positive)  # pixels; smaller faces are left out
    _chosen: YuNet | Haar = attrs.field(init=False, repr=False, eq=False)
    _reason: str = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        chosen: YuNet | Haar
        try:
            chosen, reason = YuNet(max_side=self.max_side, min_size=self.min_size), "its weights are on this machine"
        except WeightsError:
            chosen, reason = Haar(min_size=self.min_size), "yunet's weights are not here and cannot be fetched"
        object.__setattr__(self, "_chosen", chosen)
        object.__setattr__(self, "_reason", reason)

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """For each picture (height, width, 3) the faces in it, the best first."""
        return self._chosen.detect(images)

    def describe(self) -> Mapping[str, str]:
        """Which detector was chosen and why, and what it says of itself."""
        if isinstance(self._chosen, YuNet):
            return {"chosen": "yunet", "reason": self._reason, **self._chosen.describe()}
        return {"chosen": "haar", "reason": self._reason}
