"""Read, write and resize images and label ids. Every failure names the file."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from segmentation.atomic_write import atomic_write
from segmentation.errors import UserError
from segmentation.labels import LabelTable
from segmentation.types import Size, UInt8Array


def read_image(path: Path) -> UInt8Array:
    """Return an RGB image (height, width, 3), rotated as its EXIF orientation says.

    Raise `UserError` for an empty or unreadable file, or one with more than 8 bits per channel.
    """
    image = _open(path)
    if image.mode.startswith(("I", "F")):
        raise UserError(f"{path}: has more than 8 bits per channel; save it with 8")
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def read_ids(path: Path) -> UInt8Array:
    """Return the label ids (height, width) of an 8-bit file.

    With 3 or 4 channels the id is in the red one, as CARLA delivers it; the indices of a palette file are its ids.
    Raise `UserError` for an empty or unreadable file, or one of another depth.
    """
    pixels = np.asarray(_open(path))
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise UserError(f"{path}: labels are {pixels.dtype}, not 8 bits per pixel; save ids 0 to 255")
    return np.ascontiguousarray(pixels if pixels.ndim == 2 else pixels[..., 0])


def read_coloured_ids(path: Path, label_table: LabelTable) -> UInt8Array:
    """Return the label ids (height, width) of a file that shows them in the table's colours, or as grey values.

    Raise `UserError` for an empty or unreadable file and for a colour that is not in the table.
    """
    image = _open(path)
    if image.mode == "L":
        return np.asarray(image)
    ids, known = label_table.ids_from_colours(np.asarray(image.convert("RGB")))
    if not known.all():
        raise UserError(f"{path}: {np.mean(~known):.1%} of its colours are not in labels.csv; add them there")
    return ids


def write_png(path: Path, pixels: UInt8Array) -> None:
    """Write ids (height, width) or an RGB image (height, width, 3) atomically. Raise `UserError` if that fails."""
    with atomic_write(path) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", compress_level=3)


def encode_image(image: UInt8Array, small: bool = False) -> bytes:
    """Return an RGB image as a PNG file: fast to encode, or as small as PNG allows.

    OpenCV's default settings are the fast way: 14 ms and 706 kB for an 800x600 image of the embedded town on one core.
    Its level 1 takes 25 ms for 671 kB, its level 6 72 ms for 627 kB, Pillow's level 1 32 ms.
    """
    if small:
        return _encode(Image.fromarray(image), optimize=True)
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def encode_ids(ids: UInt8Array, palette: bytes | None = None) -> bytes:
    """Return ids as a PNG file with one byte per pixel, in 2 ms for 800x600.

    With a palette, 256 RGB colours, viewers show the ids in colour.
    """
    image = Image.fromarray(ids)
    if palette:
        image.putpalette(palette)
    return _encode(image, compress_level=1)


def resize_image(image: UInt8Array, size: Size) -> UInt8Array:
    """Resize an image (height, width, 3); shrink it by averaging, so that thin things do not flicker."""
    width, height = size
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_mask(mask: UInt8Array, size: Size) -> UInt8Array:
    """Resize a mask or ids (height, width) by nearest neighbour, with pixel centres where `resize_image` has them."""
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)


def _encode(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def _open(path: Path) -> Image.Image:
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path}: empty file; record or export it again")
        image = Image.open(path)
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read as an image ({_reason(path, error)}); replace it") from None
    return image


def _reason(path: Path, error: Exception) -> str:
    """Return the decoder's message without the path, which our sentence names already."""
    return (getattr(error, "strerror", None) or str(error)).replace(f" {str(path)!r}", "")
