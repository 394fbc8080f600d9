"""Clients that die, stall or send invalid data must not disturb the server or the other clients."""

import contextlib
import os
import queue
import random
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import carla
import msgpack
import numpy as np
import pytest

from simulator import server  # noqa: F401  (importing it registers the calls)
from simulator.calls.dispatch import ACCEPTED, CALLS, EMPTY, UNSUPPORTED
from simulator.protocol import connections
from simulator.protocol.connections import MAX_CONNECTIONS, MAX_UNFINISHED
from simulator.protocol.rpc import MalformedMessageError, MessageSplitter, RpcServer, decode
from simulator.protocol.streams import IMAGE_QUEUE_SIZE
from tests.harness.processes import free_port, start, wait_until
from tests.harness.towns import running_stub_town

SIZE = {"image_size_x": 320, "image_size_y": 240}


@contextlib.contextmanager
def connected(port, timeout=5.0):
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        yield connection


def ask(connection, method, *arguments):
    """Make one call without the carla package; return its error and result."""
    connection.sendall(msgpack.packb([0, 7, method, [[False], *arguments]]))
    unpacker = msgpack.Unpacker()
    while True:
        data = connection.recv(1 << 16)
        assert data, "the server closed the connection"
        unpacker.feed(data)
        for kind, number, error, result in unpacker:
            assert (kind, number) == (1, 7)
            return error, result


def is_closed(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_unknown_method_is_answered_with_an_error_that_names_it(town):
    with connected(town.port) as connection:
        error, result = ask(connection, "levitate", 3)
        assert "levitate" in error
        assert result is None
        assert ask(connection, "version") == (None, [[1, "0.9.16"]])


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("version", [1, 2, 3]),
        ("destroy_actor", ["seven"]),
        ("destroy_actor", [10**9]),
        ("spawn_actor", [[1, "vehicle.tesla.model3", []], [[0, 0, float("nan")], [0, 0, 0]]]),
        ("spawn_actor", [[1, "vehicle.flying.carpet", []], [[0, 0, 0], [0, 0, 0]]]),
        ("spawn_actor", [[1, "vehicle.tesla.model3", [["color", 5, "red"]]], [[0, 0, 0], [0, 0, 0]]]),
        ("get_sensor_token", [2**40]),
        ("set_episode_settings", [[True, False, [True, -1.0]]]),
        ("apply_batch", [5, False]),
    ],
)
def test_invalid_arguments_are_answered_with_an_error(town, method, arguments):
    with connected(town.port) as connection:
        error, result = ask(connection, method, *arguments)
        assert error is None
        (index, message), *_ = result
        assert index == 0
        assert message[0]


def test_malformed_commands_do_not_stop_a_batch(town):
    with connected(town.port) as connection:
        commands = [[[6, [1]]], [[99, [1]]], 3, [[10, [10**9, [0, 0, 0]]]]]
        _, result = ask(connection, "apply_batch", commands, False)
        assert [response[0][0] for response in result] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xc1",
        msgpack.packb([0, 1, "version"]),
        msgpack.packb({"method": "version"}),
        msgpack.packb([5, 1, "version", []]),
        b"\x91" * 5000,
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff" + b"\x00" * 100,
    ],
)
def test_malformed_bytes_close_only_their_connection(town, data):
    with connected(town.port) as other, connected(town.port) as connection:
        connection.sendall(data)
        assert is_closed(connection)
        assert ask(other, "version")[1] == [[1, "0.9.16"]]


def test_invalid_data_on_the_stream_port_is_ignored(town, world):
    with connected(town.stream_port) as unknown, connected(town.stream_port) as talkative:
        unknown.sendall(struct.pack("<I", 4_000_000_000))
        talkative.sendall(b"\x00" * 64)
        assert is_closed(talkative)
        world.tick()
        unknown.settimeout(0.2)
        with pytest.raises(TimeoutError):
            unknown.recv(1)


def test_next_client_can_continue_after_one_was_killed_during_a_tick():
    with running_stub_town("--slow", 0.3) as town:
        manager_port = free_port()
        victim = start("-m", "tests.harness.record_forever", town.port, manager_port)
        for _ in range(3):
            assert victim.stdout.readline() == "ticking\n"
        time.sleep(0.1)  # a tick takes 0.3 s
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        with connected(town.port) as connection:
            wait_until(lambda: ask(connection, "is_traffic_manager_running", manager_port) == (None, [[1, False]]))
        world = town.client().get_world()
        assert world.get_settings().synchronous_mode
        world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
        actors = world.get_actors()
        leftovers = [actor for pattern in ("vehicle.*", "sensor.*") for actor in actors.filter(pattern)]
        assert [actor.destroy() for actor in leftovers] == [True, True]
        record(world, 3)
        world.apply_settings(carla.WorldSettings())


