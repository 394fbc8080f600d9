"""Trees and bushes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.drawing.mesh import (
    CUTOUT,
    FOLIAGE,
    NO_OCCLUSION,
    TWO_SIDED,
    VEGETATION,
    LinearColour,
    Look,
    Mesh,
    Triangles,
)

BARK = Look(VEGETATION, (0.72, 0.72, 0.72), "bark")
LEAF_FLAGS = TWO_SIDED | CUTOUT | FOLIAGE | NO_OCCLUSION


@dataclass(frozen=True)
class TreeKind:
    """A kind of tree.

    trunk: height at which the crown begins, and radius at the foot. crown: half width, height; all in metres.
    lobes: number of rounded parts of the crown. cards: number of leaf cards, quads that show a spray of leaves.
    tint: colour factor of the leaves.
    conifer: whether the crown is a cone of needles.
    """

    trunk: tuple[float, float]
    crown: tuple[float, float]
    lobes: int
    cards: int
    tint: LinearColour
    conifer: bool = False


TREE_KINDS: dict[str, TreeKind] = {  # trunk, crown, lobes, cards, tint
    "lime": TreeKind((2.3, 0.17), (2.4, 5.4), 7, 120, (0.66, 0.72, 0.60)),
    "maple": TreeKind((2.1, 0.20), (3.1, 5.2), 9, 150, (0.74, 0.74, 0.50)),
    "plane": TreeKind((2.9, 0.24), (3.4, 6.6), 10, 170, (0.56, 0.66, 0.54)),
    "poplar": TreeKind((1.8, 0.18), (1.35, 9.0), 8, 120, (0.54, 0.64, 0.50)),
    "birch": TreeKind((2.0, 0.11), (1.7, 5.6), 6, 90, (0.84, 0.84, 0.56)),
    "beech": TreeKind((1.9, 0.19), (2.7, 4.8), 7, 130, (0.60, 0.40, 0.34)),
    "spruce": TreeKind((1.0, 0.16), (2.1, 8.5), 0, 130, (0.85, 0.90, 0.85), conifer=True),
}


def tree(kind_name: str, seed: int, detail: float = 1.0) -> Triangles:
    """Build a tree about 7 to 10 m high, at the origin. kind_name: a key of TREE_KINDS."""
    kind, rng, mesh = TREE_KINDS[kind_name], np.random.default_rng(seed), Mesh(detail)
    foot, radius = kind.trunk
    width, height = kind.crown
    top = foot + height * (0.95 if kind.conifer else 0.55)
    bend = rng.normal(0, 0.12, 2)
    bark = BARK.replace(colour=(1.9, 1.9, 1.85)) if kind_name == "birch" else BARK
    mesh.tube((0, 0, 0), (*bend, foot), radius, radius * 0.72, bark, 8, caps=False, repeat=(1, 0.5))
    if detail > 0.2:
        mesh.tube((*bend, foot), (*bend * 1.5, top), radius * 0.72, 0.03, bark, 6, caps=False, repeat=(1, 0.5))
    if kind.conifer:
        needles(mesh, kind, foot, rng)
        return mesh.build()
    angles = np.arange(kind.lobes) * 2.4 + rng.uniform(0, 6)
    level = (np.arange(kind.lobes) + 0.5) / kind.lobes
    out = width * 0.55 * np.sqrt(np.clip(1 - (2 * level - 0.85) ** 2, 0.08, 1)) * rng.uniform(0.75, 1.15, kind.lobes)
    centres = np.stack([out * np.cos(angles), out * np.sin(angles), foot + height * (0.16 + 0.70 * level)], axis=1)
    centres[:, :2] += bend
    sizes = width * rng.uniform(0.42, 0.62, kind.lobes) * (1.0 - 0.22 * np.abs(level - 0.45))
    for centre in centres[: round(5 * detail - 0.6)]:
        mesh.tube((*bend, foot * 0.95), centre, radius * 0.4, 0.03, bark, 5, caps=False, repeat=(1, 0.5))
    crown_middle = np.array([*bend, foot + height * 0.42])
    leaves(mesh, kind, centres, sizes, crown_middle, rng)
    return mesh.build()


def leaves(
    mesh: Mesh,
    kind: TreeKind,
    centres: np.ndarray,
    sizes: np.ndarray,
    crown_middle: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Add leaf cards over the lobes; inner and lower ones are darker, as they see less of the sky.

    centres (n, 3), sizes (n,): middles and radii of the lobes. crown_middle (3,).
    """
    count = max(11, int(kind.cards * mesh.detail**1.25))
    lobe = np.arange(count) % len(centres)
    out = rng.normal(size=(count, 3))
    out[:, 2] = np.where(rng.random(count) < 0.7, np.abs(out[:, 2]), out[:, 2])
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    position = centres[lobe] + out * sizes[lobe, None] * rng.uniform(0.55, 1.0, (count, 1))
    size = sizes[lobe] * rng.uniform(0.50, 0.72, count) * mesh.detail**-0.33
    corners = cards(position, out + 0.6 * rng.normal(size=(count, 3)), size, rng)
    normals = corners - (0.65 * centres[lobe] + 0.35 * crown_middle)[:, None]
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    from_middle = np.linalg.norm(
        (position - crown_middle) / [kind.crown[0], kind.crown[0], kind.crown[1] * 0.55], axis=1
    )
    height = (position[:, 2] - centres[:, 2].min()) / np.ptp(centres[:, 2])
    open_sky = (0.30 + 0.70 * np.clip(from_middle, 0, 1)) * (0.62 + 0.38 * np.clip(height, 0, 1))
    tone = open_sky * rng.uniform(0.85, 1.15, count)
    add_cards(mesh, corners, normals, np.array(kind.tint) * tone[:, None], "leaves")


