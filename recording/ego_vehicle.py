"""The ego vehicle, which carries the cameras, and its drivers: teleport along waypoints, or the Traffic Manager."""

import random
from typing import Any, Protocol

from recording.synchronous_mode import ROLE
from recording.traffic import COMMON_BASE_TYPES
from segmentation.errors import UserError

CLEARANCE = 7.0  # metres to other vehicles and walkers; closer, the camera could be inside one
RARE_JUMPS = 0.6  # share of the jumps that lead to something rare
RARE_VIEW_DISTANCE = (8.0, 20.0)  # metres before the rare actor at which a jump lands, so that it is well in view
ATTEMPTS = 40  # waypoints tried before one that is not clear is accepted


def spawn_ego_vehicle(world: Any, blueprint_name: str, seed: int) -> Any:
    """Spawn the ego vehicle at one of the town's spawn points. Raise `UserError` if all are taken."""
    library = world.get_blueprint_library()
    matches = list(library.filter(blueprint_name))
    if not matches:
        examples = ", ".join(sorted(each.id for each in library.filter("vehicle.*"))[:5])
        raise UserError(f"--vehicle is {blueprint_name}, which the server does not have; use one such as {examples}")
    blueprint = min(matches, key=lambda each: each.id)
    blueprint.set_attribute("role_name", ROLE)
    spawn_points = world.get_map().get_spawn_points()
    random.Random(seed).shuffle(spawn_points)
    for spawn_point in spawn_points:
        vehicle = world.try_spawn_actor(blueprint, spawn_point)
        if vehicle is not None:
            return vehicle
    raise UserError("every spawn point of the town is taken; restart the server or use fewer --vehicles")


class Driver(Protocol):
    """What moves the ego vehicle."""

    def advance(self) -> None:
        """Move the vehicle; the next tick shows it."""


class TeleportDriver:
    """Places the vehicle on the next waypoint at every step. Physics are off, so it stands exactly on the lane.

    After `jump_metres` it continues elsewhere in the town, usually near something rare: a walker, a two-wheeler, a
    truck, a sign, a light. It keeps clear of other vehicles and walkers.
    """

    def __init__(self, world: Any, vehicle: Any, step_metres: float, jump_metres: float, seed: int) -> None:
        """Start at a random place; with `jump_metres` 0, never jump. Equal seeds give equal routes in equal traffic."""
        self._world, self._vehicle, self._map = world, vehicle, world.get_map()
        self._step, self._jump = step_metres, jump_metres
        self._rng = random.Random(seed)
        self._spawn_points = self._map.get_spawn_points()
        self._driven = 0.0
        vehicle.set_simulate_physics(False)
        self._waypoint = self._jump_elsewhere()

    def advance(self) -> None:
        """Move to the next waypoint that is clear; the next tick shows it."""
        others = self._locations_of_others()
        for _ in range(ATTEMPTS):
            ahead = self._waypoint.next(self._step)
            self._driven += self._step
            if not ahead or (self._jump and self._driven >= self._jump):
                self._waypoint = self._jump_elsewhere()
            else:
                self._waypoint = self._rng.choice(ahead)
            if self._is_clear(others):
                break
        self._vehicle.set_transform(self._waypoint.transform)

    def _jump_elsewhere(self) -> Any:
        self._driven = 0.0
        if self._jump and self._rng.random() < RARE_JUMPS and (actors := self._choose_rare_actors()):
            target = self._map.get_waypoint(self._rng.choice(actors).get_location())
            before = target.previous(self._rng.uniform(*RARE_VIEW_DISTANCE)) if target else []
            if before:
                return self._rng.choice(before)
        return self._map.get_waypoint(self._rng.choice(self._spawn_points).location)

    def _choose_rare_actors(self) -> list[Any]:
        """Return all actors of one rare kind; every kind is equally likely, however few actors it has."""
        kinds: dict[str, list[Any]] = {}
        for actor in self._world.get_actors():
            if actor.id != self._vehicle.id and (kind := rare_kind(actor)):
                kinds.setdefault(kind, []).append(actor)
        return kinds[self._rng.choice(sorted(kinds))] if kinds else []

    def _locations_of_others(self) -> list[Any]:
        actors = self._world.get_actors()
        others = [*actors.filter("vehicle.*"), *actors.filter("walker.*")]
        return [actor.get_location() for actor in others if actor.id != self._vehicle.id]

    def _is_clear(self, others: list[Any]) -> bool:
        location = self._waypoint.transform.location
        return all(location.distance(other) > CLEARANCE for other in others)


class AutopilotDriver:
    """Leaves the driving to the Traffic Manager."""

    def __init__(self, vehicle: Any, manager: Any) -> None:
        vehicle.set_simulate_physics(True)
        vehicle.set_autopilot(True, manager.get_port())

    def advance(self) -> None:
        """Do nothing: the vehicle moves with every tick."""


def rare_kind(actor: Any) -> str:
    """Return "walker", the base type of a vehicle, "sign" or "light"; "" for a common or invisible actor."""
    kind, _, rest = actor.type_id.partition(".")
    if kind == "traffic":
        return "light" if "light" in rest else "sign"
    if kind == "vehicle":
        # Servers before 0.9.14 report only the number of wheels.
        fallback = "two wheels" if actor.attributes.get("number_of_wheels") == "2" else ""
        base_type = actor.attributes.get("base_type", fallback).lower()
        return "" if base_type in COMMON_BASE_TYPES else base_type
    return kind if kind == "walker" else ""
