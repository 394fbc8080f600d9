"""Write PNG files of every kind: depths and interlacing that Pillow and OpenCV do not write."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6

ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
"""First row and column, and steps, of the passes of an interlaced file: chapter 8.2 of the PNG specification."""


def encode_png(
    samples: np.ndarray,
    depth: int,
    colour_type: int,
    palette: np.ndarray | None = None,
    exif: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """Return a PNG file of samples (height, width) or (height, width, channels), as they are."""
    height, width = samples.shape[:2]
    samples = samples.reshape(height, width, -1)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    passes = [samples[top::down, left::right] for top, left, down, right in ADAM7] if interlaced else [samples]
    rows = b"".join(row for part in passes for row in encode_rows(part, depth))
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if palette is not None:
        chunks.insert(1, (b"PLTE", palette.astype(np.uint8).tobytes()))
    if exif:
        chunks.insert(1, (b"eXIf", exif))
    return b"\x89PNG\r\n\x1a\n" + b"".join(encode_chunk(*chunk) for chunk in chunks)


def encode_rows(samples: np.ndarray, depth: int) -> Iterator[bytes]:
    """Yield the rows of an image or of an interlacing pass, unfiltered."""
    if samples.size == 0:
        return
    bits = samples.astype(">u2")[..., None] >> np.arange(depth - 1, -1, -1) & 1
    for row in np.packbits(bits.reshape(len(samples), -1).astype(np.uint8), axis=1):
        yield b"\0" + row.tobytes()


def encode_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
