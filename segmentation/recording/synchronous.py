"""Hold a server in synchronous mode for as long as a recording lasts, and leave it as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from segmentation.errors import UserError
from segmentation.recording.finding import Simulator, free_port

ROLE = "street_recorder"  # role_name of every actor made here: by it they are found again
SILENCE = 2.0  # seconds without a tick after which the client that made a server synchronous counts as gone


@contextmanager
def synchronous_mode(simulator: Simulator, frames_per_second: float) -> Iterator[Any]:
    """The simulator's world, which moves on only when it is ticked, in steps of equal simulated time.

    In the end, whatever happens, the actors made here are destroyed (sensors are stopped first) and the
    settings found are put back: a server left synchronous without a client stands still for everybody.
    Raises `UserError` when another client is ticking the server.
    """
    world = simulator.client.get_world()
    found = world.get_settings()
    if found.synchronous_mode:
        _recover(world, found)
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.no_rendering_mode = False
    settings.fixed_delta_seconds = 1 / frames_per_second
    try:
        world.apply_settings(settings)
        # Only now: a client learns of the actors from the ticks, of which a frozen server gave none.
        _destroy_ours(simulator, world)
        yield world
    finally:
        # A server that is gone has nothing to put back, and every call to it would wait for the time-out.
        if simulator.answers():
            _destroy_ours(simulator, world)
            world.apply_settings(found)


@contextmanager
def traffic_manager(simulator: Simulator, seed: int) -> Iterator[Any]:
    """A Traffic Manager in synchronous mode, on a port of its own; put back and shut down in the end.

    Synchronous like the world, because otherwise its cars stand or drift. The port is a free one: the usual
    8000 may be noted in the server for a client that is gone, and calls to that one would hang.
    """
    manager = simulator.client.get_trafficmanager(free_port())
    manager.set_random_device_seed(seed)
    manager.set_synchronous_mode(True)
    try:
        yield manager
    finally:
        if simulator.answers():
            manager.set_synchronous_mode(False)
            manager.shut_down()


def _recover(world: Any, found: Any) -> None:
    """Change `found` to asynchronous where the client that made the server synchronous is gone."""
    try:
        world.wait_for_tick(SILENCE)
    except RuntimeError:
        tqdm.write("The server was left in synchronous mode by a client that is gone; it runs freely again afterwards.")
        found.synchronous_mode = False
        found.fixed_delta_seconds = None
        return
    raise UserError("another client is driving the server in synchronous mode; stop it first or use another server")


def _destroy_ours(simulator: Simulator, world: Any) -> None:
    """Destroy what this or an earlier recording made: sensors first, then what steers, then what is steered."""
    import carla

    def role(actor: Any) -> str | None:
        # Pedestrians' controllers have no role of their own.
        bearer = actor.parent if actor.type_id.startswith("controller.") else actor
        return bearer.attributes.get("role_name") if bearer else None

    rank = {"sensor": 0, "controller": 1}
    ours = [actor for actor in world.get_actors() if role(actor) == ROLE]
    ours.sort(key=lambda actor: rank.get(actor.type_id.partition(".")[0], 2))
    simulator.client.apply_batch_sync([carla.command.DestroyActor(actor.id) for actor in ours], False)