def needles(mesh: Mesh, kind: TreeKind, foot: float, rng: np.random.Generator) -> None:
    """Add drooping branches on a cone. foot: height at which it begins."""
    count = max(20, int(kind.cards * mesh.detail))
    level = np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    reach = kind.crown[0] * level * rng.uniform(0.55, 0.85, count)
    position = np.stack([reach * np.cos(angle), reach * np.sin(angle), foot + kind.crown[1] * (1 - level)], axis=1)
    out = np.stack([np.cos(angle), np.sin(angle), np.full(count, 1.1)], axis=1)
    size = kind.crown[0] * (0.20 + 0.26 * level) * mesh.detail**-0.33
    corners = cards(position, out + 0.25 * rng.normal(size=(count, 3)), size, rng)
    normals = np.repeat((out * [1, 1, 0.4])[:, None], 4, axis=1)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    tone = (0.45 + 0.55 * reach / (kind.crown[0] * level + 1e-6)) * rng.uniform(0.8, 1.15, count)
    add_cards(mesh, corners, normals, np.array(kind.tint) * tone[:, None], "needles")


def cards(position: np.ndarray, facing: np.ndarray, size: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return square cards (n, 4, 3), turned at random about the direction that they face.

    position, facing (n, 3): their middles and directions. size (n,): half their sides.
    """
    facing = facing / np.linalg.norm(facing, axis=1, keepdims=True)
    across = np.cross(facing, rng.normal(size=facing.shape))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(facing, across)
    a, b = across * size[:, None], other * size[:, None]
    return np.stack([position - a - b, position + a - b, position + a + b, position - a + b], axis=1)


def add_cards(mesh: Mesh, corners: np.ndarray, normals: np.ndarray, colours: np.ndarray, texture: str) -> None:
    """Add leaf cards (n, 4, 3) with normals (n, 4, 3), each with its own colour: (n, 3)."""
    look = Look(VEGETATION, texture=texture, flags=LEAF_FLAGS)
    mesh.quads(corners, look, normals=normals.astype(np.float32), colours=colours)


def bush(seed: int, detail: float = 1.0) -> Triangles:
    """Build a low rounded shrub."""
    rng, mesh = np.random.default_rng(seed), Mesh(detail)
    kind = TreeKind((0.0, 0.0), (0.75, 1.1), 3, 34, (0.66, 0.78, 0.55))
    centres = np.array([(0, 0, 0.5), (0.35, 0.2, 0.35), (-0.3, 0.25, 0.38)])
    leaves(mesh, kind, centres, np.array([0.55, 0.4, 0.42]), np.array([0, 0, 0.35]), rng)
    return mesh.build()
