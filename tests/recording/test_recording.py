"""Whole recordings of the embedded town with the real client."""

import contextlib
import re
import signal
import subprocess

import carla
import cv2
import numpy as np
import pytest

from recording.preview import RecordingCounts, open_preview
from recording.sensors import View
from segmentation.dataset.check import check_folder
from segmentation.dataset.layout import FRAME_COLUMNS
from segmentation.labels.label_table import carla_label_table, read_label_table
from tests.harness.processes import wait_until
from tests.harness.recorders import assert_complete, read_rows

CAMERAS = ("--cameras", *["1.2", "0", "1.7", "0", "0", "0"], *["1.2", "0.4", "1.5", "-8", "40", "0"])


def test_all_towns_and_weathers_are_recorded_by_two_cameras_with_depth_and_instances(town, start_recorder, tmp_path):
    recorder = start_recorder(
        town, tmp_path, "--towns", "Eastfield", "Millbrook", "--weathers", "ClearNoon", "HardRainSunset",
        "--images", 3, *CAMERAS, "--extra-sensors", "depth", "instance",
    )  # fmt: skip
    assert recorder.wait(120) == 0, recorder.output
    rows = assert_complete(tmp_path, ("depth", "instance"))
    assert len(rows) == 2 * 2 * 2 * 3 and list(rows[0]) == list(FRAME_COLUMNS)
    runs = {(row["run"], row["town"], row["weather"], row["camera"]) for row in rows}
    assert len(runs) == 8 == len({run for run, *_ in runs})
    assert all(part in run for run, *parts in runs for part in parts)
    assert not check_folder(tmp_path, progress=False).problems
    by_frame = {}
    for row in rows:
        ids = cv2.imread(str(tmp_path / f"seg_raw/seg_raw_{row['name']}.png"), cv2.IMREAD_UNCHANGED)
        instance = cv2.imread(str(tmp_path / f"instance/instance_{row['name']}.png"))[..., 2]
        coloured = cv2.imread(str(tmp_path / f"seg/seg_{row['name']}.png"))[..., ::-1]
        np.testing.assert_array_equal(ids, instance)
        np.testing.assert_array_equal(coloured, read_label_table(tmp_path / "labels.csv").colourise_ids(ids))
        by_frame.setdefault((row["town"], row["weather"], row["frame"]), []).append(row)
    assert all(
        len(pair) == 2 and len({row["time"] for row in pair}) == 1
        # The second camera looks 40 degrees to the right of the first.
        and (float(pair[1]["yaw"]) - float(pair[0]["yaw"])) * (1 - 2 * int(pair[0]["camera"])) % 360
        == pytest.approx(40, abs=0.01)
        for pair in by_frame.values()
    )  # fmt: skip
    assert town.settings() == (False, None) and town.leftovers() == 0


def test_image_and_labels_are_of_one_tick_even_if_writing_is_slow(stub_town, start_recorder, tmp_path):
    recorder = start_recorder(stub_town, tmp_path, "--images", 150, "--keep-metres", 0, "--writers", 1)
    assert recorder.wait() == 0, recorder.output
    rows = assert_complete(tmp_path)
    for row in rows:
        blue, green, red = cv2.imread(str(tmp_path / f"rgb/rgb_{row['name']}.png"))[0, 0].astype(int)
        label_id = cv2.imread(str(tmp_path / f"seg_raw/seg_raw_{row['name']}.png"), cv2.IMREAD_UNCHANGED)[0, 0]
        assert (blue + 256 * green + 65536 * red) % 29 == label_id
    frames = [int(row["frame"]) for row in sorted(rows, key=lambda row: row["name"])]
    # No frame is skipped as too similar here, so a missing one would have been lost.
    assert frames == list(range(frames[0], frames[0] + 150))


def test_same_command_continues_and_then_has_nothing_left_to_do(stub_town, start_recorder, tmp_path):
    assert start_recorder(stub_town, tmp_path, "--images", 5).wait() == 0
    before = {path: path.read_bytes() for path in tmp_path.glob("*/*.png")}
    assert start_recorder(stub_town, tmp_path, "--images", 9).wait() == 0
    assert len(assert_complete(tmp_path)) == 9
    assert all(path.read_bytes() == content for path, content in before.items())
    again = start_recorder(stub_town, tmp_path, "--images", 9)
    assert again.wait() == 0 and "already recorded" in again.output and len(read_rows(tmp_path)) == 9


def test_autopilot_drives_and_its_speed_is_recorded(stub_town, start_recorder, tmp_path):
    for _ in range(3):
        recorder = start_recorder(stub_town, tmp_path, "--driving", "autopilot", "--images", 12, "--keep-metres", 1)
        # A tick of the carla package can hang, see recording/supervisor.py; the same command then continues.
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert recorder.wait() == 0, recorder.output
            break
        recorder.kill()
    assert recorder.process.returncode == 0, recorder.output
    rows = assert_complete(tmp_path)
    assert max(float(row["speed"]) for row in rows) > 3
    locations = np.array([[float(row["x"]), float(row["y"])] for row in rows])
    assert np.linalg.norm(locations[-1] - locations[0]) > 10


