"""Rounded vehicle bodies: cross-sections lofted from nose to tail, with lamps and seams laid on the skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.drawing.mesh import Look, Mesh, grid_normals

# half of a cross-section, from the sill to the middle of the top: (fraction of the half width, of the height)
SOFT = np.array(
    [
        (0.88, 0.0),
        (0.985, 0.16),
        (1.0, 0.42),
        (0.985, 0.70),
        (0.955, 0.86),
        (0.87, 0.965),
        (0.5, 1.0),
        (0, 1.01),
    ]
)
BOXY = np.array(
    [(0.97, 0.0), (1.0, 0.04), (1.0, 0.4), (1.0, 0.8), (0.995, 0.94), (0.95, 0.985), (0.6, 1.0), (0, 1.003)]
)
MIDDLE = len(SOFT) - 1  # column of the middle; column 2 * MIDDLE - k mirrors column k
COARSE = [0, 2, 4, 5, 7]  # points of a cross-section that are kept at a low level of detail
CAP_SCALES = (0.0, 0.80, 0.94)  # scales of the cross-section on the flat end faces, from the middle outwards
CAP_DEPTHS = (0.0, 0.0, 0.05)  # metres behind the end face, per scale
CAP = len(CAP_SCALES)


@dataclass(frozen=True)
class Skin:
    """A lofted body.

    points, normals: (rows, columns, 3), rows from nose to tail, columns from the left sill over the top to the right
    sill.
    """

    points: np.ndarray
    normals: np.ndarray

    def row(self, x: float) -> float:
        """Return the fractional row at which the body's side is at x."""
        rows = self.points[CAP:-CAP, 2, 0]
        return CAP + float(np.interp(-x, -rows, np.arange(len(rows))))

    def at(self, rows: np.ndarray, columns: np.ndarray, lift: float = 0.0) -> np.ndarray:
        """Return points (n, m, 3) at fractional rows (n,) and columns (m,), `lift` metres above the skin."""

        def between(values: np.ndarray) -> np.ndarray:
            i = np.clip(rows.astype(int), 0, len(values) - 2)
            j = np.clip(columns.astype(int), 0, values.shape[1] - 2)
            fi, fj = (rows - i)[:, None, None], (columns - j)[None, :, None]
            top = values[i][:, j] * (1 - fj) + values[i][:, j + 1] * fj
            return top * (1 - fi) + (values[i + 1][:, j] * (1 - fj) + values[i + 1][:, j + 1] * fj) * fi

        return between(self.points) + lift * between(self.normals)

    def patch(
        self,
        mesh: Mesh,
        rows: tuple[float, float],
        columns: tuple[float, float],
        look: Look,
        lift: float = 0.008,
    ) -> None:
        """Lay a patch of another look on the skin, mirrored on both sides.

        rows, columns: first and last fractional row and column, see `at`, the columns on the left side. lift: metres
        above the skin.
        """
        count = max(2, round(3 * mesh.detail) + 1)
        r = np.unique(np.concatenate([np.linspace(*rows, count), np.arange(np.ceil(rows[0]), rows[1])]))
        for low, high in (columns, tuple(2 * MIDDLE - c for c in columns[::-1])):
            c = np.unique(np.concatenate([np.linspace(low, high, count), np.arange(np.ceil(low), high)]))
            mesh.grid(self.at(r, c, lift), look)


