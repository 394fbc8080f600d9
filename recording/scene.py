"""The scene that is recorded: a town in synchronous mode, and the ego vehicle in it with its cameras."""

import math
from dataclasses import dataclass, field
from typing import Any

from recording.ego_vehicle import Driver
from recording.preview import RecordingCounts
from recording.sensors import Rig
from recording.server import CONTINUE, LOADING_SECONDS, Server
from recording.synchronous_mode import tick
from recording.weather import weather_preset
from segmentation.errors import UserError

SETTLING_TICKS = 3  # ticks after a change of weather until wet roads and shadows show the new one


@dataclass
class Scene:
    """Everything that stays the same while a town is recorded."""

    server: Server
    world: Any
    vehicle: Any
    driver: Driver
    rig: Rig
    counts: RecordingCounts = field(default_factory=RecordingCounts)
    _has_rendered: bool = field(default=False, init=False)

    @property
    def speed(self) -> float:
        """The speed of the ego vehicle, m/s. Raise `UserError` if the server reports none that is finite."""
        speed = self.vehicle.get_velocity().length()
        if not math.isfinite(speed):
            raise UserError(f"the simulator reports that the vehicle's speed is {speed} m/s; {CONTINUE}")
        return speed

    def drive(self, ticks: int) -> int:
        """Drive on for this many ticks, at least one, and return the number of the last frame."""
        for _ in range(ticks):
            self.driver.advance()
            frame = tick(self.world, self.server.timeout)
        return frame

    def change_weather(self, name: str) -> None:
        """Set the weather preset and tick until it shows."""
        self.world.set_weather(weather_preset(name))
        for _ in range(SETTLING_TICKS):
            if self._has_rendered:
                tick(self.world, self.server.timeout)
            else:
                self._render_first_image()

    def _render_first_image(self) -> None:
        """Tick once, and wait as long as a town needs for its first image."""
        with self.server.extended_timeout(LOADING_SECONDS):
            self.rig.read(tick(self.world, LOADING_SECONDS))
        self.rig.dropped = 0  # it does not matter whether this image came in time
        self._has_rendered = True
