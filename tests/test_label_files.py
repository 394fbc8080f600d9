"""Labels of every form are read as they were meant, or refused in one sentence."""

import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segmentation.errors import UserError
from segmentation.labels.label_files import read_label
from segmentation.labels.label_readings import voc_colormap
from segmentation.labels.label_table import LABEL_TABLES, Label, LabelTable, parse_label_table, read_label_table
from tests.harness.label_forms import all_forms, exif_block, turned
from tests.harness.png_files import GREY, PALETTE, RGB, RGBA, encode_png
from tests.harness.toy_dataset import COLOURS, LABELS, street

FORMS = {form.name: form for form in all_forms()}
HARD_FORMS = [form for name, form in FORMS.items() if re.search("palette|optimized|grey [124]|16", name)]
CARLA = read_label_table(LABEL_TABLES / "carla_0.9.14.csv")
TOY = parse_label_table(LABELS, "labels.csv")
ALL_IDS = np.arange(256, dtype=np.uint8)


@pytest.fixture
def read(tmp_path):
    def read(content, label_table=TOY, encoding=None):
        path = tmp_path / "label.png"
        path.write_bytes(content)
        return read_label(path, label_table, encoding)

    return read


@pytest.mark.parametrize("form", [form for form in FORMS.values() if not form.is_refused], ids=lambda form: form.name)
def test_ids_of_carla_are_read_from_every_form_with_any_orientation(form, read):
    rng = np.random.default_rng(len(form.name))
    ids = rng.integers(0, min(form.max_id, 28) + 1, (7, 11)).astype(np.uint8)
    ids[3, 3] = min(form.max_id, 28)
    for orientation in (1, *rng.permutation(range(2, 9))[:2]) if form.has_exif else (1,):
        colours = CARLA.colourise_ids(ALL_IDS)
        content = form.encode(turned(ids, orientation), colours, rng, exif_block(orientation))
        for encoding in (None, form.encoding):
            np.testing.assert_array_equal(read(content, CARLA, encoding), ids)


def red(ids):
    return np.dstack([ids, 0 * ids, 0 * ids])


# Colours that look like ids, like PASCAL VOC's, or like nothing.
colours = st.one_of(
    st.integers(0, 255).map(lambda value: (value,) * 3),
    st.integers(0, 255).map(lambda value: (value, 0, 0)),
    st.integers(0, 255).map(lambda index: tuple(voc_colormap()[index].tolist())),
    st.tuples(*[st.integers(0, 255)] * 3),
)


