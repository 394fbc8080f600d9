"""Every form in which Pillow, OpenCV and PNG optimizers store a map of ids without loss."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from segmentation.labels.label_readings import voc_colormap
from tests.harness.png_files import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, encode_png

Colours = np.ndarray
"""RGB colour of every id, (256, 3)."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What a camera does to an upright image that it stores with this EXIF orientation."""


@dataclass(frozen=True)
class Form:
    """A way to store ids up to `max_id`: `encode(ids, colours, rng, exif)` returns the file."""

    name: str
    encode: Callable[..., bytes]
    encoding: str = "ids"
    max_id: int = 255
    has_exif: bool = True
    is_refused: bool = False


def all_forms() -> list[Form]:
    return [*_png_forms(), *_palette_forms(), *_pillow_forms(), *_opencv_forms()]


def exif_block(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0") if orientation > 1 else b""


def turned(ids: np.ndarray, orientation: int) -> np.ndarray:
    return np.asarray(Image.fromarray(ids).transpose(TURNS[orientation])) if orientation > 1 else ids


def _in_red(ids, colours, rng):
    return np.dstack([ids, 0 * ids, 0 * ids])


def _as_grey(ids, colours, rng):
    return np.dstack([ids, ids, ids])


def _coloured(ids, colours, rng):
    return colours[ids]


CHANNELS = {"red": (_in_red, "ids"), "grey": (_as_grey, "ids"), "colours": (_coloured, "colours")}


def _with_alpha(pixels, rng, depth=8):
    return np.dstack([pixels, rng.integers(0, 1 << depth, pixels.shape[:2])])


def _png_forms():
    for interlaced in (False, True):
        how = " interlaced" if interlaced else ""
        for depth in (1, 2, 4, 8, 16):
            yield Form(
                f"png grey {depth}{how}",
                lambda ids, colours, rng, exif, d=depth, i=interlaced: encode_png(ids, d, GREY, None, exif, i),
                max_id=min(255, (1 << depth) - 1),
            )
        yield Form(
            f"png grey optimized{how}",
            lambda ids, colours, rng, exif, i=interlaced: _optimized_grey(ids, exif, i),
        )
        for depth in (8, 16):
            yield Form(
                f"png grey alpha {depth}{how}",
                lambda ids, colours, rng, exif, d=depth, i=interlaced: encode_png(
                    _with_alpha(ids, rng, d), d, GREY_ALPHA, None, exif, i
                ),
            )
            for name, (paint, encoding) in CHANNELS.items():
                yield Form(
                    f"png rgb {name} {depth}{how}",
                    lambda ids, colours, rng, exif, d=depth, i=interlaced, p=paint: encode_png(
                        p(ids, colours, rng), d, RGB, None, exif, i
                    ),
                    encoding,
                )
                yield Form(
                    f"png rgba {name} {depth}{how}",
                    lambda ids, colours, rng, exif, d=depth, i=interlaced, p=paint: encode_png(
                        _with_alpha(p(ids, colours, rng), rng, d), d, RGBA, None, exif, i
                    ),
                    encoding,
                )


def _palette_forms():
    ramp = np.repeat(np.arange(256)[:, None], 3, axis=1)
    palettes = {
        "colours": (lambda colours: colours, "colours"),
        "grey": (lambda colours: ramp, "ids"),
        "red": (lambda colours: ramp * [1, 0, 0], "ids"),
    }
    for name, (palette_of, encoding) in palettes.items():
        for interlaced in (False, True):
            how = " interlaced" if interlaced else ""
            yield Form(
                f"png palette {name}{how}",
                lambda ids, colours, rng, exif, p=palette_of, i=interlaced: encode_png(
                    ids, 8, PALETTE, p(colours), exif, i
                ),
                encoding,
            )
            yield Form(
                f"png palette {name} optimized{how}",
                lambda ids, colours, rng, exif, p=palette_of, i=interlaced: _optimized(ids, p(colours), rng, exif, i),
                encoding,
            )
    yield Form("png palette of VOC", lambda ids, colours, rng, exif: encode_png(ids, 8, PALETTE, voc_colormap(), exif))


def _optimized(ids, palette, rng, exif, interlaced):
    """Keep the colours that are used, in any order, with as few bits as they need."""
    used = rng.permutation(np.unique(ids))
    indices = np.argsort(used)[np.searchsorted(np.sort(used), ids)]
    depth = next(depth for depth in (1, 2, 4, 8) if len(used) <= 1 << depth)
    return encode_png(indices, depth, PALETTE, palette[used], exif, interlaced)


def _optimized_grey(ids, exif, interlaced):
    """Use as few bits as keep every grey, of which white is the largest value."""
    depth = next(depth for depth in (1, 2, 4, 8) if not (ids % (255 // ((1 << depth) - 1))).any())
    return encode_png(ids // (255 // ((1 << depth) - 1)), depth, GREY, None, exif, interlaced)


def _pillow_forms():
    compressions = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "lzma", "zstd")
    kinds = [("PNG", {}), ("PNG", {"optimize": True}), ("BMP", {}), ("WEBP", {"lossless": True, "exact": True})]
    kinds += [("TIFF", {"compression": compression}) for compression in compressions]
    kinds += [("PPM", {})]
    modes = {
        "1": lambda ids: Image.fromarray(ids * 255).convert("1"),
        "L": lambda ids: Image.fromarray(ids),
        "LA": lambda ids: Image.fromarray(ids).convert("LA"),
        "I;16": lambda ids: Image.fromarray(ids.astype(np.uint16)),
        "I;16B": lambda ids: Image.frombytes("I;16B", ids.shape[::-1], ids.astype(">u2").tobytes()),
        "I": lambda ids: Image.fromarray(ids.astype(np.int32)),
    }
    supported = {
        "PNG": ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"),
        "BMP": ("1", "L", "P", "RGB", "RGBA"),
        "WEBP": ("L", "RGB", "RGBA"),
        "TIFF": ("1", "L", "LA", "I;16", "I;16B", "I", "P", "PA", "RGB", "RGBA", "RGBX"),
        "PPM": ("1", "L", "I;16", "I", "RGB"),
    }
    for file_format, options in kinds:
        name = f"pillow {file_format} {' '.join(map(str, options.values()))}".strip()
        has_exif = file_format in ("PNG", "WEBP", "TIFF")
        for mode in supported[file_format]:
            if mode in modes:
                yield Form(
                    f"{name} {mode}",
                    lambda ids, colours, rng, exif, m=modes[mode], f=file_format, o=options: _save(m(ids), f, o, exif),
                    max_id=1 if mode == "1" else 255,
                    has_exif=has_exif,
                )
            elif mode in ("P", "PA"):
                yield Form(
                    f"{name} {mode}",
                    lambda ids, colours, rng, exif, m=mode, f=file_format, o=options: _save(
                        _paletted(ids, colours, m), f, o, exif
                    ),
                    "colours",
                    has_exif=has_exif,
                )
            else:
                for kind, (paint, encoding) in CHANNELS.items():
                    yield Form(
                        f"{name} {mode} {kind}",
                        lambda ids, colours, rng, exif, m=mode, f=file_format, o=options, p=paint: _save(
                            _in_mode(p(ids, colours, rng).astype(np.uint8), m, rng), f, o, exif
                        ),
                        encoding,
                        has_exif=has_exif,
                    )
    yield Form(
        "pillow BigTIFF", lambda ids, colours, rng, exif: _save(modes["L"](ids), "TIFF", {"big_tiff": True}, exif)
    )
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield Form(
            f"pillow TIFF {compression}",
            lambda ids, colours, rng, exif, c=compression: _save(modes["1"](ids), "TIFF", {"compression": c}, exif),
            max_id=1,
            is_refused=compression == "tiff_ccitt",  # libtiff sometimes reads the last row wrong
        )


def _paletted(ids, colours, mode):
    image = Image.frombytes("P", ids.shape[::-1], ids.tobytes())
    image.putpalette(colours.astype(np.uint8).tobytes())
    return image.convert(mode) if mode != "P" else image


def _in_mode(pixels, mode, rng):
    if mode == "RGB":
        return Image.fromarray(pixels)
    return Image.frombytes(mode, pixels.shape[1::-1], _with_alpha(pixels, rng).astype(np.uint8).tobytes())


def _save(image, file_format, options, exif):
    file = io.BytesIO()
    image.save(file, file_format, **options, **({"exif": b"Exif\0\0" + exif} if exif else {}))
    return file.getvalue()


def _opencv_forms():
    options = {
        ".png": [(), (cv2.IMWRITE_PNG_STRATEGY, 3), (cv2.IMWRITE_PNG_BILEVEL, 1)],
        ".bmp": [()],
        ".tiff": [(), *((cv2.IMWRITE_TIFF_COMPRESSION, number) for number in (1, 5, 8, 32773, 32946))],
    }
    for suffix, choices in options.items():
        for choice in choices:
            bilevel = cv2.IMWRITE_PNG_BILEVEL in choice
            for dtype in (np.uint8,) if suffix == ".bmp" or bilevel else (np.uint8, np.uint16):
                name = f"opencv {suffix} {'bilevel' if bilevel else choice[1:]} {np.dtype(dtype).name}"
                yield Form(
                    f"{name} grey",
                    lambda ids, colours, rng, exif, s=suffix, c=choice, t=dtype: _imencode(s, ids.astype(t), c),
                    max_id=1 if bilevel else 255,
                    has_exif=False,
                )
                for kind, (paint, encoding) in () if bilevel else CHANNELS.items():
                    for channels in (3, 4):
                        yield Form(
                            f"{name} {kind} {channels}",
                            lambda ids, colours, rng, exif, s=suffix, c=choice, t=dtype, p=paint, n=channels: _imencode(
                                s, _bgr(p(ids, colours, rng), n).astype(t), c
                            ),
                            encoding,
                            has_exif=False,
                        )


def _bgr(pixels, channels):
    pixels = pixels[..., ::-1]
    return np.dstack([pixels, np.full(pixels.shape[:2], 255)]) if channels == 4 else pixels


def _imencode(suffix, pixels, choice):
    return cv2.imencode(suffix, pixels, list(choice))[1].tobytes()
