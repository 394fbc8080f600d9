"""Failures of servers, recorders and disks: each is reported in one sentence, and no image is lost."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import carla
import msgpack
import pytest

from segmentation.labels.label_table import LABEL_TABLES
from tests.harness.processes import ROOT, free_port, processes_with, start, wait_until
from tests.harness.recorders import assert_complete, read_rows
from tests.harness.towns import running_stub_town

LONG = ("--images", 100_000, "--keep-metres", 0)


def assert_one_sentence(recorder, *parts, seconds=60.0):
    """Check that the recorder ends with status 1 and that its last line has all these parts."""
    status = recorder.wait(seconds)
    assert status == 1 and "Traceback" not in recorder.output, recorder.output
    last = recorder.output.strip().splitlines()[-1]
    assert last.startswith("01_synchronous_mode_recording.py: ") and all(part in last for part in parts), last


@contextlib.contextmanager
def listener(answer):
    """Listen on a port and reply to each request with `answer(request)`, or not at all where that is None."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with contextlib.suppress(OSError):
            while request := connection.recv(65536):
                reply = answer(request)
                if reply is not None:
                    connection.sendall(reply)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def rpc(version):
    """Answer `version` as a CARLA server does, and all other calls with an error."""

    def answer(request):
        replies = b""
        for kind, number, method, _ in unpack(request):
            error = None if method == "version" else "unknown method"
            replies += msgpack.packb([kind + 1, number, error, None if error else [[1, version]]])
        return replies

    return answer


def unpack(request):
    unpacker = msgpack.Unpacker()
    unpacker.feed(request)
    return list(unpacker)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (lambda _: None, "hangs"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", "another program"),
        (lambda _: os.urandom(4096), "another program"),
        (rpc("latest"), "its version is 'latest'"),
        (rpc("0.9.16"), "reported an error"),
    ],
    ids=["silent", "http", "noise", "no version", "no calls"],
)
def test_port_of_another_program_is_reported(start_recorder, tmp_path, answer, part):
    with listener(answer) as port:
        assert_one_sentence(start_recorder(port, tmp_path, "--timeout", 2), f"127.0.0.1:{port}", part, seconds=40)


def test_host_without_a_server_is_reported(start_recorder, tmp_path):
    recorder = start_recorder(free_port(), tmp_path, "--host", "127.0.0.2", "--timeout", 2)
    assert_one_sentence(recorder, "127.0.0.2", "no CARLA server answers", "--host")


def test_embedded_town_is_started_where_no_server_runs_and_ends_with_the_recorder(start_recorder, tmp_path):
    recorder = start_recorder(free_port(), tmp_path, *LONG)
    recorder.wait_for_images(3, 120)
    assert recorder.output.count("from the embedded town instead") == 1
    port = int(recorder.output.split("(port ")[1].split(")")[0])
    assert accepts_connections(port)
    recorder.kill()
    wait_until(lambda: not accepts_connections(port), 20)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("program", ["01_synchronous_mode_recording.py", "simulator"])
def test_no_process_is_left_if_the_town_is_stopped_while_it_is_built(tmp_path, program, number):
    if program == "simulator":
        command = ("-m", program, "--port", 0)
    else:
        command = (program, "--port", free_port(), "--output", tmp_path, "--no-window")
    count = 2 if program == "simulator" else 4  # the recorder, its parent, the town, the painter of its textures
    mark = f"{tmp_path} {number}"
    process = start(*command, stderr=subprocess.DEVNULL, MARK=mark)
    wait_until(lambda: len(processes_with("MARK", mark)) == count, 60, process)
    process.send_signal(number)
    process.wait(20)
    wait_until(lambda: not processes_with("MARK", mark), 10)
    process.stdout.close()


