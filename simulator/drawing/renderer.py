"""Rendering: the images that cameras take of a town and of the bodies that move in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing import compositing, raster
from simulator.drawing.atmosphere import Light, light_of
from simulator.drawing.cars import HIGH_BEAM, LEFT_BLINKER, LIGHTS_ON, LOW_BEAM, RIGHT_BLINKER
from simulator.drawing.models import body_model_name
from simulator.drawing.people import srgb_to_linear
from simulator.drawing.raster import View
from simulator.drawing.scenery import Scenery, build_scenery
from simulator.drawing.shading import Scene
from simulator.drawing.shadows import ShadowCache, Shadows
from simulator.drawing.stage import Prop, PropGroup, Ranges, visible
from simulator.geometry import Transform
from simulator.roads.road_network import RoadNetwork
from simulator.weather import Weather

THREADS = 2
BANDS = 6  # of rows, into which an image is divided; more than THREADS, as they take unequal time
DRAW_DISTANCE = 420.0  # metres; only hills and the skyline are drawn beyond it
BODY_DRAW_DISTANCE = 220.0  # metres
MAX_HEADLIGHTS = 14  # vehicles whose beams light the scene
SAMPLES = 2  # per pixel side
BLINK_PERIOD = 0.9  # seconds; blinkers are on for the first half
HEADLIGHT_HEIGHT = 0.72  # metres
HEADLIGHT_REACH = 90.0  # metres from the camera; further beams are left out
BEAM_DIRECTION = (0.999, 0.0, -0.045)  # slightly down
KINDS = ("rgb", "semantic_segmentation", "depth", "instance_segmentation")


@dataclass(frozen=True)
class Camera:
    """A requested image. kind: one of KINDS; width, height: pixels; fov: horizontal field of view in degrees."""

    kind: str
    transform: Transform
    width: int
    height: int
    fov: float


@dataclass(frozen=True)
class Body:
    """A moving vehicle or pedestrian.

    colour: RGB 0..255; lights: CARLA's VehicleLightState bits; speed: m/s; phase: of the walking cycle, 0 to 1.
    """

    actor_id: int
    type_id: str
    transform: Transform
    colour: tuple[int, int, int]
    lights: int = 0
    speed: float = 0.0
    phase: float = 0.0


class Renderer:
    """Renders one town. Equal calls return equal bytes. Not thread-safe."""

    def __init__(self, network: RoadNetwork, seed: int) -> None:
        self.scenery: Scenery = build_scenery(network, seed)
        self.stage = self.scenery.stage
        self.shadow_cache = ShadowCache(self.scenery)
        self.pool = ThreadPoolExecutor(THREADS)
        self.projected = [allocate_projected(0), allocate_projected(0)]  # buffers for the image and its mirror image

    def render(
        self,
        cameras: Sequence[Camera],
        bodies: Sequence[Body],
        weather: Weather,
        light_states: Mapping[int, str],
        time: float,
    ) -> list[np.ndarray]:
        """Return one BGRA uint8 image (height, width, 4) per camera.

        Cameras with equal pose, size and field of view share one pass. light_states: "red", "yellow", "green" or
        "off" by signal id. time: seconds.

        Raise ValueError for a kind of camera that is not in KINDS, KeyError for an unknown type_id.
        """
        for camera in cameras:
            if camera.kind not in KINDS:
                raise ValueError(f"camera kind {camera.kind!r} is unknown; there are {', '.join(KINDS)}")
        light = light_of(weather, time)
        body_props = PropGroup([body_prop(body, light, time) for body in bodies], self.stage.library)
        groups: dict[tuple, list[int]] = {}
        for i, camera in enumerate(cameras):
            pose = camera.transform
            key = (pose, camera.width, camera.height, camera.fov)
            groups.setdefault(key, []).append(i)
        images: list[np.ndarray] = [np.empty(0)] * len(cameras)
        for indices in groups.values():
            kinds = {cameras[i].kind for i in indices}
            images_by_kind = self._draw(cameras[indices[0]], kinds, body_props, light, light_states)
            for i in indices:
                images[i] = images_by_kind[cameras[i].kind]
        return images

    def _draw(
        self, camera: Camera, kinds: set[str], bodies: PropGroup, light: Light, light_states: Mapping[int, str]
    ) -> dict[str, np.ndarray]:
        view = view_of(camera)
        wants_rgb = "rgb" in kinds
        shadows = self.shadow_cache.shadows(view, light, self.pool) if wants_rgb else None
        ranges, moving = self._collect_triangles(view, bodies, light, light_states)
        if shadows is not None:
            shadows = self.shadow_cache.with_bodies(shadows, bodies, moving, self.pool)
        nearest, depth, projected = self._rasterise(view, ranges, SAMPLES)
        images: dict[str, np.ndarray] = {}
        if kinds - {"rgb"}:
            images |= self._label_images(view, nearest, depth, projected)
        if shadows is not None:
            scene = self._build_scene(shadows, bodies, view, light, ranges)
            radiance = np.empty((view.height, view.width, 3), np.float32)
            raster.run_in_bands(
                self.pool,
                BANDS,
                view.height,
                compositing.resolve_radiance,
                nearest,
                SAMPLES,
                projected,
                scene,
                view,
                light,
                radiance,
            )
            images["rgb"] = np.empty((view.height, view.width, 4), np.uint8)
            raster.run_in_bands(
                self.pool,
                BANDS,
                view.height,
                compositing.tone_map,
                radiance,
                compositing.compute_bloom(radiance, light),
                compositing.rain_streaks(view.width, view.height, light),
                light,
                images["rgb"],
            )
        return images

    def _collect_triangles(
        self, view: View, bodies: PropGroup, light: Light, light_states: Mapping[int, str]
    ) -> tuple[Ranges, Ranges]:
        """Place what may be in view; return the triangles to draw, near ones first, and those of the bodies."""
        stage, fixed = self.stage, self.stage.fixed_props
        stage.clear()
        distance = bodies.distance(view.position)
        level = bodies.levels(distance, view.focal)
        near = np.flatnonzero((distance < BODY_DRAW_DISTANCE) & (level >= 0))
        moving = Ranges(*stage.place(bodies, near, level[near], bodies.lit[near]))
        chunks = visible(stage.chunk_centre, stage.chunk_radius, view, DRAW_DISTANCE)
        props = visible(fixed.centre, fixed.radius, view, DRAW_DISTANCE)
        prop_distance = fixed.distance(view.position)
        prop_level = fixed.levels(prop_distance, view.focal)
        props = props[prop_level[props] >= 0]
        lit = self.scenery.light_bits(light, light_states)
        first, last = stage.place(fixed, props, prop_level[props], lit[props])
        distances = np.concatenate(
            [
                (distance - bodies.radius)[near],
                (prop_distance - fixed.radius)[props],
                np.linalg.norm(stage.chunk_centre[chunks] - view.position, axis=1) - 0.8 * stage.chunk_radius[chunks],
            ]
        )
        order = np.argsort(distances, kind="stable")
        first = np.concatenate([moving.first, first, stage.chunk_first[chunks]])[order]
        last = np.concatenate([moving.last, last, stage.chunk_last[chunks]])[order]
        return Ranges(first, last), moving

    def _rasterise(
        self, view: View, ranges: Ranges, samples: int, slot: int = 0
    ) -> tuple[np.ndarray, np.ndarray, raster.Projected]:
        """Return (nearest, depth, projected): the visible triangle of each sample of a view, see `raster.rasterise`.

        slot: which of the buffers `self.projected` to use, 0 for the image and 1 for its mirror image.
        """
        total = int(np.sum(ranges.last - ranges.first))
        if len(self.projected[slot].triangle) < total:
            self.projected[slot] = allocate_projected(total + total // 2)
        projected = self.projected[slot]
        triangles, textures = self.stage.triangles, self.scenery.textures
        runs = self._set_up_triangles(ranges, view, samples, projected)
        shape = (view.height * samples, view.width * samples)
        nearest, depth = np.empty(shape, np.int32), np.empty(shape, np.float32)
        raster.run_in_bands(
            self.pool,
            BANDS,
            shape[0],
            raster.rasterise,
            triangles,
            projected,
            runs,
            textures.texels,
            textures.offsets,
            samples,
            nearest,
            depth,
        )
        return nearest, depth, projected

    def _set_up_triangles(self, ranges: Ranges, view: View, samples: int, projected: raster.Projected) -> np.ndarray:
        """Project the near half of the triangles in one thread, the far half in another; return the runs of entries."""
        ends = np.cumsum(ranges.last - ranges.first)
        middle = int(np.searchsorted(ends, ends[-1] / 2)) if len(ends) else 0
        starts = (0, int(ends[middle - 1]) if middle else 0)
        jobs = [
            self.pool.submit(
                raster.set_up_triangles,
                self.stage.triangles,
                ranges.first[part],
                ranges.last[part],
                view,
                samples,
                start,
                projected,
            )
            for part, start in zip((slice(0, middle), slice(middle, None)), starts, strict=True)
        ]
        return np.array([(start, job.result()) for start, job in zip(starts, jobs, strict=True)])

    def _label_images(
        self, view: View, nearest: np.ndarray, depth: np.ndarray, projected: raster.Projected
    ) -> dict[str, np.ndarray]:
        shape, triangles = (view.height, view.width), self.stage.triangles
        ids, distance = np.empty(shape, np.uint8), np.empty(shape, np.float32)
        instances = np.empty(shape, np.int32)
        raster.run_in_bands(
            self.pool,
            BANDS,
            view.height,
            compositing.resolve_labels,
            nearest,
            depth,
            projected,
            triangles.label,
            triangles.depth_factor,
            triangles.object,
            ids,
            distance,
            instances,
        )
        return {
            "semantic_segmentation": compositing.label_image(ids),
            "depth": compositing.depth_image(distance),
            "instance_segmentation": compositing.instance_image(ids, instances),
        }

    def _build_scene(self, shadows: Shadows, bodies: PropGroup, view: View, light: Light, ranges: Ranges) -> Scene:
        """Return the inputs of shading, on wet ground with a mirror image of the town."""
        dry = np.empty((0, 0, 3), np.float32)
        scene = Scene(
            self.stage.triangles,
            self.scenery.textures,
            shadows.shadow_map,
            self.scenery.lamps,
            shadows.contact,
            shadows.corner,
            shadows.scale,
            headlights(bodies, view, light),
            dry,
            dry,
        )
        if light.wet <= 0.0:
            return scene
        mirrored = mirror_view(view)
        nearest, _, projected = self._rasterise(mirrored, ranges, 1, slot=1)
        radiance = np.empty((mirrored.height, mirrored.width, 3), np.float32)
        raster.run_in_bands(
            self.pool,
            BANDS,
            mirrored.height,
            compositing.resolve_radiance,
            nearest,
            1,
            projected,
            scene,
            mirrored,
            light,
            radiance,
        )
        return scene._replace(mirror=radiance, blurred_mirror=compositing.blur_reflection(radiance))


def allocate_projected(count: int) -> raster.Projected:
    """Allocate entries for `count` projected triangles, values undefined."""
    return raster.Projected(
        np.empty((count, 9)),
        np.empty((count, 4), np.int32),
        np.empty(count, np.int32),
        np.empty(count, np.int8),
    )


def view_of(camera: Camera) -> View:
    """Return a camera in the form that the kernels take."""
    matrix = camera.transform.matrix()
    forward, right, up = matrix[:3, 0], matrix[:3, 1], matrix[:3, 2]
    focal = camera.width / 2 / float(np.tan(np.radians(camera.fov) / 2))
    rows = np.ascontiguousarray(np.stack([right, up, forward]))
    return View(rows, matrix[:3, 3].copy(), focal, camera.width / 2, camera.height / 2, camera.width, camera.height)


def mirror_view(view: View) -> View:
    """Reflect a view in the ground plane z = 0, at half the size; each ground point keeps its place in the image."""
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
    """Return the prop that shows a body; blinkers flash with time."""
    lit = body.lights & ~(LEFT_BLINKER | RIGHT_BLINKER)
    if time % BLINK_PERIOD < BLINK_PERIOD / 2:
        lit = body.lights
    if CATALOGUE[body.type_id].kind != "pedestrian" and light.night > 0.5 and not lit & LIGHTS_ON:
        lit |= LOW_BEAM  # the simulator turns lights on at night if the client has not
    name = body_model_name(body.type_id, body.speed, body.phase)
    return Prop(name, body.transform.matrix(), srgb_to_linear(body.colour), lit, body.actor_id & 0xFFFF)


def headlights(bodies: PropGroup, view: View, light: Light) -> np.ndarray:
    """Return position and direction (n, 6) of the headlight beams nearest to the camera."""
    if light.night < 0.05:
        return np.empty((0, 6))
    beams = []
    for body, model in zip(bodies.props, bodies.models, strict=True):
        if body.model.startswith("vehicle") and body.lit & (LOW_BEAM | HIGH_BEAM):
            turn = body.matrix[:3, :3]
            at = turn @ [model.centre[0] + model.footprint[0], 0, HEADLIGHT_HEIGHT] + body.matrix[:3, 3]
            beams.append((float(np.linalg.norm(at - view.position)), *at, *(turn @ BEAM_DIRECTION)))
    beams.sort()
    return np.array([beam[1:] for beam in beams[:MAX_HEADLIGHTS] if beam[0] < HEADLIGHT_REACH]).reshape(-1, 6)
