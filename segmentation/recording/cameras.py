"""A colour camera and a label camera at one pose, read frame by frame."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from segmentation.errors import UserError
from segmentation.labels import Bytes


class CameraPair:
    """Picture and label ids of the same frame of the same pose; a frame is never mixed with another."""

    def __init__(self, cameras: list[Any], timeout: float) -> None:
        self.timeout = timeout
        self.streams: list[queue.Queue] = [queue.Queue() for _ in cameras]
        for camera, stream in zip(cameras, self.streams, strict=True):
            camera.listen(stream.put)

    def read(self, frame: int) -> tuple[Bytes, Bytes]:
        """RGB (height, width, 3) and ids (height, width) of a frame; images of earlier frames are dropped.

        Raises `UserError` when an image of the frame does not arrive within the time-out.
        """
        colour, labels = (_pixels(self._image_of(stream, frame)) for stream in self.streams)
        return np.ascontiguousarray(colour[..., 2::-1]), np.ascontiguousarray(labels[..., 2])

    def _image_of(self, stream: queue.Queue, frame: int) -> Any:
        try:
            while (image := stream.get(timeout=self.timeout)).frame < frame:
                pass
        except queue.Empty:
            raise UserError(f"no image of frame {frame} within {self.timeout} s; start the server again") from None
        if image.frame > frame:
            raise UserError(f"the server skipped the image of frame {frame}; record again with a smaller size")
        return image


@contextmanager
def camera_pair(
    world: Any, vehicle: Any, *, size: tuple[int, int], field_of_view: float, height: float, timeout: float
) -> Iterator[CameraPair]:
    """A camera pair on the vehicle's roof line; stopped and destroyed in the end.

    `size` is width and height in pixels, `field_of_view` in degrees, `height` in metres over the ground.
    """
    import carla

    pose = carla.Transform(carla.Location(x=1.2, z=height))
    cameras = []
    try:
        for kind in ("rgb", "semantic_segmentation"):
            blueprint = world.get_blueprint_library().find(f"sensor.camera.{kind}")
            blueprint.set_attribute("image_size_x", str(size[0]))
            blueprint.set_attribute("image_size_y", str(size[1]))
            blueprint.set_attribute("fov", str(field_of_view))
            cameras.append(world.spawn_actor(blueprint, pose, attach_to=vehicle))
        yield CameraPair(cameras, timeout)
    finally:
        for camera in cameras:
            camera.stop()
            camera.destroy()


def _pixels(image: Any) -> Bytes:
    """BGRA, (height, width, 4)."""
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)