def loft(
    mesh: Mesh,
    stations: np.ndarray,
    look: Look,
    section: np.ndarray = SOFT,
    arches: Sequence[float] = (),
    arch_radius: float = 0.0,
    wheel_height: float = 0.0,
) -> Skin:
    """Add a body to `mesh`. stations (n, 4): x (descending), half width, bottom and top, in metres.

    section: half of a cross-section, SOFT or BOXY. arches: x of the axles, where the bottom is raised to a half circle
    around each wheel. arch_radius, wheel_height: radius of these circles and height of their centres, metres.
    """
    if mesh.detail < 0.2:
        stations = stations[sorted({0, *range(2, len(stations) - 1, 2), len(stations) - 1})]
    x = stations[:, 0]
    coarse = mesh.detail < 0.4
    if arches and not coarse:
        turn = np.linspace(-1, 1, 9 if mesh.detail > 0.7 else 5)
        extra = [axle + arch_radius * np.sin(turn * np.pi / 2) for axle in arches]
        x = np.unique(np.concatenate([x, *extra]))[::-1]
    half, bottom, top = (np.interp(-x, -stations[:, 0], stations[:, i]) for i in (1, 2, 3))
    for axle in () if coarse else arches:
        inside = np.clip(arch_radius**2 - (x - axle) ** 2, 0, None)
        bottom = np.maximum(bottom, np.where(inside > 1e-6, wheel_height + np.sqrt(inside), 0))
    if coarse:
        section = section[COARSE]
    ring = np.concatenate([section * [-1, 1], section[-2::-1]])
    body = np.empty((len(x), len(ring), 3))
    body[..., 0] = x[:, None]
    body[..., 1] = half[:, None] * ring[:, 0]
    body[..., 2] = bottom[:, None] + (top - bottom)[:, None] * ring[:, 1]
    points = np.concatenate([_cap(body[0], 1.0), body, _cap(body[-1], -1.0)[::-1]])
    normals = grid_normals(points)
    normals[:2], normals[-2:] = (1, 0, 0), (-1, 0, 0)
    mesh.grid(points, look, normals=normals)
    return Skin(points, normals)


def _cap(ring: np.ndarray, ahead: float) -> np.ndarray:
    """Return the rows (3, columns, 3) that close the end at the cross-section `ring`. ahead: 1 nose, -1 tail."""
    middle = np.array([ring[0, 0], 0.0, ring[0, 2]])  # at sill height, so that no gap is left between the sills
    rows = [middle + (ring - middle) * [1, scale, scale] for scale in CAP_SCALES]
    for row, depth in zip(rows, CAP_DEPTHS, strict=True):
        row[:, 0] += ahead * (0.05 - depth)
    return np.array(rows)


def greenhouse(
    mesh: Mesh,
    profile: np.ndarray,
    half_width: float,
    belt: float,
    taper: float,
    paint: Look,
    glass: Look,
    pillars: Sequence[float] = (),
) -> None:
    """Add the greenhouse, the glazed upper part of a car.

    profile (4, 2): x and z of the windscreen's foot, the roof's front, its rear and the rear window's foot.
    half_width: at the belt line, which is at height `belt`. taper: fraction by which it narrows towards the roof.
    pillars: x of the painted posts between the side windows.
    """
    if mesh.detail < 0.2:
        pillars = ()
    x = greenhouse_stations(profile[:, 0], pillars, mesh.detail)
    points = greenhouse_points(profile, x, half_width, belt, taper)
    glazed = glazed_cells(profile[:, 0], x, points.shape[1] - 1, pillars)
    mesh.grid(points, glass, where=glazed)
    mesh.grid(points, paint, where=~glazed)


def greenhouse_stations(profile_x: np.ndarray, pillars: Sequence[float], detail: float) -> np.ndarray:
    """Return the x (n,), descending, of a greenhouse's cross-sections. profile_x (4,): x of its profile."""
    x0, x1, x2, x3 = profile_x
    posts = [x + d for x in pillars for d in (0.05, -0.05)]
    steps = {x0, x0 + (x1 - x0) * 0.12, x1, x2, x3, *posts}
    if detail > 0.2:
        steps |= {(x0 + x1) / 2, x1 - 0.12, (x1 + x2) / 2, (x2 + x3) / 2}
    return np.array(sorted(steps))[::-1]


