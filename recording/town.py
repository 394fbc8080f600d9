"""Find the towns to record, and make the server load them."""

import re
from collections.abc import Sequence

from recording.server import LOADING_SECONDS, Server, carla_calls
from segmentation.errors import UserError

LOADED_TOWN = ""  # stands for the town that the server has already loaded
TOWN_NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)  # what a town may be called, since files are named after it


def find_towns(server: Server, names: Sequence[str]) -> list[str]:
    """Return the server's full names of these towns; `LOADED_TOWN` if none is named.

    Raise `UserError`, which lists the server's towns, if it does not have one of `names`.
    """
    with carla_calls():
        maps = list(server.client.get_available_maps())
    full_names = {short: name for name in maps if TOWN_NAME.fullmatch(short := _short_name(name))}
    unknown = [name for name in names if name not in full_names]
    if unknown:
        raise UserError(
            f"--towns has {', '.join(unknown)}, which the server does not have; it has {', '.join(sorted(full_names))}"
        )
    return [full_names[name] for name in names] or [LOADED_TOWN]


def load_town(server: Server, full_name: str) -> str:
    """Load a town unless the server has already loaded it, and return its short name.

    Raise `UserError` if files cannot be named after it.
    """
    with server.extended_timeout(LOADING_SECONDS), carla_calls():
        town = _short_name(server.client.get_world().get_map().name)
        if _short_name(full_name) not in (LOADED_TOWN, town):
            town = _short_name(server.client.load_world(full_name, False).get_map().name)
    if not TOWN_NAME.fullmatch(town):
        raise UserError(
            f"{server.host}:{server.port}: the town is called {town[:40]!r}, which cannot be part of a file name; use "
            "a town with a name of letters, digits, _, - and ."
        )
    return town


def _short_name(map_name: str) -> str:
    """Return the name of a town without its folders, such as Carla/Maps."""
    return map_name.rpartition("/")[2]
