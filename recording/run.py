"""A recording run, and the names and rows of its images."""

import re
from dataclasses import dataclass
from typing import Any

from recording.sensors import View


@dataclass(frozen=True)
class Run:
    """A drive through one town in one weather, as one camera sees it."""

    town: str
    weather: str
    camera: int  # index of its pose
    driving: str
    seed: int
    version: str  # of the server

    @property
    def name(self) -> str:
        """The name of the run. Equal settings have equal names, so that a repeated command continues its runs."""
        return f"{self.town}_{self.weather}_seed{self.seed}_camera{self.camera}"

    def row(self, number: int, view: View, speed: float) -> dict[str, Any]:
        """Return the row of `frames.csv` for an image; `speed` is that of the ego vehicle in m/s."""
        height, width = view.ids.shape
        x, y, z, pitch, yaw, roll = (f"{value:.3f}" for value in view.pose)
        return {
            "name": image_name(self.name, number),
            "run": self.name,
            "frame": view.frame,
            "time": f"{view.time:.3f}",
            "town": self.town,
            "weather": self.weather,
            "camera": self.camera,
            **{"x": x, "y": y, "z": z, "pitch": pitch, "yaw": yaw, "roll": roll},
            "speed": f"{speed:.2f}",
            "width": width,
            "height": height,
            "fov": f"{view.fov:g}",
            "driving": self.driving,
            "seed": self.seed,
            "version": self.version,
        }


def image_name(run: str, number: int) -> str:
    """Return the name of an image of a run."""
    return f"{run}_{number:06d}"


def image_number(name: str, run: str) -> int | None:
    """Return the number of an image from its name; None if the image does not belong to the run."""
    match = re.fullmatch(re.escape(run) + r"_(\d{6,200})", name, re.ASCII)  # files have shorter names
    return int(match[1]) if match else None
