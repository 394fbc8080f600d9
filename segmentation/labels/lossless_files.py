"""Refuse label files whose pixels are not those that were saved, or whose values have no plain order."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.errors import UserError
from segmentation.files.image_files import DecodedImage

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B", "I")
"""Pillow's modes that can hold ids; others are floats, or colours in another space."""

TIFF_COMPRESSIONS = (1, 3, 4, 5, 8, 32773, 32946, 34925, 50000)
"""The lossless ones: none, CCITT group 3 and 4, LZW, Deflate, PackBits, the older Deflate, LZMA, Zstandard.

CCITT's run lengths, 2, are left out: libtiff, which Pillow and OpenCV use, may read the last row wrong.
"""

TIFF_COLOURS = (0, 1, 2, 3)
"""Photometric interpretations: white is 0, black is 0, RGB, palette."""


def require_lossless(path: Path, decoded: DecodedImage) -> None:
    """Raise `UserError` for a decoded file that cannot hold ids as they are."""
    image = decoded.image
    if image.format in ("JPEG", "MPO"):
        raise UserError(f"{path}: is a JPEG file, which changes label ids; save labels as PNG")
    if image.format == "WEBP" and not _is_lossless_webp(path.read_bytes()):
        raise UserError(f"{path}: is a lossy WebP file, which changes label ids; save labels as PNG")
    if image.format == "BMP" and decoded.max_value not in (1, 255):
        raise UserError(f"{path}: is a BMP file of 16 bits per pixel, too few for colours; save labels as 8-bit PNG")
    reason = _trouble_of_tiff(decoded) if image.format == "TIFF" else ""
    if image.mode not in MODES:
        reason = f"pixels of type {image.mode}"
    if reason:
        raise UserError(f"{path}: has {reason}, which cannot hold label ids safely; save labels as 8-bit grey PNG")


def _is_lossless_webp(content: bytes) -> bool:
    """Return whether the chunk of pixels is VP8L; VP8 is lossy."""
    position, kinds = 12, set()
    while position + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, position)
        kinds.add(kind)
        position += 8 + length + length % 2
    return b"VP8L" in kinds and b"VP8 " not in kinds


def _trouble_of_tiff(decoded: DecodedImage) -> str:
    """Return what is lossy or ambiguous in a TIFF file, or ""."""
    tags: dict[int, Any] = decoded.image.tag_v2  # type: ignore[attr-defined]
    compression, colours, planes = tags.get(259, 1), tags.get(262, 0), tags.get(284, 1)
    if compression not in TIFF_COMPRESSIONS:
        return f"the TIFF compression {compression}"
    if colours not in TIFF_COLOURS:
        return f"the TIFF colour space {colours}"
    if colours == 0 and decoded.max_value > 255:
        return "16-bit values in which white is 0"
    if 2 in tags.get(339, (1,)) and decoded.max_value == 255:
        return "signed 8-bit values"
    if decoded.image.mode in ("RGB", "RGBA") and decoded.max_value > 255 and (planes != 1 or tags.get(274, 1) != 1):
        return "16-bit colours in separate planes, or turned"  # which decoders treat differently
    if 1 in tags.get(338, ()) and np.asarray(decoded.image)[..., -1].min() < 255:
        return "colours multiplied by their opacity"
    return ""
