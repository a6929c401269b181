"""Published points of emotion words as samples: does a language model know the points of its own words?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from affectlm.affect.points import EMOTIONS, FEELINGS
from affectlm.errors import ConfigError
from affectlm.types import Sample, Truth
from affectlm_data.options import takes_none

_SPLITS = {"emotions": EMOTIONS, "feelings": FEELINGS, None: (*EMOTIONS, *FEELINGS)}


@attrs.frozen(kw_only=True)
class Anchors:
    """One sample per word, which is its id and its label; the group `citation` says who published its point.

    Args:
        path: must be None.
        split: emotions (nouns of the usual taxonomies), feelings (words for how a person feels), None for both.

    Raises:
        ConfigError: there is no such split, or a path is given.
    """

    path: None = attrs.field(default=None, validator=takes_none("anchors"))
    split: str | None = attrs.field(default=None)

    @split.validator
    def _check_split(self, _: object, value: str | None) -> None:
        if value not in _SPLITS:
            raise ConfigError(f"split '{value}' is unknown; expected emotions, feelings or null")

    def items(self) -> Iterator[Sample]:
        """The words in the order of their tables."""
        for anchor in _SPLITS[self.split]:
            truth = Truth(
                labels=(anchor.word,),
                valence=anchor.valence,
                arousal=anchor.arousal,
                group={"citation": anchor.citation},
            )
            yield Sample(anchor.word, anchor.valence, anchor.arousal, truth=truth)

    def __len__(self) -> int:
        """The number of words."""
        return len(_SPLITS[self.split])

    def describe(self) -> Mapping[str, str]:
        """The citations of the points."""
        return {"citations": "; ".join(dict.fromkeys(anchor.citation for anchor in _SPLITS[self.split]))}
