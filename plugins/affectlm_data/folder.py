"""Pictures from folders, files, glob patterns and manifests.

The list of pictures is made when the dataset is built; no picture is opened here.
"""

from __future__ import annotations

import glob
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from affectlm.errors import ConfigError
from affectlm.line.omissions import told
from affectlm.store.pictures import EXTENSIONS, UNREAD, extension, is_drawn, is_picture
from affectlm.text import natural
from affectlm.types import Box, Image, Truth
from affectlm.validators import flag
from affectlm_data.manifest import read_manifest, scale_ends
from affectlm_data.tables import UNIT


@attrs.frozen
class Found:
    """One picture, and the folder that its id is relative to."""

    root: Path
    path: Path
    truth: Truth = Truth()
    region: Box | None = None

    @property
    def name(self) -> str:
        """The path below the root, with slashes."""
        return self.path.relative_to(self.root).as_posix() if self.path.is_relative_to(self.root) else str(self.path)

    @property
    def names(self) -> Iterator[str]:
        """Longer and longer names to distinguish it from others: with the person's box, with its folder, absolute."""
        box = self.region
        place = f"@{box.left:g},{box.top:g},{box.right:g},{box.bottom:g}" if box else ""
        yield self.name
        yield f"{self.name}{place}"
        yield f"{Path(os.path.abspath(self.root)).name}/{self.name}{place}"
        yield f"{os.path.abspath(self.path)}{place}"


def _paths(value: object) -> tuple[str, ...]:
    # A folder named 2024 arrives as a number.
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else (str(value),)


