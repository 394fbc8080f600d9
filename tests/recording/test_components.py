"""Camera rig, frame filter and frames.csv, without a server."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from recording.frame_filter import MAX_REJECTED_IN_A_ROW, PATIENCE, FrameFilter, RareLabels, require_known_labels
from recording.frame_log import open_frame_log
from recording.run import image_number
from recording.sensors import MAX_DROPPED_IN_A_ROW, Rig, RigSettings, View
from recording.server import VERSION
from recording.writer import open_writer
from segmentation.dataset.layout import FRAME_COLUMNS
from segmentation.errors import UserError
from segmentation.files.images import write_png
from segmentation.labels.label_table import carla_label_table, read_label_table

TABLE = read_label_table(carla_label_table("0.9.16"))
ROAD, WALKER = 1, 12


class FakeCamera:
    """Delivers images on demand."""

    def listen(self, callback):
        self.callback = callback

    def send(self, *frames, **changes):
        for frame in frames:
            pose = {name: changes.pop(name, 1.0) for name in ("x", "y", "z", "pitch", "yaw", "roll")}
            transform = SimpleNamespace(location=SimpleNamespace(**pose), rotation=SimpleNamespace(**pose))
            pixels = np.full((2, 2, 4), frame, np.uint8).tobytes()
            image = {"frame": frame, "raw_data": pixels, "width": 2, "height": 2, "fov": 90.0, "timestamp": 0.0}
            self.callback(SimpleNamespace(**(image | {"transform": transform} | changes)))


def make_rig(timeout=0.2):
    cameras = {"rgb": FakeCamera(), "ids": FakeCamera()}
    settings = RigSettings(poses=[(0.0,) * 6], size=(2, 2), field_of_view=90.0)
    return Rig([cameras], settings, timeout), cameras["rgb"], cameras["ids"]


def test_lost_image_drops_only_its_frame_and_is_never_replaced():
    rig, rgb, ids = make_rig()
    rgb.send(1, 2, 3, 4, 5)
    ids.send(1, 3, 5)
    seen = [rig.read(frame) for frame in range(1, 6)]
    assert [views and (views[0].rgb[0, 0, 0], views[0].ids[0, 0]) for views in seen] == [
        (1, 1), None, (3, 3), None, (5, 5),
    ]  # fmt: skip
    assert rig.dropped == 2


def test_images_of_earlier_frames_are_discarded():
    rig, rgb, ids = make_rig()
    rgb.send(1, 2, 3)
    ids.send(2, 3)
    assert rig.read(3)[0].ids[0, 0] == 3 and rig.dropped == 0


def test_silent_stream_is_reported_within_the_timeout():
    rig, rgb, _ = make_rig(timeout=0.2)
    rgb.send(*range(1, 10))
    for frame in range(1, MAX_DROPPED_IN_A_ROW):
        assert rig.read(frame) is None
    with pytest.raises(UserError, match="no ids images"):
        rig.read(MAX_DROPPED_IN_A_ROW)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"width": 1}, "1 x 2 pixels instead of 2 x 2"),
        ({"height": 2**32 - 1}, "2 x 4294967295 pixels"),
        ({"raw_data": bytes(12)}, "12 bytes instead of 16"),
        ({"raw_data": bytes(32)}, "32 bytes instead of 16"),
        ({"fov": 45.0}, "field of view of 45 instead of 90"),
    ],
)
def test_image_that_differs_from_what_was_asked_for_is_refused(changes, found):
    rig, rgb, ids = make_rig()
    rgb.send(1)
    ids.send(1, **changes)
    with pytest.raises(UserError, match=f"ids image of frame 1 has .*{found}"):
        rig.read(1)


def test_data_of_another_kind_of_sensor_are_refused():
    rig, rgb, ids = make_rig()
    rgb.send(1)
    ids.callback(SimpleNamespace(frame=1, raw_data=b""))
    with pytest.raises(UserError, match="has the type SimpleNamespace instead of Image"):
        rig.read(1)


@pytest.mark.parametrize("changes", [{"x": np.nan}, {"yaw": np.inf}, {"fov": np.nan}, {"timestamp": np.nan}])
def test_frame_with_numbers_that_are_not_finite_is_dropped_and_the_fourth_is_reported(changes):
    rig, rgb, ids = make_rig()
    ids.send(*range(1, 7))
    rgb.send(1, **changes)
    rgb.send(2)
    assert rig.read(1) is None and rig.read(2) and rig.dropped == 1
    for frame in range(3, 3 + MAX_DROPPED_IN_A_ROW):
        rgb.send(frame, **changes)
    assert [rig.read(frame) for frame in range(3, 6)] == [None, None, None]
    with pytest.raises(UserError, match=r"rgb images of the last 4 frames .* not finite"):
        rig.read(6)


def test_frame_that_is_repeated_is_refused():
    rig, rgb, ids = make_rig()
    for camera in (rgb, ids):
        camera.send(5, 5)
    assert rig.read(5)
    with pytest.raises(UserError, match="frame 5 comes after frame 5"):
        rig.read(5)


def test_images_that_nobody_reads_take_bounded_memory():
    rig, rgb, ids = make_rig()
    for camera in (rgb, ids):
        camera.send(*range(1, 200))
    assert [rig.read(frame) is None for frame in (150, 199)] == [True, False]


def make_view(x=0.0, ids=None):
    ids = np.full((40, 40), ROAD, np.uint8) if ids is None else ids
    images = {"rgb": np.zeros((40, 40, 3), np.uint8), "ids": ids}
    return View(images, (x, 0.0, 0.0, 0.0, 0.0, 0.0), fov=90.0, time=0.0, frame=0)


def ids_showing(label_id, rows):
    ids = np.full((40, 40), ROAD, np.uint8)
    ids[:rows] = label_id
    return ids


def test_image_is_kept_when_the_camera_has_moved_or_the_labels_have_changed():
    frame_filter = FrameFilter(TABLE, metres=2, change=0.1)
    assert frame_filter.accepts([make_view(0)])
    assert not frame_filter.accepts([make_view(1.9)])
    assert frame_filter.accepts([make_view(2.0)])
    assert not frame_filter.accepts([make_view(2.0, ids_showing(WALKER, 2))])
    assert frame_filter.accepts([make_view(2.0, ids_showing(WALKER, 4))])
    # The reference is the last image kept, not the last one seen.
    assert not frame_filter.accepts([make_view(3.5, ids_showing(WALKER, 4))])
    assert frame_filter.accepts([make_view(4.1, ids_showing(WALKER, 4))])


def test_images_of_all_cameras_are_kept_when_one_sees_something_new():
    frame_filter = FrameFilter(TABLE, metres=2, change=0.1)
    assert frame_filter.accepts([make_view(), make_view()])
    assert not frame_filter.accepts([make_view(), make_view()])
    assert frame_filter.accepts([make_view(), make_view(ids=ids_showing(WALKER, 10))])


def test_images_without_rare_labels_are_skipped_until_rare_labels_have_their_share():
    frame_filter = FrameFilter(TABLE, metres=1, change=0, rare_labels=RareLabels(["Pedestrians"], 0.5, 0.07))
    stream = [ids_showing(WALKER, 1 if number % 2 else 4) if number % 5 == 0 else None for number in range(200)]
    kept = [ids for ids in stream if frame_filter.accepts([make_view(0, ids)])]
    assert len(kept) == 40 and sum(ids is not None and (ids == WALKER).mean() > 0.05 for ids in kept) == 20


def test_unknown_rare_label_is_reported():
    require_known_labels(TABLE, ["Pedestrians", "Rider"])
    with pytest.raises(UserError, match="has Unheard of, which"):
        require_known_labels(TABLE, ["Pedestrians", "Unheard of"])


def test_wait_for_rare_labels_is_limited():
    frame_filter = FrameFilter(TABLE, metres=1, change=0, rare_labels=RareLabels(["Pedestrians"], 0.5, 0.01))
    assert [frame_filter.accepts([make_view()]) for _ in range(2 * PATIENCE + 2)] == 2 * [*PATIENCE * [False], True]


def test_stuck_vehicle_is_reported():
    frame_filter = FrameFilter(TABLE, metres=1, change=1)
    accepted = [frame_filter.accepts([make_view()]) for _ in range(MAX_REJECTED_IN_A_ROW)]
    assert accepted == [True, *[False] * (MAX_REJECTED_IN_A_ROW - 1)]
    with pytest.raises(UserError, match="too similar to keep; lower --keep-metres"):
        frame_filter.accepts([make_view()])


def test_id_that_the_label_table_lacks_is_reported():
    with pytest.raises(UserError, match="label ids 29"):
        FrameFilter(TABLE, metres=1, change=0).accepts([make_view(ids=ids_showing(29, 10))])


def write_images(folder, name, kinds=("rgb", "seg_raw", "seg")):
    for kind in kinds:
        write_png(folder / kind / f"{kind}_{name}.png", np.zeros((2, 2), np.uint8))


def test_incomplete_row_is_removed_and_written_again(tmp_path):
    for number in range(3):
        write_images(tmp_path, f"run_{number:06d}")
    (tmp_path / "frames.csv").write_text("name,run\nrun_000000,run\nrun_000001,run\nrun_00")
    with open_frame_log(tmp_path) as frames:
        assert (frames.count("run"), frames.next_number("run")) == (2, 3)
        frames.repair("run")
        assert (frames.count("run"), frames.total) == (3, 3)
    assert (tmp_path / "frames.csv").read_text() == "name,run\nrun_000000,run\nrun_000001,run\nrun_000002,run\n"


def test_last_row_without_a_line_break_is_kept(tmp_path):
    write_images(tmp_path, "a_000000")
    (tmp_path / "frames.csv").write_text("name,run\na_000000,a")
    with open_frame_log(tmp_path) as frames:
        frames.append({"name": "a_000001", "run": "a", "frame": 7})
    assert (tmp_path / "frames.csv").read_text() == "name,run\na_000000,a\na_000001,a\n"


def test_unfinished_files_and_labels_without_an_image_are_deleted_in_this_run_only(tmp_path):
    write_images(tmp_path, "run_000000")
    write_images(tmp_path, "run_000001", ["seg_raw", "seg"])
    write_images(tmp_path, "mine", ["seg_raw"])
    write_images(tmp_path, "running_000009", ["seg_raw"])
    (tmp_path / "rgb" / ".rgb_run_000001.png.part").write_bytes(b"half")
    with open_frame_log(tmp_path) as frames:
        frames.repair("run")
        assert frames.next_number("run") == 1
    assert sorted(path.name for path in tmp_path.glob("*/*")) == [
        "rgb_run_000000.png", "seg_raw_mine.png", "seg_raw_run_000000.png", "seg_raw_running_000009.png",
        "seg_run_000000.png",
    ]  # fmt: skip


def test_row_that_does_not_fit_on_the_disk_leaves_the_file_unchanged(tmp_path, monkeypatch):
    with open_frame_log(tmp_path) as frames:
        frames.append({"name": "run_000000", "run": "run"})
        before = (tmp_path / "frames.csv").read_bytes()
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:5]))
        with pytest.raises(OSError, match="No space"):
            frames.append({"name": "run_000001", "run": "run"})
        monkeypatch.undo()
        assert (tmp_path / "frames.csv").read_bytes() == before and frames.count("run") == 1


def test_new_table_has_the_documented_columns(tmp_path):
    with open_frame_log(tmp_path):
        assert (tmp_path / "frames.csv").read_text() == ",".join(FRAME_COLUMNS) + "\n"


def test_recording_without_images_leaves_no_files(tmp_path):
    (tmp_path / "here").mkdir()
    for folder in (tmp_path / "here", tmp_path / "new"):
        with open_frame_log(folder):
            pass
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


def test_run_cannot_continue_with_other_settings(tmp_path):
    with open_frame_log(tmp_path) as frames:
        frames.append({"name": "a_000000", "run": "a", "width": 360, "height": 240, "fov": "90", "driving": "teleport"})
    with open_frame_log(tmp_path) as frames:
        frames.require_same_settings("a", (360, 240), 90.0, "teleport")
        frames.require_same_settings("b", (800, 600), 60.0, "autopilot")
        for other in (((800, 240), 90.0, "teleport"), ((360, 240), 60.5, "teleport"), ((360, 240), 90.0, "autopilot")):
            with pytest.raises(UserError, match=r"a was recorded with .*; use another --seed"):
                frames.require_same_settings("a", *other)


def test_image_that_cannot_be_encoded_is_reported_and_gets_no_row(tmp_path):
    images = {"rgb": np.zeros((0, 0, 3), np.uint8), "ids": np.zeros((2, 2), np.uint8)}
    broken = View(images, (0.0,) * 6, fov=90.0, time=0.0, frame=0)
    with open_frame_log(tmp_path) as frames:
        with pytest.raises(UserError, match="cannot be written"), open_writer(tmp_path, frames, TABLE, 1) as writer:
            writer.write({"name": "run_000000", "run": "run"}, broken)
        assert frames.total == 0


def test_image_is_removed_if_its_row_does_not_fit_on_the_disk(tmp_path, monkeypatch):
    with open_frame_log(tmp_path) as frames:
        monkeypatch.setattr(os, "write", lambda file, line: 0)
        with pytest.raises(UserError, match="No space"), open_writer(tmp_path, frames, TABLE, 1) as writer:
            writer.write({"name": "run_000000", "run": "run"}, make_view())
    assert {path.name for path in tmp_path.iterdir()} == {"rgb", "seg_raw", "seg"} and not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("file,when\na,b\n", "needs the columns name and run"),
        ("name;run\na;b\n", "but has 'name;run'"),
        ("name,run,run\na,b,c\n", "each once"),
        ("no line break", "needs the columns"),
        ("name,run\na_000000,a\na_00\nb_000000,b\n", "line 3 has no name or no run"),
        ("name,run\na_000000,a\na_000001,ab_000000,b\n", "line 3 has 3 values for 2 columns"),
        ("name,run\na_000000,a\nb,b\na_000000,a\n", "line 4 has the name of an earlier row, 'a_000000'"),
        ('name,run\n"a_000000,a\na_000001,a\n"a_000002",a\n', "cannot be read|quotation mark"),
        ("name,run\na_000000,\udcff\nb,", "cannot be read"),
    ],
)
def test_unusable_table_is_refused_and_not_changed(tmp_path, content, fault):
    path = tmp_path / "frames.csv"
    path.write_text(content, errors="surrogateescape")
    before = path.read_bytes()
    with pytest.raises(UserError, match=rf"frames\.csv: .*{fault}"), open_frame_log(tmp_path):
        pass
    assert path.read_bytes() == before


def test_table_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "frames.csv")
    with pytest.raises(UserError, match=r"frames\.csv: is a pipe"), open_frame_log(tmp_path):
        pass


def test_table_cut_in_its_first_line_is_started_again(tmp_path):
    (tmp_path / "frames.csv").write_text("name,run,fra")
    with open_frame_log(tmp_path) as frames:
        frames.append({"name": "a_000000", "run": "a"})
    assert (tmp_path / "frames.csv").read_text().splitlines()[0] == ",".join(FRAME_COLUMNS)


def test_number_of_5000_digits_is_no_image_number():
    assert image_number("a_000012", "a") == 12
    assert image_number("a_" + 5000 * "9", "a") is None


@pytest.mark.parametrize(
    ("version", "is_version"),
    [
        ("0.9.16", True),
        ("0.9.15-3-g3b1d2e8", True),
        (6000 * "9" + ".9", False),
        ("0.9.16\n\x1b[31m", False),
        ("", False),
    ],
)
def test_only_versions_are_versions(version, is_version):
    assert bool(VERSION.fullmatch(version)) is is_version
