"""Read and write picture files: RGB and label ids, every failure told with the file's name."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from segmentation.errors import UserError
from segmentation.labels import Bytes, LabelTable
from segmentation.whole_file import whole_file


def read_picture(path: Path) -> Bytes:
    """RGB picture (height, width, 3), upright where a camera has noted how it was held.

    Raises `UserError` for an empty or unreadable file, or one of more than 8 bits a channel.
    """
    image = _load(path)
    if image.mode.startswith(("I", "F")):
        raise UserError(f"{path}: has more than 8 bits a channel; save it with 8")
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def read_ids(path: Path) -> Bytes:
    """Label ids (height, width) of an 8-bit file.

    With 3 or 4 channels the id is in the red one, as CARLA delivers it; a palette file holds its ids as
    they are. Raises `UserError` for an empty or unreadable file, or one of another depth.
    """
    pixels = np.asarray(_load(path))
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise UserError(f"{path}: labels are {pixels.dtype}, not 8 bits a pixel; save ids 0 to 255")
    return np.ascontiguousarray(pixels if pixels.ndim == 2 else pixels[..., 0])


def read_coloured_ids(path: Path, table: LabelTable) -> Bytes:
    """Label ids (height, width) of a file that shows them in the table's colours, or holds them as grey.

    Raises `UserError` for an empty or unreadable file and for a colour that is not in the table.
    """
    image = _load(path)
    if image.mode == "L":
        return np.asarray(image)
    ids, known = table.ids_from_colours(np.asarray(image.convert("RGB")))
    if not known.all():
        raise UserError(f"{path}: {np.mean(~known):.1%} of its colours are not in labels.csv; add them there")
    return ids


def write_png(path: Path, pixels: Bytes) -> None:
    """Write (height, width) or RGB (height, width, 3), whole. Raises `UserError` where that cannot be done."""
    with whole_file(path) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", compress_level=3)


def _load(path: Path) -> Image.Image:
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path}: empty file; record or export it again")
        image = Image.open(path)
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read as a picture ({_reason(path, error)}); replace it") from None
    return image


def _reason(path: Path, error: Exception) -> str:
    """The decoder's words without the path, which the sentence has already."""
    return (getattr(error, "strerror", None) or str(error)).replace(f" {str(path)!r}", "")
