"""Cameras, keeping and frames.csv by themselves."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from segmentation.errors import UserError
from segmentation.images import write_png
from segmentation.labels import carla_table, read_labels
from segmentation.recording.cameras import LOST_IN_A_ROW, Rig, View
from segmentation.recording.frames import COLUMNS, open_frames
from segmentation.recording.keeping import PATIENCE, Keeper, require_known
from segmentation.recording.writing import open_writer

TABLE = read_labels(carla_table("0.9.16"))
ROAD, WALKER = 1, 12


class FakeCamera:
    """Delivers images when told to."""

    def listen(self, callback):
        self.callback = callback

    def send(self, *frames):
        for frame in frames:
            place = SimpleNamespace(x=1.0, y=2.0, z=3.0)
            turn = SimpleNamespace(pitch=0.0, yaw=0.0, roll=0.0)
            transform = SimpleNamespace(location=place, rotation=turn)
            pixels = np.full((2, 2, 4), frame, np.uint8)
            self.callback(
                SimpleNamespace(
                    frame=frame,
                    raw_data=pixels.tobytes(),
                    height=2,
                    width=2,
                    fov=90.0,
                    transform=transform,
                    timestamp=0,
                )
            )


def make_rig(timeout=0.2):
    cameras = {"rgb": FakeCamera(), "ids": FakeCamera()}
    return Rig([cameras], timeout), cameras["rgb"], cameras["ids"]


def test_a_lost_image_costs_its_frame_alone_and_is_never_replaced():
    rig, rgb, ids = make_rig()
    rgb.send(1, 2, 3, 4, 5)
    ids.send(1, 3, 5)
    seen = [rig.read(frame) for frame in range(1, 6)]
    assert [views and (views[0].rgb[0, 0, 0], views[0].ids[0, 0]) for views in seen] == [
        (1, 1), None, (3, 3), None, (5, 5),
    ]  # fmt: skip
    assert rig.lost == 2


def test_images_of_earlier_frames_are_passed_over():
    rig, rgb, ids = make_rig()
    rgb.send(1, 2, 3)
    ids.send(2, 3)
    assert rig.read(3)[0].ids[0, 0] == 3 and rig.lost == 0


def test_a_stream_that_stays_silent_is_told_within_the_timeout():
    rig, rgb, _ = make_rig(timeout=0.2)
    rgb.send(*range(1, 10))
    for frame in range(1, LOST_IN_A_ROW):
        assert rig.read(frame) is None
    with pytest.raises(UserError, match="no ids pictures"):
        rig.read(LOST_IN_A_ROW)


def view(x=0.0, ids=None):
    ids = np.full((40, 40), ROAD, np.uint8) if ids is None else ids
    return View(np.zeros((40, 40, 3), np.uint8), ids, None, None, (x, 0.0, 0.0, 0.0, 0.0, 0.0), 90.0, 0.0)


def shows(label, rows):
    ids = np.full((40, 40), ROAD, np.uint8)
    ids[:rows] = label
    return ids


def test_a_picture_is_kept_when_the_camera_moved_or_the_labels_changed():
    keeper = Keeper(TABLE, metres=2, change=0.1)
    assert keeper.wants([view(0)])
    assert not keeper.wants([view(1.9)])
    assert keeper.wants([view(2.0)])
    assert not keeper.wants([view(2.0, shows(WALKER, 2))])
    assert keeper.wants([view(2.0, shows(WALKER, 4))])
    # It is the last kept one that counts, not the last one.
    assert not keeper.wants([view(3.5, shows(WALKER, 4))])
    assert keeper.wants([view(4.1, shows(WALKER, 4))])


def test_one_camera_that_sees_something_new_keeps_the_pictures_of_all():
    keeper = Keeper(TABLE, metres=2, change=0.1)
    assert keeper.wants([view(), view()])
    assert not keeper.wants([view(), view()])
    assert keeper.wants([view(), view(ids=shows(WALKER, 10))])


def test_common_pictures_are_passed_over_until_rare_labels_have_their_share():
    keeper = Keeper(TABLE, metres=1, change=0, rare=["Pedestrians"], rare_share=0.5, rare_pixels=0.07)
    stream = [shows(WALKER, 1 if number % 2 else 4) if number % 5 == 0 else None for number in range(200)]
    kept = [ids is not None and bool((ids == WALKER).mean() > 0.05) for ids in stream if keeper.wants([view(0, ids)])]
    assert len(kept) == 40 and sum(kept) == 20


def test_an_unknown_rare_label_is_told():
    require_known(TABLE, ["Pedestrians", "Rider"])
    with pytest.raises(UserError, match="has Unheard of, which"):
        require_known(TABLE, ["Pedestrians", "Unheard of"])


def test_patience_with_rare_labels_ends():
    keeper = Keeper(TABLE, metres=1, change=0, rare=["Pedestrians"], rare_share=0.5, rare_pixels=0.01)
    assert [keeper.wants([view()]) for _ in range(2 * PATIENCE + 2)] == 2 * [*PATIENCE * [False], True]


def test_an_id_that_the_table_does_not_have_is_told():
    with pytest.raises(UserError, match="label ids 29"):
        Keeper(TABLE, metres=1, change=0).wants([view(ids=shows(29, 10))])


def picture(folder, name, kinds=("rgb", "seg_raw", "seg")):
    for kind in kinds:
        write_png(folder / kind / f"{kind}_{name}.png", np.zeros((2, 2), np.uint8))


def test_a_torn_row_is_cut_off_and_its_picture_gets_a_row_again(tmp_path):
    for number in range(3):
        picture(tmp_path, f"run_{number:06d}")
    (tmp_path / "frames.csv").write_text("name,run\nrun_000000,run\nrun_000001,run\nrun_00")
    with open_frames(tmp_path) as frames:
        assert (frames.count("run"), frames.next_number("run")) == (2, 3)
        frames.mend("run")
        assert (frames.count("run"), frames.total) == (3, 3)
    assert (tmp_path / "frames.csv").read_text() == "name,run\nrun_000000,run\nrun_000001,run\nrun_000002,run\n"


def test_a_last_row_without_a_line_break_is_kept(tmp_path):
    picture(tmp_path, "a_000000")
    (tmp_path / "frames.csv").write_text("name,run\na_000000,a")
    with open_frames(tmp_path) as frames:
        frames.append({"name": "a_000001", "run": "a", "frame": 7})
    assert (tmp_path / "frames.csv").read_text() == "name,run\na_000000,a\na_000001,a\n"


def test_unfinished_files_and_labels_without_a_picture_go_and_other_runs_are_left_alone(tmp_path):
    picture(tmp_path, "run_000000")
    picture(tmp_path, "run_000001", ["seg_raw", "seg"])
    picture(tmp_path, "mine", ["seg_raw"])
    picture(tmp_path, "running_000009", ["seg_raw"])
    (tmp_path / "rgb" / ".rgb_run_000001.png.part").write_bytes(b"half")
    with open_frames(tmp_path) as frames:
        frames.mend("run")
        assert frames.next_number("run") == 1
    assert sorted(path.name for path in tmp_path.glob("*/*")) == [
        "rgb_run_000000.png", "seg_raw_mine.png", "seg_raw_run_000000.png", "seg_raw_running_000009.png",
        "seg_run_000000.png",
    ]  # fmt: skip


def test_a_row_that_finds_no_room_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    with open_frames(tmp_path) as frames:
        frames.append({"name": "run_000000", "run": "run"})
        before = (tmp_path / "frames.csv").read_bytes()
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:5]))
        with pytest.raises(OSError, match="No space"):
            frames.append({"name": "run_000001", "run": "run"})
        monkeypatch.undo()
        assert (tmp_path / "frames.csv").read_bytes() == before and frames.count("run") == 1


def test_a_new_table_has_the_columns_promised(tmp_path):
    with open_frames(tmp_path):
        assert (tmp_path / "frames.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_a_recording_without_a_picture_leaves_no_trace(tmp_path):
    (tmp_path / "here").mkdir()
    for folder in (tmp_path / "here", tmp_path / "new"):
        with open_frames(folder):
            pass
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


def test_a_run_does_not_go_on_in_another_way(tmp_path):
    with open_frames(tmp_path) as frames:
        frames.append({"name": "a_000000", "run": "a", "width": 360, "height": 240, "fov": "90", "driving": "teleport"})
    with open_frames(tmp_path) as frames:
        frames.require_alike("a", (360, 240), 90.0, "teleport")
        frames.require_alike("b", (800, 600), 60.0, "autopilot")
        for way in (((800, 240), 90.0, "teleport"), ((360, 240), 60.5, "teleport"), ((360, 240), 90.0, "autopilot")):
            with pytest.raises(UserError, match=r"a was recorded with .*; give another --seed"):
                frames.require_alike("a", *way)


def test_a_picture_that_cannot_be_encoded_is_told_and_gets_no_row(tmp_path):
    broken = View(np.zeros((0, 0, 3), np.uint8), np.zeros((2, 2), np.uint8), None, None, (0.0,) * 6, 90.0, 0.0)
    with open_frames(tmp_path) as frames:
        with pytest.raises(UserError, match="cannot be written"), open_writer(tmp_path, frames, TABLE, 1) as writer:
            writer.put({"name": "run_000000", "run": "run"}, broken)
        assert frames.total == 0


def test_a_table_without_runs_is_refused(tmp_path):
    (tmp_path / "frames.csv").write_text("file,when\na,b\n")
    with pytest.raises(UserError, match=r"frames\.csv: needs the columns name and run"), open_frames(tmp_path):
        pass