def record(world, ticks):
    """Tick with a camera and check that every image has its tick's frame."""
    blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
    for name, value in SIZE.items():
        blueprint.set_attribute(name, str(value))
    camera, images = world.spawn_actor(blueprint, carla.Transform()), queue.Queue()
    camera.listen(images.put)
    for _ in range(ticks):
        frame = world.tick()
        assert images.get(timeout=10.0).frame == frame
    camera.stop()
    assert camera.destroy()


def test_subscriber_that_does_not_read_is_disconnected_and_its_queue_is_bounded(town, world, spawn):
    camera = spawn("sensor.camera.rgb", image_size_x=1600, image_size_y=1200)
    with connected(town.stream_port) as sleeper:
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.sendall(struct.pack("<I", stream_of(town, camera)))
        before = memory(town.process.pid)
        world.tick()
        for _ in range(4 * IMAGE_QUEUE_SIZE):
            world.tick()
        assert memory(town.process.pid) - before < 3 * IMAGE_QUEUE_SIZE * 1600 * 1200 * 4
    record(world, 3)


def stream_of(town, camera):
    with connected(town.port) as connection:
        _, result = ask(connection, "get_actors_by_id", [camera.id])
    (stream,) = struct.unpack_from("<I", result[0][1][0][5])
    return stream


