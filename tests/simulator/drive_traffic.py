"""Ten cars driven by the client's own Traffic Manager; prints what they did as JSON.

A program of its own: a Traffic Manager that fails ends its process.

    python tests/simulator/drive_traffic.py PORT TICKS
"""

import json
import os
import sys

import carla

CARS = 10


def main():
    port, ticks = int(sys.argv[1]), int(sys.argv[2])
    client = carla.Client("127.0.0.1", port)
    client.set_timeout(20.0)
    world = client.load_world("Eastfield")
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    town_map = world.get_map()
    blueprints = sorted(world.get_blueprint_library().filter("vehicle.*"), key=lambda b: b.id)
    blueprints = [b for b in blueprints if int(b.get_attribute("number_of_wheels")) == 4]
    points = town_map.get_spawn_points()
    places = points[:: len(points) // CARS][:CARS]
    cars = [world.spawn_actor(blueprints[i % len(blueprints)], place) for i, place in enumerate(places)]
    world.tick()
    manager = client.get_trafficmanager(0)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(1)
    for car in cars:
        car.set_autopilot(True, manager.get_port())
    report = [{"off": 0.0, "way": 0.0, "junctions": 0, "red": 0} for _ in cars]
    inside = [False] * CARS
    for _ in range(ticks):
        world.tick()
        for i, car in enumerate(cars):
            place, seen = car.get_location(), report[i]
            waypoint = town_map.get_waypoint(place)
            speed = car.get_velocity().length()
            seen["off"] = max(seen["off"], waypoint.transform.location.distance(place))
            seen["way"] += speed * 0.05
            seen["junctions"] += waypoint.is_junction and not inside[i]
            inside[i] = waypoint.is_junction
            waits = car.is_at_traffic_light() and car.get_traffic_light_state() == carla.TrafficLightState.Red
            seen["red"] += waits and speed < 0.1
    manager.set_synchronous_mode(False)
    client.apply_batch_sync([carla.command.DestroyActor(car) for car in cars], True)
    world.apply_settings(carla.WorldSettings())
    print(json.dumps(report), flush=True)
    os._exit(0)  # the package may crash while it takes its threads down


if __name__ == "__main__":
    main()
