"""Batches: several commands in one call, with one response per command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.calls import actor_calls, traffic_light_calls
from simulator.calls.dispatch import ARGUMENT_ERRORS, Session, call
from simulator.calls.session_calls import tick_cue
from simulator.protocol import encodings
from simulator.protocol.encodings import optional_from_wire, transform_from_wire
from simulator.world import walker_motion
from simulator.world.actors import Actor, Walker
from simulator.world.world import RefusedError

SPAWN_ACTOR, DESTROY_ACTOR = 0, 1
CONSOLE_COMMAND = 20


@call(locked=False, raw=True)
def apply_batch(session: Session, commands: list[Any], do_tick: bool) -> list[Any]:
    """Run commands in order, then tick if requested; return `[[1, actor id]]` or `[[0, [message]]]` for each."""
    if not isinstance(do_tick, bool):
        raise TypeError(f"do_tick is {do_tick!r}, it must be a bool")
    with session.world.lock:
        responses = [respond(session, command) for command in commands]
    if do_tick and session.world.settings.synchronous:
        tick_cue(session)
    return responses


def respond(session: Session, command: list[Any]) -> list[Any]:
    """Run one command, `[[index, fields]]`; its errors become its response and do not stop the other commands."""
    try:
        ((index, fields),) = command
        return encodings.success(run(session, index, fields))
    except RefusedError as refusal:
        return encodings.failure(str(refusal), returns_value=True)
    except ARGUMENT_ERRORS as error:
        return encodings.failure(f"malformed command ({error})", returns_value=True)


def run(session: Session, index: int, fields: list[Any]) -> int:
    """Run one command and return the id of its actor."""
    if index == SPAWN_ACTOR:
        return spawn_with_followers(session, fields)
    if index == CONSOLE_COMMAND:
        raise RefusedError("console commands are not supported by the embedded town")
    if index not in COMMANDS:
        raise RefusedError(f"unknown command {index}")
    session.world.find(fields[0], Actor)
    COMMANDS[index](session, *fields)
    return fields[0]


def spawn_with_followers(session: Session, fields: list[Any]) -> int:
    """Run SpawnActor, then on the new actor the commands chained to it with `then(...)`."""
    description, transform, parent, *_, followers = fields
    actor = actor_calls.spawn(session, description, transform, optional_from_wire(parent) or 0)
    for ((index, follower),) in followers:
        run(session, index, [actor.id, *follower[1:]])
    return actor.id


def apply_walker_state(session: Session, actor_id: int, transform: list[Any], speed: float) -> None:
    """Set the pose on the ground and the speed that a client's navigation has computed for a walker."""
    walker_motion.place(session.world.find(actor_id, Walker), transform_from_wire(transform), float(speed))


def ignore(session: Session, *_: Any) -> None:
    """Do nothing: for commands without effect in this town (engine parameters, torques, telemetry display)."""


COMMANDS: dict[int, Callable[..., Any]] = {
    DESTROY_ACTOR: lambda session, actor_id: session.world.destroy(actor_id),
    2: actor_calls.apply_control_to_vehicle,
    3: actor_calls.apply_ackermann_control_to_vehicle,
    4: actor_calls.apply_control_to_walker,
    5: ignore,  # ApplyVehiclePhysicsControl
    6: actor_calls.set_actor_transform,
    7: apply_walker_state,
    8: actor_calls.set_actor_target_velocity,
    9: ignore,  # ApplyTargetAngularVelocity
    10: actor_calls.add_actor_impulse,
    11: actor_calls.add_actor_force,
    12: ignore,  # ApplyAngularImpulse
    13: ignore,  # ApplyTorque
    14: actor_calls.set_actor_simulate_physics,
    15: actor_calls.set_actor_enable_gravity,
    16: ignore,  # SetAutopilot: the traffic manager inside the client drives
    17: ignore,  # ShowDebugTelemetry
    18: lambda session, actor_id, bits: actor_calls.set_vehicle_light_state(session, actor_id, [bits]),
    19: actor_calls.set_actor_location,
    21: traffic_light_calls.set_traffic_light_state,
}
