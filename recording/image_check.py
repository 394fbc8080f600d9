"""Check the images that come from a server before they are used: their metadata may be wrong."""

import math
from typing import Any

from segmentation.types import Size

CHANNELS = 4  # blue, green, red, alpha; one byte each
FOV_TOLERANCE = 0.01  # degrees; the server sends single precision


def describe_mismatch(image: Any, size: Size, fov: float) -> str:
    """Return what a server's image has instead of what was asked for; "" if it is as it should be.

    Such an image comes from a server that works differently, so that the next one is no better.
    """
    if not all(hasattr(image, name) for name in ("width", "height", "fov", "raw_data")):
        return f"the type {type(image).__name__} instead of Image"
    if (image.width, image.height) != size:
        return f"{image.width} x {image.height} pixels instead of {size[0]} x {size[1]}"
    expected = CHANNELS * size[0] * size[1]
    if len(image.raw_data) != expected:
        return f"{len(image.raw_data)} bytes instead of {expected}"
    if abs(image.fov - fov) > FOV_TOLERANCE:  # false for NaN
        return f"a field of view of {image.fov:g} instead of {fov:g} degrees"
    return ""


def is_finite(image: Any) -> bool:
    """Return whether the pose, the field of view and the time of a server's image are numbers and not infinite."""
    return all(math.isfinite(value) for value in (*pose_of(image), image.fov, image.timestamp))


def pose_of(image: Any) -> tuple[float, float, float, float, float, float]:
    """Return x, y, z in metres and pitch, yaw, roll in degrees, in world coordinates."""
    location, rotation = image.transform.location, image.transform.rotation
    return location.x, location.y, location.z, rotation.pitch, rotation.yaw, rotation.roll
