"""Equal map, seed and calls give equal bytes; for rendered images see test_images."""

import queue

import carla

from tests.harness.towns import running_stub_town

SIZE = {"image_size_x": 32, "image_size_y": 24}


def run_episode(town, ticks):
    """Return poses, traffic lights and images of every tick of an episode with traffic, as a client receives them."""
    world = town.client().get_world()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    world = town.client().reload_world(False)
    library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
    cars = [world.spawn_actor(library.find("vehicle.audi.tt"), point) for point in points[:3]]
    blueprint = library.find("sensor.camera.rgb")
    for name, value in SIZE.items():
        blueprint.set_attribute(name, str(value))
    camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(z=2.0)), attach_to=cars[0])
    images, received = queue.Queue(), []
    camera.listen(images.put)
    for tick in range(ticks):
        for car, throttle in zip(cars, (0.5, 0.7, 0.9), strict=True):
            car.apply_control(carla.VehicleControl(throttle=throttle, steer=0.1 * (tick % 7 - 3)))
        world.tick()
        image = images.get(timeout=60.0)
        poses = [(p.location.x, p.location.y, p.rotation.yaw) for p in (car.get_transform() for car in cars)]
        lights = [light.get_state() for light in world.get_actors().filter("traffic.traffic_light")]
        received.append((poses, lights, bytes(image.raw_data)))
    camera.stop()
    world.apply_settings(carla.WorldSettings())
    return received


def test_two_simulators_send_the_same_bytes():
    runs = []
    for _ in range(2):
        with running_stub_town("--images", "checksum") as town:
            runs.append(run_episode(town, 60))
    assert runs[0] == runs[1]
    assert runs[0][0][2] != runs[0][-1][2], "nothing moved"
