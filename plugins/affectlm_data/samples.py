"""Four pictures that come with scikit-image and matplotlib: two portraits, a cat, a cartoon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from affectlm.errors import ConfigError
from affectlm.types import Image


def _nothing(_: object, attribute: attrs.Attribute[None], value: object) -> None:
    if value is not None:
        raise ConfigError(
            f"dataset 'samples' takes no {attribute.name}, found '{value}'; for other pictures: dataset=folder"
        )


@attrs.frozen(kw_only=True)
class Samples:
    """The pictures astronaut (smiling), grace_hopper, chelsea (a cat) and minduka (drawn), without truth."""

    path: None = attrs.field(default=None, validator=_nothing)
    split: None = attrs.field(default=None, validator=_nothing)
    _images: tuple[Image, ...] = attrs.field(init=False, repr=False, eq=False)

    @_images.default
    def _find(self) -> tuple[Image, ...]:
        import matplotlib
        import skimage

        photos = Path(skimage.__file__).parent / "data"
        drawings = Path(matplotlib.get_data_path()) / "sample_data"
        images = (
            Image("astronaut", photos / "astronaut.png"),
            Image("grace_hopper", drawings / "grace_hopper.jpg"),
            Image("chelsea", photos / "chelsea.png"),
            Image("minduka", drawings / "Minduka_Present_Blue_Pack.png"),
        )
        for image in images:
            if isinstance(image.source, Path) and not image.source.is_file():
                raise ConfigError(
                    f"sample '{image.id}' is not at '{image.source}', this build of its package lacks it; "
                    "install scikit-image and matplotlib from the package index, or use dataset=folder"
                )
        return images

    def items(self) -> Iterator[Image]:
        """The four pictures."""
        return iter(self._images)

    def __len__(self) -> int:
        """The number of pictures: four."""
        return len(self._images)
