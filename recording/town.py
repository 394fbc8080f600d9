"""Find the towns to record, and make the server load them."""

from collections.abc import Sequence
from typing import Any

from recording.server import LOADING_SECONDS, Server
from segmentation.errors import UserError

LOADED_TOWN = ""  # stands for the town that the server has already loaded


def find_towns(server: Server, names: Sequence[str]) -> list[str]:
    """Return the server's full names of these towns; `LOADED_TOWN` if none is named.

    Raise `UserError`, which lists the server's towns, if it does not have one of `names`.
    """
    full_names = {_short_name(name): name for name in server.client.get_available_maps()}
    unknown = [name for name in names if name not in full_names]
    if unknown:
        raise UserError(
            f"--towns has {', '.join(unknown)}, which the server does not have; it has {', '.join(sorted(full_names))}"
        )
    return [full_names[name] for name in names] or [LOADED_TOWN]


def load_town(server: Server, full_name: str) -> str:
    """Load a town unless the server has already loaded it, and return its short name."""
    with server.extended_timeout(LOADING_SECONDS):
        loaded = _town_of(server.client.get_world())
        if _short_name(full_name) in (LOADED_TOWN, loaded):
            return loaded
        return _town_of(server.client.load_world(full_name, False))


def _town_of(world: Any) -> str:
    return _short_name(world.get_map().name)


def _short_name(map_name: str) -> str:
    """Return the name of a town without its folders, such as Carla/Maps."""
    return map_name.rpartition("/")[2]
