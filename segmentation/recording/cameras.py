"""Cameras at any number of poses, several kinds at each, read frame by frame."""

import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from segmentation.errors import UserError
from segmentation.labels import Bytes
from segmentation.recording.synchronous import ROLE

KINDS = {"rgb": "rgb", "ids": "semantic_segmentation", "depth": "depth", "instance": "instance_segmentation"}
LOST_IN_A_ROW = 4  # frames without all their images after which a stream counts as dead
Pose = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class View:
    """What one pose saw in one frame.

    `rgb` is (height, width, 3), `ids` (height, width). `depth` and `instance`, where they were asked for, are
    CARLA's own three bytes a pixel, (height, width, 3): depth in metres is
    1000 (R + 256 G + 65536 B) / (256^3 - 1); an instance is its label id in R and its number in G and B.
    `pose` is x, y, z in metres and pitch, yaw, roll in degrees, in the world's axes; `fov` in degrees.
    """

    rgb: Bytes
    ids: Bytes
    depth: Bytes | None
    instance: Bytes | None
    pose: Pose
    fov: float
    time: float  # simulated seconds


class Rig:
    """All cameras of a recording. A frame's images are handed out together or not at all."""

    def __init__(self, cameras: Sequence[dict[str, Any]], timeout: float) -> None:
        """`cameras`: for each pose its actor of every kind; `timeout`: seconds, see `read`."""
        self.timeout = timeout
        self.lost = 0  # frames of which not every image came
        self._lost_in_a_row = 0
        self._streams = [{kind: _Stream(camera) for kind, camera in each.items()} for each in cameras]

    def read(self, frame: int) -> list[View] | None:
        """What every pose saw in this frame; None, counted in `lost`, when an image of it does not come.

        Images of other frames are never put in its place. Raises `UserError` after LOST_IN_A_ROW lost frames
        on end, for each of which a share of the time-out was waited.
        """
        deadline = time.monotonic() + self.timeout / LOST_IN_A_ROW
        images = [{kind: each.image_of(frame, deadline) for kind, each in pose.items()} for pose in self._streams]
        if all(image is not None for pose in images for image in pose.values()):
            self._lost_in_a_row = 0
            return [_view(pose) for pose in images]
        self.lost += 1
        self._lost_in_a_row += 1
        if self._lost_in_a_row == LOST_IN_A_ROW:
            missing = {kind for pose in images for kind, image in pose.items() if image is None}
            raise UserError(
                f"no {' and no '.join(sorted(missing))} pictures of the last {LOST_IN_A_ROW} frames came within "
                f"{self.timeout:g} s; what was recorded so far is whole: start the simulator again, or use a smaller "
                "--size or a longer --timeout, and repeat the command to go on"
            )
        return None


class _Stream:
    """The images of one camera, in the order of their frames."""

    def __init__(self, camera: Any) -> None:
        self._queue: queue.Queue = queue.Queue()
        self._early: Any = None
        camera.listen(self._queue.put)

    def image_of(self, frame: int, deadline: float) -> Any:
        """The image of a frame, or None when it has not come at the deadline or a later one has."""
        image, self._early = self._early, None
        while image is None or image.frame < frame:
            try:
                image = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
        if image.frame > frame:
            self._early = image
            return None
        return image


@contextmanager
def camera_rig(
    world: Any,
    vehicle: Any,
    poses: Sequence[Pose],
    *,
    size: tuple[int, int],
    field_of_view: float,
    kinds: Sequence[str],
    timeout: float,
) -> Iterator[Rig]:
    """Cameras of all `kinds` at every pose, fixed to the vehicle, stopped in the end; `synchronous_mode` destroys them.

    A pose is x, y, z in metres from the vehicle's middle on the ground (forward, right, up) and pitch, yaw,
    roll in degrees. `size` is width and height in pixels, `field_of_view` in degrees.
    """
    cameras: list[dict[str, Any]] = []
    try:
        for pose in poses:
            cameras.append({})
            for kind in kinds:
                cameras[-1][kind] = _spawn(world, vehicle, KINDS[kind], pose, size, field_of_view)
        yield Rig(cameras, timeout)
    finally:
        for pose in cameras:
            for camera in pose.values():
                camera.stop()


def _spawn(world: Any, vehicle: Any, kind: str, pose: Pose, size: tuple[int, int], field_of_view: float) -> Any:
    import carla

    x, y, z, pitch, yaw, roll = pose
    try:
        blueprint = world.get_blueprint_library().find(f"sensor.camera.{kind}")
    except IndexError:
        raise UserError(f"the server has no {kind} camera; leave that picture out or use CARLA 0.9.16") from None
    values = {"image_size_x": size[0], "image_size_y": size[1], "fov": field_of_view, "role_name": ROLE}
    for name, value in values.items():
        if blueprint.has_attribute(name):
            blueprint.set_attribute(name, str(value))
    transform = carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch, yaw, roll))
    return world.spawn_actor(blueprint, transform, attach_to=vehicle)


def _view(images: dict[str, Any]) -> View:
    pixels = {kind: _pixels(image) for kind, image in images.items()}
    colour, place = images["rgb"], images["rgb"].transform
    return View(
        rgb=cv2.cvtColor(pixels["rgb"], cv2.COLOR_BGRA2RGB),
        ids=cv2.extractChannel(pixels["ids"], 2),
        depth=cv2.cvtColor(pixels["depth"], cv2.COLOR_BGRA2RGB) if "depth" in pixels else None,
        instance=cv2.cvtColor(pixels["instance"], cv2.COLOR_BGRA2RGB) if "instance" in pixels else None,
        pose=(
            place.location.x,
            place.location.y,
            place.location.z,
            place.rotation.pitch,
            place.rotation.yaw,
            place.rotation.roll,
        ),
        fov=colour.fov,
        time=colour.timestamp,
    )


def _pixels(image: Any) -> Bytes:
    """BGRA, (height, width, 4)."""
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)
