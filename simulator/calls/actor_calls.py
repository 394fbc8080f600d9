"""The calls about actors: spawning them, moving them, asking for what is not in the episode state."""

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
from simulator.world.episode import ASYNCHRONOUS_PERIOD

CAMERA_FAREWELL = 0.05  # seconds


def to_wire(session: Session, actor: Actor) -> list[Any]:
    """An actor as it travels."""
    return actor.to_wire(session.service.streams.port)


@call()
def get_actor_definitions(session: Session) -> list[Any]:
    """The blueprint library."""
    return [blueprint.to_wire() for blueprint in LIBRARY.values()]


@call()
def get_spectator(session: Session) -> list[Any]:
    """The actor that stands for the observer."""
    return to_wire(session, session.world.spectator)


@call()
def get_actors_by_id(session: Session, ids: list[int]) -> list[Any]:
    """Those of the actors that exist."""
    actors = session.world.actors
    return [to_wire(session, actors[actor_id]) for actor_id in ids if actor_id in actors]


@call()
def spawn_actor(session: Session, description: list[Any], transform: list[Any]) -> list[Any]:
    """A new actor."""
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
    """A new actor fixed to another; a spring arm is as stiff as the rigid attachment."""
    return to_wire(session, spawn(session, description, transform, parent))


def spawn(session: Session, description: list[Any], transform: list[Any], parent: int = 0) -> Actor:
    """A new actor from what a client sent."""
    _, type_id, attributes = description
    values = {name: value for name, _, value in attributes}
    return session.world.spawn(type_id, values, transform_from_wire(transform), parent)


@call(locked=False)
def destroy_actor(session: Session, actor_id: int) -> bool:
    """Removes an actor.

    A client frees a stopped camera's callback in a thread of its own, and aborts if its program ends just
    then; the answer comes when that is over.
    """
    with session.world.lock:
        actor = session.world.find(actor_id)
        session.world.destroy(actor_id)
    if isinstance(actor, Camera):
        time.sleep(CAMERA_FAREWELL)
    return True


@call()
def get_actor_bounding_box(session: Session, actor_id: int) -> list[Any]:
    """An actor's box.

    An empty one for an actor that is gone: the traffic manager asks for those, and an error in its thread
    would end the client's process.
    """
    actor = session.world.actors.get(actor_id)
    return actor.bounding_box() if actor else encodings.bounding_box(encodings.ZERO, encodings.ZERO)


# -- motion -----------------------------------------------------------------------------------------------


@call()
def set_actor_transform(session: Session, actor_id: int, transform: list[Any]) -> None:
    """Puts an actor somewhere, at rest; relative to its parent if it has one."""
    actor = session.world.find(actor_id)
    actor.transform = transform_from_wire(transform)
    actor.halt()


@call()
def set_actor_location(session: Session, actor_id: int, location: list[float]) -> None:
    """Puts an actor somewhere, at rest, without turning it."""
    actor = session.world.find(actor_id)
    pose = actor.transform
    actor.transform = Transform(*vector_from_wire(location), pose.pitch, pose.yaw, pose.roll)
    actor.halt()


@call()
def set_actor_simulate_physics(session: Session, actor_id: int, enabled: bool) -> None:
    """Whether a vehicle answers its controls; other actors have no physics."""
    actor = session.world.find(actor_id)
    if isinstance(actor, Vehicle):
        actor.physics = bool(enabled)


@call()
def set_actor_enable_gravity(session: Session, actor_id: int, enabled: bool) -> None:
    """Whether a vehicle comes down to the road."""
    actor = session.world.find(actor_id)
    if isinstance(actor, Vehicle):
        actor.gravity = bool(enabled)


@call()
def set_actor_target_velocity(session: Session, actor_id: int, velocity: list[float]) -> None:
    """Sets a vehicle's velocity, m/s in the world, as far as it points along the vehicle."""
    actor = session.world.find(actor_id)
    if isinstance(actor, Vehicle):
        vehicle_motion.set_velocity(actor, vector_from_wire(velocity))


@call()
def enable_actor_constant_velocity(session: Session, actor_id: int, velocity: list[float]) -> None:
    """Holds a vehicle's velocity, m/s along its own axes."""
    session.world.find(actor_id, Vehicle).constant_velocity = vector_from_wire(velocity)[0]


@call()
def disable_actor_constant_velocity(session: Session, actor_id: int) -> None:
    """Lets the vehicle answer its controls again."""
    session.world.find(actor_id, Vehicle).constant_velocity = None


@call()
def add_actor_impulse(session: Session, actor_id: int, impulse: list[float]) -> None:
    """Pushes a vehicle, N s."""
    actor = session.world.find(actor_id)
    if isinstance(actor, Vehicle):
        vehicle_motion.push(actor, vector_from_wire(impulse))


