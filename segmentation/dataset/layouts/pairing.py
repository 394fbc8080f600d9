"""Find the layout of a folder, and pair its images with their labels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from segmentation.dataset.layouts.known_layouts import Layout, known_layouts
from segmentation.dataset.layouts.listing import Listing, is_read
from segmentation.dataset.layouts.patterns import Pattern
from segmentation.problems import NAMED, list_some

NAMED_FOLDERS = 5  # that a message names
_LISTS = "ImageSets/Segmentation/"  # where VOC lists the names of its parts


@dataclass(frozen=True)
class Pairing:
    """The images and labels of a folder in one layout: paths relative to the folder, by key.

    `unread` are files that would be images or labels if their kind were read, `duplicates` those whose key is taken,
    each with the file that took it.
    """

    layout: Layout
    images: dict[str, str]
    labels: dict[str, str]
    unread: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]

    @property
    def paired(self) -> set[str]:
        """Keys that have an image and labels."""
        return self.images.keys() & self.labels.keys()


def find_pairs(listing: Listing) -> Pairing | None:
    """Return the pairing of the first known layout that has a pair; if none has, our own, if its files are there."""
    ours = []
    for layout in known_layouts():
        if not layout.own and not has_labels(listing, layout):
            continue
        pairing = pair(listing, layout)
        if pairing.paired and len(pairing.paired) >= layout.min_share * len(pairing.images):
            return pairing
        if layout.own and (pairing.images or pairing.unread) and (pairing.labels or layout.unlabelled):
            ours.append(pairing)
    return ours[0] if ours else None


def has_labels(listing: Listing, layout: Layout) -> bool:
    """Return whether any file may hold labels in this layout; quicker than to pair them."""
    return any(listing.find(pattern) for pattern in layout.labels)


def pair(listing: Listing, layout: Layout) -> Pairing:
    """Return the images and labels of a listing in one layout, which may be none."""
    labels, unread_labels, double_labels = _by_key(listing, layout.labels, frozenset())
    taken = frozenset(path for pattern in (*layout.labels, *layout.ignored) for _, path in listing.find(pattern))
    images, unread_images, double_images = _by_key(listing, layout.images, taken)
    unread = (*unread_images, *unread_labels)
    return Pairing(layout, images, labels, unread, (*double_images, *double_labels))


def describe_problems(listing: Listing, pairing: Pairing) -> Iterator[str]:
    """Yield what makes fewer images or labels count than lie in the folder: a sentence for each kind of trouble."""
    folder = listing.folder
    yield from listing.problems
    for path, other in pairing.duplicates:
        yield f"{folder / path}: {PurePosixPath(other).name} has the same name; remove one of them"
    for place, files in group_by_folder(pairing.unread).items():
        yield (
            f"{folder / place}: {count(len(files), 'file')} of a kind that is not read ({suffixes(files)}): "
            f"{list_some(files, NAMED)}; save as PNG or remove"
        )
    like = differing_in_capitals(pairing)
    for key in sorted(pairing.labels.keys() - pairing.images.keys()):
        if key in like:
            cure = f"{pairing.images[like[key]]} differs from it only in capitals; spell them alike"
        else:
            cure = "add it or remove the labels"
        yield f"{folder / pairing.labels[key]}: has no image; {cure}"
    alternative, unused = _labels_elsewhere(listing, pairing)
    if alternative and not pairing.layout.sparse:
        yield (
            f"{folder}: {count(len(unused), 'image')} without labels in {pairing.layout.name} would have some in "
            f"{alternative.name}, which are not read: {list_some(unused, NAMED)}; keep all labels in one of them"
        )


def describe_rest(listing: Listing, pairing: Pairing) -> Iterator[str]:
    """Yield notes about images that belong to no sample, images without labels in a sparse layout, and VOC's lists."""
    layout = pairing.layout
    unlabelled = len(pairing.images.keys() - pairing.labels.keys())
    if layout.sparse and unlabelled:
        _, unused = _labels_elsewhere(listing, pairing)
        sentence = f"{listing.folder}: {unlabelled} of {len(pairing.images)} images have no labels and are not read"
        if unused:
            sentence += (
                f"; {len(unused)} of these have some elsewhere ({unused[0]}); keep all in one folder, named alike"
            )
        yield sentence
    lists = [_LISTS + name for name in listing.names.get(_LISTS, ()) if name in ("train.txt", "val.txt")]
    if lists and pairing.labels:
        yield (
            f"{listing.folder}: not used: {', '.join(lists)}; to split by these lists, move images and labels into "
            "subfolders train/ and val/ of the folders that they are in"
        )
    known = {path for pattern in (*layout.images, *layout.labels, *layout.ignored) for _, path in listing.find(pattern)}
    rest = group_by_folder(path for path in listing.image_like() if path not in known)
    if rest:
        places = [f"{place}/ ({count(len(files), 'image')})" for place, files in rest.items() if place]
        yield f"{listing.folder}: not read: {list_some([*places, *rest.get('', ())], NAMED_FOLDERS)}"


def group_by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of the files in each folder, "" for the top one."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        place, _, name = path.rpartition("/")
        groups.setdefault(place, []).append(name)
    return groups


def suffixes(files: Iterable[str]) -> str:
    """Return the suffixes of files, such as ".jpg, .png"."""
    return ", ".join(sorted({PurePosixPath(file).suffix.lower() or "no suffix" for file in files}))


def count(number: int, noun: str) -> str:
    """Return "1 file" or "3 files"."""
    return f"{number:,} {noun}" + ("s" if number != 1 else "")


def _by_key(
    listing: Listing, patterns: tuple[Pattern, ...], taken: frozenset[str]
) -> tuple[dict[str, str], list[str], list[tuple[str, str]]]:
    """Return the files that are read by key, those of a kind that is not, and those whose key is taken."""
    files: dict[str, str] = {}
    unread: list[str] = []
    duplicates: list[tuple[str, str]] = []
    seen = set(taken)
    for pattern in patterns:
        for key, path in listing.find(pattern):
            if path in seen:
                continue
            seen.add(path)
            if not is_read(path):
                if listing.is_unread_image(path):
                    unread.append(path)
            elif key in files:
                duplicates.append((path, files[key]))
            else:
                files[key] = path
    return files, sorted(unread), duplicates


def differing_in_capitals(pairing: Pairing) -> dict[str, str]:
    """Return the keys of labels without an image, each with that of an unlabelled image that it equals but for case."""
    images = {key.casefold(): key for key in pairing.images.keys() - pairing.labels.keys()}
    labels = sorted(pairing.labels.keys() - pairing.images.keys())
    return {key: images[key.casefold()] for key in labels if key.casefold() in images}


def _labels_elsewhere(listing: Listing, pairing: Pairing) -> tuple[Layout | None, list[str]]:
    """Return a layout of the same images under which some without labels have theirs, and the paths of these."""
    unlabelled = pairing.images.keys() - pairing.labels.keys()
    for layout in known_layouts() if unlabelled and pairing.labels else ():
        if layout.images == pairing.layout.images and layout != pairing.layout and has_labels(listing, layout):
            others = pair(listing, layout).labels
            unused = sorted(others[key] for key in unlabelled & others.keys())
            if unused:
                return layout, unused
    return None, []