def accepts_connections(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_server_that_dies_is_reported_and_the_images_so_far_are_complete(start_recorder, tmp_path):
    with running_stub_town() as town:
        recorder = start_recorder(town, tmp_path, *LONG, "--timeout", 3)
        recorder.wait_for_images(20)
        town.process.kill()
        assert_one_sentence(recorder, "the simulator", "so far is complete", "repeat the command")
    assert len(assert_complete(tmp_path)) >= 20


def test_no_frame_is_lost_when_the_server_answers_late(start_recorder, tmp_path):
    with running_stub_town() as town:
        recorder = start_recorder(town, tmp_path, "--images", 200, "--keep-metres", 0, "--timeout", 10)
        recorder.wait_for_images(20)
        town.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        town.process.send_signal(signal.SIGCONT)
        assert recorder.wait() == 0, recorder.output
    frames = sorted(int(row["frame"]) for row in assert_complete(tmp_path))
    assert frames == list(range(frames[0], frames[0] + 200))


def test_server_that_hangs_is_reported(start_recorder, tmp_path):
    with running_stub_town() as town:
        recorder = start_recorder(town, tmp_path, *LONG, "--timeout", 6)
        recorder.wait_for_images(20)
        town.process.send_signal(signal.SIGSTOP)
        # Reported by the recorder, or by its parent process if a thread of the client ended it first.
        assert_one_sentence(recorder, "the simulator", "so far is complete", "repeat the command")
        town.process.send_signal(signal.SIGCONT)
    assert_complete(tmp_path)


HANGING_TICK = """
import ctypes
from segmentation.errors import UserError
from recording.supervisor import time_limit, continue_in_child
try:
    continue_in_child()
except UserError as error:
    raise SystemExit(str(error))
with time_limit(1):
    ctypes.PyDLL(None).pause()  # holds the interpreter's lock
"""


def test_tick_that_never_ends_is_reported():
    ended = subprocess.run([sys.executable, "-c", HANGING_TICK], cwd=ROOT, timeout=60, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "never ended" in ended.stderr and "repeat the command" in ended.stderr and "Traceback" not in ended.stderr


def test_missing_images_are_reported(start_recorder, tmp_path):
    with running_stub_town() as town:
        recorder = start_recorder(town, tmp_path, *LONG, "--timeout", 4)
        recorder.wait_for_images(20)
        world = town.client().get_world()
        settings = world.get_settings()
        settings.no_rendering_mode = True
        world.apply_settings(settings)
        assert_one_sentence(recorder, "no ids and no rgb images", "--timeout")
        assert town.leftovers() == 0
    assert_complete(tmp_path)


def test_ids_that_the_label_table_lacks_are_refused(start_recorder, tmp_path):
    with running_stub_town("--label", 77) as town:
        assert_one_sentence(start_recorder(town, tmp_path, *LONG), "label ids 77", "29 labels")
        assert town.settings() == (False, None) and town.leftovers() == 0


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (("--short-images",), "image of frame"),
        (("--answer", "version", '[[1, "9999999999.9"]]'), "reports that its version is"),
        (("--answer", "version", '[[1, "0.9.\\udcff"]]'), "invalid answer"),
        (("--answer", "get_map_info", '[[1, ["Carla/Maps/..", []]]]'), "the town is called '..'"),
        (("--answer", "get_available_maps", '[[1, ["\\udcff"]]]'), "invalid answer"),
        (("--answer", "get_sensor_token", '[[1, ["token"]]]'), "invalid token"),
        (("--answer", "spawn_actor_with_parent", "[[1, []]]"), "no camera"),
        (("--answer", "tick_cue", "[[1, 5]]"), "frame 5 comes after frame 5"),
    ],
)
def test_server_that_answers_wrongly_is_reported(start_recorder, tmp_path, flags, part):
    with running_stub_town(*flags) as town:
        recorder = start_recorder(town, tmp_path, *LONG, "--timeout", 3)
        assert_one_sentence(recorder, part, seconds=40)
    assert not read_rows(tmp_path)


def test_dataset_with_ids_of_another_carla_version_is_refused_and_not_changed(stub_town, start_recorder, tmp_path):
    labels = (LABEL_TABLES / "carla_0.9.10.csv").read_text()
    (tmp_path / "labels.csv").write_text(labels)
    assert_one_sentence(
        start_recorder(stub_town, tmp_path, *LONG), "labels.csv", "23 ids mean something else", "--output"
    )
    assert (tmp_path / "labels.csv").read_text() == labels and not (tmp_path / "rgb").exists()


def test_server_left_in_synchronous_mode_by_a_dead_client_is_restored(start_recorder, tmp_path):
    with running_stub_town() as town:
        first = start_recorder(town, tmp_path, *LONG)
        first.wait_for_images(5)
        first.kill()
        assert town.settings()[0]
        second = start_recorder(town, tmp_path / "other", "--images", 3)
        assert second.wait() == 0 and "left the server in synchronous mode" in second.output, second.output
        assert town.settings() == (False, None) and town.leftovers() == 0


def test_server_that_another_client_ticks_is_refused_and_not_disturbed(start_recorder, tmp_path):
    with running_stub_town() as town:
        first = start_recorder(town, tmp_path / "first", *LONG)
        first.wait_for_images(5)
        assert_one_sentence(start_recorder(town, tmp_path / "second", *LONG), "another client")
        before = len(read_rows(tmp_path / "first"))
        first.wait_for_images(before + 5)


