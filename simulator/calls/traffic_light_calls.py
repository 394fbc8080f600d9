"""The calls about traffic lights."""

from __future__ import annotations

from simulator.calls.dispatch import Session, call
from simulator.world.actors import TrafficLight, clip
from simulator.world.episode import RefusedError
from simulator.world.traffic_lights import JunctionCycle

LONGEST_LIGHT = 1e6  # seconds


def cycle_of(session: Session, actor_id: int) -> JunctionCycle:
    """The cycle to which a traffic light belongs."""
    light = session.world.find(actor_id, TrafficLight)
    for cycle in session.world.cycles:
        if light in cycle.lights:
            return cycle
    raise RefusedError(f"traffic light {actor_id} belongs to no junction")


@call()
def set_traffic_light_state(session: Session, actor_id: int, state: int) -> None:
    """Shows a light until its junction's cycle changes it; freeze it to keep it."""
    if state not in range(5):
        raise ValueError(f"traffic light state {state}")
    session.world.find(actor_id, TrafficLight).light = state


@call()
def set_traffic_light_green_time(session: Session, actor_id: int, seconds: float) -> None:
    """How long its phase is green."""
    for light in phase_of(session, actor_id):
        light.green_time = clip(seconds, 0.0, LONGEST_LIGHT)


@call()
def set_traffic_light_yellow_time(session: Session, actor_id: int, seconds: float) -> None:
    """How long its phase is yellow."""
    for light in phase_of(session, actor_id):
        light.yellow_time = clip(seconds, 0.0, LONGEST_LIGHT)


@call()
def set_traffic_light_red_time(session: Session, actor_id: int, seconds: float) -> None:
    """How long all is red after its phase."""
    for light in phase_of(session, actor_id):
        light.red_time = clip(seconds, 0.0, LONGEST_LIGHT)


def phase_of(session: Session, actor_id: int) -> list[TrafficLight]:
    """The lights that are green together with this one."""
    light = session.world.find(actor_id, TrafficLight)
    return next(phase for phase in cycle_of(session, actor_id).phases if light in phase)


@call()
def freeze_traffic_light(session: Session, actor_id: int, freeze: bool) -> None:
    """Stops the cycle of the light's junction, or lets it go on."""
    session.world.find(actor_id, TrafficLight).frozen = bool(freeze)


@call()
def freeze_all_traffic_lights(session: Session, freeze: bool) -> None:
    """Stops all cycles, or lets them go on."""
    for light in session.world.all(TrafficLight):
        light.frozen = bool(freeze)


@call()
def reset_traffic_light_group(session: Session, actor_id: int) -> None:
    """Begins the cycle of the light's junction anew."""
    cycle_of(session, actor_id).restart()


@call()
def reset_all_traffic_lights(session: Session) -> None:
    """Begins all cycles anew."""
    for cycle in session.world.cycles:
        cycle.restart()


@call()
def get_group_traffic_lights(session: Session, actor_id: int) -> list[int]:
    """Ids of all lights of the junction."""
    return [light.id for light in cycle_of(session, actor_id).lights]
