"""The calls about actors: spawn, destroy and move them, and query what the episode state does not contain."""

from __future__ import annotations

import math
import time
from typing import Any

from simulator.calls.dispatch import Session, call
from simulator.geometry import Transform
from simulator.protocol import encodings
from simulator.protocol.encodings import transform_from_wire, vector_from_wire
from simulator.world import vehicle_motion, walker_motion
from simulator.world.actors import Actor, Camera, Vehicle, VehicleControl, Walker, clip
from simulator.world.blueprints import LIBRARY
from simulator.world.world import ASYNCHRONOUS_PERIOD

CAMERA_DESTROY_DELAY = 0.05  # seconds


def to_wire(session: Session, actor: Actor) -> list[Any]:
    """Return an actor as it is sent."""
    return actor.to_wire(session.service.streams.port)


@call()
def get_actor_definitions(session: Session) -> list[Any]:
    """Return the blueprint library."""
    return [blueprint.to_wire() for blueprint in LIBRARY.values()]


@call()
def get_spectator(session: Session) -> list[Any]:
    """Return the spectator, the actor that stands for the observer."""
    return to_wire(session, session.world.spectator)


@call()
def get_actors_by_id(session: Session, ids: list[int]) -> list[Any]:
    """Return the actors with these ids, without those that do not exist."""
    actors = session.world.actors
    return [to_wire(session, actors[actor_id]) for actor_id in ids if actor_id in actors]


@call()
def spawn_actor(session: Session, description: list[Any], transform: list[Any]) -> list[Any]:
    """Spawn an actor and return it."""
    return to_wire(session, spawn(session, description, transform))


@call()
def spawn_actor_with_parent(
    session: Session,
    description: list[Any],
    transform: list[Any],
    parent: int,
    attachment: int = 0,
    socket_name: str = "",
) -> list[Any]:
    """Spawn an actor attached to another and return it; every attachment type is rigid, a spring arm too."""
    return to_wire(session, spawn(session, description, transform, parent))


def spawn(session: Session, description: list[Any], transform: list[Any], parent: int = 0) -> Actor:
    """Spawn an actor from the arguments that a client sent."""
    _, type_id, attributes = description
    values = {name: value for name, _, value in attributes}
    return session.world.spawn(type_id, values, transform_from_wire(transform), parent)


@call(locked=False)
def destroy_actor(session: Session, actor_id: int) -> bool:
    """Destroy an actor.

    A client frees the callback of a stopped camera in a separate thread and aborts if its program ends just then,
    so the response is delayed until that has finished.
    """
    with session.world.lock:
        actor = session.world.find(actor_id, Actor)
        session.world.destroy(actor_id)
    if isinstance(actor, Camera):
        time.sleep(CAMERA_DESTROY_DELAY)
    return True


@call()
def get_actor_bounding_box(session: Session, actor_id: int) -> list[Any]:
    """Return an actor's bounding box.

    It is empty for an actor that is gone: the traffic manager queries those too, and an error in its thread
    would end the client's process.
    """
    actor = session.world.actors.get(actor_id)
    return actor.box_to_wire() if actor else encodings.bounding_box_to_wire(encodings.ZERO, encodings.ZERO)


# -- motion -----------------------------------------------------------------------------------------------


@call()
def set_actor_transform(session: Session, actor_id: int, transform: list[Any]) -> None:
    """Set an actor's pose, relative to its parent if it has one, and stop its motion."""
    actor = session.world.find(actor_id, Actor)
    actor.transform = transform_from_wire(transform)
    actor.halt()


@call()
def set_actor_location(session: Session, actor_id: int, location: list[float]) -> None:
    """Set an actor's location, keep its rotation, and stop its motion."""
    actor = session.world.find(actor_id, Actor)
    pose = actor.transform
    actor.transform = Transform(*vector_from_wire(location), pose.pitch, pose.yaw, pose.roll)
    actor.halt()


@call()
def set_actor_simulate_physics(session: Session, actor_id: int, enabled: bool) -> None:
    """Set whether a vehicle responds to its controls; other actors have no physics."""
    actor = session.world.find(actor_id, Actor)
    if isinstance(actor, Vehicle):
        actor.physics = bool(enabled)


@call()
def set_actor_enable_gravity(session: Session, actor_id: int, enabled: bool) -> None:
    """Set whether a vehicle in the air sinks to the road."""
    actor = session.world.find(actor_id, Actor)
    if isinstance(actor, Vehicle):
        actor.gravity = bool(enabled)


@call()
def set_actor_target_velocity(session: Session, actor_id: int, velocity: list[float]) -> None:
    """Set a vehicle's velocity, m/s in the world; only the component along its heading counts."""
    actor = session.world.find(actor_id, Actor)
    if isinstance(actor, Vehicle):
        vehicle_motion.set_velocity(actor, vector_from_wire(velocity))


@call()
def enable_actor_constant_velocity(session: Session, actor_id: int, velocity: list[float]) -> None:
    """Hold a vehicle at a constant velocity, m/s along its own axes."""
    session.world.find(actor_id, Vehicle).constant_velocity = vector_from_wire(velocity)[0]


@call()
def disable_actor_constant_velocity(session: Session, actor_id: int) -> None:
    """Let the vehicle respond to its controls again."""
    session.world.find(actor_id, Vehicle).constant_velocity = None


@call()
def add_actor_impulse(session: Session, actor_id: int, impulse: list[float]) -> None:
    """Apply an impulse, N s, to a vehicle."""
    actor = session.world.find(actor_id, Actor)
    if isinstance(actor, Vehicle):
        vehicle_motion.apply_impulse(actor, vector_from_wire(impulse))


