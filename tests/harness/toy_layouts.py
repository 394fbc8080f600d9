"""The toy dataset in the layouts of other people: the same images and ids, under other names and encodings."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.labels.label_table import LabelTable, parse_label_table
from tests.harness.toy_dataset import LABELS, street

Encode = Callable[[np.ndarray, LabelTable], Image.Image]


def as_ids(ids: np.ndarray, _: LabelTable) -> Image.Image:
    return Image.fromarray(ids)


def in_red(ids: np.ndarray, _: LabelTable) -> Image.Image:
    return Image.fromarray(np.dstack([ids, 0 * ids, 0 * ids]))


def in_colours(ids: np.ndarray, label_table: LabelTable) -> Image.Image:
    return Image.fromarray(label_table.colourise_ids(ids))


def as_indices(ids: np.ndarray, _: LabelTable) -> Image.Image:
    """Encode ids as VOC does, with a palette whose colours are for people."""
    image = Image.fromarray(ids)
    index = np.arange(256)[:, None]
    palette = sum((index >> (3 * bit + np.arange(3)) & 1) << (7 - bit) for bit in range(3))
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image


LAYOUTS: dict[str, tuple[str, str, Encode]] = {
    "rgb_ and seg_raw_": ("rgb/rgb_{name}.png", "seg_raw/seg_raw_{name}.png", as_ids),
    "rgb and seg_raw, ids in red": ("rgb/{name}.png", "seg_raw/{name}.png", in_red),
    "rgb and seg, colours": ("rgb/rgb_{name}.png", "seg/seg_{name}.png", in_colours),
    "rgb and seg_raw, nested": ("rgb/{town}/{name}.png", "seg_raw/{town}/{name}.png", as_ids),
    "rgb and seg_raw, tif and bmp": ("rgb/rgb_{name}.TIF", "seg_raw/seg_raw_{name}.bmp", as_ids),
    "flat": ("rgb_{name}.png", "seg_raw_{name}.png", as_ids),
    "flat, colours": ("rgb_{name}.png", "seg_{name}.png", in_colours),
    "CARLA challenge": ("CameraRGB/{name}.png", "CameraSeg/{name}.png", in_red),
    "images and masks": ("images/{name}.PNG", "masks/{name}.png", as_ids),
    "images and labels, parts": ("Images/train/{name}.ppm", "Labels/train/{name}_mask.png", as_ids),
    "train/images": ("train/images/{name}.png", "train/labels/{name}.tiff", as_ids),
    "Cityscapes": (
        "leftImg8bit/train/{town}/{town}_{name}_leftImg8bit.png",
        "gtFine/train/{town}/{town}_{name}_gtFine_labelIds.png",
        as_ids,
    ),
    "Cityscapes, colours": (
        "leftImg8bit/train/{town}/{town}_{name}_leftImg8bit.png",
        "gtFine/train/{town}/{town}_{name}_gtFine_color.png",
        in_colours,
    ),
    "Cityscapes, named folders": ("rgb/{name}_leftImg8bit.png", "seg_raw/{name}_gtFine_labelIds.png", as_ids),
    "VOC": ("JPEGImages/{name}.png", "SegmentationClass/{name}.png", as_indices),
    "Cityscapes, train ids": (
        "leftImg8bit/train/{town}/{town}_{name}_leftImg8bit.png",
        "gtFine/train/{town}/{town}_{name}_gtFine_labelTrainIds.png",
        as_ids,
    ),
    "CamVid": ("{name}.png", "{name}_L.png", in_colours),
    "CamVid, two folders": ("images/{name}.png", "labels/{name}_L.png", in_colours),
    "CamVid of SegNet": ("train/{name}.png", "trainannot/{name}.png", as_ids),
    "KITTI": ("training/image_2/{name}.png", "training/semantic/{name}.png", as_ids),
    "KITTI, colours": ("training/image_2/{name}.png", "training/semantic_rgb/{name}.png", in_colours),
    "BDD100K, colours": ("images/10k/val/{name}.bmp", "labels/sem_seg/colormaps/val/{name}.png", in_colours),
    "BDD100K": ("images/10k/train/{name}.bmp", "labels/sem_seg/masks/train/{name}.png", as_ids),
    "layout.toml": ("photos/{town}/cam_{name}.png", "truth/{town}/cam_{name}.class.png", as_ids),
}
"""Image path, label path, and how the ids are stored."""

LAYOUT_TOML = 'images = "photos/**/cam_*.png"\nlabels = "truth/**/cam_*.class.png"\nencoding = "ids"\n'


def write_layout(folder: Path, layout: str, count: int = 8, first: int = 0, table: LabelTable | None = None) -> Path:
    """Write a dataset folder of drawn streets, half of them in each of two towns where the layout has some.

    With a label table, the labels are five of its ids in place of ours, and there is no `labels.csv`.
    """
    image_path, label_path, encode = LAYOUTS[layout]
    for name, town, image, ids in _streets(count, first):
        _save(Image.fromarray(image), folder / image_path.format(name=name, town=town))
        stored = choose_ids(table)[ids] if table else ids
        _save(
            encode(stored, table or parse_label_table(LABELS, "LABELS")),
            folder / label_path.format(name=name, town=town),
        )
    if not table:
        (folder / "labels.csv").write_text(LABELS)
    if layout == "layout.toml":
        (folder / "layout.toml").write_text(LAYOUT_TOML)
    return folder


def choose_ids(table: LabelTable) -> np.ndarray:
    """Return five ids of a table, spread over all of them."""
    return table.ids[np.linspace(0, len(table.ids) - 1, 5).astype(int)]


def _streets(count: int, first: int) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    for number in range(first, first + count):
        yield f"{number:06d}", "aachen" if number < first + count // 2 else "bochum", *street(number)


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_streets(folder, image, *labels, numbers=range(3)):
    """Write streets under paths with "{n}" for their numbers, with our label table."""
    for n in numbers:
        for path, pixels in zip((image, *labels), (street(n)[0], *[street(n)[1]] * len(labels)), strict=True):
            (folder / path.format(n=n)).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / path.format(n=n))
    (folder / "labels.csv").write_text(LABELS)
    return folder
