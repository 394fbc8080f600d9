"""The blueprint library: what a client can spawn, with the attributes that CARLA's blueprints have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simulator.actor_catalogue import CATALOGUE, CatalogueEntry
from simulator.protocol.encodings import SENSOR_TYPES

BOOL, INT, FLOAT, STRING, COLOUR = range(1, 6)  # attribute types of 0.9.16

CAMERA_PREFIX = "sensor.camera."
WALKER_CONTROLLER = "controller.ai.walker"


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint; all values are sent as strings.

    type: BOOL to COLOUR. value: the default. recommended: values to choose from, others are allowed. modifiable:
    whether a client may set it.
    """

    id: str
    type: int
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = True

    def to_wire(self) -> list[Any]:
        """Return `[id, type, value, recommended values, modifiable, only recommended values]`."""
        return [self.id, self.type, self.value, list(self.recommended), self.modifiable, False]


@dataclass(frozen=True)
class Blueprint:
    """One entry of the blueprint library."""

    uid: int
    id: str
    attributes: tuple[Attribute, ...] = ()

    def to_wire(self) -> list[Any]:
        """Return `[uid, id, tags, attributes]`; the tags are the parts of the id."""
        return [self.uid, self.id, self.id.replace(".", ","), [a.to_wire() for a in self.attributes]]

    def defaults(self) -> dict[str, str]:
        """Return the default values of all attributes."""
        return {attribute.id: attribute.value for attribute in self.attributes}


def read_only(name: str, type_: int, value: object) -> Attribute:
    """Return an attribute that a client can read but not set."""
    return Attribute(name, type_, str(value), modifiable=False)


def role_name(value: str, *others: str) -> Attribute:
    """Return the attribute by which scripts recognise their own actors."""
    return Attribute("role_name", STRING, value, (value, *others))


def vehicle_attributes(entry: CatalogueEntry) -> tuple[Attribute, ...]:
    """Return the attributes of CARLA's vehicles."""
    colours = tuple(",".join(str(part) for part in colour) for colour in entry.colours)
    return (
        Attribute("color", COLOUR, colours[0], colours),
        role_name("autopilot", "scenario", "ego_vehicle", "hero"),
        Attribute("sticky_control", BOOL, "True"),
        Attribute("terramechanics", BOOL, "False"),
        read_only("object_type", STRING, ""),
        read_only("base_type", STRING, entry.base_type),
        read_only("special_type", STRING, ""),
        read_only("number_of_wheels", INT, entry.number_of_wheels),
        read_only("generation", INT, 2),
        read_only("has_lights", BOOL, entry.kind != "bicycle"),
        read_only("has_dynamic_doors", BOOL, False),
    )


def walker_attributes() -> tuple[Attribute, ...]:
    """Return the attributes of CARLA's pedestrians; `speed` lists those for standing, walking and running."""
    return (
        role_name("pedestrian"),
        Attribute("is_invincible", BOOL, "True"),
        Attribute("speed", FLOAT, "1.4", ("0.0", "1.4", "2.8")),
        Attribute("can_use_wheelchair", BOOL, "False", modifiable=False),
        read_only("gender", STRING, "other"),
        read_only("age", STRING, "adult"),
        read_only("generation", INT, 2),
    )


def camera_attributes(kind: str) -> tuple[Attribute, ...]:
    """Return the attributes of CARLA's cameras; those of the lens are accepted and have no effect."""
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
        role_name("front", "back", "left", "right", "front_left", "front_right", "back_left", "back_right"),
        *(Attribute(name, FLOAT, str(value)) for name, value in lens.items()),
    )


def build_library() -> dict[str, Blueprint]:
    """Return all blueprints by id."""
    definitions: list[tuple[str, Iterable[Attribute]]] = []
    for type_id, entry in CATALOGUE.items():
        is_walker = type_id.startswith("walker.")
        definitions.append((type_id, walker_attributes() if is_walker else vehicle_attributes(entry)))
    definitions += [(CAMERA_PREFIX + kind, camera_attributes(kind)) for kind in SENSOR_TYPES]
    definitions.append((WALKER_CONTROLLER, ()))
    return {name: Blueprint(uid, name, tuple(attributes)) for uid, (name, attributes) in enumerate(definitions, 1)}


LIBRARY = build_library()
