"""The calls about the session: settings, ticks, weather, episodes, and the traffic managers of clients."""

from __future__ import annotations

import threading
import time
from typing import Any

from simulator.calls.dispatch import Service, Session, TrafficManager, call
from simulator.protocol import encodings
from simulator.protocol.encodings import MAP_FOLDER
from simulator.weather import Weather
from simulator.world.town import UPLOADED_MAP, Town, build_town, build_uploaded_town, map_names
from simulator.world.world import STATE_STREAM, RefusedError, World, WorldSettings

EPISODE_STATE_DELAY = 0.1  # seconds from the response of load_new_episode to the episode's first state


@call()
def version(session: Session) -> str:
    """Return the version of CARLA whose protocol the server speaks."""
    return encodings.VERSION


@call()
def get_episode_info(session: Session) -> list[Any]:
    """Return the episode's id and the token of its state stream."""
    return [session.world.episode, [encodings.stream_token(STATE_STREAM, session.service.streams.port)]]


@call()
def get_sensor_token(session: Session, stream_id: int) -> list[bytes]:
    """Return a stream's token; the next tick waits until the client has connected to the stream."""
    session.service.streams.expect_subscription(int(stream_id), session.connection)
    return [encodings.stream_token(int(stream_id), session.service.streams.port)]


@call()
def get_episode_settings(session: Session) -> list[Any]:
    """Return the world's settings."""
    return list(session.world.settings.wire)


@call()
def set_episode_settings(session: Session, settings: list[Any]) -> int:
    """Change the settings; return the current frame."""
    session.world.settings = WorldSettings.from_wire(settings)
    return session.world.frame


@call(locked=False)
def tick_cue(session: Session) -> int:
    """Run one tick and return its frame; its state and images have been queued for sending by then."""
    streams = session.service.streams
    streams.wait_for_expected_subscriptions()
    if session.world.settings.synchronous:
        streams.wait_for_queue_space()
    with session.world.lock:
        return session.world.tick()


@call()
def get_weather_parameters(session: Session) -> list[float]:
    """Return the weather."""
    return session.world.weather.to_wire()


@call()
def set_weather_parameters(session: Session, weather: list[float]) -> None:
    """Change the weather from the next tick on."""
    session.world.weather = Weather.from_wire(weather)


# -- episodes ---------------------------------------------------------------------------------------------


@call()
def get_available_maps(session: Session) -> list[str]:
    """Return the maps that can be loaded."""
    return [f"/Game/{MAP_FOLDER}{name}" for name in map_names()]


@call(locked=False)
def load_new_episode(session: Session, name: str, reset_settings: bool = True, layers: int = 0xFFFF) -> None:
    """Start a new episode in a town; an empty name means the current town."""
    service, world = session.service, session.world
    with service.load_lock:
        short_name = name.rsplit("/", 1)[-1].removesuffix("_Opt")
        town = find_town(service, short_name) if short_name else world.town
        with world.lock:
            if reset_settings:
                world.settings = WorldSettings()
            world.begin_episode(town)
            world.ticks_paused_until = time.monotonic() + 3.0 * EPISODE_STATE_DELAY
        threading.Timer(EPISODE_STATE_DELAY, publish_first_state, [world]).start()


def publish_first_state(world: World) -> None:
    """Send the first state of an episode, which a client polls for after the response of load_new_episode.

    It must not be sent earlier: on that state the client makes another call, which has to be answered at once, and
    then replaces its state stream. It may crash if another state arrives in between, so `World.ticks_paused_until`
    holds back the ticks.
    """
    with world.lock:
        world.publish_state(0.0, map_changed=True)


def find_town(service: Service, name: str) -> Town:
    """Return the town of this name, built at the first request; raise RefusedError if there is none."""
    if name == UPLOADED_MAP:
        if not service.uploaded_opendrive:
            raise RefusedError("no OpenDRIVE text was sent: call generate_opendrive_world(text)")
        try:
            return build_uploaded_town(service.uploaded_opendrive, service.world.seed, service.make_renderer)
        except Exception as error:
            raise RefusedError(f"the OpenDRIVE text cannot be used: {error}") from error
    if name not in map_names():
        raise RefusedError(f"map {name!r} not found; choose from {', '.join(map_names())}")
    if name not in service.towns:
        service.towns[name] = build_town(name, service.world.seed, service.make_renderer)
    return service.towns[name]


@call()
def copy_opendrive_to_file(session: Session, text: str, parameters: list[Any]) -> None:
    """Receive OpenDRIVE text; load_new_episode("OpenDriveMap") builds a town from it."""
    session.service.uploaded_opendrive = text


# -- traffic managers: they run inside clients and find each other through the server ----------------------


@call()
def is_traffic_manager_running(session: Session, port: int) -> bool:
    """Return whether a client runs a traffic manager on this port."""
    return port in session.service.traffic_managers


@call()
def get_traffic_manager_running(session: Session, port: int) -> list[Any]:
    """Return `[host, port]` of a traffic manager; port 0 if there is none."""
    manager = session.service.traffic_managers.get(port)
    return [manager.host, port] if manager else ["", 0]


@call()
def add_traffic_manager_running(session: Session, address: list[Any]) -> bool:
    """Register a client's traffic manager; return False if its port already has one."""
    host, port = address
    if port in session.service.traffic_managers:
        return False
    session.service.traffic_managers[int(port)] = TrafficManager(str(host), session.connection)
    return True


@call()
def destroy_traffic_manager(session: Session, port: int) -> bool:
    """Unregister a traffic manager; return whether there was one."""
    return session.service.traffic_managers.pop(port, None) is not None
