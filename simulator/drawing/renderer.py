"""Draws what cameras see of a town and of the bodies that move in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from simulator.catalogue import CATALOGUE
from simulator.drawing import picture, raster
from simulator.drawing.atmosphere import Light, light_of
from simulator.drawing.cars import HIGH_BEAM, LEFT_BLINKER, LIT, LOW_BEAM, RIGHT_BLINKER
from simulator.drawing.models import body_model
from simulator.drawing.people import linear
from simulator.drawing.raster import View
from simulator.drawing.scenery import Scenery, build_scenery
from simulator.drawing.shading import Scene
from simulator.drawing.shadows import Shade, ShadeKeeper
from simulator.drawing.stage import Crowd, Prop, Ranges, visible
from simulator.geometry import Transform
from simulator.roads.road_network import RoadNetwork
from simulator.weather import Weather

THREADS = 2
BANDS = 6
REACH = 420.0  # metres within which the town is drawn; hills and far houses are drawn beyond
BODY_REACH = 220.0
HEADLIGHTS = 14
SAMPLES = 2  # per pixel side
KINDS = ("rgb", "semantic_segmentation", "depth", "instance_segmentation")


@dataclass(frozen=True)
class Camera:
    """One picture wanted. kind: one of KINDS. fov: horizontal, degrees. Sizes in pixels."""

    kind: str
    transform: Transform
    width: int
    height: int
    fov: float


@dataclass(frozen=True)
class Body:
    """One thing that moves. colour: RGB 0..255; lights: CARLA's VehicleLightState bits; speed: m/s; phase: of
    the walking cycle, 0 to 1."""

    actor_id: int
    type_id: str
    transform: Transform
    colour: tuple[int, int, int]
    lights: int = 0
    speed: float = 0.0
    phase: float = 0.0


class Renderer:
    """Draws one town. Equal calls give equal bytes. Not for several threads at once."""

    def __init__(self, network: RoadNetwork, seed: int) -> None:
        self.scenery: Scenery = build_scenery(network, seed)
        self.stage = self.scenery.stage
        self.shades = ShadeKeeper(self.scenery)
        self.pool = ThreadPoolExecutor(THREADS)
        self.seen = [room_for(0), room_for(0)]  # of the picture, and of what wet ground mirrors

    def render(
        self,
        cameras: Sequence[Camera],
        bodies: Sequence[Body],
        weather: Weather,
        light_states: Mapping[int, str],
        time: float,
    ) -> list[np.ndarray]:
        """BGRA uint8 (height, width, 4) per camera. Cameras with equal pose, size and field of view share one
        pass. light_states: "red", "yellow", "green" or "off" by signal id. time: seconds.

        Raises ValueError for a kind of camera that is not in KINDS, KeyError for an unknown type_id.
        """
        for camera in cameras:
            if camera.kind not in KINDS:
                raise ValueError(f"camera kind {camera.kind!r} is unknown; there are {', '.join(KINDS)}")
        light = light_of(weather, time)
        crowd = Crowd([body_prop(body, light, time) for body in bodies], self.stage.library)
        groups: dict[tuple, list[int]] = {}
        for i, camera in enumerate(cameras):
            pose = camera.transform
            key = (pose, camera.width, camera.height, camera.fov)
            groups.setdefault(key, []).append(i)
        pictures: list[np.ndarray] = [np.empty(0)] * len(cameras)
        for indices in groups.values():
            kinds = {cameras[i].kind for i in indices}
            drawn = self._draw(cameras[indices[0]], kinds, crowd, light, light_states)
            for i in indices:
                pictures[i] = drawn[cameras[i].kind]
        return pictures

    def _draw(
        self, camera: Camera, kinds: set[str], bodies: Crowd, light: Light, light_states: Mapping[int, str]
    ) -> dict[str, np.ndarray]:
        view = view_of(camera)
        coloured = "rgb" in kinds
        shade = self.shades.shade(view, light, self.pool) if coloured else None
        ranges, moving = self._gather(view, bodies, light, light_states)
        if shade is not None:
            shade = self.shades.with_bodies(shade, bodies, moving, self.pool)
        nearest, depth, seen = self._look(view, ranges, SAMPLES)
        drawn: dict[str, np.ndarray] = {}
        if kinds - {"rgb"}:
            drawn |= self._identify(view, nearest, depth, seen)
        if shade is not None:
            scene = self._scene(shade, bodies, view, light, ranges)
            radiance = np.empty((view.height, view.width, 3), np.float32)
            raster.in_bands(
                self.pool, BANDS, view.height, picture.resolve, nearest, SAMPLES, seen, scene, view, light, radiance
            )
            drawn["rgb"] = np.empty((view.height, view.width, 4), np.uint8)
            raster.in_bands(
                self.pool,
                BANDS,
                view.height,
                picture.develop,
                radiance,
                picture.glare(radiance, light),
                picture.rain_streaks(view.width, view.height, light),
                light,
                drawn["rgb"],
            )
        return drawn

    def _gather(
        self, view: View, bodies: Crowd, light: Light, light_states: Mapping[int, str]
    ) -> tuple[Ranges, Ranges]:
        """Places what the camera may see; returns the triangles to draw, near ones first, and those of the bodies."""
        stage, crowd = self.stage, self.stage.crowd
        stage.clear()
        distance = bodies.distance(view.position)
        level = bodies.levels(distance, view.focal)
        near = np.flatnonzero((distance < BODY_REACH) & (level >= 0))
        own = Ranges(*stage.place(bodies, near, level[near], bodies.lit[near]))
        squares = visible(stage.chunk_centre, stage.chunk_radius, view, REACH)
        props = visible(crowd.centre, crowd.radius, view, REACH)
        prop_distance = crowd.distance(view.position)
        prop_level = crowd.levels(prop_distance, view.focal)
        props = props[prop_level[props] >= 0]
        lit = self.scenery.lit(light, light_states)
        first, last = stage.place(crowd, props, prop_level[props], lit[props])
        away = np.concatenate(
            [
                (distance - bodies.radius)[near],
                (prop_distance - crowd.radius)[props],
                np.linalg.norm(stage.chunk_centre[squares] - view.position, axis=1) - 0.8 * stage.chunk_radius[squares],
            ]
        )
        order = np.argsort(away, kind="stable")
        first = np.concatenate([own.first, first, stage.chunk_first[squares]])[order]
        last = np.concatenate([own.last, last, stage.chunk_last[squares]])[order]
        return Ranges(first, last), own

    def _look(
        self, view: View, ranges: Ranges, samples: int, slot: int = 0
    ) -> tuple[np.ndarray, np.ndarray, raster.Seen]:
        """(nearest, depth, seen): what each sample of a view sees."""
        total = int(np.sum(ranges.last - ranges.first))
        if len(self.seen[slot].triangle) < total:
            self.seen[slot] = room_for(total + total // 2)
        seen = self.seen[slot]
        triangles, textures = self.stage.triangles, self.scenery.textures
        runs = self._set_up(ranges, view, samples, seen)
        size = (view.height * samples, view.width * samples)
        nearest, depth = np.empty(size, np.int32), np.empty(size, np.float32)
        raster.in_bands(
            self.pool,
            BANDS,
            size[0],
            raster.rasterise,
            triangles,
            seen,
            runs,
            textures.texels,
            textures.offsets,
            samples,
            nearest,
            depth,
        )
        return nearest, depth, seen

    def _set_up(self, ranges: Ranges, view: View, samples: int, seen: raster.Seen) -> np.ndarray:
        """Sets up the near half of the triangles on one core, the far half on the other; returns the runs."""
        ends = np.cumsum(ranges.last - ranges.first)
        middle = int(np.searchsorted(ends, ends[-1] / 2)) if len(ends) else 0
        starts = (0, int(ends[middle - 1]) if middle else 0)
        jobs = [
            self.pool.submit(
                raster.set_up,
                self.stage.triangles,
                ranges.first[part],
                ranges.last[part],
                view,
                samples,
                start,
                seen,
            )
            for part, start in zip((slice(0, middle), slice(middle, None)), starts, strict=True)
        ]
        return np.array([(start, job.result()) for start, job in zip(starts, jobs, strict=True)])

    def _identify(self, view: View, nearest: np.ndarray, depth: np.ndarray, seen: raster.Seen) -> dict[str, np.ndarray]:
        size, triangles = (view.height, view.width), self.stage.triangles
        label, distance, thing = (
            np.empty(size, np.uint8),
            np.empty(size, np.float32),
            np.empty(size, np.int32),
        )
        raster.in_bands(
            self.pool,
            BANDS,
            view.height,
            picture.identify,
            nearest,
            depth,
            seen,
            triangles.label,
            triangles.lift,
            triangles.object,
            label,
            distance,
            thing,
        )
        return {
            "semantic_segmentation": picture.label_picture(label),
            "depth": picture.depth_picture(distance),
            "instance_segmentation": picture.instance_picture(label, thing),
        }

    def _scene(self, shade: Shade, bodies: Crowd, view: View, light: Light, ranges: Ranges) -> Scene:
        """All that light depends on; on wet ground with what it mirrors."""
        dry = np.empty((0, 0, 3), np.float32)
        scene = Scene(
            self.stage.triangles,
            self.scenery.textures,
            shade.shadow,
            self.scenery.lamps,
            shade.contact,
            shade.corner,
            shade.scale,
            headlights(bodies, view, light),
            dry,
            dry,
        )
        if light.wet <= 0.0:
            return scene
        mirrored = mirror_view(view)
        nearest, _, seen = self._look(mirrored, ranges, 1, slot=1)
        radiance = np.empty((mirrored.height, mirrored.width, 3), np.float32)
        raster.in_bands(
            self.pool, BANDS, mirrored.height, picture.resolve, nearest, 1, seen, scene, mirrored, light, radiance
        )
        return scene._replace(mirror=radiance, haze_mirror=picture.smear(radiance))


def room_for(count: int) -> raster.Seen:
    """Room for `count` triangles that have been set up."""
    return raster.Seen(
        np.empty((count, 9)),
        np.empty((count, 4), np.int32),
        np.empty(count, np.int32),
        np.empty(count, np.int8),
    )


def view_of(camera: Camera) -> View:
    """The camera as the kernels take it."""
    matrix = camera.transform.matrix()
    forward, right, up = matrix[:3, 0], matrix[:3, 1], matrix[:3, 2]
    focal = camera.width / 2 / float(np.tan(np.radians(camera.fov) / 2))
    rows = np.ascontiguousarray(np.stack([right, up, forward]))
    return View(rows, matrix[:3, 3].copy(), focal, camera.width / 2, camera.height / 2, camera.width, camera.height)


def mirror_view(view: View) -> View:
    """What the plane z = 0 mirrors, at half the size: the same pixel lies on the same point of the ground."""
    flip = np.array([1.0, 1.0, -1.0])
    width, height = (view.width + 1) // 2, (view.height + 1) // 2
    return View(
        view.rows * flip,
        view.position * flip,
        view.focal / 2,
        view.centre_x / 2,
        view.centre_y / 2,
        width,
        height,
    )


def body_prop(body: Body, light: Light, time: float) -> Prop:
    """A body as a thing to place."""
    lit = body.lights & ~(LEFT_BLINKER | RIGHT_BLINKER)
    if time % 0.9 < 0.45:
        lit = body.lights
    if CATALOGUE[body.type_id].kind != "pedestrian" and light.night > 0.5 and not lit & LIT:
        lit |= LOW_BEAM  # nobody drives unlit at night, so the town turns them on if the client has not
    name = body_model(body.type_id, body.speed, body.phase)
    return Prop(name, body.transform.matrix(), linear(body.colour), lit, body.actor_id & 0xFFFF)


def headlights(bodies: Crowd, view: View, light: Light) -> np.ndarray:
    """The dipped beams (n, 6) nearest to the camera: position and direction."""
    if light.night < 0.05:
        return np.empty((0, 6))
    beams = []
    for body, thing in zip(bodies.props, bodies.models, strict=True):
        if body.model.startswith("vehicle") and body.lit & (LOW_BEAM | HIGH_BEAM):
            turn = body.matrix[:3, :3]
            at = turn @ [thing.centre[0] + thing.footprint[0], 0, 0.72] + body.matrix[:3, 3]
            beams.append((float(np.linalg.norm(at - view.position)), *at, *(turn @ [0.999, 0, -0.045])))
    beams.sort()
    return np.array([beam[1:] for beam in beams[:HEADLIGHTS] if beam[0] < 90.0]).reshape(-1, 6)
