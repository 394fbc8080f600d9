"""Open image files safely: only the formats meant, of bounded size, and every failure told in one sentence."""

import logging
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from segmentation.errors import UserError
from segmentation.files.png_chunks import has_damaged_pixels, may_have_orientation
from segmentation.files.regular_file import require_regular_file

LABEL_SUFFIXES = (
    ".png", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm", ".webp", ".jpg", ".jpeg", ".jfif", ".jpe",
)  # fmt: skip
"""Files that may hold labels. JPEG and lossy WebP cannot, but are found so that the reader can refuse them by name."""

IMAGE_SUFFIXES = (*LABEL_SUFFIXES, ".mpo")

OTHER_IMAGE_SUFFIXES = (
    ".apng", ".arw", ".avif", ".avifs", ".cr2", ".cr3", ".dds", ".dib", ".dng", ".exr", ".gif", ".hdr", ".heic",
    ".heif", ".hif", ".ico", ".j2k", ".jp2", ".jpx", ".jxl", ".nef", ".orf", ".pcx", ".pfm", ".psd", ".raw", ".rw2",
    ".sgi", ".svg", ".tga",
)  # fmt: skip
"""Files that look like images but are not read."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")
"""The formats that are decoded, whatever the suffix. Pillow knows more; one of them runs a PostScript interpreter."""

MAX_PIXELS = 1 << 26
"""67 million, four times a large camera's. Pillow needs 4 bytes for each, so this bounds the memory of one file."""

LARGE = 1 << 24
"""Images of more pixels are decoded one at a time, so that many threads do not need many times the memory."""

STRIP = 1 << 20
"""Pixels that are copied at a time from Pillow, which takes several times their memory for it."""

_decoding_large_image = threading.Lock()

# Pillow warns of what is handled or refused here: sizes, broken metadata.
warnings.filterwarnings("ignore", module=r"PIL\b")
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image, and the largest value that a channel can have in the file; `image` may be scaled to 8 bits."""

    image: ImageFile.ImageFile
    max_value: int

    def to_array(self, mode: str) -> npt.NDArray[Any]:
        """Return the pixels, converted to a mode of Pillow, as an array (height, width, ...)."""
        width, height = self.image.size
        rows = max(1, STRIP // width)
        if rows >= height:
            return np.asarray(self.image.convert(mode))
        strips = (self.image.crop((0, top, width, min(top + rows, height))) for top in range(0, height, rows))
        first = np.asarray(next(strips).convert(mode))
        pixels = np.empty((height, *first.shape[1:]), first.dtype)
        pixels[:rows] = first
        for top, strip in zip(range(rows, height, rows), strips, strict=True):
            pixels[top : top + rows] = np.asarray(strip.convert(mode))
        return pixels

    def turn_upright(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return pixels (height, width, ...) of the image, rotated and mirrored as its EXIF orientation says."""
        return _TURNS[_read_orientation(self.image)](pixels)  # Pillow turns TIFF itself and drops the tag


@contextmanager
def decode_image(path: Path) -> Iterator[DecodedImage]:
    """Open and decode an image file, which must be a regular one of the formats meant and not too large.

    Raise `UserError` for everything that goes wrong, also within the `with` block: decoders, and what Pillow does with
    their results, raise errors of many kinds for broken files.
    """
    with _open(path) as (file, image):
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise UserError(f"{path}: is {width}x{height}, more than {MAX_PIXELS:,} pixels; make it smaller")
        max_value = _max_value(path, image)
        with _decoding_large_image if width * height > LARGE else nullcontext():
            image.load()
            if image.format == "PNG" and has_damaged_pixels(file):
                raise UserError(f"{path}: its pixels are damaged (wrong checksum); record or export it again")
            yield DecodedImage(image, max_value)


def require_one_image(path: Path, image: ImageFile.ImageFile) -> None:
    """Raise `UserError` if a file holds several images: pages or frames. A phone's second view of a photo is fine."""
    count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if count > 1:
        raise UserError(f"{path}: holds {count} images; save each in its own file")


def orientation(path: Path) -> int:
    """Return the EXIF orientation of an image file, 1 to 8; 1 if it has none or a broken one.

    Raise `UserError` if the file cannot be opened as an image.
    """
    with _open(path) as (file, image):
        if image.format == "PNG" and not may_have_orientation(file):
            return 1
        return _read_orientation(image)


@contextmanager
def _open(path: Path) -> Iterator[tuple[BinaryIO, ImageFile.ImageFile]]:
    try:
        require_regular_file(path)
        # An open file, since Pillow would map a named one into memory, and crash if that shrinks meanwhile.
        with path.open("rb") as file:
            if not file.read(1):
                raise UserError(f"{path}: empty file; record or export it again")
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                yield file, image
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(
            f"{path}: cannot be read as an image (it is none of {', '.join(FORMATS)}, or broken); replace it"
        ) from None
    except PermissionError:
        raise UserError(f"{path}: cannot be read (Permission denied); make it readable") from None
    except MemoryError:
        raise UserError(f"{path}: needs more memory than is free; free some, or make the image smaller") from None
    except Exception as error:
        raise UserError(f"{path}: cannot be read as an image ({_reason(path, error)}); replace it") from None


def _max_value(path: Path, image: ImageFile.ImageFile) -> int:
    """Return the largest value that a channel can have, as the header tells; Pillow scales smaller and larger ones.

    Raise `UserError` for a BMP file that Pillow misreads.
    """
    with path.open("rb") as file:
        header = file.read(30)
    if image.format == "PNG":
        return (1 << header[24]) - 1
    if image.format == "TIFF":
        return (1 << max(image.tag_v2.get(258, (1,)))) - 1  # type: ignore[attr-defined]  # BitsPerSample
    if image.format == "PPM":
        decoder, _, _, arguments = image.tile[0]
        if decoder.startswith("ppm") and isinstance(arguments, tuple):  # others need no scaling
            return int(arguments[-1])
        return 65535 if image.mode == "I" else 255
    if image.format == "BMP":
        bits = struct.unpack_from("<H", header, 24 if header[14] == 12 else 28)[0]
        if image.mode == "1" and bits != 1:  # Pillow reads any palette of black and white as 1 bit per pixel
            raise UserError(f"{path}: is a BMP file in black and white with {bits} bits per pixel; save it as PNG")
        return {1: 1, 16: 31}.get(bits, 255) if image.mode != "P" else 255
    return 255


def _read_orientation(image: ImageFile.ImageFile) -> int:
    try:
        number = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block
        return 1
    return number if isinstance(number, int) and number in _TURNS else 1


def _reason(path: Path, error: Exception) -> str:
    """Return the decoder's message without the path, which our sentence names already."""
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return message.replace(f" {str(path)!r}", "")


_TURNS = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: np.swapaxes(pixels, 0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.swapaxes(pixels[::-1, ::-1], 0, 1),
    8: lambda pixels: np.rot90(pixels),
}
"""What makes pixels (height, width, ...) of an EXIF orientation upright."""
