"""Walk through the chunks of a PNG file: what Pillow does not check, or only tells after decoding everything."""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

PIXEL_CHUNKS = (b"IDAT", b"fdAT")
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")  # which may hold an EXIF block or XMP
BLOCK = 1 << 20


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the type and length of every chunk, with the file at the start of its data; stop where the file ends."""
    position = 8  # after the signature
    while True:
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return
        length, kind = struct.unpack(">I4s", header)
        yield kind, length
        position += length + 12


def has_damaged_pixels(file: BinaryIO) -> bool:
    """Return whether a checksum of the pixels is wrong. Pillow ignores them and may decode other pixels."""
    return any(kind in PIXEL_CHUNKS and not _is_intact(file, kind, length) for kind, length in png_chunks(file))


def may_have_orientation(file: BinaryIO) -> bool:
    """Return whether a chunk may hold an EXIF orientation; they may follow the pixels."""
    return any(kind == b"eXIf" or kind in TEXT_CHUNKS for kind, _ in png_chunks(file))


def _is_intact(file: BinaryIO, kind: bytes, length: int) -> bool:
    checksum = zlib.crc32(kind)
    while length:
        block = file.read(min(length, BLOCK))
        if not block:
            return False
        checksum = zlib.crc32(block, checksum)
        length -= len(block)
    return file.read(4) == struct.pack(">I", checksum)
