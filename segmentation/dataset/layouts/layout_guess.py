"""Guess the patterns of a folder whose images and labels are arranged in an unknown way."""

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import product
from pathlib import PurePosixPath

from segmentation.dataset.layouts.known_layouts import Layout
from segmentation.dataset.layouts.listing import Listing
from segmentation.dataset.layouts.pairing import pair
from segmentation.dataset.layouts.patterns import Pattern

_LABEL_WORDS = re.compile(r"mask|label|annot|truth|gt|seg|ids|colou?r|semantic|class|target", re.IGNORECASE)
_LESS_LIKELY = re.compile(r"colou?r|train_?ids?", re.IGNORECASE)  # there are often ids as well
_NEITHER = re.compile(r"depth|dispar|instance|panop|invalid|invids|viz|visual|overlay|panel", re.IGNORECASE)
_MAX_KINDS, _MAX_FILES = 6, 500  # of files that are compared, and files of each
_MAX_COPIES = 2  # more files of one name without digits are a kind; two may be an image and its labels


def guess_layout(listing: Listing) -> tuple[str, str] | None:
    """Return a pattern of images and one of labels, which pair most files that match and half of all images, or None.

    Only files whose path calls them labels, as by "mask" or "gt", are proposed as labels, and never as images.
    """
    kinds = _kinds(listing)
    images = [kind for kind in kinds if not _LABEL_WORDS.search(" ".join(kind))]
    labels = [kind for kind in kinds if _LABEL_WORDS.search(kind[0])]
    best, guess = (1, False), None
    for of_images, of_labels in product(images[:_MAX_KINDS], labels[:_MAX_KINDS]):
        for patterns in _candidates(of_images, of_labels):
            if _without_numbers(patterns[0]) != _without_numbers(patterns[1]):
                pairs = len(_keys(of_images, patterns[0]) & _keys(of_labels, patterns[1]))
                merit = pairs, not _LESS_LIKELY.search(of_labels[0])
                if pairs > 1 and merit > best:
                    best, guess = merit, patterns
    return guess if guess and _pairs_most(listing, *guess) else None


def _pairs_most(listing: Listing, images: str, labels: str) -> bool:
    """Return whether most files that match have a partner, and half of all images, of which none is called labels."""
    pairing = pair(listing, Layout("", (Pattern(images),), (Pattern(labels),)))
    if any(_LABEL_WORDS.search(path) for path in pairing.images.values()):
        return False
    num_images = sum(not _LABEL_WORDS.search(path) and not _NEITHER.search(path) for path in listing.image_like())
    return 2 * len(pairing.paired) > max(len(pairing.images), len(pairing.labels), num_images - 1)


def _kinds(listing: Listing) -> list[list[str]]:
    """Return the image-like paths of one kind each: one name in many folders, or similar names in one top folder."""
    paths = [PurePosixPath(path) for path in listing.image_like() if not _NEITHER.search(path)]
    times = Counter(path.name for path in paths)
    kinds: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        words = re.split(r"\d+", path.stem)
        top = path.parts[0] if path.parts[1:] else ""
        is_copy = times[path.name] > _MAX_COPIES and len(words) == 1
        kind = (path.name,) if is_copy else (top, path.suffix, words[0], words[-1])
        called = _LABEL_WORDS.search(str(path)), _LESS_LIKELY.search(str(path))
        kinds.setdefault((*kind, *(str(bool(match)) for match in called)), []).append(str(path))
    return [kind[:_MAX_FILES] for kind in sorted(kinds.values(), key=len, reverse=True)]


def _candidates(images: list[str], labels: list[str]) -> Iterator[tuple[str, str]]:
    """Yield patterns that pair the first image with the label whose name has most in common with its own."""
    image = PurePosixPath(images[0])
    yield f"**/{image.name}", f"**/{PurePosixPath(labels[0]).name}"
    label = max(map(PurePosixPath, labels), key=lambda path: len(_longest_common(image.stem, path.stem)))
    for shared in (_longest_common(image.stem, label.stem), *re.findall(r"\d+", image.stem)):
        if shared and shared in label.stem:
            yield _pattern(image, shared, "**/"), _pattern(label, shared, "**/")
            yield _pattern(image, shared, ""), _pattern(label, shared, "")


def _without_numbers(text: str) -> str:
    """Return a pattern without its digits: frames of one sequence do not differ in it."""
    return re.sub(r"\d+", "", text)


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
