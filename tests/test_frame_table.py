import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segmentation.dataset import frame_table
from segmentation.dataset.frame_table import read_runs
from segmentation.dataset.layout import IMAGE, png_names
from tests.harness.processes import ROOT

NAMES = ("a_0", "a_1", "b_0")
ROWS = "name,run,frame\na_0,a,1\na_1,a,2\nb_0,b,1\n"
RUNS = {"a_0": "a", "a_1": "a", "b_0": "b"}


def _read(folder, text, names=NAMES):
    (folder / "frames.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_runs(folder, names)


def test_folder_without_frames_has_no_runs(tmp_path):
    assert read_runs(tmp_path, NAMES) == ({}, [], [])


@pytest.mark.parametrize("folder", ["dataset", "dataset_test"])
def test_shipped_frames_match_their_images(folder):
    names = png_names(ROOT / folder, IMAGE)
    runs, problems, notes = read_runs(ROOT / folder, names)
    assert runs.keys() == names and problems == notes == []


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        ROWS.replace(",", ";"),
        "\ufeff" + ROWS.replace("\n", "\r\n").replace("name,run", "Name, RUN"),
        "frame,run,name\n1,a,a_0\n\n2,a,a_1\n1,b,b_0",
    ],
)
def test_columns_name_and_run_are_read_wherever_they_are(tmp_path, text):
    assert _read(tmp_path, text) == (RUNS, [], [])


def test_images_without_a_row_are_a_problem_and_rows_without_an_image_a_note(tmp_path):
    names = [*NAMES, *(f"c_{number:02d}" for number in range(12))]
    _, problems, notes = _read(tmp_path, ROWS, names)
    assert len(problems) == 1 and notes == []
    path = tmp_path / "frames.csv"
    assert problems[0].startswith(f"{path}: no rows for the images 'c_00', 'c_01', ")
    assert "'c_09' and 2 more, so their runs are unknown; " in problems[0] and "remove the file" in problems[0]
    assert _read(tmp_path, ROWS, NAMES[:1]) == (RUNS, [], [f"{path}: no images for the rows 'a_1', 'b_0'"])
    _, problems, notes = _read(tmp_path, ROWS + "c,c,1\nd,d,1\n", NAMES[2:])
    assert not problems and notes == [f"{path}: no images for the rows 'a_0', 'a_1', 'c' and 1 more"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "name,run,frame\na_0,a,1\na_1,a,2\nb_0",
            ["line 4: has 1 instead of 3 fields: 'b_0'", "no rows for the images 'b_0', so"],
        ),
        ("name,run,frame\na_0,a,1\na_1,a,2\nb_0,b,", []),  # what is cut off is neither the name nor the run
        (ROWS + "a_0,b,3\n", ["line 5: 'a_0' occurs in line 2 too, there in run 'a', here in 'b'; fix"]),
        (ROWS + "a_0,a,1\n", ["line 5: 'a_0' occurs in line 2 too; fix"]),
        (ROWS + ",a,1\nc,,\n", ["line 5: no name; line 6: no run"]),
        (ROWS + 200_000 * "x\n", ["line 14: has 1 instead of 3 fields: 'x'; and 199,990 more; fix"]),
        ("file,when\na,b\n", ["line 1 is 'file,when', without name, run"]),
        ("name,run\n" + '"a_0,a\n', ["line 2 cannot be read (unexpected end of data)"]),
        ("", ["empty; the first line must be name,run"]),
        (b"name,run\n\xff,a\n", ["not UTF-8 text"]),
        (b"name,run\na\0,a\n", ["line 2"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_wrong_lines_are_named(tmp_path, text, found):
    _, problems, notes = _read(tmp_path, text)
    assert bool(problems) == bool(found) and notes == []
    for problem, words in zip(problems, found, strict=False):
        assert problem.startswith(f"{tmp_path / 'frames.csv'}: ") and words in problem


@pytest.mark.parametrize("kind", ["pipe", "folder", "large"])
def test_what_is_no_table_is_refused_at_once(tmp_path, monkeypatch, kind):
    path = tmp_path / "frames.csv"
    monkeypatch.setattr(frame_table, "MAX_FRAME_TABLE_BYTES", len(ROWS) - 1)
    {"pipe": os.mkfifo, "folder": os.mkdir, "large": lambda path: path.write_text(ROWS)}[kind](path)
    start = time.monotonic()
    runs, problems, notes = read_runs(tmp_path, NAMES)
    assert time.monotonic() - start < 1
    assert runs == {} and notes == [] and len(problems) == 1
    assert problems[0].startswith(f"{path}: ") and ("bytes" if kind == "large" else kind) in problems[0]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.sampled_from([b"", b"name,run\n", b"name;run;x\n", b"\xef\xbb\xbfrun,name\n"]),
    body=st.binary(max_size=40) | st.text(st.sampled_from('a_01,;\n\r "\0'), max_size=60).map(str.encode),
)
def test_any_bytes_are_runs_or_problems(tmp_path, header, body):
    runs, problems, notes = _read(tmp_path, header + body)
    assert all(line.startswith(f"{tmp_path / 'frames.csv'}: ") and "\n" not in line for line in problems + notes)
    assert problems or runs.keys() >= set(NAMES)
