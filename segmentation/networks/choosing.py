"""Choose a variant of a network by name and width."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from segmentation.errors import UserError

VariantType = TypeVar("VariantType")


def choose(
    network: str, variants: Mapping[str, VariantType], name: str, width: float | None = None, **changes: Any
) -> VariantType:
    """The named variant with `width` and the `changes` that are not `None` in place of its own.

    Raises `UserError` for a name that is not there, and for a width that leaves nothing.
    """
    if name not in variants:
        raise UserError(f"variant {name!r}: no such {network}; use one of {', '.join(variants)}")
    if width is not None and not width > 0:
        raise UserError(f"width is {width}; use a number above 0, 1 for the paper's maps")
    given = {key: value for key, value in {"width": width, **changes}.items() if value is not None}
    return replace(variants[name], **given)  # type: ignore[type-var]


def scaled(maps: int, width: float, multiple: int = 1) -> int:
    """`maps` times `width`, rounded to a multiple of `multiple`, and at least that."""
    return max(multiple, round(maps * width / multiple) * multiple)
