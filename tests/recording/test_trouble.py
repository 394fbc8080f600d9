"""Servers that are missing, mad, late, silent or dead; kills; disks that are full: one sentence, nothing lost."""

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

from segmentation.labels import TABLES
from tests.conftest import ROOT
from tests.recording.conftest import assert_whole, free_port, plain_town, rows_of

LONG = ("--pictures", 100_000, "--keep-metres", 0)


def assert_one_sentence(recorder, *parts, seconds=60.0):
    """It ended with status 1 and, after what it told before, one line that has all these parts."""
    status = recorder.end(seconds)
    assert status == 1 and "Traceback" not in recorder.output, recorder.output
    last = recorder.output.strip().splitlines()[-1]
    assert last.startswith("01_synchronous_mode_recording.py: ") and all(part in last for part in parts), last


@contextlib.contextmanager
def listener(answer):
    """A port where `answer(request)` decides what is sent back; None: nothing ever."""
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
    """Answers `version` as a CARLA server does, and everything else with an error."""

    def answer(request):
        replies = b""
        for kind, number, method, _ in unpack(request):
            error = None if method == "version" else "what do you mean?"
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
        (rpc("cheese"), "its version is 'cheese'"),
        (rpc("0.9.16"), "does not do what it should"),
    ],
    ids=["silent", "http", "noise", "no version", "no calls"],
)
def test_a_port_that_is_no_carla_server_is_told(record, tmp_path, answer, part):
    with listener(answer) as port:
        assert_one_sentence(record(port, tmp_path, "--timeout", 2), f"127.0.0.1:{port}", part, seconds=40)


def test_a_machine_without_a_server_is_told(record, tmp_path):
    recorder = record(free_port(), tmp_path, "--host", "127.0.0.2", "--timeout", 2)
    assert_one_sentence(recorder, "127.0.0.2", "no CARLA server answers", "--host")


def test_without_a_server_the_embedded_town_records_and_is_gone_afterwards(record, tmp_path):
    recorder = record(free_port(), tmp_path, *LONG)
    recorder.wait_for_pictures(3, 120)
    assert recorder.output.count("embedded town records instead") == 1
    town = int(recorder.output.split("(port ")[1].split(")")[0])
    socket.create_connection(("127.0.0.1", town)).close()
    recorder.process.kill()
    recorder.end()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", town)).close()
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail("the embedded town has outlived its recorder")


def test_a_server_that_dies_in_the_middle_is_told_and_everything_so_far_is_whole(record, tmp_path):
    with plain_town() as town:
        recorder = record(town, tmp_path, *LONG, "--timeout", 3)
        recorder.wait_for_pictures(20)
        town.process.kill()
        assert_one_sentence(recorder, "the simulator", "so far is whole", "repeat the command")
    assert len(assert_whole(tmp_path)) >= 20


def test_a_server_that_answers_late_loses_nothing(record, tmp_path):
    with plain_town() as town:
        recorder = record(town, tmp_path, "--pictures", 200, "--keep-metres", 0, "--timeout", 10)
        recorder.wait_for_pictures(20)
        town.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        town.process.send_signal(signal.SIGCONT)
        assert recorder.end() == 0, recorder.output
    frames = sorted(int(row["frame"]) for row in assert_whole(tmp_path))
    assert frames == list(range(frames[0], frames[0] + 200))


def test_a_server_that_hangs_is_told(record, tmp_path):
    with plain_town() as town:
        recorder = record(town, tmp_path, *LONG, "--timeout", 6)
        recorder.wait_for_pictures(20)
        town.process.send_signal(signal.SIGSTOP)
        # Told by the recorder, or by its parent when a thread of the client's ended it first.
        assert_one_sentence(recorder, "the simulator", "so far is whole", "repeat the command")
        town.process.send_signal(signal.SIGCONT)
    assert_whole(tmp_path)


HANGING_TICK = """
import ctypes
from segmentation.errors import UserError
from segmentation.recording.guarding import at_most, go_on_in_a_child
try:
    go_on_in_a_child()
except UserError as error:
    raise SystemExit(str(error))
with at_most(1):
    ctypes.PyDLL(None).pause()  # holds the interpreter's lock
"""


