"""Images of the formats meant are read upright; everything else is refused in one sentence, whatever the file holds."""

import io
import os
import random
import socket
import struct
import threading
import time

import numpy as np
import pytest
from PIL import Image

from segmentation.errors import UserError
from segmentation.files import image_files
from segmentation.files.image_files import decode_image, orientation
from segmentation.files.images import read_image
from segmentation.labels.label_files import read_label
from segmentation.labels.label_table import parse_label_table
from tests.harness.label_forms import TURNS, all_forms, exif_block
from tests.harness.png_files import GREY, RGB, encode_chunk, encode_png
from tests.harness.toy_dataset import COLOURS, LABELS, street

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")  # pytest drops the filter of image_files

TABLE = parse_label_table(LABELS, "labels.csv")
IMAGE = Image.fromarray(street(0)[0])


def saved(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def write(folder, content, name="image.png"):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("number", range(1, 9))
def test_images_are_turned_upright(tmp_path, file_format, number):
    image = IMAGE.transpose(TURNS[number]) if number > 1 else IMAGE
    exif = Image.Exif()
    exif[0x112] = number
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(file_format, {})
    path = write(tmp_path, saved(image, file_format, exif=exif, **options))
    assert orientation(path) == number
    assert np.abs(read_image(path).astype(int) - np.asarray(IMAGE)).max() <= (9 if file_format == "JPEG" else 0)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "block", [b"broken", b"II*\0\x08\0\0\0\x01\0", exif_block(6)[:-7], exif_block(77), b"MM\0*" * 9]
)
def test_a_broken_exif_block_is_ignored(tmp_path, file_format, block):
    path = write(tmp_path, saved(IMAGE, file_format, exif=b"Exif\0\0" + block))
    assert read_image(path).shape == (32, 48, 3) and orientation(path) == 1


def test_a_phone_photo_with_a_second_view_is_read(tmp_path):
    path = write(tmp_path, saved(IMAGE, "MPO", save_all=True, append_images=[IMAGE]), "photo.jpg")
    assert read_image(path).shape == (32, 48, 3)


def postscript():
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n{} loop\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (postscript(), "cannot be read as an image"),
        (saved(IMAGE, "GIF"), "none of PNG, JPEG, WEBP, BMP, TIFF, PPM"),
        (saved(IMAGE, "PNG")[:-400], "cannot be read as an image"),
        (saved(IMAGE, "BMP")[:-4], "cannot be read as an image"),
        (saved(IMAGE, "JPEG")[:-40], "cannot be read as an image"),
        (saved(IMAGE, "PNG", save_all=True, append_images=[IMAGE.rotate(180)]), "holds 2 images"),
        (saved(IMAGE, "TIFF", save_all=True, append_images=[IMAGE]), "holds 2 images"),
        (encode_png(np.ones((2, 2), int), 16, GREY), "more than 8 bits per channel"),
        (encode_png(np.ones((2, 2, 3), int), 16, RGB), "more than 8 bits per channel"),
        (saved(IMAGE.convert("F"), "TIFF"), "more than 8 bits per channel"),
        (saved(Image.new("1", (13000, 13000)), "PNG"), "is 13000x13000, more than 67,108,864 pixels"),
    ],
)
def test_what_is_no_image_or_another_one_than_meant_is_refused(tmp_path, content, words):
    with pytest.raises(UserError, match=f"image.png: .*{words}.*; "):
        read_image(write(tmp_path, content))


def test_a_black_and_white_bmp_of_8_bits_is_refused_because_pillow_misreads_it(tmp_path):
    image = Image.frombytes("P", (2, 2), b"\0\1\1\0")
    image.putpalette([0, 0, 0, 255, 255, 255])
    path = write(tmp_path, saved(image, "BMP"))
    with pytest.raises(UserError, match="black and white with 8 bits"):
        read_image(path)


def test_only_regular_files_are_opened(tmp_path):
    pipe, folder, listening = tmp_path / "pipe.png", tmp_path / "folder.png", tmp_path / "s"
    os.mkfifo(pipe)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(listening))
        for path, kind in ((pipe, "a pipe"), (folder, "a folder"), (listening, "a socket")):
            for read in (read_image, orientation, lambda path: read_label(path, TABLE)):
                with pytest.raises(UserError, match=f"is {kind}, not a file"):
                    read(path)
    with pytest.raises(UserError, match=r"missing.png: cannot be read as an image \(No such file"):
        read_image(tmp_path / "missing.png")