def test_two_recorders_cannot_share_a_dataset(stub_town, start_recorder, tmp_path):
    first = start_recorder(stub_town, tmp_path, *LONG)
    first.wait_for_images(5)
    assert_one_sentence(start_recorder(stub_town, tmp_path, *LONG), "frames.csv", "another recorder")
    first.process.send_signal(signal.SIGINT)
    assert first.wait() == 130, first.output


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (("--towns", "Atlantis"), ("Atlantis", "Eastfield", "Millbrook", "Westgate")),
        (("--weathers", "Hot"), ("Hot", "ClearNoon")),
        (("--vehicle", "vehicle.flying.carpet"), ("vehicle.flying.carpet", "vehicle.")),
        (("--field-of-view", 180), ("--field-of-view", "180")),
        (("--images", 0), ("--images", "1 or more")),
        (("--rare-share", 30), ("--rare-share", "0 to 1")),
    ],
)
def test_impossible_constants_are_refused(stub_town, start_recorder, tmp_path, flags, parts):
    assert_one_sentence(start_recorder(stub_town, tmp_path, *flags), *parts)
    assert stub_town.settings() == (False, None) and stub_town.leftovers() == 0


def test_file_in_place_of_the_output_folder_is_reported(start_recorder, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert_one_sentence(start_recorder(free_port(), tmp_path / "file"), "file", "cannot be written", "--output")


@contextlib.contextmanager
def mounted(folder, options):
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("needs the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_read_only_folder_is_reported(start_recorder, tmp_path):
    with mounted(tmp_path / "disk", "ro,size=1m") as disk:
        assert_one_sentence(start_recorder(free_port(), disk), "frames.csv", "Read-only", "--output")


@pytest.mark.parametrize("room", ["256k", "1m"])
def test_full_disk_is_reported_and_the_images_so_far_are_complete(stub_town, start_recorder, tmp_path, room):
    with mounted(tmp_path / "disk", f"size={room}") as disk:
        recorder = start_recorder(stub_town, disk, *LONG)
        assert_one_sentence(recorder, "disk", "No space left", "free some space")
        count = len(assert_complete(disk))
        assert count > 5 and not list(disk.glob("*/.*"))
        assert stub_town.settings() == (False, None) and stub_town.leftovers() == 0


def kill_at_random_moments(town, start_recorder, folder, times, seed):
    rng = random.Random(seed)
    before = {}
    for _ in range(times):
        recorder = start_recorder(town, folder, *LONG)
        recorder.wait_for_images(len(read_rows(folder)) + 1)
        time.sleep(rng.uniform(0, 0.3))
        recorder.kill()
        contents = {path: path.stat().st_mtime_ns for path in folder.glob("*/[!.]*.png")}  # no temporary ones
        names = {row["name"] for row in read_rows(folder)}
        for kind in ("rgb", "seg", "seg_raw"):
            assert all((folder / kind / f"{kind}_{name}.png").exists() for name in names)
        assert [path for path, when in before.items() if contents.get(path) != when] == []
        # Labels without an image are deleted, and their number is used again; nothing else may ever change.
        complete = {path.stem.removeprefix("rgb_") for path in folder.glob("rgb/*.png")}
        before = {path: when for path, when in contents.items() if path.stem.endswith(tuple(complete))}
    last = start_recorder(town, folder, "--images", len(read_rows(folder)) + 5)
    assert last.wait() == 0, last.output
    assert_complete(folder)
    assert town.settings() == (False, None) and town.leftovers() == 0


def test_killed_recordings_leave_complete_files_and_can_be_continued(start_recorder, tmp_path):
    with running_stub_town() as town:
        kill_at_random_moments(town, start_recorder, tmp_path, 5, seed=1)


@pytest.mark.slow
def test_a_hundred_killed_recordings_leave_complete_files_and_can_be_continued(start_recorder, tmp_path):
    with running_stub_town() as town:
        kill_at_random_moments(town, start_recorder, tmp_path, 100, seed=2)


def test_settings_are_restored_after_an_exception(stub_town):
    from recording.server import Server
    from recording.synchronous_mode import synchronous_mode, traffic_manager

    client = stub_town.client()
    world = client.get_world()
    world.apply_settings(carla.WorldSettings(fixed_delta_seconds=0.025))
    server = Server("127.0.0.1", stub_town.port, 20.0, client, "0.9.16")
    with (
        pytest.raises(ZeroDivisionError),
        synchronous_mode(server, 20.0) as world,
        traffic_manager(server, 1),
    ):
        assert world.get_settings().synchronous_mode and world.get_settings().fixed_delta_seconds == 0.05
        1 / 0  # noqa: B018
    found = world.get_settings()
    assert not found.synchronous_mode and found.fixed_delta_seconds == pytest.approx(0.025)
    world.apply_settings(carla.WorldSettings())
