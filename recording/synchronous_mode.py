"""Keep a server and its Traffic Manager in synchronous mode during a recording, and restore them afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from recording.server import Server, free_port
from recording.supervisor import time_limit
from segmentation.errors import UserError

ROLE = "street_recorder"  # role_name of every actor that a recorder spawns; it identifies them for cleanup
SILENT_SECONDS = 2.0  # if no tick comes for so long, the client that made the server synchronous is gone
HANGING_TIMEOUTS = 3  # a tick that takes this many timeouts counts as hanging
DESTRUCTION_ORDER = {"sensor": 0, "controller": 1}  # by the first part of the type; everything else comes last


@contextmanager
def synchronous_mode(server: Server, frames_per_second: float) -> Iterator[Any]:
    """Yield the server's world; it advances only when ticked, each time by 1 / frames_per_second simulated seconds.

    At the end, also after an exception, destroy the actors spawned here and restore the previous settings: a server
    that stays synchronous without a client stands still for everybody. Raise `UserError` if another client is ticking
    the server.
    """
    world = server.client.get_world()
    previous = world.get_settings()
    if previous.synchronous_mode:
        _require_no_other_client(world)
        previous.synchronous_mode = False
        previous.fixed_delta_seconds = None
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.no_rendering_mode = False
    settings.fixed_delta_seconds = 1 / frames_per_second
    try:
        world.apply_settings(settings)
        # Not earlier: a client learns of actors from ticks, and a server left in synchronous mode does not tick.
        _destroy_own_actors(server, world)
        yield world
    finally:
        # A server that is gone needs no cleanup, and every call to it would wait for the timeout.
        if server.answers():
            _destroy_own_actors(server, world)
            world.apply_settings(previous)


def tick(world: Any, timeout: float) -> int:
    """Advance the world by one frame and return its number. End this process if the tick hangs."""
    with time_limit(HANGING_TIMEOUTS * timeout):
        return world.tick(timeout)


@contextmanager
def traffic_manager(server: Server, seed: int) -> Iterator[Any]:
    """Yield a Traffic Manager in synchronous mode on a free port; reset it and shut it down at the end.

    It is synchronous like the world, because otherwise its vehicles stand still or drift. The usual port 8000 may still
    be registered in the server for a client that is gone, and calls to that one would hang.
    """
    manager = server.client.get_trafficmanager(free_port())
    manager.set_random_device_seed(seed)
    manager.set_synchronous_mode(True)
    try:
        yield manager
    finally:
        if server.answers():
            manager.set_synchronous_mode(False)
            manager.shut_down()


def _require_no_other_client(world: Any) -> None:
    try:
        world.wait_for_tick(SILENT_SECONDS)
    except RuntimeError:
        tqdm.write("A client that is gone left the server in synchronous mode; it will run freely again afterwards.")
        return
    raise UserError("another client is driving the server in synchronous mode; stop it first or use another server")


def _destroy_own_actors(server: Server, world: Any) -> None:
    """Destroy what this or an earlier recorder spawned: sensors first, then controllers, then vehicles and walkers."""
    import carla

    def role_name(actor: Any) -> str | None:
        # Controllers of walkers have no role; their walkers do.
        owner = actor.parent if actor.type_id.startswith("controller.") else actor
        return owner.attributes.get("role_name") if owner else None

    actors = [actor for actor in world.get_actors() if role_name(actor) == ROLE]
    actors.sort(key=lambda actor: DESTRUCTION_ORDER.get(actor.type_id.partition(".")[0], len(DESTRUCTION_ORDER)))
    server.client.apply_batch_sync([carla.command.DestroyActor(actor.id) for actor in actors], False)
