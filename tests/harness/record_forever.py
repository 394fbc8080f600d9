"""A client that records in synchronous mode until it is killed; it prints "ticking" before each tick.

python -m tests.harness.record_forever PORT MANAGER_PORT
"""

import sys

import carla


def main() -> None:
    """Spawn a car with a camera, start a Traffic Manager, and tick."""
    client = carla.Client("127.0.0.1", int(sys.argv[1]))
    client.set_timeout(20.0)
    world = client.get_world()
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    library = world.get_blueprint_library()
    point = world.get_map().get_spawn_points()[0]
    vehicle = world.spawn_actor(library.find("vehicle.tesla.model3"), point)
    camera = world.spawn_actor(library.find("sensor.camera.rgb"), carla.Transform(), attach_to=vehicle)
    camera.listen(lambda image: None)
    client.get_trafficmanager(int(sys.argv[2]))
    while True:
        print("ticking", flush=True)
        world.tick()


if __name__ == "__main__":
    main()
