import numpy as np
import pytest

from segmentation.errors import UserError
from segmentation.labels import LABEL_TABLES, VOID, carla_label_table, parse_label_table, read_label_table
from tests.harness.toy_dataset import LABELS


@pytest.mark.parametrize(
    ("table", "ids", "classes"),
    [
        ("carla_0.9.0", 13, 10),
        ("carla_0.9.10", 23, 13),
        ("carla_0.9.14", 29, 14),
        ("carla_0.9.14_all", 29, 28),
        ("camvid", 12, 11),
    ],
)
def test_included_tables_hold_all_ids_and_survive_a_round_trip(table, ids, classes):
    labels = read_label_table(LABEL_TABLES / f"{table}.csv")
    assert labels.ids.tolist() == list(range(ids))
    assert len(labels.class_names) == classes
    assert parse_label_table(labels.to_csv(), "text") == labels
    found, known = labels.ids_from_colours(labels.colourise_ids(labels.ids))
    assert known.all() and found.tolist() == labels.ids.tolist()


@pytest.mark.parametrize(
    ("version", "road", "light"),
    [("0.9.9", 7, None), ("0.9.10", 7, 18), ("0.9.13", 7, 18), ("0.9.14", 1, 7), ("0.9.16", 1, 7), ("0.10.0", 1, 7)],
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


def test_all_wrong_lines_are_reported_at_once():
    text = "id,name,red,green,blue,class\n1,Road,1,2,3,Road\n1,Sky,1,2,3,Sky\n2,Car,300,0,0,Car\n3,Bus\n1,Tram,0,0,0,\n"
    with pytest.raises(UserError) as error:
        parse_label_table(text, "my.csv")
    assert all(
        word in str(error.value)
        for word in ("my.csv", "line 3: id 1 occurs twice", "line 4: red", "line 5", "line 6: id 1")
    )


def test_unclosed_quotation_mark_is_reported():
    with pytest.raises(UserError, match=r"my\.csv: cannot be read"):
        parse_label_table('id,name,red,green,blue,class\n1,"' + 200_000 * "x", "my.csv")


def test_table_without_classes_is_refused():
    with pytest.raises(UserError, match="nothing to learn"):
        parse_label_table("id,name,red,green,blue,class\n1,Road,1,2,3,\n", "my.csv")
