"""Take the camera car through the town: along waypoints in equal steps, or driven by the Traffic Manager."""

import random
from collections.abc import Iterable
from typing import Any

from segmentation.errors import UserError
from segmentation.recording.synchronous import ROLE

CLEARANCE = 7.0  # metres to other cars and people: nearer, the camera could stand inside of one
RARE_JUMPS = 0.6  # share of the jumps that lead to where something rare is
LOOK_AHEAD = (8.0, 20.0)  # metres before it, where it is well in view
TRIES = 40  # places tried before the town counts as full
COMMON = ("car", "van")  # kinds of vehicle that are seen anyway


def spawn_car(world: Any, blueprint_name: str, seed: int) -> Any:
    """The camera car, at one of the town's spawn points. Raises `UserError` when all are taken."""
    library = world.get_blueprint_library()
    found = list(library.filter(blueprint_name))
    if not found:
        some = ", ".join(sorted(each.id for each in library.filter("vehicle.*"))[:5])
        raise UserError(f"--vehicle is {blueprint_name}, which the server does not know; use one such as {some}")
    blueprint = min(found, key=lambda each: each.id)
    blueprint.set_attribute("role_name", ROLE)
    places = world.get_map().get_spawn_points()
    random.Random(seed).shuffle(places)
    for place in places:
        vehicle = world.try_spawn_actor(blueprint, place)
        if vehicle is not None:
            return vehicle
    raise UserError("every spawn point of the town is taken; restart the server or use fewer --vehicles")


class Teleport:
    """Puts the car on the next waypoint at every step; physics are off, so it stands exactly on the lane.

    After `jump` metres it goes on elsewhere in the town, more often than not to where something rare
    is: a pedestrian, a two-wheeler, a lorry, a sign, a light. Other cars and people are kept clear of.
    """

    def __init__(self, world: Any, vehicle: Any, step: float, jump: float, seed: int) -> None:
        """`step` and `jump` in metres; 0: never jumps. Equal seeds drive equal ways."""
        self._world, self._vehicle, self._map = world, vehicle, world.get_map()
        self._step, self._jump = step, jump
        self._random = random.Random(seed)
        self._starts = self._map.get_spawn_points()
        self._driven = 0.0
        vehicle.set_simulate_physics(False)
        self._waypoint = self._elsewhere()

    def advance(self) -> None:
        """Move on; the next tick shows it."""
        others = self._others()
        for _ in range(TRIES):
            ahead = self._waypoint.next(self._step)
            self._driven += self._step
            if not ahead or (self._jump and self._driven >= self._jump):
                self._waypoint = self._elsewhere()
            else:
                self._waypoint = self._random.choice(ahead)
            if self._is_clear(others):
                break
        self._vehicle.set_transform(self._waypoint.transform)

    def _elsewhere(self) -> Any:
        self._driven = 0.0
        if self._jump and self._random.random() < RARE_JUMPS and (rare := self._rare()):
            near = self._map.get_waypoint(self._random.choice(rare).get_location())
            before = near.previous(self._random.uniform(*LOOK_AHEAD)) if near else []
            if before:
                return self._random.choice(before)
        return self._map.get_waypoint(self._random.choice(self._starts).location)

    def _rare(self) -> list[Any]:
        """The actors of one kind, each kind as likely as the others however few they are."""
        kinds: dict[str, list[Any]] = {}
        for actor in self._world.get_actors():
            if actor.id != self._vehicle.id and (kind := rare_kind(actor)):
                kinds.setdefault(kind, []).append(actor)
        return kinds[self._random.choice(sorted(kinds))] if kinds else []

    def _others(self) -> list[Any]:
        actors = self._world.get_actors()
        near: Iterable[Any] = [*actors.filter("vehicle.*"), *actors.filter("walker.*")]
        return [actor.get_location() for actor in near if actor.id != self._vehicle.id]

    def _is_clear(self, others: list[Any]) -> bool:
        here = self._waypoint.transform.location
        return all(here.distance(other) > CLEARANCE for other in others)


def rare_kind(actor: Any) -> str:
    """ "walker", a kind of vehicle, "sign" or "light"; empty for what is seen anyway, and for what is not seen."""
    kind, _, rest = actor.type_id.partition(".")
    if kind == "traffic":
        return "light" if "light" in rest else "sign"
    if kind == "vehicle":
        wheels = "" if actor.attributes.get("number_of_wheels") != "2" else "two wheels"
        kind = actor.attributes.get("base_type", wheels).lower()
        return "" if kind in COMMON else kind
    return kind if kind == "walker" else ""


class Autopilot:
    """Leaves the driving to the Traffic Manager."""

    def __init__(self, vehicle: Any, manager: Any) -> None:
        vehicle.set_simulate_physics(True)
        vehicle.set_autopilot(True, manager.get_port())

    def advance(self) -> None:
        """Nothing to do: the car moves with every tick."""
