"""Faces sorted into folders by label, like the posed faces of the IIMI Emotional Face Database.

That release itself was not available to us; expected is one folder per label, or a table with path and label.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

import attrs

from affectlm.affect.taxonomies import FERPLUS, find_expression
from affectlm.errors import ConfigError
from affectlm.types import Image
from affectlm_data.folder import Folder


def _paths(value: object) -> tuple[str, ...]:
    if value is None:
        raise ConfigError("dataset 'iimi' has no path; set dataset.path to its folder or table")
    # A folder named 2023 arrives as a number.
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),)


@attrs.frozen(kw_only=True)
class IIMI:
    """Pictures with one label each, from the innermost folder named after an expression, or from a table.

    Labels are anger, disgust, fear, happiness, neutral, sadness, surprise and contempt; a folder may be named Anger,
    angry or ANGRY. Further columns of a table, such as subject, become groups.

    Args:
        path: a folder, or several, or a CSV with the columns path and label.
        split: a sub-folder of path, or a value of the table's column split; None for all.
        subject: a regular expression for the person in a picture's id; its first group is used if it has one.

    Raises:
        ConfigError: there are no pictures, or one has no known label or no subject.
    """

    path: tuple[str, ...] = attrs.field(converter=_paths)
    split: str | None = None
    subject: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))
    _folder: Folder = attrs.field(init=False, repr=False, eq=False)
    _images: tuple[Image, ...] = attrs.field(init=False, repr=False, eq=False)

    @_folder.default
    def _look(self) -> Folder:
        return Folder(path=self.path, split=self.split)

    @_images.default
    def _find(self) -> tuple[Image, ...]:
        unknown: dict[str, None] = {}
        images = []
        for image in self._folder.items():
            written = image.truth.labels or self._folders(image)
            known = tuple(label for label in map(find_expression, written) if label)
            if not known or len(known) < len(image.truth.labels):
                unknown[", ".join(written) or image.id] = None
            labels = known if image.truth.labels else known[:1]
            images.append(attrs.evolve(image, truth=attrs.evolve(image.truth, labels=labels)))
        if unknown:
            raise ConfigError(self._no_labels(list(unknown)))
        return tuple(map(self._with_subject, images)) if self.subject else tuple(images)

    def items(self) -> Iterator[Image]:
        """The pictures, unopened, in natural order; an id is the path relative to the given folder."""
        return iter(self._images)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._images)

    def left_out(self) -> Mapping[str, int]:
        """The number of files and folders left out, by reason, as in dataset `folder`."""
        return self._folder.left_out()

    def describe(self) -> Mapping[str, str]:
        """The number of pictures, in all and per label."""
        counts = Counter(image.truth.labels[0] for image in self._images)
        return {"pictures": str(len(self._images)), **{label: str(counts[label]) for label in sorted(counts)}}

    def _no_labels(self, unknown: list[str]) -> str:
        names = ", ".join(f"'{name}'" for name in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        known = ", ".join(sorted(FERPLUS))
        return (
            f"{names} in '{', '.join(self.path)}' names no expression; expected folders, or a column 'label', named "
            f"{known}, or their adjectives"
        )

    def _with_subject(self, image: Image) -> Image:
        try:
            found = re.search(self.subject or "", image.id)
        except re.error as error:
            raise ConfigError(f"subject '{self.subject}' is not a regular expression: {error}") from error
        if found is None:
            raise ConfigError(f"subject '{self.subject}' does not match '{image.id}'; correct it, or leave it out")
        person = found[1] if found.re.groups else found[0]
        return attrs.evolve(image, truth=attrs.evolve(image.truth, group={**image.truth.group, "subject": person}))

    def _folders(self, image: Image) -> tuple[str, ...]:
        """The folders that contain a picture, the innermost first, up to the given one."""
        source = Path(str(image.source))
        roots = (Path(path).expanduser() for path in self.path)
        below = next((source.relative_to(root) for root in roots if source.is_relative_to(root)), PurePath(image.id))
        return below.parts[-2::-1]
