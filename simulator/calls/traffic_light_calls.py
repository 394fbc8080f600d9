"""The calls about traffic lights."""

from __future__ import annotations

from simulator.calls.dispatch import Session, call
from simulator.world.actors import TrafficLight, clip
from simulator.world.traffic_lights import JunctionCycle
from simulator.world.world import RefusedError

MAX_LIGHT_TIME = 1e6  # seconds


def cycle_of(session: Session, actor_id: int) -> JunctionCycle:
    """Return the cycle that a traffic light belongs to."""
    light = session.world.find(actor_id, TrafficLight)
    for cycle in session.world.cycles:
        if light in cycle.lights:
            return cycle
    raise RefusedError(f"traffic light {actor_id} belongs to no junction")


def phase_of(session: Session, actor_id: int) -> list[TrafficLight]:
    """Return the lights that are green together with this one, itself included."""
    light = session.world.find(actor_id, TrafficLight)
    return next(phase for phase in cycle_of(session, actor_id).phases if light in phase)


@call()
def set_traffic_light_state(session: Session, actor_id: int, state: int) -> None:
    """Set a light's state until its junction's cycle changes it; a frozen cycle keeps it."""
    if state not in range(5):
        raise ValueError(f"traffic light state {state}")
    session.world.find(actor_id, TrafficLight).state = state


@call()
def set_traffic_light_green_time(session: Session, actor_id: int, seconds: float) -> None:
    """Set how long the light's phase is green."""
    for light in phase_of(session, actor_id):
        light.green_time = clip(seconds, 0.0, MAX_LIGHT_TIME)


@call()
def set_traffic_light_yellow_time(session: Session, actor_id: int, seconds: float) -> None:
    """Set how long the light's phase is yellow."""
    for light in phase_of(session, actor_id):
        light.yellow_time = clip(seconds, 0.0, MAX_LIGHT_TIME)


@call()
def set_traffic_light_red_time(session: Session, actor_id: int, seconds: float) -> None:
    """Set how long all lights of the junction are red after the light's phase."""
    for light in phase_of(session, actor_id):
        light.red_time = clip(seconds, 0.0, MAX_LIGHT_TIME)


@call()
def freeze_traffic_light(session: Session, actor_id: int, freeze: bool) -> None:
    """Stop the cycle of the light's junction, or let it continue."""
    session.world.find(actor_id, TrafficLight).frozen = bool(freeze)


@call()
def freeze_all_traffic_lights(session: Session, freeze: bool) -> None:
    """Stop all cycles, or let them continue."""
    for light in session.world.actors_of_class(TrafficLight):
        light.frozen = bool(freeze)


@call()
def reset_traffic_light_group(session: Session, actor_id: int) -> None:
    """Restart the cycle of the light's junction."""
    cycle_of(session, actor_id).restart()


@call()
def reset_all_traffic_lights(session: Session) -> None:
    """Restart all cycles."""
    for cycle in session.world.cycles:
        cycle.restart()


@call()
def get_group_traffic_lights(session: Session, actor_id: int) -> list[int]:
    """Return the ids of all lights of the junction."""
    return [light.id for light in cycle_of(session, actor_id).lights]
