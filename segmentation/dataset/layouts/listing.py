"""List the files of a folder and of all its subfolders, and find those that match a pattern."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from segmentation.dataset.layouts.patterns import Pattern
from segmentation.errors import UserError
from segmentation.files.image_files import IMAGE_SUFFIXES, LABEL_SUFFIXES, OTHER_IMAGE_SUFFIXES

MAX_FILES = 1_000_000
READ_SUFFIXES = frozenset({*IMAGE_SUFFIXES, *LABEL_SUFFIXES})
_ARRAY_SUFFIXES = frozenset({".npy", ".npz", ".mat"})  # in which labels come that we do not read
_OTHER_SUFFIXES = frozenset(
    {".bin", ".csv", ".html", ".json", ".log", ".md", ".pdf", ".py", ".toml", ".txt", ".xml", ".yaml", ".yml", ".zip"}
)  # are not opened to see whether they are images
_SYSTEM_FOLDERS = frozenset({"__MACOSX", "__pycache__", "@eaDir"})
_BRANDS = (b"hei", b"avi", b"mif")  # of HEIC and AVIF
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ")


@dataclass(frozen=True)
class Listing:
    """The names of the files in every subfolder, such as "a/b/" or "" for the folder itself; hidden ones left out."""

    folder: Path
    names: dict[str, list[str]]
    problems: tuple[str, ...] = ()
    _folders: dict[tuple[str, bool], list[tuple[str, str]]] = field(default_factory=dict, repr=False)
    _files: dict[Pattern, list[tuple[str, str]]] = field(default_factory=dict, repr=False)
    _signed: dict[str, bool] = field(default_factory=dict, repr=False)

    def find(self, pattern: Pattern) -> list[tuple[str, str]]:
        """Return the key and the path, relative to the folder, of every file that matches."""
        if pattern not in self._files:
            self._files[pattern] = list(self._find(pattern))
        return self._files[pattern]

    def find_folders(self, pattern: Pattern) -> list[tuple[str, str]]:
        """Return the key and the path of every folder that files of this pattern may be in."""
        searched = pattern.folder, pattern.fold
        if searched not in self._folders:
            keys = ((pattern.match_folder(folder), folder) for folder in self.names)
            self._folders[searched] = [(key, folder) for key, folder in keys if key is not None]
        return self._folders[searched]

    def _find(self, pattern: Pattern) -> Iterator[tuple[str, str]]:
        for folder_key, folder in self.find_folders(pattern):
            for name in self.names[folder]:
                key = pattern.match_name(name)
                if key is not None:
                    yield f"{folder_key}/{key}".strip("/"), folder + name

    def image_like(self) -> Iterator[str]:
        """Yield the relative path of every file that is an image, or looks like one that we do not read."""
        for folder, names in self.names.items():
            for name in names:
                if is_read(name) or self.is_unread_image(folder + name):
                    yield folder + name

    def is_unread_image(self, path: str) -> bool:
        """Return whether a file is an image, or labels, of a kind that we do not read."""
        suffix = _suffix(path)
        if suffix in READ_SUFFIXES or suffix in _OTHER_SUFFIXES:
            return False
        if suffix in OTHER_IMAGE_SUFFIXES or suffix in _ARRAY_SUFFIXES:
            return True
        if path not in self._signed:
            self._signed[path] = _has_signature(self.folder / path)
        return self._signed[path]


def list_files(folder: Path, limit: int = MAX_FILES) -> Listing:
    """List a folder. Raise `UserError` if it cannot be listed or holds more than `limit` files.

    Links to folders are followed, except to one that they lie in. A subfolder that cannot be listed is a problem.
    """
    names: dict[str, list[str]] = {}
    problems: list[str] = []
    total = 0
    for place, files in _walk(folder, problems):
        shown = sorted(name for name in files if _is_shown(name, place, problems))
        total += len(shown)
        if total > limit:
            raise UserError(f"{folder}: holds more than {limit:,} files; name the folder of one dataset")
        if shown:
            names["" if place == folder else f"{place.relative_to(folder).as_posix()}/"] = shown
    return Listing(folder, dict(sorted(names.items())), tuple(problems))


def _walk(folder: Path, problems: list[str]) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder and the names of its files, and add what cannot be listed to `problems`."""

    def refuse(error: OSError) -> None:
        problem = f"{error.filename}: cannot be listed ({error.strerror}); make it readable"
        if Path(error.filename) == folder:
            raise UserError(problem)
        problems.append(problem)

    ancestors = {folder: frozenset({_identity(folder)})}
    for root, subfolders, files in os.walk(folder, followlinks=True, onerror=refuse):
        place = Path(root)
        entered = []
        for name in sorted(subfolders):
            identity = _identity(place / name)
            if _is_shown(name, place, problems) and identity not in ancestors[place]:
                entered.append(name)
                ancestors[place / name] = ancestors[place] | {identity}
        subfolders[:] = entered
        yield place, files


def is_read(name: str) -> bool:
    """Return whether a file's suffix is that of an image that we read."""
    return _suffix(name) in READ_SUFFIXES


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _is_shown(name: str, place: Path, problems: list[str]) -> bool:
    """Return whether a name is neither hidden nor, which is a problem, unprintable."""
    if name.startswith(".") or name in _SYSTEM_FOLDERS:
        return False
    try:
        name.encode()
    except UnicodeEncodeError:  # Linux allows any bytes
        problems.append(f"{str(place / name)!a}: its name is not UTF-8 text, so it is not read; rename it")
        return False
    return True


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0  # os.walk reports it
    return status.st_dev, status.st_ino


def _has_signature(path: Path) -> bool:
    """Return whether a file begins like an image, whatever its suffix."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(_SIGNATURES) or start[8:] == b"WEBP" or (start[4:8] == b"ftyp" and start[8:11] in _BRANDS)
