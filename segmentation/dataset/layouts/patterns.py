"""Glob patterns that say which part of a path names a sample."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property

from segmentation.files.image_files import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES

_WILDCARD = re.compile(r"(\*\*/|\*+|\?|\{[^{}/]*\})")
_REGEX = {"**/": "((?:[^/]+/)*)", "?": "([^/])"}
_KNOWN_SUFFIXES = {"*", *(suffix[1:] for suffix in (*IMAGE_SUFFIXES, *OTHER_IMAGE_SUFFIXES))}
_SUFFIX = re.compile(r"(.*)\.(?:\{([^{}/]*)\}|([^{}./]+))")  # ".jpg", ".*" or ".{jpg,png}"


@dataclass(frozen=True)
class Pattern:
    """A pattern for paths relative to a folder, such as `photos/**/*_left.jpg`.

    `*` matches within one name, `**` any number of folders, `?` one character and `{a,b}` either word. What they
    matched is the key: an image and a label of the same key belong together. The suffix is no part of it and compared
    without regard to case; without one, or with `.*`, any suffix matches. `fold` ignores the case of folders too. The
    Unicode forms of a letter, which macOS and others write differently, are equal, and NFC in the key.
    """

    text: str
    fold: bool = False

    @property
    def has_wildcard(self) -> bool:
        """Whether different files can have different keys."""
        return _WILDCARD.search(self.folder + self._stem) is not None

    @property
    def folder(self) -> str:
        """The pattern of the folder, "" or with a slash at its end."""
        return self._parts[0]

    def match_folder(self, folder: str) -> str | None:
        """Return the key of a folder, such as "a/b/" or "", and None if it does not match."""
        return _match(self.folder, folder, self.fold)

    def match_name(self, name: str) -> str | None:
        """Return the key of a file name, and None if it does not match."""
        stem, dot, suffix = name.rpartition(".")
        if self._suffixes and suffix.lower() not in self._suffixes:
            return None
        return _match(self._stem, stem if dot else name, False)

    @cached_property
    def _parts(self) -> tuple[str, str, frozenset[str]]:
        folder, slash, name = self.text.rpartition("/")
        if name == "**":
            folder, slash, name = f"{folder}{slash}**", "/", "*"
        stem, suffixes = _split_suffix(name)
        return folder + slash, stem, suffixes

    @property
    def _stem(self) -> str:
        return self._parts[1]

    @property
    def _suffixes(self) -> frozenset[str]:
        return self._parts[2]


def _split_suffix(name: str) -> tuple[str, frozenset[str]]:
    """Return the pattern of a stem, and the suffixes, without dot, that a file may have; none if any will do."""
    match = _SUFFIX.fullmatch(name)
    suffixes = frozenset((match[2] or match[3]).lower().split(",")) if match else frozenset()
    if not match or not suffixes <= _KNOWN_SUFFIXES:
        return name, frozenset()
    return match[1], suffixes - {"*"}


def _match(pattern: str, text: str, fold: bool) -> str | None:
    """Return what the wildcards matched: joined by "/" where the pattern has one between them, else by "_"."""
    regex, separators = _compile(pattern, fold)
    match = regex.fullmatch(unicodedata.normalize("NFC", text))
    if not match:
        return None
    key = ""
    for group, separator in zip(match.groups(), separators, strict=True):
        matched = group.strip("/")
        key += separator + matched if key and matched else matched
    return key


@cache
def _compile(pattern: str, fold: bool) -> tuple[re.Pattern[str], list[str]]:
    """Return the regular expression of a pattern, and what comes before each of its wildcards in a key."""
    regex, separators, separator = "", [], ""
    for index, part in enumerate(_WILDCARD.split(unicodedata.normalize("NFC", pattern))):
        if index % 2 == 0:
            regex += re.escape(part)
            separator = "/" if "/" in part else separator or "_"
        else:
            regex += _translate(part)
            separators.append(separator)
            separator = "/" if part == "**/" else ""
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if fold else re.RegexFlag(0))), separators


def _translate(wildcard: str) -> str:
    if wildcard.startswith("{"):
        return f"({'|'.join(re.escape(word) for word in wildcard[1:-1].split(','))})"
    return _REGEX.get(wildcard, "([^/]*)")
