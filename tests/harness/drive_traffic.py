"""Let the client's own Traffic Manager drive ten cars, and print what they did as JSON.

    python -m tests.harness.drive_traffic PORT TICKS

It is a separate program because a Traffic Manager that fails ends its process. For each car it prints the largest
distance to the road (`off_road`, metres), the distance driven (`distance`, metres), the junctions entered
(`junctions`) and the ticks spent waiting at a red light (`red_ticks`).
"""

import json
import os
import sys

import carla

CARS = 10
DELTA = 0.05  # seconds per tick


def main() -> None:
    """Spawn the cars, tick, and print the report."""
    port, ticks = int(sys.argv[1]), int(sys.argv[2])
    client = carla.Client("127.0.0.1", port)
    client.set_timeout(20.0)
    world = client.load_world("Eastfield")
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=DELTA))
    cars = spawn_cars(world)
    world.tick()
    manager = client.get_trafficmanager(0)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(1)
    for car in cars:
        car.set_autopilot(True, manager.get_port())
    report = drive(world, cars, ticks)
    manager.set_synchronous_mode(False)
    client.apply_batch_sync([carla.command.DestroyActor(car) for car in cars], True)
    world.apply_settings(carla.WorldSettings())
    print(json.dumps(report), flush=True)
    os._exit(0)  # the package may crash while it ends its threads


def spawn_cars(world: carla.World) -> list[carla.Vehicle]:
    """Spawn cars of several models all over the town."""
    blueprints = sorted(world.get_blueprint_library().filter("vehicle.*"), key=lambda blueprint: blueprint.id)
    blueprints = [b for b in blueprints if int(b.get_attribute("number_of_wheels")) == 4]
    points = world.get_map().get_spawn_points()
    points = points[:: len(points) // CARS][:CARS]
    return [world.spawn_actor(blueprints[i % len(blueprints)], point) for i, point in enumerate(points)]


def drive(world: carla.World, cars: list[carla.Vehicle], ticks: int) -> list[dict]:
    """Tick, and return what each car did."""
    town_map = world.get_map()
    report = [{"off_road": 0.0, "distance": 0.0, "junctions": 0, "red_ticks": 0} for _ in cars]
    in_junction = [False] * len(cars)
    for _ in range(ticks):
        world.tick()
        for i, car in enumerate(cars):
            location, entry = car.get_location(), report[i]
            waypoint = town_map.get_waypoint(location)
            speed = car.get_velocity().length()
            entry["off_road"] = max(entry["off_road"], waypoint.transform.location.distance(location))
            entry["distance"] += speed * DELTA
            entry["junctions"] += waypoint.is_junction and not in_junction[i]
            in_junction[i] = waypoint.is_junction
            at_red = car.is_at_traffic_light() and car.get_traffic_light_state() == carla.TrafficLightState.Red
            entry["red_ticks"] += at_red and speed < 0.1
    return report


if __name__ == "__main__":
    main()
