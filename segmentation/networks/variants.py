"""Choose a network's variant by name, and scale its width."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from segmentation.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ConfigType = TypeVar("ConfigType", bound="DataclassInstance")


def choose_config(
    network: str, configs: Mapping[str, ConfigType], name: str, width: float | None = None, **changes: Any
) -> ConfigType:
    """Return the named config, changed by `width` and the `changes` that are not `None`.

    Raise `UserError` for an unknown name, and for a width that leaves no filters.
    """
    if name not in configs:
        raise UserError(f"--variant is {name}; use one of {', '.join(configs)} for {network}")
    if width is not None and not width > 0:
        raise UserError(f"--width is {width}; use a number above 0, 1 for the paper's number of filters")
    given = {key: value for key, value in {"width": width, **changes}.items() if value is not None}
    return replace(configs[name], **given)


def scale_filters(filters: int, width: float, multiple: int = 1) -> int:
    """Return `filters` times `width`, rounded to a multiple of `multiple`, and at least `multiple`."""
    return max(multiple, round(filters * width / multiple) * multiple)