def test_a_tick_that_never_ends_is_told():
    ended = subprocess.run([sys.executable, "-c", HANGING_TICK], cwd=ROOT, timeout=60, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "never ended" in ended.stderr and "repeat the command" in ended.stderr and "Traceback" not in ended.stderr


def test_pictures_that_stop_coming_are_told(record, tmp_path):
    with plain_town() as town:
        recorder = record(town, tmp_path, *LONG, "--timeout", 4)
        recorder.wait_for_pictures(20)
        world = town.client().get_world()
        settings = world.get_settings()
        settings.no_rendering_mode = True
        world.apply_settings(settings)
        assert_one_sentence(recorder, "no ids and no rgb pictures", "--timeout")
        assert town.leftovers() == 0
    assert_whole(tmp_path)


def test_labels_that_the_servers_version_does_not_have_are_refused(record, tmp_path):
    with plain_town("--label", 77) as town:
        assert_one_sentence(record(town, tmp_path, *LONG), "label ids 77", "29 labels")
        assert town.settings() == (False, None) and town.leftovers() == 0


def test_a_dataset_of_another_label_generation_is_refused_and_left_alone(plain, record, tmp_path):
    labels = (TABLES / "carla_0.9.10.csv").read_text()
    (tmp_path / "labels.csv").write_text(labels)
    assert_one_sentence(record(plain, tmp_path, *LONG), "labels.csv", "23 ids mean something else", "--output")
    assert (tmp_path / "labels.csv").read_text() == labels and not (tmp_path / "rgb").exists()


def test_a_server_left_synchronous_by_a_dead_client_is_freed_and_its_actors_go(record, tmp_path):
    with plain_town() as town:
        first = record(town, tmp_path, *LONG)
        first.wait_for_pictures(5)
        first.process.kill()
        first.end()
        assert town.settings()[0]
        second = record(town, tmp_path / "other", "--pictures", 3)
        assert second.end() == 0 and "left in synchronous mode" in second.output, second.output
        assert town.settings() == (False, None) and town.leftovers() == 0


def test_a_server_that_another_client_ticks_is_left_alone(record, tmp_path):
    with plain_town() as town:
        first = record(town, tmp_path / "first", *LONG)
        first.wait_for_pictures(5)
        assert_one_sentence(record(town, tmp_path / "second", *LONG), "another client")
        before = len(rows_of(tmp_path / "first"))
        first.wait_for_pictures(before + 5)


def test_two_recorders_do_not_share_a_dataset(plain, record, tmp_path):
    first = record(plain, tmp_path, *LONG)
    first.wait_for_pictures(5)
    assert_one_sentence(record(plain, tmp_path, *LONG), "frames.csv", "another recorder")
    first.process.send_signal(signal.SIGINT)
    assert first.end() == 130, first.output


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (("--towns", "Atlantis"), ("Atlantis", "Eastfield", "Millbrook", "Westgate")),
        (("--weathers", "Hot"), ("Hot", "ClearNoon")),
        (("--vehicle", "vehicle.flying.carpet"), ("vehicle.flying.carpet", "vehicle.")),
        (("--field-of-view", 180), ("--field-of-view", "180")),
        (("--pictures", 0), ("--pictures", "1 or more")),
        (("--rare-share", 30), ("--rare-share", "0 to 1")),
    ],
)
def test_impossible_constants_are_refused(plain, record, tmp_path, flags, parts):
    assert_one_sentence(record(plain, tmp_path, *flags), *parts)
    assert plain.settings() == (False, None) and plain.leftovers() == 0


def test_a_file_in_place_of_the_folder_is_told(record, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert_one_sentence(record(free_port(), tmp_path / "file"), "file", "cannot be written", "--output")


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


def test_a_read_only_folder_is_told(record, tmp_path):
    with mounted(tmp_path / "disk", "ro,size=1m") as disk:
        assert_one_sentence(record(free_port(), disk), "frames.csv", "Read-only", "--output")


@pytest.mark.parametrize("room", ["256k", "1m"])
def test_a_full_disk_ends_it_with_every_picture_so_far_whole(plain, record, tmp_path, room):
    with mounted(tmp_path / "disk", f"size={room}") as disk:
        recorder = record(plain, disk, *LONG)
        assert_one_sentence(recorder, "disk", "No space left", "free the place")
        count = len(assert_whole(disk))
        assert count > 5 and not list(disk.glob("*/.*"))
        assert plain.settings() == (False, None) and plain.leftovers() == 0


def kill_at_random_moments(town, record, folder, times, seed):
    chance = random.Random(seed)
    before = {}
    for _ in range(times):
        recorder = record(town, folder, *LONG)
        recorder.wait_for_pictures(len(rows_of(folder)) + 1)
        time.sleep(chance.uniform(0, 0.3))
        recorder.process.kill()
        recorder.end()
        contents = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.png")}
        names = {row["name"] for row in rows_of(folder)}
        for kind in ("rgb", "seg", "seg_raw"):
            assert all((folder / kind / f"{kind}_{name}.png").exists() for name in names)
        assert [path for path, when in before.items() if contents.get(path) != when] == []
        # Labels whose picture never came go, and their number is taken again; nothing else may ever change.
        whole = {path.stem.removeprefix("rgb_") for path in folder.glob("rgb/*.png")}
        before = {path: when for path, when in contents.items() if path.stem.endswith(tuple(whole))}
    last = record(town, folder, "--pictures", len(rows_of(folder)) + 5)
    assert last.end() == 0, last.output
    assert_whole(folder)
    assert town.settings() == (False, None) and town.leftovers() == 0


def test_kills_at_random_moments_leave_whole_files_and_the_next_run_goes_on(record, tmp_path):
    with plain_town() as town:
        kill_at_random_moments(town, record, tmp_path, 5, seed=1)


@pytest.mark.slow
def test_a_hundred_kills_leave_whole_files_and_the_next_run_goes_on(record, tmp_path):
    with plain_town() as town:
        kill_at_random_moments(town, record, tmp_path, 100, seed=2)


def test_settings_are_put_back_after_an_exception(plain):
    from segmentation.recording.finding import Simulator
    from segmentation.recording.synchronous import synchronous_mode, traffic_manager

    client = plain.client()
    world = client.get_world()
    world.apply_settings(carla.WorldSettings(fixed_delta_seconds=0.025))
    simulator = Simulator("127.0.0.1", plain.port, 20.0, client, "0.9.16")
    with (
        pytest.raises(ZeroDivisionError),
        synchronous_mode(simulator, 20.0) as world,
        traffic_manager(simulator, 1),
    ):
        assert world.get_settings().synchronous_mode and world.get_settings().fixed_delta_seconds == 0.05
        1 / 0  # noqa: B018
    found = world.get_settings()
    assert not found.synchronous_mode and found.fixed_delta_seconds == pytest.approx(0.025)
    world.apply_settings(carla.WorldSettings())