@call()
def add_actor_impulse_at_location(session: Session, actor_id: int, impulse: list[float], location: list[float]) -> None:
    """Pushes a vehicle, N s; vehicles do not tumble, so where they are hit does not matter."""
    add_actor_impulse(session, actor_id, impulse)


@call()
def add_actor_force(session: Session, actor_id: int, force: list[float]) -> None:
    """Pulls a vehicle, N, during the next tick."""
    seconds = session.world.settings.fixed_delta or ASYNCHRONOUS_PERIOD
    add_actor_impulse(session, actor_id, [part * seconds for part in vector_from_wire(force)])


@call()
def add_actor_force_at_location(session: Session, actor_id: int, force: list[float], location: list[float]) -> None:
    """Pulls a vehicle, N, during the next tick, wherever it is applied."""
    add_actor_force(session, actor_id, force)


@call()
def apply_control_to_vehicle(session: Session, actor_id: int, control: list[Any]) -> None:
    """What the driver does from now on."""
    vehicle = session.world.find(actor_id, Vehicle)
    vehicle.control, vehicle.ackermann = VehicleControl.from_wire(control), None


@call()
def apply_ackermann_control_to_vehicle(session: Session, actor_id: int, control: list[float]) -> None:
    """Wanted steering angle (radians), its rate, speed (m/s), acceleration and jerk."""
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
    """Where the walker goes from now on, and how fast."""
    direction, speed, jump = control
    walker = session.world.find(actor_id, Walker)
    walker_motion.control(walker, vector_from_wire(direction), clip(speed, 0.0, walker_motion.FASTEST), bool(jump))


# -- vehicles ---------------------------------------------------------------------------------------------


@call()
def get_vehicle_light_state(session: Session, actor_id: int) -> list[int]:
    """The lamps that are on, bits of carla.VehicleLightState."""
    return [session.world.find(actor_id, Vehicle).lights]


@call()
def set_vehicle_light_state(session: Session, actor_id: int, state: list[int]) -> None:
    """Switches lamps."""
    session.world.find(actor_id, Vehicle).lights = int(state[0]) & 0xFFFFFFFF


@call()
def get_vehicle_light_states(session: Session) -> list[list[int]]:
    """The lamps of all vehicles."""
    return [[vehicle.id, vehicle.lights] for vehicle in session.world.all(Vehicle)]


@call()
def get_physics_control(session: Session, actor_id: int) -> list[Any]:
    """CARLA's physics parameters, of which the kinematic model knows mass, wheels and steering lock."""
    vehicle = session.world.find(actor_id, Vehicle)
    wheel_count = int(vehicle.attributes["number_of_wheels"])
    lock = math.degrees(vehicle_motion.STEERING_LOCK)
    wheels = [
        [
            0.25,
            1.0,
            lock if n < wheel_count // 2 else 0.0,
            35.0,
            1500.0,
            3000.0,
            2.0,
            17.0,
            1000.0,
            [0.0, 0.0, 0.0],
        ]
        for n in range(wheel_count)
    ]
    torque, steering = [[0.0, 500.0], [5000.0, 500.0]], [[0.0, 1.0], [100.0, 1.0]]
    gears = [[ratio, 0.5, 0.65] for ratio in (4.0, 2.5, 1.7, 1.0)]
    engine = [torque, 5000.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 0.15, gears]
    return [*engine, vehicle_motion.MASS, 0.3, [0.0, 0.0, 0.0], steering, wheels, False]


@call()
def get_wheel_steer_angle(session: Session, actor_id: int, wheel: int) -> float:
    """Degrees by which a front wheel is turned; 0 for a rear one."""
    vehicle = session.world.find(actor_id, Vehicle)
    return math.degrees(vehicle.steering) if wheel in (0, 1) else 0.0


@call()
def get_wheel_pitch_angle(session: Session, actor_id: int, wheel: int) -> float:
    """Degrees by which a wheel has rolled: not kept."""
    session.world.find(actor_id, Vehicle)
    return 0.0


@call()
def get_telemetry_data(session: Session, actor_id: int) -> list[Any]:
    """Speed (m/s), steer, throttle, brake, engine speed, gear, drag; and wheels, of which none are known."""
    vehicle = session.world.find(actor_id, Vehicle)
    control = vehicle.control
    gear = -1 if control.reverse else 1
    return [vehicle.speed, control.steer, control.throttle, control.brake, 0.0, gear, 0.0, []]


@call()
def get_ackermann_controller_settings(session: Session, actor_id: int) -> list[float]:
    """Gains of CARLA's two controllers (speed, acceleration); this town's vehicles need none."""
    session.world.find(actor_id, Vehicle)
    return [0.0] * 6


@call()
def get_bones_transform(session: Session, actor_id: int) -> list[Any]:
    """A walker's skeleton: none."""
    session.world.find(actor_id, Walker)
    return [[]]
