"""What a client can spawn: blueprints with their attributes, as CARLA's blueprint library lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simulator.catalogue import CATALOGUE, Entry
from simulator.protocol.encodings import SENSOR_TYPES

BOOL, INT, FLOAT, STRING, COLOUR = range(1, 6)  # attribute types of 0.9.16

CAMERA_PREFIX = "sensor.camera."
WALKER_CONTROLLER = "controller.ai.walker"


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint; all values travel as strings."""

    id: str
    type: int
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = True

    def to_wire(self) -> list[Any]:
        """`[id, type, value, recommended values, modifiable, only recommended values]`."""
        return [self.id, self.type, self.value, list(self.recommended), self.modifiable, False]


@dataclass(frozen=True)
class Blueprint:
    """One entry of the blueprint library."""

    uid: int
    id: str
    attributes: tuple[Attribute, ...] = ()

    def to_wire(self) -> list[Any]:
        """`[uid, id, tags, attributes]`; the tags are the parts of the id."""
        return [self.uid, self.id, self.id.replace(".", ","), [a.to_wire() for a in self.attributes]]

    def defaults(self) -> dict[str, str]:
        """Attribute values of an actor for which nothing was set."""
        return {attribute.id: attribute.value for attribute in self.attributes}


def fixed(name: str, kind: int, value: object) -> Attribute:
    """An attribute that a client can read but not set."""
    return Attribute(name, kind, str(value), modifiable=False)


def role(value: str, *others: str) -> Attribute:
    """The name under which scripts find their own actors again."""
    return Attribute("role_name", STRING, value, (value, *others))


def vehicle_attributes(entry: Entry) -> tuple[Attribute, ...]:
    """Attributes of CARLA's vehicles."""
    colours = tuple(",".join(str(part) for part in colour) for colour in entry.colours)
    return (
        Attribute("color", COLOUR, colours[0], colours),
        role("autopilot", "scenario", "ego_vehicle", "hero"),
        Attribute("sticky_control", BOOL, "True"),
        Attribute("terramechanics", BOOL, "False"),
        fixed("object_type", STRING, ""),
        fixed("base_type", STRING, entry.base_type),
        fixed("special_type", STRING, ""),
        fixed("number_of_wheels", INT, entry.number_of_wheels),
        fixed("generation", INT, 2),
        fixed("has_lights", BOOL, entry.kind != "bicycle"),
        fixed("has_dynamic_doors", BOOL, False),
    )


def walker_attributes() -> tuple[Attribute, ...]:
    """Attributes of CARLA's pedestrians; its blueprints have these speeds: standing, walking, running."""
    return (
        role("pedestrian"),
        Attribute("is_invincible", BOOL, "True"),
        Attribute("speed", FLOAT, "1.4", ("0.0", "1.4", "2.8")),
        Attribute("can_use_wheelchair", BOOL, "False", modifiable=False),
        fixed("gender", STRING, "other"),
        fixed("age", STRING, "adult"),
        fixed("generation", INT, 2),
    )


def camera_attributes(kind: str) -> tuple[Attribute, ...]:
    """Attributes of CARLA's cameras; the lens ones are accepted and have no effect."""
    lens = {
        "lens_circle_falloff": 5.0,
        "lens_circle_multiplier": 0.0,
        "lens_k": -1.0,
        "lens_kcube": 0.0,
        "lens_x_size": 0.08,
        "lens_y_size": 0.08,
    }
    if kind == "rgb":
        lens["gamma"] = 2.2
    return (
        Attribute("image_size_x", INT, "800"),
        Attribute("image_size_y", INT, "600"),
        Attribute("fov", FLOAT, "90.0"),
        Attribute("sensor_tick", FLOAT, "0.0"),
        role("front", "back", "left", "right", "front_left", "front_right", "back_left", "back_right"),
        *(Attribute(name, FLOAT, str(value)) for name, value in lens.items()),
    )


def build_library() -> dict[str, Blueprint]:
    """All blueprints by id."""
    kinds: list[tuple[str, Iterable[Attribute]]] = []
    for type_id, entry in CATALOGUE.items():
        walker = type_id.startswith("walker.")
        kinds.append((type_id, walker_attributes() if walker else vehicle_attributes(entry)))
    kinds += [(CAMERA_PREFIX + kind, camera_attributes(kind)) for kind in SENSOR_TYPES]
    kinds.append((WALKER_CONTROLLER, ()))
    return {name: Blueprint(uid, name, tuple(attributes)) for uid, (name, attributes) in enumerate(kinds, 1)}


LIBRARY = build_library()
