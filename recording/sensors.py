"""The sensors that can be recorded, and the rig of cameras on the ego vehicle, read frame by frame.

A new sensor is one row of `SENSORS`.
"""

import contextlib
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from recording.image_check import describe_mismatch, is_finite, pose_of
from recording.server import CONTINUE, carla_calls
from recording.synchronous_mode import ROLE
from segmentation.dataset.layout import IDS, IMAGE
from segmentation.errors import UserError
from segmentation.types import Size, UInt8Array

MAX_DROPPED_IN_A_ROW = 4  # dropped frames after which a camera counts as dead
MAX_WAITING = 16  # images of one camera that wait to be read; then the oldest is discarded, so memory stays bounded

Pose = tuple[float, float, float, float, float, float]
"""x forward, y right, z up in metres; pitch, yaw, roll in degrees."""


def decode_colour(image: Any) -> UInt8Array:
    """Return the red, green and blue bytes of a CARLA image, (height, width, 3)."""
    return cv2.cvtColor(_bgra(image), cv2.COLOR_BGRA2RGB)


def decode_ids(image: Any) -> UInt8Array:
    """Return the label ids of a CARLA image, (height, width); they are in its red channel."""
    return cv2.extractChannel(_bgra(image), 2)


def _bgra(image: Any) -> UInt8Array:
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


@dataclass(frozen=True)
class Sensor:
    """How the images of a sensor get from the server into the dataset."""

    blueprint: str
    decode: Callable[[Any], UInt8Array]  # CARLA's image -> array
    kind: str  # folder of its files in the dataset, and prefix of their names
    encoding: Literal["image", "ids"]  # RGB (height, width, 3), or one byte per pixel (height, width)


SENSORS: dict[str, Sensor] = {
    "rgb": Sensor("sensor.camera.rgb", decode_colour, IMAGE, "image"),
    "ids": Sensor("sensor.camera.semantic_segmentation", decode_ids, IDS, "ids"),
    # Metres are 1000 (R + 256 G + 65536 B) / (256^3 - 1).
    "depth": Sensor("sensor.camera.depth", decode_colour, "depth", "image"),
    # The label id is in R, the number of the instance in G and B.
    "instance": Sensor("sensor.camera.instance_segmentation", decode_colour, "instance", "image"),
}
REQUIRED_SENSORS = ("rgb", "ids")
# The flag --extra-sensors offers exactly these names; a type checker cannot evaluate them.
if TYPE_CHECKING:
    ExtraSensor = str
else:
    ExtraSensor = Literal[tuple(name for name in SENSORS if name not in REQUIRED_SENSORS)]


@dataclass(frozen=True)
class View:
    """What the sensors at one pose recorded in one frame."""

    images: Mapping[str, UInt8Array]  # decoded, by the sensor's name in `SENSORS`
    pose: Pose  # in world coordinates
    fov: float  # degrees, horizontal
    time: float  # simulated seconds
    frame: int

    @property
    def rgb(self) -> UInt8Array:
        """The colour image, (height, width, 3)."""
        return self.images["rgb"]

    @property
    def ids(self) -> UInt8Array:
        """The label ids, (height, width)."""
        return self.images["ids"]


@dataclass(frozen=True)
class RigSettings:
    """Which cameras a rig has: all sensors at every pose."""

    poses: Sequence[Pose]  # relative to the vehicle's centre on the ground
    size: Size
    field_of_view: float  # degrees, horizontal
    extra_sensors: Sequence[str] = ()  # besides `REQUIRED_SENSORS`