@st.composite
def label_tables(draw):
    rows = draw(
        st.lists(
            st.tuples(st.one_of(st.integers(0, 4), st.integers(0, 255)), colours),
            min_size=1,
            max_size=12,
            unique_by=(lambda row: row[0], lambda row: row[1]),
        )
    )
    return LabelTable(tuple(Label(number, f"l{number}", colour, f"c{number}") for number, colour in rows))


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(
    form=st.one_of(st.sampled_from(HARD_FORMS), st.sampled_from(list(FORMS.values()))),
    label_table=label_tables(),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    orientation=st.integers(1, 8),
    is_expected=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_ids_of_any_table_are_read_as_they_were_written_or_refused(
    tmp_path_factory, form, label_table, size, orientation, is_expected, seed
):
    rng = np.random.default_rng(seed)
    possible = label_table.ids[label_table.ids <= form.max_id]
    if not len(possible):
        return
    ids = rng.choice(possible, size)
    orientation = orientation if form.has_exif else 1
    all_colours = rng.integers(0, 256, (256, 3)).astype(np.uint8)
    all_colours[label_table.ids] = label_table.colourise_ids(label_table.ids)
    path = tmp_path_factory.getbasetemp() / "label.bin"
    path.write_bytes(form.encode(turned(ids, orientation), all_colours, rng, exif_block(orientation)))
    try:
        found = read_label(path, label_table, form.encoding if is_expected else None)
    except UserError:
        return
    np.testing.assert_array_equal(found, ids)


def test_ids_that_the_table_does_not_know_are_returned(read):
    ids = np.array([[0, 1, 200]], np.uint8)
    for content in (encode_png(ids, 8, GREY), encode_png(red(ids), 8, RGB), encode_png(ids, 16, GREY)):
        np.testing.assert_array_equal(read(content), ids)
        np.testing.assert_array_equal(read(content, LabelTable(())), ids)


def test_every_id_is_read_without_a_table(read):
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for name in ("png grey 8", "png rgb red 8", "png rgba red 16", "png palette of VOC", "png palette red optimized"):
        content = FORMS[name].encode(ids, None, np.random.default_rng(0), b"")
        np.testing.assert_array_equal(read(content, LabelTable(())), ids, name)


def test_black_is_an_id_or_a_colour_as_the_place_of_the_file_says(read):
    table = parse_label_table("id,name,red,green,blue,class\n0,road,128,64,128,Road\n9,void,0,0,0,\n", "labels.csv")
    black = np.zeros((2, 3), np.uint8)
    for content in (encode_png(black, 8, GREY), encode_png(red(black), 8, RGB), encode_png(black, 1, PALETTE, black)):
        assert (read(content, table, "ids") == 0).all() and (read(content, table, "colours") == 9).all()
        with pytest.raises(UserError, match="may mean ids 0 or ids 9, by the colours"):
            read(content, table)


def test_bits_that_may_be_black_and_white_or_0_and_1_are_refused_unless_they_are_taken_literally(read):
    table = parse_label_table(LABELS + "255,Border,9,9,9,\n", "labels.csv")
    bits = np.array([[0, 1, 1]], np.uint8)
    np.testing.assert_array_equal(read(encode_png(bits, 1, GREY)), bits)
    np.testing.assert_array_equal(read(encode_png(bits, 1, GREY), table, "indices"), bits)
    with pytest.raises(UserError, match="may mean ids 0, 1 or ids 0, 255; save"):
        read(encode_png(bits, 1, GREY), table, "ids")


def test_indices_of_an_arbitrary_palette_are_refused_unless_they_are_taken_literally(read):
    indices = np.array([[0, 1, 2, 3]], np.uint8)
    content = encode_png(indices, 8, PALETTE, np.array([[9, 8, 7], [1, 200, 3], [70, 130, 180], [4, 5, 6]]))
    np.testing.assert_array_equal(read(content, encoding="indices"), indices)
    with pytest.raises(UserError, match=r'75\.0% of its pixels have colours .* encoding = "indices" into layout.toml'):
        read(content)


def test_pure_colours_are_ids_where_ids_are_expected_only_if_the_table_knows_them(read):
    table = parse_label_table("id,name,red,green,blue,class\n0,a,0,0,0,A\n1,b,255,0,0,B\n2,c,0,255,0,C\n", "labels.csv")
    pixels = np.array([[[0, 0, 0], [255, 0, 0]]])
    np.testing.assert_array_equal(read(encode_png(pixels, 8, RGB), table, "ids"), [[0, 1]])
    with_id_255 = parse_label_table("id,name,red,green,blue,class\n0,a,0,0,0,A\n1,b,255,0,0,B\n255,c,9,9,9,C\n", "")
    np.testing.assert_array_equal(read(encode_png(pixels, 8, RGB), with_id_255, "ids"), [[0, 255]])
    np.testing.assert_array_equal(read(encode_png(pixels, 8, RGB), with_id_255, "colours"), [[0, 1]])


def test_ids_that_share_a_colour_and_a_class_are_not_ambiguous_in_a_palette(read):
    rows = "0,a,0,0,0,A\n1,car,0,0,142,V\n2,truck,0,0,142,V\n3,road,128,64,128,R\n"
    table = parse_label_table(f"id,name,red,green,blue,class\n{rows}", "labels.csv")
    ids = np.array([[0, 1, 2, 3]], np.uint8)
    for encoding in (None, "ids", "colours"):
        content = encode_png(ids, 8, PALETTE, table.colourise_ids(ids[0]))
        np.testing.assert_array_equal(table.ids_to_mask(read(content, table, encoding)), [[0, 1, 1, 2]])


def jpeg(colours, **options):
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "JPEG", **options)
    return np.asarray(Image.open(file))


