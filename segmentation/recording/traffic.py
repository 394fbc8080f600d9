"""Cars, two-wheelers and pedestrians that share the streets with the camera car."""

import random
from typing import Any

from tqdm import tqdm

from segmentation.recording.finding import Simulator
from segmentation.recording.synchronous import ROLE

USUAL = ("car", "van", "")  # kinds of vehicle that are common by themselves; "" where a server tells no kind
UNUSUAL_SHARE = 0.5  # of the vehicles are evenly of the other kinds: trucks, buses, motorcycles, bicycles
CROSSING_SHARE = 0.2  # of the pedestrians may cross a road anywhere
WALKING, RUNNING = 1.4, 2.8  # m/s, as recommended by CARLA's walker blueprints
RUNNING_SHARE = 0.1
LENGTH = 10.0  # metres that a long vehicle needs


def spawn_traffic(simulator: Simulator, world: Any, manager: Any, vehicles: int, walkers: int, seed: int) -> None:
    """Spawn so many vehicles and pedestrians in batches, and set them going; equal seeds spawn equal traffic.

    They carry the role by which `synchronous_mode` destroys them in the end. Says so when the town has room
    for fewer.
    """
    chance = random.Random(seed)
    driving = _spawn_vehicles(simulator, world, manager, vehicles, chance) if vehicles else 0
    walking = _spawn_walkers(simulator, world, walkers, chance, seed) if walkers else 0
    if driving < vehicles or walking < walkers:
        tqdm.write(f"The town has room for {driving} of {vehicles} vehicles and {walking} of {walkers} pedestrians.")


def _spawn_vehicles(simulator: Simulator, world: Any, manager: Any, count: int, chance: random.Random) -> int:
    import carla

    spawn, follower = carla.command.SpawnActor, carla.command.FutureActor
    kinds = _by_kind(world)
    unusual = sorted(set(kinds) - set(USUAL)) or sorted(kinds)
    usual = [name for kind in USUAL for name in kinds.get(kind, [])] or kinds[unusual[0]]
    taken = [vehicle.get_location() for vehicle in world.get_actors().filter("vehicle.*")]
    places = [
        place
        for place in world.get_map().get_spawn_points()
        if all(place.location.distance(other) > LENGTH for other in taken)
    ]
    chance.shuffle(places)
    library = world.get_blueprint_library()
    commands = []
    for place in places[:count]:
        names = kinds[chance.choice(unusual)] if chance.random() < UNUSUAL_SHARE else usual
        blueprint = _dress(library.find(chance.choice(names)), chance)
        autopilot = carla.command.SetAutopilot(follower, True, manager.get_port())
        commands.append(spawn(blueprint, place).then(autopilot))
    spawned = [answer.actor_id for answer in simulator.client.apply_batch_sync(commands, True) if not answer.error]
    for vehicle in world.get_actors(spawned):
        manager.update_vehicle_lights(vehicle, True)
    return len(spawned)


def _spawn_walkers(simulator: Simulator, world: Any, count: int, chance: random.Random, seed: int) -> int:
    import carla

    spawn, apply = carla.command.SpawnActor, simulator.client.apply_batch_sync
    world.set_pedestrians_seed(seed)
    world.set_pedestrians_cross_factor(CROSSING_SHARE)
    library = world.get_blueprint_library()
    names = sorted(blueprint.id for blueprint in library.filter("walker.pedestrian.*"))
    commands = []
    for _ in range(count):
        place = world.get_random_location_from_navigation()
        if place is not None:
            blueprint = _dress(library.find(chance.choice(names)), chance)
            commands.append(spawn(blueprint, carla.Transform(place + carla.Location(z=1.0))))
    walkers = [answer.actor_id for answer in apply(commands, True) if not answer.error]
    controller, nowhere = library.find("controller.ai.walker"), carla.Transform()
    answers = apply([spawn(controller, nowhere, walker) for walker in walkers], True)
    for mind in world.get_actors([answer.actor_id for answer in answers if not answer.error]):
        mind.start()
        mind.set_max_speed(RUNNING if chance.random() < RUNNING_SHARE else WALKING)
        goal = world.get_random_location_from_navigation()
        if goal is not None:
            mind.go_to_location(goal)
    return len(walkers)


def _by_kind(world: Any) -> dict[str, list[str]]:
    """Names of the vehicles by CARLA's base_type; servers before 0.9.14 tell only the number of wheels."""
    kinds: dict[str, list[str]] = {}
    for blueprint in world.get_blueprint_library().filter("vehicle.*"):
        if blueprint.has_attribute("base_type"):
            kind = blueprint.get_attribute("base_type").as_str().lower()
        else:
            kind = "" if int(blueprint.get_attribute("number_of_wheels")) > 2 else "two wheels"
        kinds.setdefault(kind, []).append(blueprint.id)
    # The library's order is that of a hash map, and differs from run to run.
    return {kind: sorted(names) for kind, names in kinds.items()}


def _dress(blueprint: Any, chance: random.Random) -> Any:
    blueprint.set_attribute("role_name", ROLE)
    if blueprint.has_attribute("color"):
        blueprint.set_attribute("color", chance.choice(blueprint.get_attribute("color").recommended_values))
    if blueprint.has_attribute("is_invincible"):
        blueprint.set_attribute("is_invincible", "false")
    return blueprint
