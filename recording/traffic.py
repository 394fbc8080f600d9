"""Vehicles and walkers that share the streets with the ego vehicle."""

import random
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from recording.server import Server
from recording.synchronous_mode import ROLE

COMMON_BASE_TYPES = ("car", "van", "")  # of vehicles that are common anyway; "" if the server reports none
RARE_VEHICLE_SHARE = 0.5  # of the vehicles: trucks, buses, motorcycles and bicycles, each type equally often
CROSSING_SHARE = 0.2  # share of the walkers that may cross a road anywhere
WALKING_SPEED, RUNNING_SPEED = 1.4, 2.8  # m/s, as recommended by CARLA's walker blueprints
RUNNING_SHARE = 0.1  # share of the walkers that run
VEHICLE_SPACING = 10.0  # metres that a long vehicle needs


@dataclass(frozen=True)
class TrafficSettings:
    """How much traffic there is. Equal seeds spawn equal traffic."""

    vehicles: int
    walkers: int
    seed: int


def spawn_traffic(server: Server, world: Any, manager: Any, settings: TrafficSettings) -> None:
    """Spawn vehicles and walkers in batches and set them in motion; print a note if the town has room for fewer.

    `manager` may be None if there are no vehicles. `synchronous_mode` finds the actors by their role and destroys them.
    """
    rng = random.Random(settings.seed)
    vehicles = _spawn_vehicles(server, world, manager, settings.vehicles, rng) if settings.vehicles else 0
    walkers = 0
    if settings.walkers:
        world.set_pedestrians_seed(settings.seed)
        world.set_pedestrians_cross_factor(CROSSING_SHARE)
        walkers = _spawn_walkers(server, world, settings.walkers, rng)
    if vehicles < settings.vehicles or walkers < settings.walkers:
        tqdm.write(
            f"The town has room for {vehicles} of {settings.vehicles} vehicles and {walkers} of {settings.walkers} "
            "pedestrians."
        )


def _spawn_vehicles(server: Server, world: Any, manager: Any, count: int, rng: random.Random) -> int:
    import carla

    types = _vehicles_by_type(world)
    rare = sorted(set(types) - set(COMMON_BASE_TYPES)) or sorted(types)
    common = [name for base_type in COMMON_BASE_TYPES for name in types.get(base_type, [])] or types[rare[0]]
    library = world.get_blueprint_library()
    commands = []
    for spawn_point in _free_spawn_points(world, rng)[:count]:
        names = types[rng.choice(rare)] if rng.random() < RARE_VEHICLE_SHARE else common
        blueprint = _configure(library.find(rng.choice(names)), rng)
        autopilot = carla.command.SetAutopilot(carla.command.FutureActor, True, manager.get_port())
        commands.append(carla.command.SpawnActor(blueprint, spawn_point).then(autopilot))
    spawned = _spawn(server, commands)
    for vehicle in world.get_actors(spawned):
        manager.update_vehicle_lights(vehicle, True)
    return len(spawned)


def _free_spawn_points(world: Any, rng: random.Random) -> list[Any]:
    """Return the spawn points that are clear of other vehicles, in random order."""
    others = [vehicle.get_location() for vehicle in world.get_actors().filter("vehicle.*")]
    spawn_points = [
        spawn_point
        for spawn_point in world.get_map().get_spawn_points()
        if all(spawn_point.location.distance(other) > VEHICLE_SPACING for other in others)
    ]
    rng.shuffle(spawn_points)
    return spawn_points


def _spawn_walkers(server: Server, world: Any, count: int, rng: random.Random) -> int:
    import carla

    library = world.get_blueprint_library()
    names = sorted(blueprint.id for blueprint in library.filter("walker.pedestrian.*"))
    commands = []
    for _ in range(count):
        location = world.get_random_location_from_navigation()
        if location is not None:
            blueprint = _configure(library.find(rng.choice(names)), rng)
            transform = carla.Transform(location + carla.Location(z=1.0))
            commands.append(carla.command.SpawnActor(blueprint, transform))
    walkers = _spawn(server, commands)
    blueprint = library.find("controller.ai.walker")
    controllers = _spawn(server, [carla.command.SpawnActor(blueprint, carla.Transform(), walker) for walker in walkers])
    for controller in world.get_actors(controllers):
        controller.start()
        controller.set_max_speed(RUNNING_SPEED if rng.random() < RUNNING_SHARE else WALKING_SPEED)
        destination = world.get_random_location_from_navigation()
        if destination is not None:
            controller.go_to_location(destination)
    return len(walkers)


def _spawn(server: Server, commands: list[Any]) -> list[int]:
    """Run the commands in one batch and return the ids of the actors that could be spawned."""
    answers = server.client.apply_batch_sync(commands, True)
    return [answer.actor_id for answer in answers if not answer.error]


def _vehicles_by_type(world: Any) -> dict[str, list[str]]:
    """Return the names of the vehicles by base type; servers before 0.9.14 report only the number of wheels."""
    types: dict[str, list[str]] = {}
    for blueprint in world.get_blueprint_library().filter("vehicle.*"):
        if blueprint.has_attribute("base_type"):
            base_type = blueprint.get_attribute("base_type").as_str().lower()
        else:
            base_type = "" if int(blueprint.get_attribute("number_of_wheels")) > 2 else "two wheels"
        types.setdefault(base_type, []).append(blueprint.id)
    # The library has the order of a hash map, which differs from run to run.
    return {base_type: sorted(names) for base_type, names in types.items()}


def _configure(blueprint: Any, rng: random.Random) -> Any:
    """Set the role and a random colour, and make walkers vulnerable."""
    blueprint.set_attribute("role_name", ROLE)
    if blueprint.has_attribute("color"):
        blueprint.set_attribute("color", rng.choice(blueprint.get_attribute("color").recommended_values))
    if blueprint.has_attribute("is_invincible"):
        blueprint.set_attribute("is_invincible", "false")
    return blueprint
