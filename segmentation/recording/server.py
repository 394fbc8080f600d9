"""Find a CARLA server and hold it in synchronous mode for as long as a recording lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from segmentation.errors import UserError

TRAFFIC_MANAGER_PORT = 8000


def connect(host: str, port: int, timeout: float) -> Any:
    """A `carla.Client` whose server has answered within `timeout` seconds. Raises `UserError` when none does."""
    try:
        import carla
    except ImportError:
        raise UserError(
            "the carla package is not installed; it has wheels for Python 3.10 to 3.12 on Linux x86-64 and Windows: "
            "make the virtual environment with one of them"
        ) from None
    client = carla.Client(host, port)
    client.set_timeout(timeout)
    try:
        client.get_server_version()
    except RuntimeError as error:
        raise UserError(
            f"{host}:{port}: no CARLA server answers ({error}); start one or change --host, --port"
        ) from None
    return client


@contextmanager
def synchronous_mode(client: Any, frames_per_second: float) -> Iterator[Any]:
    """The client's world, which moves on only when it is ticked, in steps of equal simulated time.

    The settings found are put back in the end, whatever happens, and so is the Traffic Manager's mode: a
    server left synchronous without a client stands still for everybody.
    """
    world = client.get_world()
    found = world.get_settings()
    traffic_manager = client.get_trafficmanager(TRAFFIC_MANAGER_PORT)
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = 1 / frames_per_second
    try:
        world.apply_settings(settings)
        traffic_manager.set_synchronous_mode(True)
        yield world
    finally:
        traffic_manager.set_synchronous_mode(False)
        world.apply_settings(found)