@attrs.frozen(kw_only=True)
class Folder:
    """Pictures in natural order: 2.jpg before 10.jpg.

    Hidden files and folders are skipped. `left_out` reports what else is: photographs and films in unsupported formats,
    links to folders, folders that cannot be read, and figures that runs drew.
    """

    path: tuple[str, ...] = attrs.field(default=".", converter=_paths)  # folders, pictures, patterns, manifests
    split: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))
    manifest: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))
    scale: tuple[float, float] = attrs.field(default=UNIT, converter=scale_ends)
    recursive: bool = attrs.field(default=True, validator=flag)
    # reason -> the files and folders that were left out
    _passed: dict[str, set[str]] = attrs.field(factory=lambda: defaultdict(set), init=False, repr=False, eq=False)
    _images: tuple[Image, ...] = attrs.field(init=False, repr=False, eq=False)

    @_images.default
    def _find(self) -> tuple[Image, ...]:
        if not self.path:
            raise ConfigError(
                "dataset 'folder' has no path; give a folder, a picture or a pattern such as 'photos/*.jpg'"
            )
        if self.manifest is not None:
            return _named(list(self._from_manifest(Path(self.manifest).expanduser())))
        return _named([found for path in self.path for found in self._from_path(path)])

    def items(self) -> Iterator[Image]:
        """The pictures, unopened; an id is the path relative to the given folder."""
        return iter(self._images)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._images)

    def left_out(self) -> Mapping[str, int]:
        """The number of files and folders left out, by reason."""
        return {what: len(paths) for what, paths in self._passed.items()}

    def _from_manifest(self, manifest: Path) -> Iterator[Found]:
        """The pictures of a manifest, relative to it, or to `path` if that is a folder."""
        base = manifest.parent
        if self.manifest is not None and self.path != (".",):
            base = Path(self.path[0]).expanduser()
            if len(self.path) > 1 or not base.is_dir():
                raise ConfigError(
                    f"path '{' '.join(self.path)}' is not a folder; with a manifest, expected a folder or no path"
                )
        for row in read_manifest(manifest, self.split, self.scale):
            yield Found(base, base / Path(row.path.replace("\\", "/")).expanduser(), row.truth, row.region)

    def _from_path(self, given: str) -> Iterator[Found]:
        path = Path(given).expanduser()
        if path.is_dir():
            yield from self._from_folder(given, path)
        elif path.suffix.lower() == ".csv" and path.is_file():
            yield from self._from_manifest(path)
        elif self.split is not None:
            raise ConfigError(f"split '{self.split}' needs a folder or a manifest, found '{given}'")
        elif path.exists():
            yield Found(path.parent, path)
        elif glob.has_magic(given):
            yield from self._from_pattern(given)
        else:
            raise ConfigError(
                f"path '{given}' does not exist; give a folder, a picture or a pattern such as 'photos/*.jpg'"
            )

    def _from_folder(self, given: str, root: Path) -> list[Found]:
        start = root if self.split is None else root / self.split
        if not start.is_dir():
            raise ConfigError(f"split '{self.split}' is not a folder in '{given}'; leave it out, or give a manifest")
        files = sorted(self._walk(start), key=lambda path: _natural(path.relative_to(root)))
        return [Found(root, path) for path in files] or self._complain(str(start) if self.split else given)

    def _walk(self, root: Path) -> Iterator[Path]:
        unreadable: list[str] = []

        def note(error: OSError) -> None:
            if error.filename == str(root):
                raise ConfigError(f"folder '{root}' cannot be read: {(error.strerror or '').lower()}") from error
            unreadable.append(error.filename or str(root))

        for folder, folders, files in os.walk(root, onerror=note):
            here = Path(folder)
            folders[:] = [name for name in folders if self.recursive and not name.startswith(".")]
            self._pass_over("link to a folder", *(here / name for name in folders if (here / name).is_symlink()))
            for path in (here / name for name in files if not name.startswith(".")):
                if is_drawn(path):
                    self._pass_over("figure drawn by a run", path)
                elif self._takes(path):
                    yield path
        if unreadable:
            self._pass_over(f"folder that cannot be read, such as '{unreadable[0]}'", *map(Path, unreadable))

    def _takes(self, path: Path) -> bool:
        """Whether a file is a picture that can be read; unsupported formats are noted as left out."""
        if not is_picture(path) and extension(path) in UNREAD:
            self._pass_over(f"file in .{extension(path)}", path)
        return is_picture(path)

    def _pass_over(self, what: str, *paths: Path) -> None:
        if paths:
            self._passed[what].update(map(os.path.abspath, paths))

    def _from_pattern(self, given: str) -> list[Found]:
        pattern = Path(given).expanduser()
        fixed = list(pattern.parts[:-1])
        while any(glob.has_magic(part) for part in fixed):
            fixed.pop()
        root = Path(*fixed)
        files = [Path(name) for name in glob.glob(str(pattern), recursive=True)]
        files = sorted((path for path in files if path.is_file() and self._takes(path)), key=_natural)
        return [Found(root, path) for path in files] or self._complain(given)

    def _complain(self, given: str) -> list[Found]:
        looked = ", ".join(f".{extension}" for extension in EXTENSIONS)
        passed_over = f"; left out: {told(self.left_out())}" if self._passed else ""
        raise ConfigError(f"found no pictures in '{given}' (looked for {looked}{passed_over}); give another path")


def _natural(path: Path) -> list[tuple[list[tuple[int, str]], str]]:
    """A sort key by which numbers in names count as numbers, folder by folder."""
    return [(natural(name), name) for name in path.parts]


def _named(found: list[Found]) -> tuple[Image, ...]:
    """The pictures, each once, with unique ids: names that clash are made longer."""
    first: dict[tuple[str, Box | None], Found] = {}
    for entry in found:
        if first.setdefault((os.path.abspath(entry.path), entry.region), entry).truth != entry.truth:
            raise ConfigError(
                f"'{entry.path}' is named twice with different truth; leave one out, or distinguish people in one "
                "picture by the columns left, top, right, bottom"
            )
    once = list(first.values())
    names, *longer = zip(*(entry.names for entry in once), strict=True)
    for longest in longer:
        counts = Counter(names)
        names = tuple(long if counts[name] > 1 else name for name, long in zip(names, longest, strict=True))
    return tuple(Image(name, entry.path, entry.truth, entry.region) for name, entry in zip(names, once, strict=True))
