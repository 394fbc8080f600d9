"""The whole thing: `python -m simulator` with real pictures, seen by the real client."""

import contextlib
import queue
import signal
import socket

import carla
import numpy as np
import pytest
from processes import CLIENTS, start

ROADS, SKY, PEDESTRIAN, CAR = 1, 11, 12, 14
SIZE = {"image_size_x": 160, "image_size_y": 120, "fov": 90}


@contextlib.contextmanager
def running_simulator():
    process = start("-m", "simulator", "--port", 0, "--map", "Millbrook")
    try:
        line = process.stdout.readline()
        yield process, int(line.split(";")[0].rsplit(":", 1)[1])
    finally:
        process.kill()
        process.wait()


def connect(port):
    """A new episode in synchronous mode."""
    client = carla.Client("127.0.0.1", port)
    client.set_timeout(60.0)
    CLIENTS.append(client)
    settings = carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05)
    client.get_world().apply_settings(settings)
    return client.reload_world(reset_settings=False)


@pytest.fixture(scope="module")
def simulator():
    """A running simulator: (process, port)."""
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="module")
def world(simulator):
    return connect(simulator[1])


def pixels(image):
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def look(world, pose, kinds):
    """One picture of each kind, from a place in the world."""
    library, cameras, queues = world.get_blueprint_library(), [], []
    for kind in kinds:
        blueprint = library.find("sensor.camera." + kind)
        for name, value in SIZE.items():
            blueprint.set_attribute(name, str(value))
        cameras.append(world.spawn_actor(blueprint, pose))
        queues.append(queue.Queue())
        cameras[-1].listen(queues[-1].put)
    frame = world.tick()
    images = [images.get(timeout=60.0) for images in queues]
    assert {image.frame for image in images} == {frame}
    for camera in cameras:
        camera.stop()
        camera.destroy()
    return [pixels(image).astype(int) for image in images]


def metres(depth):
    return 1000.0 * (depth[..., 2] + 256 * depth[..., 1] + 65536 * depth[..., 0]) / (256**3 - 1)


def test_the_pictures_show_the_car_that_was_spawned(world):
    road = world.get_map().get_waypoint(world.get_map().get_spawn_points()[0].location).transform
    ahead = road.location + 12.0 * road.get_forward_vector() + carla.Location(z=0.3)
    eye = carla.Transform(road.location + carla.Location(z=1.5), road.rotation)
    kinds = ("rgb", "semantic_segmentation", "depth", "instance_segmentation")
    before, labels_before, *_ = look(world, eye, kinds)
    car = world.spawn_actor(
        world.get_blueprint_library().find("vehicle.tesla.model3"), carla.Transform(ahead, road.rotation)
    )
    for _ in range(5):
        world.tick()
    after, labels, depth, instances = look(world, eye, kinds)
    is_car = (labels[..., 2] == CAR) & (labels_before[..., 2] != CAR)
    assert is_car.sum() > 100
    assert np.median(metres(depth)[is_car]) == pytest.approx(12.0 - car.bounding_box.extent.x, abs=1.0)
    assert {ROADS, SKY} <= set(np.unique(labels[..., 2]))
    assert len(np.unique(instances[is_car][:, :2], axis=0)) == 1, "one car, one instance"
    changed = np.abs(after - before).max(axis=2) > 12
    assert changed[is_car].mean() > 0.8
    assert changed[labels[..., 2] == SKY].mean() < 0.05
    low = eye.location - carla.Location(z=0.8)
    hit = world.project_point(low, road.get_forward_vector(), 50.0)
    assert hit.label == carla.CityObjectLabel.Car
    assert hit.location.distance(low) == pytest.approx(12.0 - car.bounding_box.extent.x, abs=0.5)
    assert car.destroy()


def test_rays_meet_the_road(world):
    place = world.get_map().get_spawn_points()[0].location
    (hit,) = world.cast_ray(place + carla.Location(z=3.0), place - carla.Location(z=3.0))
    assert hit.location.z == pytest.approx(0.0, abs=0.02)
    assert hit.label in (carla.CityObjectLabel.Roads, carla.CityObjectLabel.RoadLines)
    assert world.project_point(place + carla.Location(z=30.0), carla.Vector3D(z=1.0), 50.0) is None
    assert world.cast_ray(place + carla.Location(z=3.0), place + carla.Location(z=2.0)) == []


def test_a_pedestrian_stands_on_the_sidewalk(world):
    town_map = world.get_map()
    place = town_map.get_waypoint(
        town_map.get_spawn_points()[0].location, lane_type=carla.LaneType.Sidewalk
    ).transform
    walker = world.spawn_actor(
        world.get_blueprint_library().find("walker.pedestrian.0002"),
        carla.Transform(place.location + carla.Location(z=1.0), place.rotation),
    )
    for _ in range(20):
        world.tick()
    eye = carla.Transform(
        place.location - 4.0 * place.get_forward_vector() + carla.Location(z=1.0), place.rotation
    )
    labels, depth = look(world, eye, ("semantic_segmentation", "depth"))
    rows, columns = np.nonzero(labels[..., 2] == PEDESTRIAN)
    assert len(rows) > 100
    # the camera looks level, so a pixel's height follows from its row and depth
    lowest = rows.max()
    focal = SIZE["image_size_x"] / 2.0
    distance = metres(depth)[lowest, columns[rows == lowest][0]]
    feet = 1.0 - (lowest + 0.5 - SIZE["image_size_y"] / 2.0) / focal * distance
    assert feet == pytest.approx(0.14, abs=0.08)
    assert walker.destroy()


def test_things_of_the_town_have_boxes(world):
    houses = world.get_environment_objects(carla.CityObjectLabel.Buildings)
    assert len(houses) > 20
    assert len({house.id for house in houses}) == len(houses)
    assert len(world.get_level_bbs(carla.CityObjectLabel.Buildings)) == len(houses)
    assert all(1.0 < house.bounding_box.extent.z < 60.0 for house in houses)
    heads = world.get_environment_objects(carla.CityObjectLabel.TrafficLight)
    assert len(heads) == len(world.get_actors().filter("traffic.traffic_light"))


def test_another_simulator_gives_the_same_pictures(simulator):
    kinds = ("rgb", "semantic_segmentation", "depth")
    pictures = []
    with running_simulator() as another:
        for world in (connect(simulator[1]), connect(another[1])):
            place = world.get_map().get_spawn_points()[3].location + carla.Location(z=1.5)
            pictures.append(look(world, carla.Transform(place), kinds))
    assert [np.array_equal(one, other) for one, other in zip(*pictures, strict=True)] == [True] * 3


def test_a_port_in_use_is_named(capfd):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = start("-m", "simulator", "--port", port)
        assert process.wait(timeout=60) == 1
    error = capfd.readouterr().err
    assert str(port) in error
    assert "--port" in error
    assert "Traceback" not in error


def test_ctrl_c_ends_it_quietly(simulator):
    """Comes last: it ends what the others use."""
    process, _ = simulator
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert process.stdout.read() == ""
