"""Find the towns that are to be recorded, and make the server show them."""

from collections.abc import Sequence
from typing import Any

from recording.server import LOADING_SECONDS, Server
from segmentation.errors import UserError

SHOWN_TOWN = ""  # stands for the town that the server shows already


def find_towns(server: Server, names: Sequence[str]) -> list[str]:
    """Return the server's full names of these towns; `SHOWN_TOWN` if none is named.

    Raise `UserError` that lists the server's towns if it does not have one of them.
    """
    full_names = {_short_name(name): name for name in server.client.get_available_maps()}
    unknown = [name for name in names if name not in full_names]
    if unknown:
        raise UserError(
            f"--towns has {', '.join(unknown)}, which the server does not have; it has {', '.join(sorted(full_names))}"
        )
    return [full_names[name] for name in names] or [SHOWN_TOWN]


def load_town(server: Server, full_name: str) -> str:
    """Load a town unless the server shows it already, and return its short name."""
    with server.extended_timeout(LOADING_SECONDS):
        shown = _town_of(server.client.get_world())
        if _short_name(full_name) in (SHOWN_TOWN, shown):
            return shown
        return _town_of(server.client.load_world(full_name, False))


def _town_of(world: Any) -> str:
    return _short_name(world.get_map().name)


def _short_name(map_name: str) -> str:
    """Return the name of a town without its folders, such as Carla/Maps."""
    return map_name.rpartition("/")[2]