def test_images_of_a_standing_car_are_skipped_and_counted(stub_town, start_recorder, tmp_path):
    recorder = start_recorder(
        stub_town, tmp_path, "--images", 5, "--keep-change", 2, "--step-metres", 0.5, "--keep-metres", 2,
        "--jump-metres", 0,
    )  # fmt: skip
    assert recorder.wait() == 0, recorder.output
    assert re.search(r"5 kept, 1[26] skipped, 0 dropped", recorder.output), recorder.output


def test_colours_of_all_ids_are_those_of_the_client(stub_town):
    table = read_label_table(carla_label_table(stub_town.client().get_server_version()))
    world = stub_town.client().get_world()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    blueprint = world.get_blueprint_library().find("sensor.camera.semantic_segmentation")
    camera = world.spawn_actor(blueprint, carla.Transform())
    seen = {}

    def look(image):
        def pixel():
            return np.frombuffer(image.raw_data, np.uint8)[2::-1].tolist()

        label_id = pixel()[0]
        image.convert(carla.ColorConverter.CityScapesPalette)
        seen[label_id] = pixel()

    camera.listen(look)
    for _ in range(2 * len(table.rows)):
        world.tick()
    camera.stop()
    camera.destroy()
    world.apply_settings(carla.WorldSettings())
    assert seen == {row.id: list(row.colour) for row in table.rows}


def test_calls_of_the_official_recording_example_work(town):
    world = town.client().get_world()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    library = world.get_blueprint_library()
    world_map = world.get_map()
    vehicle = world.spawn_actor(library.find("vehicle.tesla.model3"), world_map.get_spawn_points()[0])
    vehicle.set_simulate_physics(False)
    camera = library.find("sensor.camera.semantic_segmentation")
    camera.set_attribute("image_size_x", "96")
    camera.set_attribute("image_size_y", "64")
    sensor = world.spawn_actor(camera, carla.Transform(carla.Location(x=1.6, z=1.7)), attach_to=vehicle)
    frames = []
    sensor.listen(lambda image: frames.append(image.frame))
    waypoint = world_map.get_waypoint(world_map.get_spawn_points()[0].location)
    ticks = []
    for _ in range(10):
        waypoint = waypoint.next(1.5)[0]
        vehicle.set_transform(waypoint.transform)
        ticks.append(world.tick(60.0))
        assert vehicle.get_location().distance(waypoint.transform.location) < 1e-3
    wait_until(lambda: len(frames) >= len(ticks), 30)  # images arrive in a thread of the client
    sensor.stop()
    sensor.destroy()
    vehicle.destroy()
    world.apply_settings(carla.WorldSettings())
    assert frames == ticks


@pytest.mark.parametrize("width", [1200, 240])
def test_preview_shows_the_overlay_and_escape_stops(width):
    pygame = pytest.importorskip("pygame")
    table = read_label_table(carla_label_table("0.9.16"))
    images = {"rgb": np.full((width // 2, width, 3), 100, np.uint8), "ids": np.full((width // 2, width), 1, np.uint8)}
    view = View(images, (0.0,) * 6, fov=90.0, time=0.0, frame=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDL_VIDEODRIVER", "dummy")
        with open_preview(True, table) as preview:
            preview.show(view, "run", RecordingCounts(1, 2, 3))
            assert not preview.stopped
            screen = pygame.display.get_surface()
            assert screen.get_size() == (960, 480)
            # Roads are 128, 64, 128: 55 % image, 45 % label.
            assert screen.get_at((480, 400))[:3] == (113, 84, 113)
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE))
            preview.show(view, "run", RecordingCounts())
            assert preview.stopped


def test_recording_needs_no_display(stub_town, start_recorder, tmp_path):
    recorder = start_recorder(stub_town, tmp_path, "--images", 2, "--window", DISPLAY="", WAYLAND_DISPLAY="")
    assert recorder.wait() == 0, recorder.output
    assert len(assert_complete(tmp_path)) == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signal_stops_recording_and_restores_the_server(stub_town, start_recorder, tmp_path, number, status):
    recorder = start_recorder(stub_town, tmp_path, "--images", 100_000, "--keep-metres", 0)
    recorder.wait_for_images(10)
    recorder.process.send_signal(number)
    assert recorder.wait(20) == status, recorder.output
    assert "Traceback" not in recorder.output
    assert len(assert_complete(tmp_path)) >= 10
    assert stub_town.settings() == (False, None) and stub_town.leftovers() == 0
