"""EMOTIC: people in their surroundings, with 26 categories, valence and arousal (Kosti et al. 2019, arXiv 2003.13401).

The annotations come from the common tables or from the official file; pictures are not opened here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from affectlm.errors import ConfigError
from affectlm.types import Image, Truth
from affectlm_data.emotic.captions import caption_people
from affectlm_data.emotic.definitions import DEFINITIONS
from affectlm_data.emotic.mat import mat_entries
from affectlm_data.emotic.people import People, Person, check_people
from affectlm_data.emotic.table import table_entries
from affectlm_data.options import SPLITS, one_path, split_name

REFERENCES = {
    "labels": "the list of the person's labels",
    "definitions": "the definitions of the person's labels, in affectlm's own words",
    "captions": "the captions that people wrote about the picture",
}
_SOURCES = ("mscoco", "framesdb", "emodb_small", "ade20k")
_PLACES = ("{split}.csv", "emotic_pre/{split}.csv", "Annotations.mat", "Annotations/Annotations.mat")


@attrs.frozen
class _Found:
    """The people of a split, and its counts."""

    images: tuple[Image, ...]
    counts: Mapping[str, int]


@attrs.frozen(kw_only=True)
class EMOTIC:
    """The people of a split, one item each; the body is the region in which the face is searched for.

    Truth has the categories in lower case, valence and arousal mapped from 1..10 to [-1, 1], the text to compare
    descriptions with, and as groups gender, age and the picture's file name. Dominance is not used.

    Args:
        path: the folder with the tables or Annotations.mat, or one of these files.
        split: train, val (or validation), test.
        images: the folder with mscoco, framesdb, emodb_small and ade20k; by default that of the annotations, the
            folder `emotic` in it or beside it, or the folder above.
        reference: the text of truth: `definitions`, a sentence per category; `labels`, the list of categories, which
            shares no words with a sentence; `captions`, what people wrote, and only people with a caption.
        captions: the table of captions, for reference=captions.

    Raises:
        ConfigError: a file or folder is missing, or has invalid content.
    """

    path: Path = attrs.field(converter=one_path)
    split: str = attrs.field(default="test", converter=split_name)
    images: Path | None = attrs.field(default=None, converter=attrs.converters.optional(one_path))
    reference: str = "definitions"
    captions: Path | None = attrs.field(default=None, converter=attrs.converters.optional(one_path))
    _found: _Found = attrs.field(init=False, repr=False, eq=False)

    @_found.default
    def _find(self) -> _Found:
        self._check_options()
        file = self._file()
        entries = mat_entries(file, self.split) if file.suffix.lower() == ".mat" else table_entries(file)
        people = check_people(entries)
        texts, unused = caption_people(self.captions, people.kept) if self.captions else ({}, {})
        root = self.images or self._root()
        images = tuple(
            self._image(root, number, person, texts.get(number, ()))
            for number, person in enumerate(people.kept)
            if number in texts or self.captions is None
        )
        if not images:
            raise ConfigError(self._nobody(file, people))
        counts = {"rows": people.rows, "people": len(images), "repeated": people.repeated, **people.left_out}
        if self.captions:
            counts |= {"without_caption": len(people.kept) - len(images), **unused}
        return _Found(images, counts)

    @property
    def human_text(self) -> str:
        """What the texts of truth are."""
        return REFERENCES[self.reference]

    def items(self) -> Iterator[Image]:
        """The people in the order of the file; an id is the split and the person's number, from 0."""
        return iter(self._found.images)

    def __len__(self) -> int:
        """The number of people."""
        return len(self._found.images)

    def describe(self) -> Mapping[str, str]:
        """The number of rows, of people in them, and of rows left out, by reason."""
        return {name: str(count) for name, count in self._found.counts.items()}

    def _check_options(self) -> None:
        if self.reference not in REFERENCES:
            raise ConfigError(f"reference is '{self.reference}'; expected {', '.join(REFERENCES)}")
        if (self.captions is None) == (self.reference == "captions"):
            raise ConfigError("reference=captions and captions=FILE go together; set both or neither")
        if self.images is not None and not self.images.is_dir():
            raise ConfigError(f"images '{self.images}' is not a folder; expected the one with mscoco, framesdb, ...")

    def _root(self) -> Path:
        """The folder with the pictures, where their authors or the common conversion put it."""
        base = self.path if self.path.is_dir() else self.path.parent
        places = (base, base / "emotic", base.parent / "emotic", base.parent)
        return next((place for place in places if any((place / name).is_dir() for name in _SOURCES)), base)

    def _file(self) -> Path:
        if self.path.is_file():
            self._check_split(self.path.stem.lower())
            return self.path
        looked = [self.path / place.format(split=self.split) for place in _PLACES]
        for file in looked:
            if file.is_file():
                return file
        names = ", ".join(str(file.relative_to(self.path)) for file in looked)
        raise ConfigError(f"found none of {names} in '{self.path}', expected EMOTIC's annotations; set dataset.path")

    def _check_split(self, name: str) -> None:
        """Raises ConfigError if a table has the name of another split, because ids would name the wrong one."""
        if name in SPLITS and split_name(name) != self.split:
            raise ConfigError(f"'{self.path}' is not the table of split '{self.split}'; add dataset.split={name}")

    def _nobody(self, file: Path, people: People) -> str:
        if self.captions and people.kept:
            return f"captions '{self.captions}' are about nobody in EMOTIC's split '{self.split}'; use another split"
        return f"'{file}' has nobody with labels, valence and arousal in its {people.rows} rows; give another path"

    def _image(self, root: Path, number: int, person: Person, captions: tuple[str, ...]) -> Image:
        truth = Truth(
            labels=person.labels,
            valence=person.valence,
            arousal=person.arousal,
            text=captions or _text(self.reference, person.labels),
            group={"gender": person.gender.lower(), "age": person.age.lower(), "image": person.file},
        )
        return Image(f"{self.split}/{number:05d}", root / person.folder / person.file, truth, person.box)


def _text(reference: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    return (", ".join(labels),) if reference == "labels" else tuple(DEFINITIONS[label] for label in labels)
