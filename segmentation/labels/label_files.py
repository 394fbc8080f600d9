"""Read label ids from image files of every kind that stores them without loss."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segmentation.errors import UserError
from segmentation.files.image_files import DecodedImage, decode_image, require_one_image
from segmentation.labels.label_readings import Encoding, IndexedPixels, choose_ids
from segmentation.labels.label_table import LabelTable
from segmentation.labels.lossless_files import require_lossless
from segmentation.labels.unknown_colours import count_colours, describe_unknown_colours
from segmentation.types import UInt8Array

__all__ = ["Encoding", "read_label"]


def read_label(path: Path, label_table: LabelTable, encoding: Encoding | None = None) -> UInt8Array:
    """Return the label ids (height, width) of an image file, turned as its EXIF orientation says.

    The content decides how they are stored: as values of any depth, in the red channel as CARLA delivers them, in
    colours of the table, or as indices of a palette whose indices are ids. `encoding` is what the file's folder
    suggests and decides only between readings that are all possible; "indices" takes grey values and palette indices
    literally. The ids may be missing in the table.

    Raise `UserError` for a file that cannot be read, is stored with loss, has values above 255, shows colours that the
    table does not know, or can be read in two ways.
    """
    with decode_image(path) as decoded:
        require_one_image(path, decoded.image)
        require_lossless(path, decoded)
        if decoded.image.mode in ("P", "PA"):
            ids = _ids_from_palette(path, decoded, label_table, encoding)
        else:
            ids = _ids_from_values(path, decoded, label_table, encoding)
        return np.ascontiguousarray(decoded.turn_upright(ids))


def _ids_from_palette(
    path: Path, decoded: DecodedImage, label_table: LabelTable, encoding: Encoding | None
) -> UInt8Array:
    indices = decoded.to_array(decoded.image.mode)
    indices = indices if indices.ndim == 2 else indices[..., 0]  # the other is alpha
    palette = np.array(decoded.image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if indices.max() >= len(palette):
        raise UserError(f"{path}: has pixels of index {indices.max()} but {len(palette)} colours; export it again")
    pixels = IndexedPixels(indices, palette, is_palette=True)
    ids = choose_ids(path, pixels, label_table, encoding)
    if ids is None:
        found = describe_unknown_colours(pixels.used_colours, pixels.counts[pixels.used], label_table)
        raise UserError(
            f"{path}: {found}; if the indices of its palette are ids, save them as an 8-bit grey PNG or write "
            'encoding = "indices" into layout.toml'
        )
    return ids


def _ids_from_values(
    path: Path, decoded: DecodedImage, label_table: LabelTable, encoding: Encoding | None
) -> UInt8Array:
    values = _stored_values(path, decoded)
    red = values if values.ndim == 2 else values[..., 0]
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    if values.ndim == 2 or (values == red[..., None]).all():
        # In files of 1, 2 or 4 bits white is 1, 3 or 15.
        scale = 255 // decoded.max_value if decoded.max_value in (1, 3, 15) else 1
        pixels = IndexedPixels(red, grey * np.uint8(scale))
    elif not values[..., 1:].any():
        pixels = IndexedPixels(red, grey * np.array([1, 0, 0], np.uint8))
    else:
        return _ids_from_colours(path, values, label_table)
    ids = choose_ids(path, pixels, label_table, encoding)
    return _ids_from_colours(path, pixels.colours[red], label_table) if ids is None else ids


def _ids_from_colours(path: Path, colours: UInt8Array, label_table: LabelTable) -> UInt8Array:
    if label_table.rows:
        ids, known = label_table.ids_from_colours(colours)
        if known.all():
            return ids
    raise UserError(f"{path}: {describe_unknown_colours(*count_colours(colours), label_table)}")


def _stored_values(path: Path, decoded: DecodedImage) -> UInt8Array:
    """Return the values (height, width) or (height, width, 3) as the file stores them, without alpha.

    Raise `UserError` if one is not in 0 to 255.
    """
    pixels = decoded.to_array(decoded.image.mode)
    if decoded.max_value > 255 and pixels.ndim == 3:
        pixels = _read_16_bits(path, pixels)
    elif pixels.dtype != np.bool_:
        pixels = _undo_scaling(pixels, decoded)
    if pixels.ndim == 3:
        pixels = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., 0]
    lowest, highest = pixels.min(), pixels.max()
    if lowest < 0 or highest > 255:
        raise UserError(f"{path}: labels are numbers from {lowest} to {highest}; save ids 0 to 255 with 8 bits")
    return pixels.astype(np.uint8, copy=False)


def _undo_scaling(pixels: npt.NDArray[Any], decoded: DecodedImage) -> npt.NDArray[Any]:
    """Return values as the file stores them: Pillow scales less than 8 bits, and the numbers of a PGM file."""
    if pixels.dtype == np.uint8 and decoded.max_value < 255:
        return np.rint(pixels * (decoded.max_value / 255)).astype(np.uint8)
    if decoded.image.format == "PPM" and decoded.image.mode == "I":
        return np.rint(pixels * (decoded.max_value / 65535)).astype(np.int32)
    return pixels


def _read_16_bits(path: Path, upper_bits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the 16-bit values, red first, of a file of which Pillow keeps the upper 8 bits only."""
    if not upper_bits[..., :3].any():
        # OpenCV warns of TIFF files in which a tag for alpha is missing.
        log_level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        cv2.utils.logging.setLogLevel(log_level)
        if pixels is not None and pixels.dtype == np.uint16 and pixels.shape[:2] == upper_bits.shape[:2]:
            return pixels[..., 2::-1] if pixels.ndim == 3 else pixels
    raise UserError(f"{path}: labels are 16-bit numbers above 255; save ids 0 to 255 with 8 bits")