def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "LARGE", 1000)
    path = write(tmp_path, saved(IMAGE, "PNG"))
    small = write(tmp_path, saved(IMAGE.resize((10, 10)), "PNG"), "small.png")
    other = threading.Thread(target=read_image, args=(path,))
    with decode_image(path):
        read_image(small)
        other.start()
        other.join(0.2)
        assert other.is_alive()
    other.join(10)
    assert not other.is_alive()


@pytest.mark.parametrize("mode", ["RGB", "P", "L", "1", "I;16B", "LA"])
def test_strips_make_the_same_array(tmp_path, monkeypatch, mode):
    image = IMAGE.convert("L").convert("I;16").convert("I;16B") if mode == "I;16B" else IMAGE.convert(mode)
    path = write(tmp_path, saved(image, "TIFF"))
    monkeypatch.setattr(image_files, "STRIP", 48 * 5)
    with decode_image(path) as decoded:
        np.testing.assert_array_equal(decoded.to_array(mode), np.asarray(image))


def test_no_content_makes_a_reader_fail_in_another_way_than_with_a_sentence(tmp_path):
    """Read damaged files: 1,000, or as many as the environment variable FUZZ_READS says."""
    count, rng = int(os.environ.get("FUZZ_READS", "1000")), random.Random(int(os.environ.get("FUZZ_SEED", "0")))
    contents, path = _valid_files(), tmp_path / "fuzzed"
    slowest, refused = 0.0, 0
    readers = (read_image, orientation, *(lambda path, e=e: read_label(path, TABLE, e) for e in (None, "indices")))
    for number in range(count):
        content = _damaged(rng.choice(contents), contents, rng)
        path.write_bytes(content)
        start = time.monotonic()
        try:
            readers[number % len(readers)](path)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error) and str(path) in str(error)
        except BaseException:
            write(tmp_path, content, "culprit")
            raise
        slowest = max(slowest, time.monotonic() - start)
    print(f"{count} reads, {refused} refused, slowest {slowest:.2f} s")
    assert 0.1 * count < refused and slowest < 30


def _valid_files():
    rng = np.random.default_rng(0)
    ids, colours = street(0)[1], np.resize(COLOURS, (256, 3))
    exif = exif_block(6)
    files = [form.encode(np.minimum(ids, form.max_id), colours, rng, exif) for form in all_forms()]
    files += [saved(IMAGE, file_format) for file_format in ("JPEG", "WEBP", "MPO")]
    files += [saved(IMAGE, file_format, save_all=True, append_images=[IMAGE]) for file_format in ("PNG", "WEBP", "MPO")]
    files += [saved(IMAGE.convert(mode), "TIFF") for mode in ("F", "CMYK", "YCbCr", "LAB")]
    files += [saved(IMAGE, "JPEG", exif=b"Exif\0\0" + exif, progressive=True), saved(IMAGE, "GIF"), postscript()]
    files += [saved(IMAGE, "TIFF", compression="jpeg")]
    files += [
        b"P3 2 2 99\n" + b"1 2 3 " * 4,
        b"P2 # comment\n2 2 9\n1 2 3 4",
        b"P1 2 2\n0110",
        b"P5 2 2 300\n" + b"\0\1" * 4,
    ]
    return files


def _damaged(content, others, rng):
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(content) + 1)
        place = min(place, rng.choice((40, 300, len(content))))  # headers matter most
        kind = rng.randrange(6)
        if kind == 0:
            content[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            content[place : place + 4] = rng.choice(
                (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\1\0")
            )
        elif kind == 2:
            del content[place : place + rng.randrange(1, 50)]
        elif kind == 3:
            content[place:place] = rng.randbytes(rng.randrange(1, 50))
        elif kind == 4:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            content[place:place] = other[start : start + rng.randrange(1, 200)]
        else:
            del content[place:]
    return _with_checksums(bytes(content)) if rng.random() < 0.7 else bytes(content)


def _with_checksums(content):
    """Make the checksums of a PNG file right, so that the damage reaches the decoder."""
    if content[:4] != b"\x89PNG":
        return content
    file, place = content[:8], 8
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        file += encode_chunk(kind, content[place + 8 : place + 8 + length])
        place += length + 12
    return file
