"""Record runs: one town in one weather through one or more cameras, one picture after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tqdm import tqdm

from segmentation.errors import UserError
from segmentation.recording.cameras import Rig, View
from segmentation.recording.finding import START_SECONDS, Simulator, load_carla
from segmentation.recording.guarding import at_most
from segmentation.recording.keeping import Keeper
from segmentation.recording.watching import Tally, Window
from segmentation.recording.writing import Writer

SETTLING = 3  # ticks after a change of weather, until wet roads and shadows are those of the new one
HANGING = 3  # time-outs of a tick after which it will never end
MOST_SKIPPED = 2000  # frames skipped on end, after which a run is given up: the car is stuck


class Driver(Protocol):
    """What moves the camera car."""

    def advance(self) -> None:
        """Prepare the next tick."""


@dataclass
class Session:
    """A town that is being recorded: everything that stays the same from run to run."""

    simulator: Simulator
    world: Any
    vehicle: Any
    driver: Driver
    rig: Rig
    writer: Writer
    window: Window
    bar: tqdm
    ticks: int  # between two pictures
    constants: dict[str, Any]  # columns of frames.csv that are the same for all pictures
    tally: Tally = field(default_factory=Tally)
    _warm: bool = False

    def record(self, runs: Sequence[str], weather: str, pictures: int, keeper: Keeper) -> bool:
        """Record until every run (one a camera) has so many pictures, or go on where they stopped.

        False when the user stopped it in the window. Raises `UserError` when no picture is worth keeping for
        a long time.
        """
        frames = self.writer.frames
        missing = pictures - min(frames.count(run) for run in runs)
        number = max(frames.next_number(run) for run in runs)
        self.set_weather(weather)
        return self.record_pictures(runs, weather, missing, number, keeper)

    def record_pictures(self, runs: Sequence[str], weather: str, missing: int, number: int, keeper: Keeper) -> bool:
        """Record so many pictures more for every run, the first with this number; returns and raises as `record`."""
        skipped = 0
        while missing:
            frame = self.tick()
            views = self.rig.read(frame)
            self.tally.lost = self.rig.lost
            if views is None:
                continue
            kept = keeper.wants(views)
            if kept:
                for camera, (run, view) in enumerate(zip(runs, views, strict=True)):
                    name = f"{run}_{number:06d}"
                    self.writer.put(self._row(name, run, frame, weather, camera, view), view)
                missing, number, skipped = missing - 1, number + 1, 0
                self.tally.kept += len(views)
                self.bar.update(len(views))
            else:
                skipped += 1
                self.tally.skipped += len(views)
            self.bar.set_postfix(skipped=self.tally.skipped, dropped=self.tally.lost, refresh=False)
            if not self.window.show(views[0].rgb, views[0].ids, runs[0], self.tally):
                return False
            if skipped == MOST_SKIPPED:
                raise UserError(
                    f"{runs[0]}: {MOST_SKIPPED} pictures on end were too alike to keep; lower --keep-metres and "
                    "--keep-change, or drive by --driving teleport"
                )
        return True

    def set_weather(self, name: str) -> None:
        """Change the weather and let it show; the first time, wait as long as a town needs for a first picture."""
        self.world.set_weather(weather_named(name))
        for _ in range(SETTLING):
            if self._warm:
                self._tick()
                continue
            with self.simulator.patience(START_SECONDS), at_most(HANGING * START_SECONDS):
                self.rig.read(self.world.tick(START_SECONDS))
            self.rig.lost = 0
            self._warm = True

    def tick(self) -> int:
        """Drive on to the next picture; returns its frame."""
        for _ in range(self.ticks):
            self.driver.advance()
            frame = self._tick()
        return frame

    def _tick(self) -> int:
        with at_most(HANGING * self.simulator.timeout):
            return self.world.tick(self.simulator.timeout)

    def _row(self, name: str, run: str, frame: int, weather: str, camera: int, view: View) -> dict[str, Any]:
        velocity = self.vehicle.get_velocity()
        height, width = view.ids.shape
        return {
            **self.constants,
            **{"name": name, "run": run, "frame": frame, "time": f"{view.time:.3f}"},
            **{"weather": weather, "camera": camera, "speed": f"{velocity.length():.2f}"},
            **dict(zip(("x", "y", "z", "pitch", "yaw", "roll"), (f"{part:.3f}" for part in view.pose), strict=True)),
            **{"width": width, "height": height, "fov": f"{view.fov:g}"},
        }


def weather_named(name: str) -> Any:
    """One of CARLA's own weathers, such as ClearNoon. Raises `UserError` that lists them for another name."""
    carla = load_carla()
    presets = {
        each: value
        for each, value in vars(carla.WeatherParameters).items()
        if isinstance(value, carla.WeatherParameters)
    }
    if name not in presets:
        raise UserError(f"--weathers has {name}, which CARLA does not know; there are {', '.join(sorted(presets))}")
    return presets[name]


def town_of(world: Any) -> str:
    """The name of the town that a world shows, without the folders before it."""
    return world.get_map().name.rpartition("/")[2]


def full_names(simulator: Simulator, towns: Sequence[str]) -> list[str]:
    """What the server calls these towns. Raises `UserError` that lists its towns for one that it does not have."""
    available = {name.rpartition("/")[2]: name for name in simulator.client.get_available_maps()}
    unknown = [town for town in towns if town not in available]
    if unknown:
        raise UserError(
            f"--towns has {', '.join(unknown)}, which the server does not; it has {', '.join(sorted(available))}"
        )
    return [available[town] for town in towns]


def show_town(simulator: Simulator, name: str) -> str:
    """Make the server show a town, where it does not already or where none is named; returns the short name."""
    with simulator.patience(START_SECONDS):
        shown = town_of(simulator.client.get_world())
        if name and name.rpartition("/")[2] != shown:
            return town_of(simulator.client.load_world(name, False))
    return shown
