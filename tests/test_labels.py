import os
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segmentation.errors import UserError
from segmentation.labels.label_table import (
    LABEL_TABLES,
    MAX_BYTES,
    VOID,
    carla_label_table,
    parse_label_table,
    read_label_table,
)
from tests.harness.toy_dataset import LABELS

HEADER = "id,name,red,green,blue,class\n"


def _short(value):
    return str(value)[:20]


@pytest.mark.parametrize(
    ("table", "ids", "classes"),
    [
        ("carla_0.9.0", range(13), 10),
        ("carla_0.9.10", range(23), 13),
        ("carla_0.9.14", range(29), 14),
        ("carla_0.9.14_all", range(29), 28),
        ("camvid", range(12), 11),
        ("camvid_32", range(32), 11),
        ("cityscapes", (*range(34), 255), 19),
        ("kitti", (*range(34), 255), 19),
        ("cityscapes_train_ids", (*range(19), 255), 19),
        ("bdd100k", (*range(19), 255), 19),
        ("voc", (*range(21), 255), 21),
    ],
)
def test_included_tables_hold_all_ids_and_survive_a_round_trip(table, ids, classes):
    labels = read_label_table(LABEL_TABLES / f"{table}.csv")
    assert sorted(labels.ids) == list(ids)
    assert len(labels.class_names) == classes
    again = parse_label_table(labels.to_csv(), "text")
    assert again == labels and [row.colours for row in again.rows] == [row.colours for row in labels.rows]
    found, known = labels.ids_from_colours(labels.colourise_ids(labels.ids))
    assert known.all() and (labels.ids_to_mask(found) == labels.ids_to_mask(labels.ids)).all()


def test_every_included_table_is_tested():
    (marks,) = test_included_tables_hold_all_ids_and_survive_a_round_trip.pytestmark
    assert {table for table, *_ in marks.args[1]} == {path.stem for path in LABEL_TABLES.glob("*.csv")}


def test_datasets_that_share_ids_share_a_table():
    # cvlibs.net/datasets/kitti/eval_semseg.php: "The data format and metrics are conform with The Cityscapes Dataset."
    # github.com/bdd100k/bdd100k, bdd100k/label/label.py: "Our train id is compatible with Cityscapes"
    for one, other in (("cityscapes", "kitti"), ("cityscapes_train_ids", "bdd100k")):
        assert (LABEL_TABLES / f"{one}.csv").read_text() == (LABEL_TABLES / f"{other}.csv").read_text()


def test_cityscapes_trains_what_its_benchmark_scores():
    # github.com/mcordts/cityscapesScripts, cityscapesscripts/helpers/labels.py: trainId of every id.
    train_ids = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12}
    train_ids |= {26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18}
    labels, trained = (
        read_label_table(LABEL_TABLES / f"{name}.csv") for name in ("cityscapes", "cityscapes_train_ids")
    )
    mask = labels.ids_to_mask(np.arange(256, dtype=np.uint8))
    assert {number: index for number, index in enumerate(mask) if index != VOID} == train_ids
    assert labels.class_names == trained.class_names
    np.testing.assert_array_equal(labels.class_colours, trained.class_colours)
    # A group of poles is void, but has the colour of a pole in the files that show colours.
    assert labels.ids_from_colours(np.array([[153, 153, 153], [0, 0, 0]], np.uint8))[0].tolist() == [17, 0]


def test_voc_has_the_colour_map_of_its_development_kit():
    # VOCdevkit/VOCcode/VOClabelcolormap.m: the lowest three bits of an id are the highest of red, green and blue, ...
    colours = [[sum((i >> 3 * j + c & 1) << 7 - j for j in range(8)) for c in range(3)] for i in range(256)]
    labels = read_label_table(LABEL_TABLES / "voc.csv")
    assert labels.colourise_ids(labels.ids).tolist() == [colours[number] for number in labels.ids]


def test_both_tables_of_camvid_have_the_same_classes():
    # camvid_32.csv merges the 32 colours of label_colors.txt as MathWorks' camvidPixelLabelIDs, which follows SegNet.
    original, merged = (read_label_table(LABEL_TABLES / f"{name}.csv") for name in ("camvid_32", "camvid"))
    assert original.class_names == merged.class_names
    colours = np.array([[192, 0, 128], [128, 0, 192], [0, 64, 64], [64, 128, 64], [0, 0, 0]], np.uint8)
    ids, known = original.ids_from_colours(colours)  # archway, lane markings, traffic light, animal, void
    assert known.all() and ids.tolist() == [1, 10, 24, 0, 30]
    names = [*original.class_names, "void"]
    assert [names[min(index, 11)] for index in original.ids_to_mask(ids)] == [
        *("Building", "Road", "SignSymbol", "Pedestrian", "void")
    ]


