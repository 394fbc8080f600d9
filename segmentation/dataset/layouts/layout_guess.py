"""Guess the patterns of a folder whose images and labels are arranged in an unknown way."""

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import permutations
from pathlib import PurePosixPath

from segmentation.dataset.layouts.listing import Listing
from segmentation.dataset.layouts.patterns import Pattern

_LABEL_WORDS = re.compile(r"mask|label|annot|truth|gt|seg|class|target", re.IGNORECASE)
_MAX_KINDS, _MAX_FILES = 6, 500  # of files that are compared, and files of each
_MAX_COPIES = 2  # more files of one name are a kind; two may be an image and its labels


def guess_layout(listing: Listing) -> tuple[str, str] | None:
    """Return a pattern of images and one of labels under which at least two images, and half of them, have labels."""
    best, guess = 1, None
    for images, labels in permutations(_kinds(listing), 2):
        if _LABEL_WORDS.search(images[0]) and not _LABEL_WORDS.search(labels[0]):
            continue  # the other way round is more likely
        for patterns in _candidates(images, labels):
            pairs = len(_keys(images, patterns[0]) & _keys(labels, patterns[1]))
            if pairs > best and 2 * pairs >= min(len(images), len(labels)):
                best, guess = pairs, patterns
    return guess


def _kinds(listing: Listing) -> list[list[str]]:
    """Return the image-like paths of one kind each: one name in many folders, or similar names in one top folder."""
    paths = [PurePosixPath(path) for path in listing.image_like()]
    times = Counter(path.name for path in paths)
    kinds: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        words = re.split(r"\d+", path.stem)
        top = path.parts[0] if path.parts[1:] else ""
        kind = (path.name,) if times[path.name] > _MAX_COPIES else (top, path.suffix, words[0], words[-1])
        kinds.setdefault(kind, []).append(str(path))
    return [kind[:_MAX_FILES] for kind in sorted(kinds.values(), key=len, reverse=True)[:_MAX_KINDS]]


def _candidates(images: list[str], labels: list[str]) -> Iterator[tuple[str, str]]:
    """Yield patterns that pair the first image with the label whose name has most in common with its own."""
    image = PurePosixPath(images[0])
    yield f"**/{image.name}", f"**/{PurePosixPath(labels[0]).name}"
    label = max(map(PurePosixPath, labels), key=lambda path: len(_longest_common(image.stem, path.stem)))
    for shared in (_longest_common(image.stem, label.stem), *re.findall(r"\d+", image.stem)):
        if shared and shared in label.stem:
            yield _pattern(image, shared, "**/"), _pattern(label, shared, "**/")
            yield _pattern(image, shared, ""), _pattern(label, shared, "")


def _longest_common(one: str, other: str) -> str:
    match = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
    return one[match.a : match.a + match.size]


def _pattern(path: PurePosixPath, shared: str, below: str) -> str:
    """Return the pattern of the files that are named like `path`, in its folder or anywhere in its top folder."""
    folders = path.parts[:1] if below else path.parts[:-1]
    before, after = path.stem.split(shared, 1)
    place = "/".join((*folders, "")) if path.parts[1:] else ""
    return f"{place}{below if place else ''}{before}*{after}{path.suffix.lower()}"


def _keys(paths: list[str], text: str) -> set[str]:
    """Return the keys of the files that match a pattern."""
    pattern = Pattern(text)
    keys = set()
    for path in paths:
        folder, slash, name = path.rpartition("/")
        of_folder, of_name = pattern.match_folder(folder + slash), pattern.match_name(name)
        if of_folder is not None and of_name is not None:
            keys.add(f"{of_folder}/{of_name}".strip("/"))
    return keys
