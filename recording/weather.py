"""CARLA's weather presets."""

from collections.abc import Sequence
from typing import Any

from recording.server import load_carla
from segmentation.errors import UserError


def require_weathers(names: Sequence[str]) -> None:
    """Raise `UserError`, which lists the presets, if one of `names` is not among them."""
    presets = _presets()
    for name in names:
        if name not in presets:
            raise UserError(f"--weathers has {name}, which CARLA does not have; it has {', '.join(sorted(presets))}")


def weather_preset(name: str) -> Any:
    """Return the preset with this name, such as ClearNoon."""
    return _presets()[name]


def _presets() -> dict[str, Any]:
    kind = load_carla().WeatherParameters
    return {name: value for name, value in vars(kind).items() if isinstance(value, kind)}