class Rig:
    """All cameras of a recording. The images of a frame are returned together or not at all."""

    def __init__(self, cameras: Sequence[Mapping[str, Any]], settings: RigSettings, timeout: float) -> None:
        """Listen to the cameras: one mapping per pose, from sensor name to actor. `timeout`: seconds, see `read`."""
        self.timeout = timeout
        self.dropped = 0  # frames with a missing or unusable image
        self._settings = settings
        self._dropped_in_a_row = 0
        self._last_frame = -1
        self._streams = [{name: _Stream(camera) for name, camera in each.items()} for each in cameras]

    def read(self, frame: int) -> list[View] | None:
        """Return the views of all poses in this frame; None, counted in `dropped`, if one of its images is unusable.

        It is unusable if it has not arrived, or if its pose, field of view or time is not finite. An image of another
        frame is never used instead. Each call waits at most `timeout` / MAX_DROPPED_IN_A_ROW. Raise `UserError` for the
        last of MAX_DROPPED_IN_A_ROW dropped frames in a row, for an image that differs from what was asked for, and for
        a frame that does not come after the previous one.
        """
        if frame <= self._last_frame:
            raise UserError(f"the simulator's frame {frame} comes after frame {self._last_frame}; {CONTINUE}")
        self._last_frame = frame
        deadline = time.monotonic() + self.timeout / MAX_DROPPED_IN_A_ROW
        images_by_pose = [
            {name: stream.read(frame, deadline) for name, stream in each.items()} for each in self._streams
        ]
        images = [(name, image) for each in images_by_pose for name, image in each.items()]
        self._require_wanted(images)
        missing = {name for name, image in images if image is None}
        invalid = {name for name, image in images if image is not None and not is_finite(image)}
        if not missing and not invalid:
            self._dropped_in_a_row = 0
            return [_view(each) for each in images_by_pose]
        self.dropped += 1
        self._dropped_in_a_row += 1
        if self._dropped_in_a_row == MAX_DROPPED_IN_A_ROW:
            raise _no_images(missing, invalid, self.timeout)
        return None

    def _require_wanted(self, images: Sequence[tuple[str, Any]]) -> None:
        """Raise `UserError` if an image differs from what was asked for."""
        size, fov = self._settings.size, self._settings.field_of_view
        for name, image in images:
            if image is not None and (found := describe_mismatch(image, size, fov)):
                raise UserError(f"the simulator's {name} image of frame {image.frame} has {found}; {CONTINUE}")


def _no_images(missing: set[str], invalid: set[str], timeout: float) -> UserError:
    if not missing:
        return UserError(
            f"the {' and '.join(sorted(invalid))} images of the last {MAX_DROPPED_IN_A_ROW} frames have a pose, field "
            f"of view or time that is not finite; {CONTINUE}"
        )
    return UserError(
        f"no {' and no '.join(sorted(missing))} images of the last {MAX_DROPPED_IN_A_ROW} frames came within "
        f"{timeout:g} s; everything recorded so far is complete: restart the simulator, or use a smaller "
        "--size or a longer --timeout, and repeat the command to continue"
    )


class _Stream:
    """The images of one camera, in the order of their frames."""

    def __init__(self, camera: Any) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()
        self._early: Any = None  # an image of a later frame than was asked for, kept until that frame is read
        with carla_calls():
            camera.listen(self._put)

    def _put(self, image: Any) -> None:
        while self._queue.qsize() >= MAX_WAITING:
            with contextlib.suppress(queue.Empty):
                self._queue.get_nowait()
        self._queue.put(image)

    def read(self, frame: int, deadline: float) -> Any:
        """Return the image of a frame; None if it has not arrived by the deadline or a later one has."""
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
def camera_rig(world: Any, vehicle: Any, settings: RigSettings, timeout: float) -> Iterator[Rig]:
    """Attach the cameras to the vehicle and stop them at the end; `synchronous_mode` destroys them."""
    names = [name for name in SENSORS if name in (*REQUIRED_SENSORS, *settings.extra_sensors)]
    cameras: list[dict[str, Any]] = []
    try:
        for pose in settings.poses:
            cameras.append({})
            for name in names:
                blueprint = _blueprint(world, SENSORS[name], settings)
                with carla_calls():
                    camera = world.spawn_actor(blueprint, _transform(pose), attach_to=vehicle)
                if not hasattr(camera, "listen"):
                    raise UserError(f"the simulator has spawned no camera for {SENSORS[name].blueprint}; {CONTINUE}")
                cameras[-1][name] = camera
        yield Rig(cameras, settings, timeout)
    finally:
        for each in cameras:
            for camera in each.values():
                camera.stop()


def _blueprint(world: Any, sensor: Sensor, settings: RigSettings) -> Any:
    try:
        blueprint = world.get_blueprint_library().find(sensor.blueprint)
    except IndexError:
        raise UserError(
            f"the server has no {sensor.blueprint}; leave it out of --extra-sensors or use CARLA 0.9.16"
        ) from None
    width, height = settings.size
    values = {"image_size_x": width, "image_size_y": height, "fov": settings.field_of_view, "role_name": ROLE}
    for name, value in values.items():
        if blueprint.has_attribute(name):
            blueprint.set_attribute(name, str(value))
    return blueprint


def _transform(pose: Pose) -> Any:
    import carla

    x, y, z, pitch, yaw, roll = pose
    return carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch, yaw, roll))


def _view(images: Mapping[str, Any]) -> View:
    colour = images["rgb"]
    return View(
        images={name: SENSORS[name].decode(image) for name, image in images.items()},
        pose=pose_of(colour),
        fov=colour.fov,
        time=colour.timestamp,
        frame=colour.frame,
    )
