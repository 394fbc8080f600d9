"""Camera images, with the real client."""

import queue
import time

import carla
import numpy as np
import pytest

from simulator.world.ray_casting import decode_depth
from tests.harness.stub_town import DISTANCE, LABEL

KINDS = ("rgb", "semantic_segmentation", "depth", "instance_segmentation")
SIZE = {"image_size_x": 64, "image_size_y": 48, "fov": 100}


def listen(camera):
    images = queue.Queue()
    camera.listen(images.put)
    return images


def pixels(image):
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def test_all_images_of_a_tick_carry_its_frame(world, spawn):
    vehicle = spawn("vehicle.tesla.model3")
    vehicle.set_simulate_physics(False)
    place = carla.Transform(carla.Location(x=1.6, z=1.7))
    queues = [listen(spawn("sensor.camera." + kind, place, vehicle, **SIZE)) for kind in KINDS]
    waypoint = world.get_map().get_waypoint(vehicle.get_location())
    for _ in range(60):
        waypoint = waypoint.next(1.5)[0]
        vehicle.set_transform(waypoint.transform)
        frame = world.tick()
        images = [images.get(timeout=5.0) for images in queues]
        assert [image.frame for image in images] == [frame] * len(KINDS)
        assert vehicle.get_location().distance(waypoint.transform.location) < 1e-3
        ahead = images[0].transform.location - waypoint.transform.location
        assert ahead.x**2 + ahead.y**2 == pytest.approx(1.6**2, abs=1e-3)
        assert ahead.z == pytest.approx(1.7, abs=1e-3)
    assert all(images.empty() for images in queues)


def test_images_arrive_as_the_renderer_made_them(world, spawn):
    queues = {kind: listen(spawn("sensor.camera." + kind, **SIZE)) for kind in KINDS}
    world.tick()
    images = {kind: images.get(timeout=5.0) for kind, images in queues.items()}
    assert all((image.width, image.height, image.fov) == (64, 48, 100.0) for image in images.values())
    assert (pixels(images["semantic_segmentation"])[..., 2] == LABEL).all()
    assert decode_depth(pixels(images["depth"])[3, 5]) == pytest.approx(DISTANCE, abs=1e-3)
    images["semantic_segmentation"].convert(carla.ColorConverter.CityScapesPalette)
    assert pixels(images["semantic_segmentation"])[0, 0].tolist() == [128, 64, 128, 255]


def test_camera_with_sensor_tick_skips_ticks(world, spawn):
    images = listen(spawn("sensor.camera.rgb", sensor_tick=0.1, **SIZE))
    frames = [world.tick() for _ in range(6)]
    assert [images.get(timeout=5.0).frame for _ in range(3)] == frames[::2]


def test_slow_callback_loses_no_image_in_synchronous_mode(world, spawn):
    received = queue.Queue()

    def slow(image):
        time.sleep(0.03)
        received.put(image.frame)

    spawn("sensor.camera.rgb", **SIZE).listen(slow)
    frames = [world.tick() for _ in range(20)]
    assert [received.get(timeout=5.0) for _ in frames] == frames


def test_no_rendering_mode_sends_no_images(world, spawn):
    images = listen(spawn("sensor.camera.rgb", **SIZE))
    settings = world.get_settings()
    settings.no_rendering_mode = True
    world.apply_settings(settings)
    skipped = world.tick()
    settings.no_rendering_mode = False
    world.apply_settings(settings)
    frame = world.tick()
    received = list(iter(lambda: images.get(timeout=5.0).frame, frame))
    assert skipped not in received


def test_server_ticks_on_its_own_in_asynchronous_mode(client):
    world = client.load_world("Eastfield")
    world.apply_settings(carla.WorldSettings(fixed_delta_seconds=0.02))
    camera = world.spawn_actor(
        world.get_blueprint_library().find("sensor.camera.rgb"), carla.Transform(carla.Location(z=2.0))
    )
    images = listen(camera)
    received = [images.get(timeout=5.0) for _ in range(5)]
    steps = np.diff([image.timestamp for image in received])
    assert np.allclose(steps / 0.02, np.round(steps / 0.02), atol=1e-3)
    assert (steps > 0.0).all()
    camera.stop()
    world.apply_settings(carla.WorldSettings())


def test_sensor_can_stop_and_listen_again(world, spawn):
    camera = spawn("sensor.camera.rgb", **SIZE)
    for _ in range(3):
        images = listen(camera)
        frame = world.tick()
        assert images.get(timeout=5.0).frame == frame
        camera.stop()


def test_camera_stays_where_it_was_when_its_vehicle_is_destroyed(world, spawn):
    vehicle = spawn("vehicle.tesla.model3")
    camera = spawn("sensor.camera.rgb", carla.Transform(carla.Location(z=2.0)), vehicle, **SIZE)
    world.tick()
    before = camera.get_location()
    assert vehicle.destroy()
    world.tick()
    assert camera.get_location().distance(before) < 0.1
    assert camera.destroy()
