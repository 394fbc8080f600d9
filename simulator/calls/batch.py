"""Batches: many commands in one call, each with an answer of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.calls import actor_calls, traffic_light_calls
from simulator.calls.dispatch import MALFORMED, Session, call, tick_cue
from simulator.protocol import encodings
from simulator.protocol.encodings import optional_from_wire, transform_from_wire
from simulator.world import walker_motion
from simulator.world.actors import Walker
from simulator.world.episode import RefusedError

SPAWN_ACTOR, DESTROY_ACTOR = 0, 1
CONSOLE_COMMAND = 20


@call(locked=False, bare=True)
def apply_batch(session: Session, commands: list[Any], do_tick: bool) -> list[Any]:
    """Runs commands in order, then ticks if asked to; `[[1, actor id]]` or `[[0, [message]]]` for each."""
    if not isinstance(do_tick, bool):
        raise TypeError(f"whether to tick is {do_tick!r}")
    with session.world.lock:
        answers = [answer(session, command) for command in commands]
    if do_tick and session.world.settings.synchronous:
        tick_cue(session)
    return answers


def answer(session: Session, command: list[Any]) -> list[Any]:
    """Runs one command, `[[index, fields]]`; what goes wrong is its answer and stops no other."""
    try:
        ((index, fields),) = command
        return encodings.success(run(session, index, fields))
    except RefusedError as refusal:
        return encodings.failure(str(refusal), returns_value=True)
    except MALFORMED as error:
        return encodings.failure(f"malformed command ({error})", returns_value=True)


def run(session: Session, index: int, fields: list[Any]) -> int:
    """Runs one command and returns the id of its actor."""
    if index == SPAWN_ACTOR:
        return spawn_with_followers(session, fields)
    if index == CONSOLE_COMMAND:
        raise RefusedError("there is no console in this town")
    if index not in COMMANDS:
        raise RefusedError(f"unknown command {index}")
    session.world.find(fields[0])
    COMMANDS[index](session, *fields)
    return fields[0]


def spawn_with_followers(session: Session, fields: list[Any]) -> int:
    """SpawnActor, and then the commands chained to it with `then(...)`, which leave the actor's id open."""
    description, transform, parent, *_, followers = fields
    actor = actor_calls.spawn(session, description, transform, optional_from_wire(parent) or 0)
    for ((index, follower),) in followers:
        run(session, index, [actor.id, *follower[1:]])
    return actor.id


def apply_walker_state(session: Session, actor_id: int, transform: list[Any], speed: float) -> None:
    """The pose on the ground and the speed that a client's navigation gives a walker."""
    walker_motion.place(session.world.find(actor_id, Walker), transform_from_wire(transform), float(speed))


def accept(session: Session, *_: Any) -> None:
    """For what has no effect in this town: engine parameters, torques, telemetry on the screen."""


COMMANDS: dict[int, Callable[..., Any]] = {
    DESTROY_ACTOR: lambda session, actor_id: session.world.destroy(actor_id),
    2: actor_calls.apply_control_to_vehicle,
    3: actor_calls.apply_ackermann_control_to_vehicle,
    4: actor_calls.apply_control_to_walker,
    5: accept,  # ApplyVehiclePhysicsControl
    6: actor_calls.set_actor_transform,
    7: apply_walker_state,
    8: actor_calls.set_actor_target_velocity,
    9: accept,  # ApplyTargetAngularVelocity
    10: actor_calls.add_actor_impulse,
    11: actor_calls.add_actor_force,
    12: accept,  # ApplyAngularImpulse
    13: accept,  # ApplyTorque
    14: actor_calls.set_actor_simulate_physics,
    15: actor_calls.set_actor_enable_gravity,
    16: accept,  # SetAutopilot: the traffic manager inside the client drives
    17: accept,  # ShowDebugTelemetry
    18: lambda session, actor_id, bits: actor_calls.set_vehicle_light_state(session, actor_id, [bits]),
    19: actor_calls.set_actor_location,
    21: traffic_light_calls.set_traffic_light_state,
}
