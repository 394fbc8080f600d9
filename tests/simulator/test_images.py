"""End to end: the images of `python -m simulator` as received by the real client."""

import queue
import signal
import socket

import carla
import numpy as np
import pytest

from tests.harness.processes import start
from tests.harness.towns import running_town

ROADS, SKY, PEDESTRIAN, CAR = 1, 11, 12, 14
SIZE = {"image_size_x": 160, "image_size_y": 120, "fov": 90}


def connect(town):
    """Start a new episode in synchronous mode."""
    client = town.client(timeout=60.0)
    settings = carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05)
    client.get_world().apply_settings(settings)
    return client.reload_world(reset_settings=False)


@pytest.fixture(scope="module")
def town():
    with running_town("--map", "Millbrook") as town:
        yield town


@pytest.fixture(scope="module")
def world(town):
    return connect(town)


def pixels(image):
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def take_images(world, pose, kinds):
    """Take one image of each kind from a pose in the world."""
    library, cameras, queues = world.get_blueprint_library(), [], []
    for kind in kinds:
        blueprint = library.find("sensor.camera." + kind)
        for name, value in SIZE.items():
            blueprint.set_attribute(name, str(value))
        cameras.append(world.spawn_actor(blueprint, pose))
        queues.append(queue.Queue())
        cameras[-1].listen(queues[-1].put)
    frame = world.tick()
    images = [received.get(timeout=60.0) for received in queues]
    assert {image.frame for image in images} == {frame}
    for camera in cameras:
        camera.stop()
        camera.destroy()
    return [pixels(image).astype(int) for image in images]


def metres(depth):
    return 1000.0 * (depth[..., 2] + 256 * depth[..., 1] + 65536 * depth[..., 0]) / (256**3 - 1)


def test_images_show_a_spawned_car(world):
    road = world.get_map().get_waypoint(world.get_map().get_spawn_points()[0].location).transform
    ahead = road.location + 12.0 * road.get_forward_vector() + carla.Location(z=0.3)
    camera_pose = carla.Transform(road.location + carla.Location(z=1.5), road.rotation)
    kinds = ("rgb", "semantic_segmentation", "depth", "instance_segmentation")
    before, labels_before, *_ = take_images(world, camera_pose, kinds)
    car = world.spawn_actor(
        world.get_blueprint_library().find("vehicle.tesla.model3"), carla.Transform(ahead, road.rotation)
    )
    for _ in range(5):
        world.tick()
    after, labels, depth, instances = take_images(world, camera_pose, kinds)
    is_car = (labels[..., 2] == CAR) & (labels_before[..., 2] != CAR)
    assert is_car.sum() > 100
    assert np.median(metres(depth)[is_car]) == pytest.approx(12.0 - car.bounding_box.extent.x, abs=1.0)
    assert {ROADS, SKY} <= set(np.unique(labels[..., 2]))
    assert len(np.unique(instances[is_car][:, :2], axis=0)) == 1, "one car, one instance"
    changed = np.abs(after - before).max(axis=2) > 12
    assert changed[is_car].mean() > 0.8
    assert changed[labels[..., 2] == SKY].mean() < 0.05
    low = camera_pose.location - carla.Location(z=0.8)
    hit = world.project_point(low, road.get_forward_vector(), 50.0)
    assert hit.label == carla.CityObjectLabel.Car
    assert hit.location.distance(low) == pytest.approx(12.0 - car.bounding_box.extent.x, abs=0.5)
    assert car.destroy()


def test_rays_hit_the_road(world):
    place = world.get_map().get_spawn_points()[0].location
    (hit,) = world.cast_ray(place + carla.Location(z=3.0), place - carla.Location(z=3.0))
    assert hit.location.z == pytest.approx(0.0, abs=0.02)
    assert hit.label in (carla.CityObjectLabel.Roads, carla.CityObjectLabel.RoadLines)
    assert world.project_point(place + carla.Location(z=30.0), carla.Vector3D(z=1.0), 50.0) is None
    assert world.cast_ray(place + carla.Location(z=3.0), place + carla.Location(z=2.0)) == []


def test_a_pedestrian_stands_on_the_sidewalk(world):
    town_map = world.get_map()
    place = town_map.get_waypoint(town_map.get_spawn_points()[0].location, lane_type=carla.LaneType.Sidewalk).transform
    walker = world.spawn_actor(
        world.get_blueprint_library().find("walker.pedestrian.0002"),
        carla.Transform(place.location + carla.Location(z=1.0), place.rotation),
    )
    for _ in range(20):
        world.tick()
    camera_pose = carla.Transform(
        place.location - 4.0 * place.get_forward_vector() + carla.Location(z=1.0), place.rotation
    )
    labels, depth = take_images(world, camera_pose, ("semantic_segmentation", "depth"))
    rows, columns = np.nonzero(labels[..., 2] == PEDESTRIAN)
    assert len(rows) > 100
    # the camera is level, so the height of a pixel follows from its row and depth
    lowest = rows.max()
    focal = SIZE["image_size_x"] / 2.0
    distance = metres(depth)[lowest, columns[rows == lowest][0]]
    feet = 1.0 - (lowest + 0.5 - SIZE["image_size_y"] / 2.0) / focal * distance
    assert feet == pytest.approx(0.14, abs=0.08)
    assert walker.destroy()


def test_environment_objects_have_bounding_boxes(world):
    houses = world.get_environment_objects(carla.CityObjectLabel.Buildings)
    assert len(houses) > 20
    assert len({house.id for house in houses}) == len(houses)
    assert len(world.get_level_bbs(carla.CityObjectLabel.Buildings)) == len(houses)
    assert all(1.0 < house.bounding_box.extent.z < 60.0 for house in houses)
    heads = world.get_environment_objects(carla.CityObjectLabel.TrafficLight)
    assert len(heads) == len(world.get_actors().filter("traffic.traffic_light"))


def test_two_simulators_return_the_same_images(town):
    kinds = ("rgb", "semantic_segmentation", "depth")
    images = []
    with running_town("--map", "Millbrook") as another:
        for world in (connect(town), connect(another)):
            place = world.get_map().get_spawn_points()[3].location + carla.Location(z=1.5)
            images.append(take_images(world, carla.Transform(place), kinds))
    assert [np.array_equal(one, other) for one, other in zip(*images, strict=True)] == [True] * 3


def test_the_error_names_a_port_in_use(capfd):
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


def test_ctrl_c_stops_the_simulator_without_output(town):
    """Stop the simulator that the other tests use; must come last."""
    town.process.send_signal(signal.SIGINT)
    assert town.process.wait(timeout=20) == 0
    assert town.process.stdout.read() == ""