@call()
def add_actor_impulse_at_location(session: Session, actor_id: int, impulse: list[float], location: list[float]) -> None:
    """Apply an impulse, N s, to a vehicle; vehicles do not tumble, so the location does not matter."""
    add_actor_impulse(session, actor_id, impulse)


@call()
def add_actor_force(session: Session, actor_id: int, force: list[float]) -> None:
    """Apply a force, N, to a vehicle during the next tick."""
    seconds = session.world.settings.fixed_delta or ASYNCHRONOUS_PERIOD
    add_actor_impulse(session, actor_id, [part * seconds for part in vector_from_wire(force)])


@call()
def add_actor_force_at_location(session: Session, actor_id: int, force: list[float], location: list[float]) -> None:
    """Apply a force, N, to a vehicle during the next tick; the location does not matter."""
    add_actor_force(session, actor_id, force)


@call()
def apply_control_to_vehicle(session: Session, actor_id: int, control: list[Any]) -> None:
    """Set the controls that a vehicle responds to from now on."""
    vehicle = session.world.find(actor_id, Vehicle)
    vehicle.control, vehicle.ackermann = VehicleControl.from_wire(control), None


@call()
def apply_ackermann_control_to_vehicle(session: Session, actor_id: int, control: list[float]) -> None:
    """Set a vehicle's target steering angle (radians), steering speed, speed (m/s), acceleration and jerk."""
    steer, steer_speed, speed, acceleration, jerk = control
    vehicle = session.world.find(actor_id, Vehicle)
    vehicle.ackermann = (
        clip(steer, -2.0, 2.0),
        float(steer_speed),
        clip(speed, -vehicle_motion.TOP_SPEED, vehicle_motion.TOP_SPEED),
        clip(acceleration, -20.0, 20.0),
        float(jerk),
    )


@call()
def apply_control_to_walker(session: Session, actor_id: int, control: list[Any]) -> None:
    """Set the direction and speed of a walker from now on."""
    direction, speed, jump = control
    walker = session.world.find(actor_id, Walker)
    speed = clip(speed, 0.0, walker_motion.MAX_SPEED)
    walker_motion.apply_control(walker, vector_from_wire(direction), speed, bool(jump))


# -- vehicles ---------------------------------------------------------------------------------------------


@call()
def get_vehicle_light_state(session: Session, actor_id: int) -> list[int]:
    """Return the lights that are on, bits of carla.VehicleLightState."""
    return [session.world.find(actor_id, Vehicle).lights]


@call()
def set_vehicle_light_state(session: Session, actor_id: int, state: list[int]) -> None:
    """Switch a vehicle's lights, bits of carla.VehicleLightState."""
    session.world.find(actor_id, Vehicle).lights = int(state[0]) & 0xFFFFFFFF


@call()
def get_vehicle_light_states(session: Session) -> list[list[int]]:
    """Return `[id, lights]` of every vehicle."""
    return [[vehicle.id, vehicle.lights] for vehicle in session.world.actors_of_class(Vehicle)]


@call()
def get_physics_control(session: Session, actor_id: int) -> list[Any]:
    """Return CARLA's physics parameters; the kinematic model only knows mass, wheels and maximum steering angle."""
    vehicle = session.world.find(actor_id, Vehicle)
    wheel_count = int(vehicle.attributes["number_of_wheels"])
    max_angle = math.degrees(vehicle_motion.MAX_STEERING_ANGLE)
    wheels = [
        [0.25, 1.0, angle, 35.0, 1500.0, 3000.0, 2.0, 17.0, 1000.0, [0.0, 0.0, 0.0]]
        for angle in (max_angle if n < wheel_count // 2 else 0.0 for n in range(wheel_count))
    ]
    torque, steering = [[0.0, 500.0], [5000.0, 500.0]], [[0.0, 1.0], [100.0, 1.0]]
    gears = [[ratio, 0.5, 0.65] for ratio in (4.0, 2.5, 1.7, 1.0)]
    engine = [torque, 5000.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 0.15, gears]
    return [*engine, vehicle_motion.MASS, 0.3, [0.0, 0.0, 0.0], steering, wheels, False]


@call()
def get_wheel_steer_angle(session: Session, actor_id: int, wheel: int) -> float:
    """Return the steering angle of a wheel, degrees; 0 for a rear wheel."""
    vehicle = session.world.find(actor_id, Vehicle)
    return math.degrees(vehicle.steering_angle) if wheel in (0, 1) else 0.0


@call()
def get_wheel_pitch_angle(session: Session, actor_id: int, wheel: int) -> float:
    """Return 0: the rolling angle of wheels is not simulated."""
    session.world.find(actor_id, Vehicle)
    return 0.0


@call()
def get_telemetry_data(session: Session, actor_id: int) -> list[Any]:
    """Return speed (m/s), steer, throttle, brake, engine speed, gear, drag and an empty list of wheels."""
    vehicle = session.world.find(actor_id, Vehicle)
    control = vehicle.control
    gear = -1 if control.reverse else 1
    return [vehicle.speed, control.steer, control.throttle, control.brake, 0.0, gear, 0.0, []]


@call()
def get_ackermann_controller_settings(session: Session, actor_id: int) -> list[float]:
    """Return the gains of CARLA's two controllers (speed, acceleration), all 0: the vehicles here need none."""
    session.world.find(actor_id, Vehicle)
    return [0.0] * 6


@call()
def get_bones_transform(session: Session, actor_id: int) -> list[Any]:
    """Return a walker's skeleton, which is empty."""
    session.world.find(actor_id, Walker)
    return [[]]
