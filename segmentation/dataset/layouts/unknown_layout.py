"""Say what is wrong with a folder that is no dataset in a known layout, and what to give instead."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from segmentation.dataset.layout import IDS, IMAGE, png_path
from segmentation.dataset.layouts.known_layouts import PHOTOS, Layout, known_layouts
from segmentation.dataset.layouts.layout_file import LAYOUT_FILE
from segmentation.dataset.layouts.layout_guess import guess_layout
from segmentation.dataset.layouts.listing import Listing, list_files
from segmentation.dataset.layouts.pairing import (
    NAMED_FOLDERS,
    Pairing,
    count,
    differing_in_capitals,
    find_pairs,
    group_by_folder,
    has_labels,
    pair,
    suffixes,
)
from segmentation.errors import UserError
from segmentation.problems import list_some

_MAX_SUBFOLDERS = 100  # that are tried as datasets
_MAX_STEPS_UP, _MAX_FILES_ABOVE = 3, 50_000  # how far above a folder its dataset is searched


def require_folder(folder: Path) -> None:
    """Raise `UserError` if there is no such folder."""
    try:
        if folder.is_dir():
            return
        exists = folder.exists()
    except (OSError, ValueError) as error:
        raise UserError(f"{str(folder)[:100]!r}: cannot be opened ({error}); name a folder") from None
    if exists:
        raise UserError(f"{folder}: is a file, but a folder is wanted; name the folder that holds it")
    if any(character in str(folder) for character in "*?["):
        raise UserError(f"{folder}: no such folder; name a folder, whose files are all read, instead of a pattern")
    raise UserError(f"{folder}: no such folder; record one with 01 or name another")


def require_known_layout(listing: Listing) -> list[str]:
    """Return notes about a folder without any pair of image and labels, which is then read as images alone.

    Raise `UserError` if images and labels are there in an unknown arrangement, or in a folder above or below.
    """
    folder = listing.folder
    below = _datasets_below(listing)
    if below:
        raise UserError(
            f"{folder}: holds {count(len(below), 'dataset')}; give one of them: {list_some(below, NAMED_FOLDERS)}"
        )
    unpaired = [pairing for layout in known_layouts() if (pairing := _unpaired(listing, layout))]
    if unpaired:
        raise UserError(_describe_capitals(listing, unpaired) or describe_folder(listing))
    above = _dataset_above(listing)
    if above and above.holds == "labels":
        raise UserError(str(above))
    if above:
        return [str(above)]
    return list(_describe_photos(listing))


def _describe_photos(listing: Listing) -> Iterator[str]:
    """Yield notes about a folder that is read as images alone: what may be labels, and what is not read."""
    few = _describe_few_labels(listing)
    places = group_by_folder(pair(listing, PHOTOS).images.values())
    if few:
        yield few
    elif len(places) > 1:
        yield (
            f"{listing.folder}: no labels recognised, so these are read as images: {_describe_places(places)}; if some "
            f"are labels, write {LAYOUT_FILE}"
        )
    results = group_by_folder(path for pattern in PHOTOS.ignored for _, path in listing.find(pattern))
    if results:
        yield f"{listing.folder}: not read, because 03 names its results like this: {_describe_places(results)}"


def _describe_few_labels(listing: Listing) -> str:
    """Return a sentence if the names of too few images say that they have labels beside them, else ""."""
    layouts = [layout for layout in known_layouts() if layout.min_share and has_labels(listing, layout)]
    pairings = [pair(listing, layout) for layout in layouts]
    best = max(pairings, key=lambda pairing: len(pairing.paired), default=None)
    if not best or not best.paired:
        return ""
    return (
        f"{listing.folder}: by their names ({best.layout.name}), {len(best.paired)} of {len(best.images)} images have "
        "labels, too few to be sure, so all files count as images; if these are labels, write "
        f'{LAYOUT_FILE} with the lines images = "{best.layout.images[0].text}" and '
        f'labels = "{best.layout.labels[0].text}"'
    )


def _describe_capitals(listing: Listing, unpaired: Iterable[Pairing]) -> str:
    """Return a sentence if images and labels would pair but for capitals, else ""."""
    for pairing in unpaired:
        for label, image in differing_in_capitals(pairing).items():
            return (
                f"{listing.folder}: no image with labels, because {pairing.images[image]} and {pairing.labels[label]} "
                "differ in capitals; spell their names alike"
            )
    return ""


def explain_missing_labels(listing: Listing) -> str:
    """Return why no image of a folder has labels, and what to do."""
    return str(_dataset_above(listing) or _describe_few_labels(listing) or describe_folder(listing))


def require_matches(listing: Listing, layout: Layout) -> None:
    """Raise `UserError` if a pattern of `layout.toml` matches no file, or no image has labels."""
    path = listing.folder / layout.name
    pairing = pair(listing, layout)
    for key, pattern, files in (
        ("images", layout.images[0], pairing.images),
        ("labels", layout.labels[0], pairing.labels),
    ):
        if not files:
            found = _describe_places(group_by_folder(listing.image_like()))
            raise UserError(f"{path}: {key} = {pattern.text!r} matches no file; found {found}")
    if not pairing.paired:
        image, label = (sorted(files.items())[0] for files in (pairing.images, pairing.labels))
        raise UserError(
            f"{path}: no image has labels: the wildcards match {image[0]!r} in {image[1]} but {label[0]!r} in "
            f"{label[1]}; write them so that both match the same"
        )


def describe_folder(listing: Listing) -> str:
    """Return what a folder holds whose images and labels are not recognised, with a `layout.toml` if that can help."""
    places = group_by_folder(listing.image_like())
    if not places:
        example = png_path(Path(), IMAGE, "NAME")
        return f"{listing.folder}: no images ({example}); record some with 01 or name another folder"
    found = f"{listing.folder}: no image with labels recognised; found {_describe_places(places)}"
    guess = guess_layout(listing)
    if not guess and len(places) == 1:
        return f"{found}; add labels as {png_path(Path(), IDS, 'NAME')}, or as docs/datasets.md lists"
    images, labels = guess or ("FOLDER/**/*.jpg", "OTHER_FOLDER/**/*.png")
    return (
        f"{found}; describe them in {listing.folder / LAYOUT_FILE}, "
        f"{'for example' if guess else 'with your names for these'}:\n"
        f'images = "{images}"\nlabels = "{labels}"\n'
        "(what the wildcards match must be equal in both; docs/datasets.md has more)"
    )


def _describe_places(places: dict[str, list[str]]) -> str:
    texts = [f"{place or '.'}/ ({len(files):,} {suffixes(files)})" for place, files in places.items()]
    return list_some(texts, NAMED_FOLDERS) if texts else "no images"


def _datasets_below(listing: Listing) -> list[str]:
    """Return the paths of the direct subfolders that are datasets."""
    subfolders = dict.fromkeys(folder.split("/")[0] for folder in listing.names if folder)
    found = []
    for name in islice(subfolders, _MAX_SUBFOLDERS):
        start = f"{name}/"
        names = {place.removeprefix(start): files for place, files in listing.names.items() if place.startswith(start)}
        pairing = find_pairs(Listing(listing.folder / name, names))
        if pairing and pairing.paired:
            found.append(str(listing.folder / name))
    return found


@dataclass(frozen=True)
class _Above:
    """The dataset that a folder is a piece of, which `holds` only images or only labels."""

    piece: Path
    dataset: Path
    holds: str

    def __str__(self) -> str:
        return f"{self.piece}: holds only the {self.holds} of the dataset {self.dataset}; give that folder for both"


def _dataset_above(listing: Listing) -> _Above | None:
    """Return the dataset of which a folder is the one of images or of labels, or lies in one of these."""
    known = {part.lower() for layout in known_layouts() for part in _top_folders(layout)}
    for steps in range(_MAX_STEPS_UP):
        place = Path(os.path.normpath(listing.folder.joinpath(*[".."] * steps)))
        if place.resolve().name.lower() not in known:
            continue
        above = Path(os.path.normpath(place / ".."))
        try:
            pairing = find_pairs(list_files(above, _MAX_FILES_ABOVE))
        except UserError:
            continue
        if pairing and pairing.paired:
            inside = Path(os.path.relpath(listing.folder, above)).as_posix() + "/"
            for holds, files in (("images", pairing.images), ("labels", pairing.labels)):
                if any(path.startswith(inside) for path in files.values()):
                    return _Above(listing.folder, above, holds)
    return None


def _top_folders(layout: Layout) -> set[str]:
    return {pattern.text.split("/")[0] for pattern in (*layout.images, *layout.labels) if "/" in pattern.text}


def _unpaired(listing: Listing, layout: Layout) -> Pairing | None:
    """Return images and labels that lie in folders which tell them apart, though no names are equal."""
    pattern = layout.labels[0].text
    if not pattern.endswith("/**/*") or pattern.startswith("**") or not has_labels(listing, layout):
        return None
    pairing = pair(listing, layout)
    return pairing if pairing.images and pairing.labels else None