def test_colours_that_carla_changed_are_read_in_both_variants():
    # Old: PythonClient/carla/image_converter.py of 0.8; new: LibCarla/source/carla/image/CityScapesPalette.h of 0.9.
    labels = read_label_table(carla_label_table("0.9.5"))
    colours = np.array([[72, 0, 90], [250, 170, 160], [0, 0, 255], [0, 0, 142], [1, 2, 3]], np.uint8)
    ids, known = labels.ids_from_colours(colours)
    assert ids.tolist() == [3, 3, 10, 10, 0] and known.tolist() == [True, True, True, True, False]
    assert labels.colourise_ids(np.array([3], np.uint8)).tolist() == [[72, 0, 90]]
    fences = np.array([[100, 40, 40], [190, 153, 153]], np.uint8)
    assert read_label_table(carla_label_table("0.9.10")).ids_from_colours(fences)[0].tolist() == [2, 2]


def test_further_colours_of_an_id_change_nothing_but_reading_colours():
    plain, more = parse_label_table(LABELS, "a"), parse_label_table(LABELS + "1,Road,9,9,9,Road\n", "b")
    assert plain == more and more.rows[1].colours == ((128, 64, 128), (9, 9, 9))
    assert more.to_csv().count("1,Road") == 2


@pytest.mark.parametrize(("first", "second"), [("", "Road"), ("Road", ""), ("Road", "Sky")])
def test_colour_of_two_classes_is_refused_by_its_ids(first, second):
    table = parse_label_table(f"{HEADER}3,A,9,8,7,{first}\n5,B,9,8,7,{second}\n6,C,1,1,1,Car\n", "my.csv")
    with pytest.raises(UserError, match=r"ids 3 and 5 .*\((void|Road), (void|Road|Sky): 9,8,7\)"):
        table.ids_from_colours(np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize(
    ("version", "road", "light"),
    [
        *(
            ("0.9.9", 7, None),
            ("0.9.10", 7, 18),
            ("0.9.13", 7, 18),
            ("0.9.14", 1, 7),
            ("0.9.16", 1, 7),
            ("0.10.0", 1, 7),
        ),
        *(("latest", 1, 7), (f"{'9' * 6000}.0.0", 1, 7), (f"0.9.{'1' * 6000}", 1, 7), ("", 1, 7)),
    ],
)
def test_server_version_decides_the_meaning_of_ids(version, road, light):
    names = {row.name: row.id for row in read_label_table(carla_label_table(version)).rows}
    assert names.get("Roads", names.get("Road")) == road
    assert names.get("TrafficLight") == light


def test_class_names_are_the_same_in_all_generations_of_ids():
    oldest, middle, newest = (
        set(read_label_table(carla_label_table(v)).class_names) for v in ("0.9.9", "0.9.10", "0.9.14")
    )
    assert oldest < middle < newest


def test_classes_are_in_order_of_appearance_and_unknown_ids_are_void():
    labels = parse_label_table(LABELS, "labels.csv")
    assert labels.class_names == ("Road", "Sky", "Vehicle")
    assert labels.ids_to_mask(np.array([[0, 1, 2], [3, 4, 77]], np.uint8)).tolist() == [[VOID, 0, 1], [2, 2, VOID]]
    assert labels.mask_to_ids(np.array([0, 1, 2, VOID], np.uint8)).tolist() == [1, 2, 3, 0]
    assert labels.colourise_mask(np.array([2, VOID], np.uint8)).tolist() == [[0, 0, 142], [0, 0, 0]]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", " , ").replace("id", "ID").replace("class", " Class "),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff\n" + text.replace("\n", "\n\n") + ",,,,,\n",
        lambda text: text.replace("\n", ",a comment\n"),
        lambda text: text.replace("\n", ",,\n"),
        lambda text: "".join(",".join(line.split(",")[::-1]) + "\n" for line in text.splitlines()),
        lambda text: "".join('"' + line.replace(",", '","') + '"\n' for line in text.splitlines()),
        lambda text: text.rstrip("\n"),
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path, change):
    path = tmp_path / "labels.csv"
    path.write_bytes(change(LABELS).encode())
    assert read_label_table(path) == parse_label_table(LABELS, "labels.csv")