def smoothed(colours):
    height, width = colours.shape[:2]
    larger = Image.fromarray(colours).resize((width * 2, height * 2), Image.Resampling.BICUBIC)
    return np.asarray(larger.resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda ids: COLOURS[ids][..., ::-1], "with red and blue swapped it has all of them"),
        (lambda ids: red(ids)[..., ::-1], "its blue channel holds ids of labels.csv"),
        (lambda ids: np.dstack([ids, ids + 7, ids // 2]), "its red channel holds ids of labels.csv, so if the others"),
        (lambda ids: jpeg(COLOURS[ids], quality=95), "they are a little off, as JPEG leaves them"),
        (lambda ids: jpeg(COLOURS[ids], quality=75), "they are a little off, as JPEG leaves them"),
        (lambda ids: smoothed(COLOURS[ids]), "they are mixtures at edges"),
        (lambda ids: np.where(COLOURS[ids] == 180, 181, COLOURS[ids]), r".*nearest is Sky 70,130,180\)"),
        (lambda ids: street(0)[0], "add them to labels.csv, or copy the table that fits"),
    ],
)
@pytest.mark.parametrize("encoding", ["ids", "colours", None])
def test_colours_that_are_not_those_of_the_table_are_named_with_the_likely_cause(read, spoil, words, encoding):
    with pytest.raises(
        UserError, match=r"\d% of its pixels have colours that are not in labels.csv, \d+,\d+,\d+ \(.*" + words
    ):
        read(encode_png(spoil(street(0)[1]), 8, RGB), encoding=encoding)


def saved(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


IDS = Image.fromarray(street(0)[1])
TOO_LARGE = np.full((4, 4), 300)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (saved(IDS, "JPEG"), "is a JPEG file, which changes label ids; save labels as PNG"),
        (saved(IDS, "WEBP"), "is a lossy WebP file"),
        (saved(IDS, "TIFF", compression="jpeg"), "the TIFF compression 7"),
        (saved(IDS.convert("1"), "TIFF", compression="tiff_ccitt"), "the TIFF compression 2"),
        (saved(IDS.convert("CMYK"), "TIFF"), "pixels of type CMYK"),
        (saved(IDS.convert("LAB"), "TIFF"), "pixels of type LAB"),
        (saved(IDS.convert("F"), "TIFF"), "pixels of type F"),
        (saved(IDS, "TIFF", append_images=[IDS], save_all=True), "holds 2 images"),
        (saved(IDS, "PNG", append_images=[IDS.rotate(180)], save_all=True), "holds 2 images"),
        (saved(IDS, "GIF"), "it is none of PNG, "),
        (
            saved(Image.fromarray(TOO_LARGE.astype(np.int32)), "TIFF"),
            "labels are numbers from 300 to 300; save",
        ),
        (saved(Image.fromarray(np.full((4, 4), -1, np.int32)), "TIFF"), "labels are numbers from -1 to -1"),
        (encode_png(TOO_LARGE, 16, GREY), "labels are numbers from 300 to 300"),
        (encode_png(red(TOO_LARGE), 16, RGB), "labels are 16-bit numbers above 255"),
        (encode_png(np.dstack([red(TOO_LARGE), TOO_LARGE]), 16, RGBA), "labels are 16-bit numbers above 255"),
        (encode_png(np.full((2, 2), 5, np.uint8), 4, PALETTE, np.zeros((3, 3))), "pixels of index 5 but 3 colours"),
    ],
)
@pytest.mark.parametrize("encoding", ["ids", "indices", None])
def test_files_that_do_not_hold_ids_as_they_are_are_refused(read, content, words, encoding):
    with pytest.raises(UserError, match=words):
        read(content, encoding=encoding)


def test_a_png_of_which_one_bit_flipped_is_never_read_as_other_ids(read):
    ids = street(0)[1]
    content = bytearray(saved(Image.fromarray(ids), "PNG"))
    for place in range(len(content)):
        content[place] ^= 1 << place % 8
        try:
            np.testing.assert_array_equal(read(bytes(content)), ids)
        except UserError as error:
            assert re.search("damaged|cannot be read|empty|not 0|colours", str(error)), error
        content[place] ^= 1 << place % 8
