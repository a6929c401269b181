"""The default detector: YuNet, whose weights are part of this package."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from affectlm_faces.yunet import YuNet


@attrs.frozen(kw_only=True)
class Auto(YuNet):
    """The best detector of this plugin, the same on every machine."""

    def describe(self) -> Mapping[str, str]:
        """The name of the detector, and its own description."""
        return {"chosen": "yunet", **super().describe()}