def greenhouse_points(profile: np.ndarray, x: np.ndarray, half_width: float, belt: float, taper: float) -> np.ndarray:
    """Return the points (n, 11, 3) of a greenhouse, from the left belt line over the roof to the right one."""
    x0, x3 = profile[0, 0], profile[3, 0]
    roof = np.interp(-x, -profile[:, 0], profile[:, 1])
    bulge = 0.035 * np.sin(np.pi * np.clip((x0 - x) / (x0 - x3), 0, 1))
    roof = roof + bulge
    # half of a cross-section, from the belt line to the middle of the roof: fractions of height and half width
    height = np.array([0.0, 0.12, 0.80, 0.95, 1.0, 1.0])
    width = np.array([1.0, 1 - 0.12 * taper, 1 - 0.78 * taper, 1 - 1.05 * taper, 0.5, 0.0])
    height = np.concatenate([height, height[-2::-1]])
    side = np.concatenate([-width, width[-2::-1]])
    points = np.empty((len(x), len(height), 3))
    points[..., 0] = x[:, None]
    points[..., 1] = half_width * side * (1 - 0.05 * np.abs(np.linspace(-1, 1, len(x)))[:, None])
    points[..., 2] = belt + np.maximum(roof - belt, 0.0)[:, None] * height
    return points


def glazed_cells(profile_x: np.ndarray, x: np.ndarray, columns: int, pillars: Sequence[float]) -> np.ndarray:
    """Return which cells (len(x) - 1, columns) of a greenhouse are windows; the others are painted."""
    x0, x1, x2, x3 = profile_x
    middle = (x[:-1] + x[1:]) / 2
    glazed = np.zeros((len(x) - 1, columns), bool)
    windscreen, rear_window = (middle > x1) & (middle < x0), (middle < x2) & (middle > x3)
    glazed[windscreen | rear_window, 3:-3] = True
    beside = (middle < x0 - 0.1 * (x0 - x1)) & (middle > x3 + 0.45 * (x2 - x3))
    for pillar in pillars:
        beside &= np.abs(middle - pillar) > 0.051
    for column in (1, -2):
        glazed[beside, column] = True
    return glazed


def wheel(mesh: Mesh, x: float, y: float, radius: float, width: float, tyre: Look, rim: Look, dark: Look) -> None:
    """Add a wheel on an axle along y, with spokes on its outer face (the side away from y = 0).

    x, y: its middle. radius, width: metres. dark: the look behind the spokes.
    """
    out = 1.0 if y > 0 else -1.0
    if mesh.detail < 0.4:
        mesh.tube((x, y, radius), (x, y + out * (width / 2 + 0.02), radius), radius, radius, tyre, 24)
        return
    face = y + out * width / 2
    mesh.tube((x, y - out * width / 2, radius), (x, face, radius), radius, radius, tyre, 16)
    mesh.tube(
        (x, face - out * 0.05, radius),
        (x, face + out * 0.006, radius),
        radius * 0.70,
        radius * 0.66,
        dark,
        14,
    )
    if mesh.detail < 0.7:
        mesh.tube((x, face, radius), (x, face + out * 0.012, radius), radius * 0.6, radius * 0.5, rim, 8)
        return
    for angle in np.arange(5) * 2 * np.pi / 5 + 0.3:
        ray = np.array([np.cos(angle), 0, np.sin(angle)])
        across = np.array([-np.sin(angle), 0, np.cos(angle)])
        hub = np.array([x, face + out * 0.014, radius])
        spoke = [
            hub - 0.05 * across,
            hub + 0.05 * across,
            hub + ray * radius * 0.66 + 0.035 * across,
            hub + ray * radius * 0.66 - 0.035 * across,
        ]
        mesh.quads([spoke if out < 0 else spoke[::-1]], rim)
    mesh.tube((x, face, radius), (x, face + out * 0.02, radius), 0.06, 0.05, rim, 8)
    ring = np.linspace(0, 2 * np.pi, 15)
    circle = np.stack([np.cos(ring), np.zeros_like(ring), np.sin(ring)], axis=1)
    centre = np.array([x, face + out * 0.012, radius])
    rows = [centre + circle * radius * 0.70, centre + circle * radius * 0.62]
    mesh.grid(np.array(rows if out < 0 else rows[::-1]), rim)