def memory(pid):
    """Return the resident memory of a process, bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_destroyed_cameras_leave_no_files_or_threads(town, world):
    record(world, 1)
    before = resources(town.process.pid)
    for _ in range(15):
        record(world, 1)
    wait_until(lambda: np.all(np.subtract(resources(town.process.pid), before) <= 0))


def test_two_clients_share_a_world(town, world):
    other = town.client().get_world()
    other_frames = []
    other.on_tick(lambda snapshot: other_frames.append(snapshot.frame))
    vehicle = other.spawn_actor(
        other.get_blueprint_library().find("vehicle.audi.tt"), other.get_map().get_spawn_points()[0]
    )
    frames = [world.tick() for _ in range(5)]
    assert world.get_actor(vehicle.id).type_id == "vehicle.audi.tt"
    wait_until(lambda: frames[-1] in other_frames)
    assert frames == other_frames[-5:]


# -- limits -----------------------------------------------------------------------------------------------


def test_silent_connections_give_way_to_clients():
    with running_stub_town() as town, contextlib.ExitStack() as stack:
        quiet = stack.enter_context(connected(town.port))
        assert ask(quiet, "version")[1] == [[1, "0.9.16"]]
        silent = [stack.enter_context(connected(town.port)) for _ in range(2 * MAX_CONNECTIONS)]
        for _ in range(MAX_CONNECTIONS):
            # A subscription to a stream that does not exist.
            stack.enter_context(connected(town.stream_port)).sendall(struct.pack("<I", 4_000_000_000))
        world = town.client().get_world()
        world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
        record(world, 3)
        world.apply_settings(carla.WorldSettings())
        assert is_closed(silent[0]) and ask(silent[-1], "version")[1] == [[1, "0.9.16"]]
        assert ask(quiet, "version")[1] == [[1, "0.9.16"]]


def test_unfinished_messages_take_bounded_memory():
    start = b"\x94\x00\x01" + msgpack.packb("copy_opendrive_to_file")
    unfinished = [
        b"\xdb\x01\xff\xff\xff" + b"x" * (20 << 20),  # a text of 32 MB
        b"\xdd\x01\xff\xff\xff" + b"\x90" * (20 << 20),  # a list of empty lists, which take 56 bytes each
    ]
    with running_stub_town() as town, contextlib.ExitStack() as stack:
        before = memory(town.process.pid)
        for number in range(10):
            connection = stack.enter_context(connected(town.port))
            with contextlib.suppress(OSError):  # it may be closed
                connection.sendall(start + unfinished[number % 2])
        assert memory(town.process.pid) - before < 3 * MAX_UNFINISHED
        assert ask(stack.enter_context(connected(town.port)), "version")[1] == [[1, "0.9.16"]]


@pytest.fixture
def rpc_server():
    rpc_server = RpcServer(("127.0.0.1", 0), lambda _, method, arguments: [method, len(arguments)], lambda _: None)
    rpc_server.start("calls")
    yield rpc_server
    rpc_server.shutdown()
    rpc_server.server_close()


def test_longest_idle_client_gives_way_when_all_connections_are_taken(rpc_server, monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(connections, "IDLE_TIMEOUT", 0.5)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(rpc_server.port)) for _ in range(3)]
        for client in [*clients, clients[0]]:
            assert ask(client, "here") == (None, ["here", 0])
        assert is_closed(stack.enter_context(connected(rpc_server.port)))  # nobody has been idle for long enough
        time.sleep(0.6)
        newcomer = stack.enter_context(connected(rpc_server.port))
        assert ask(newcomer, "here", 1) == (None, ["here", 1])
        assert is_closed(clients[1]) and ask(clients[0], "still") == (None, ["still", 0])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_messages_are_split_wherever_the_stream_is_cut(size):
    rng = random.Random(1)
    messages = [[0, number, "method", [random_value(rng), "x" * 500, b"y" * 300]] for number in range(50)]
    stream = b"".join(map(msgpack.packb, messages)) + b"\x94\x00"
    splitter = MessageSplitter()
    found = [part for start in range(0, len(stream), size) for part in splitter.feed(stream[start : start + size])]
    assert found == [msgpack.packb(message) for message in messages] and splitter.unfinished == 2


def test_message_of_too_many_values_is_refused():
    assert len(decode(msgpack.packb([0, 1, "method", [[]] * 100_000]))[3]) == 100_000
    for values in ([[]] * 2_000_000, [[0] * 100] * 20_000, [{}] * 1_500_000):
        with pytest.raises(MalformedMessageError, match=r"values|max_array_len"):
            decode(msgpack.packb([0, 1, "method", values]))


# -- fuzzing ----------------------------------------------------------------------------------------------

HARMLESS = sorted({*CALLS, *ACCEPTED, *EMPTY, *UNSUPPORTED, "levitate"} - {"tick_cue", "load_new_episode"})


def random_value(rng, depth=0):
    """Return any value; integers are too large to be the id of an actor."""
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice([10**6, 2**31, 2**63, -(2**40), -1]) + rng.randrange(1000)
    if kind == 2:
        return rng.choice([0.0, 1e300, float("nan"), float("inf"), -1.5])
    if kind == 3:
        return rng.choice(["", "x" * 500, "Nav", "vehicle.tesla.model3", "\u20ac"])
    if kind in (4, 5):
        return rng.randbytes(rng.randrange(40))
    return [random_value(rng, depth + 1) for _ in range(rng.randrange(6))]


def bad_message(rng):
    """Return bytes for the RPC port: a call with random arguments, a truncated call, or random bytes."""
    method = rng.choice(HARMLESS)
    arguments = [[False], *(random_value(rng) for _ in range(rng.randrange(4)))]
    if method == "apply_batch":
        arguments[2:] = [False]  # no ticks: the recording client expects only its own
    data = bytearray(msgpack.packb([0, rng.randrange(2**32), method, arguments]))
    kind = rng.randrange(4)
    if kind == 1:
        del data[rng.randrange(len(data)) :]
    if kind == 2:
        data = bytearray(rng.randbytes(rng.randrange(1, 400)))
    return bytes(data)


def attack(town, seed, stop):
    """Open connections to both ports and send bad data until told to stop."""
    rng = random.Random(seed)
    while not stop.is_set():
        port = rng.choice([town.port, town.port, town.stream_port])
        with contextlib.suppress(OSError), connected(port, timeout=0.05) as connection:
            for _ in range(rng.randrange(1, 20)):
                if port == town.port:
                    connection.sendall(bad_message(rng))
                else:
                    stream = struct.pack("<I", rng.choice([1, 2**31]))
                    connection.sendall(rng.choice([stream, stream + b"\0", rng.randbytes(3)]))
                if rng.random() < 0.5:
                    connection.recv(1 << 16)


def resources(pid):
    """Return (open files, threads) of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    threads = next(line for line in status.splitlines() if line.startswith("Threads:"))
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), int(threads.split()[1])


def fuzz(seconds):
    """Record while other clients send bad data; afterwards none of their files, threads or memory must be left."""
    with running_stub_town() as town:
        world = town.client().get_world()
        world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
        record(world, 3)
        before, size = resources(town.process.pid), memory(town.process.pid)
        stop = threading.Event()
        attackers = [threading.Thread(target=attack, args=(town, seed, stop)) for seed in range(3)]
        for attacker in attackers:
            attacker.start()
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                record(world, 5)
        finally:
            stop.set()
            for attacker in attackers:
                attacker.join()
        wait_until(lambda: np.all(np.subtract(resources(town.process.pid), before) <= 2), seconds=15.0)
        assert memory(town.process.pid) - size < 100 << 20
        record(world, 3)
        world.apply_settings(carla.WorldSettings())


def test_bad_data_on_both_ports_disturbs_no_client():
    fuzz(seconds=5.0)


@pytest.mark.slow
def test_five_minutes_of_bad_data_disturb_no_client():
    fuzz(seconds=300.0)