def test_all_wrong_lines_are_reported_at_once():
    text = f"{HEADER}1,Road,1,2,3,Road\n1,Sky,1,2,3,Sky\n2,Car,300,0,0,Car\n3,Bus\n\n1,Tram,0,0,0,\n"
    with pytest.raises(UserError) as error:
        parse_label_table(text, "my.csv")
    message = str(error.value)
    assert message.startswith("my.csv: line 3: id 1 occurs twice, as 'Road' of class 'Road' in line 2 and as 'Sky'")
    for found in ("line 4: red is '300'", "line 5: has 2 instead of 6 fields: '3,Bus'", "line 7: id 1 occurs twice"):
        assert found in message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "my.csv: empty; the first line must be id,name,red,green,blue,class"),
        ("name,r,g,b\nRoad,1,2,3\n", "line 1 is 'name,r,g,b', without id, red, green, blue, class"),
        ("id;name;red;green;blue\n", "line 1 is 'id;name;red;green;blue', without class"),
        ("id,name,red,green,blue,class,Red\n", "with red twice"),
        ("x" * 100_000, "'" + "x" * 60 + "...', without id"),
        (HEADER + "1,Road,1,2,3,\n", "nothing to learn"),
        (HEADER + "1,Road,1,2,3,Road\n2,Way,1,2,3,road\n", "classes 'Road' and 'road' differ in capitals only"),
        (HEADER + '1,"' + 200_000 * "x", "line 2 cannot be read"),
        (HEADER + '1,Road,1,2,3,Road\n2,"Sky,4,5,6,Sky\n', "line 3 cannot be read"),
        (
            HEADER + '1,Road,1,2,3,"Road\n2,Sky,4,5,6,Sky"\n',
            r"line 2: class is 'Road\n2,Sky,4,5,6,Sky', with a line break",
        ),
        ("x" * 2 * MAX_BYTES, "2,000,000 characters"),
        (HEADER + "9" * 5000 + ",Road,1,2,3,Road\n", "line 2: id is '" + "9" * 60 + "...', not a whole number"),
        (HEADER + "0" * 5000 + ",Road,1,2,3,Road\n", "not a whole number from 0 to 255"),
        *(
            (f"{HEADER}{number},Road,1,2,3,Road\n", "not a whole number")
            for number in ("-1", "1.0", "1e2", "٣", "²", "")
        ),
    ],
)
def test_message_shows_what_was_found(text, found):
    with pytest.raises(UserError) as error:
        parse_label_table(text, "my.csv")
    assert str(error.value).startswith("my.csv: ") and found in str(error.value) and len(str(error.value)) < 300


def test_many_wrong_lines_are_counted():
    with pytest.raises(UserError, match=r"line 11: has 1 instead of 6 fields: 'x'; and 4,990 more$"):
        parse_label_table(HEADER + 5000 * "x\n", "my.csv")


def test_what_is_no_small_text_file_is_refused_at_once(tmp_path):
    files = {name: tmp_path / name for name in ("large", "pipe", "folder", "latin", "nul")}
    files["large"].write_text(HEADER + MAX_BYTES * "x")
    os.mkfifo(files["pipe"])
    files["folder"].mkdir()
    files["latin"].write_bytes(HEADER.encode() + "1,Straße,1,2,3,Straße\n".encode("latin-1"))
    files["nul"].write_text(HEADER + "1,Ro\0ad,1,2,3,Road\n")
    for name, words in {
        "large": "1,000,029 bytes",
        "pipe": "pipe",
        "folder": "folder",
        "latin": "not UTF-8 text",
        "nul": "line 2",
        "missing": "copy the table that fits your labels from segmentation/label_tables/ (bdd100k, camvid, ",
    }.items():
        start = time.monotonic()
        with pytest.raises(UserError) as error:
            read_label_table(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: ") and words in str(error.value)
        assert time.monotonic() - start < 1


NEARLY_CSV = st.text(st.sampled_from('0123456789,;\t\n\r "\0\x85\ufeffaR٣'), max_size=60) | st.text(max_size=30)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.sampled_from(["", HEADER, HEADER.replace(",", ";"), "\ufeff" + HEADER]), body=NEARLY_CSV)
def test_any_text_is_a_table_or_one_sentence(tmp_path, header, body):
    path = tmp_path / "labels.csv"
    path.write_bytes((header + body).encode("utf-8", "surrogatepass"))
    try:
        table = read_label_table(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert parse_label_table(table.to_csv(), "again") == table
