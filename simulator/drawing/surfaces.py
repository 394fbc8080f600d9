"""Procedural textures of plain materials: asphalt, paving, brick, grass, leaves ...

A painter takes a random generator and returns a tiling texture, RGBA uint8 (SIZE, SIZE, 4). RGB is the square root
of the reflectance; alpha is an outline (cut-outs) or glass (facades).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

SIZE = 512
ROWS, COLUMNS = np.mgrid[0:SIZE, 0:SIZE]
Generator = np.random.Generator
Painter = Callable[[Generator], np.ndarray]


def noise(rng: Generator, cells: int = 4, octaves: int = 6, persistence: float = 0.55, size: int = SIZE) -> np.ndarray:
    """Return smooth tiling noise (size, size) float32 with mean near 0.5.

    cells: blobs per side in the coarsest octave; persistence: amplitude of each octave relative to the one before.
    """
    total, weight, amplitude = np.zeros((size, size), np.float32), 0.0, 1.0
    for octave in range(octaves):
        count = cells << octave
        if count > size:
            break
        grain = np.pad(rng.random((count, count), np.float32), 2, mode="wrap")
        step = size // count
        big = cv2.resize(grain, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += amplitude * big[2 * step : 2 * step + size, 2 * step : 2 * step + size]
        weight += amplitude
        amplitude *= persistence
    return total / weight


def rgba(image: np.ndarray, colour: tuple[float, ...] = (1, 1, 1), alpha: np.ndarray | float = 1.0) -> np.ndarray:
    """Convert an image in 0..1, grey (tinted with `colour`) or RGB, to RGBA uint8."""
    image = np.asarray(image, np.float32)
    out = np.empty((SIZE, SIZE, 4), np.float32)
    out[..., :3] = image[..., None] * np.asarray(colour, np.float32) if image.ndim == 2 else image
    out[..., 3] = alpha
    return np.clip(out * 255 + 0.5, 0, 255).astype(np.uint8)


def brick_pattern(rng: Generator, width: int, height: int, shift: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return (joint, tone) of bricks or slabs: a mask of the joints, and a random value in 0..1 per brick."""
    row = ROWS // height
    offset = (COLUMNS + (width // 2) * (row % 2) * shift) % SIZE
    joint = (ROWS % height < max(1, height // 10)) | (offset % width < max(1, height // 10))
    tone = rng.random((SIZE // height + 1, SIZE // width + 1))[row, offset // width]
    return joint, tone


def white(rng: Generator) -> np.ndarray:
    """Paint plain white, which leaves the colour to the look."""
    return rgba(np.ones((SIZE, SIZE)))


def asphalt(rng: Generator) -> np.ndarray:
    """Paint rolled asphalt with worn patches and a few sealed cracks."""
    grain = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), 0.7)
    grey = 0.44 + 0.07 * (noise(rng, 4) - 0.5) + 0.10 * (noise(rng, 32, 4) - 0.5) + 0.30 * (grain - 0.5)
    cracks = np.ones((SIZE, SIZE), np.float32)
    for _ in range(5):
        steps = np.cumsum(rng.normal(0, 5, (40, 2)) + rng.normal(0, 3, 2), axis=0) + rng.integers(0, SIZE, 2)
        cv2.polylines(cracks, [steps.astype(np.int32)], False, 0.80, 2, cv2.LINE_AA)
    return rgba(grey * cracks, (1, 0.995, 0.98))


def lane(rng: Generator) -> np.ndarray:
    """Paint asphalt between two lane borders (u from 0 to 1): dark line of oil, pale wheel tracks."""
    grain = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), 0.8)
    u = (COLUMNS + 0.5) / SIZE
    tracks = np.exp(-(((u - 0.24) / 0.09) ** 2)) + np.exp(-(((u - 0.76) / 0.09) ** 2))
    oil = np.exp(-(((u - 0.5) / 0.10) ** 2)) * (0.4 + noise(rng, 4))
    grey = 0.44 + 0.07 * (noise(rng, 4) - 0.5) + 0.08 * (noise(rng, 32, 4) - 0.5) + 0.26 * (grain - 0.5)
    grey += 0.022 * tracks - 0.045 * oil
    cracks = np.ones((SIZE, SIZE), np.float32)
    for _ in range(2):
        steps = np.cumsum(rng.normal((0, 7), 4, (30, 2)), axis=0) + rng.integers(0, SIZE, 2)
        cv2.polylines(cracks, [steps.astype(np.int32)], False, 0.88, 1, cv2.LINE_AA)
    return rgba(grey * cracks, (1, 0.995, 0.98))


def paving(rng: Generator) -> np.ndarray:
    """Paint square concrete slabs."""
    joint, tone = brick_pattern(rng, 64, 64, shift=False)
    grain = rng.random((SIZE, SIZE))
    grey = 0.66 + 0.12 * (noise(rng) - 0.5) + 0.07 * (tone - 0.5) + 0.06 * (grain - 0.5)
    stains = np.clip(noise(rng, 16, 3) - 0.62, 0, 1) * 0.4
    return rgba(np.where(joint, grey * 0.72, grey) - stains, (1, 0.985, 0.95))


def setts(rng: Generator) -> np.ndarray:
    """Paint small paving stones."""
    joint, tone = brick_pattern(rng, 32, 16)
    image = (0.55 + 0.25 * (tone - 0.5) + 0.1 * (noise(rng) - 0.5))[..., None] * np.array([1, 0.90, 0.84])
    return rgba(np.where(joint[..., None], image * 0.62, image))


def concrete(rng: Generator) -> np.ndarray:
    """Paint cast concrete with water stains."""
    streaks = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), sigmaX=3, sigmaY=60)
    grey = 0.68 + 0.16 * (noise(rng) - 0.5) + 0.04 * (rng.random((SIZE, SIZE)) - 0.5) + 1.2 * (streaks - 0.5)
    return rgba(grey, (1, 0.99, 0.96))


def plaster(rng: Generator) -> np.ndarray:
    """Paint render in a plain colour."""
    grain = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), 1.0)
    return rgba(0.91 + 0.10 * (noise(rng) - 0.5) + 0.05 * (noise(rng, 32, 4) - 0.5) + 0.10 * (grain - 0.5))


def brick(rng: Generator, colour: tuple[float, ...] = (0.74, 0.47, 0.40)) -> np.ndarray:
    """Paint brickwork, 16 x 8 pixels per brick, so that one repeat is about 8 m wide at facade scale."""
    joint, tone = brick_pattern(rng, 16, 8)
    shade = 0.74 + 0.24 * (tone - 0.5) + 0.16 * (noise(rng, 8) - 0.5)
    return rgba(np.where(joint[..., None], 0.60, shade[..., None] * np.array(colour)))


def stone(rng: Generator) -> np.ndarray:
    """Paint a wall of rough blocks."""
    joint, tone = brick_pattern(rng, 64, 32)
    shade = 0.60 + 0.22 * (tone - 0.5) + 0.22 * (noise(rng, 16, 4) - 0.5)
    return rgba(np.where(joint, shade * 0.58, shade), (1, 0.96, 0.88))


def roof(rng: Generator) -> np.ndarray:
    """Paint rows of clay tiles."""
    _, tone = brick_pattern(rng, 16, 32)
    shade = 0.56 + 0.16 * (tone - 0.5) + 0.14 * (noise(rng) - 0.5) - 0.20 * ((ROWS % 32) < 4)
    shade += 0.05 * np.cos(COLUMNS * 2 * np.pi / 16)
    return rgba(shade, (1, 0.66, 0.54))


def slate(rng: Generator) -> np.ndarray:
    """Paint dark shingles."""
    joint, tone = brick_pattern(rng, 32, 32)
    shade = 0.36 + 0.10 * (tone - 0.5) + 0.08 * (noise(rng) - 0.5)
    return rgba(np.where(joint, shade * 0.7, shade), (0.95, 1.0, 1.06))


def grass(rng: Generator) -> np.ndarray:
    """Paint a mown lawn with dry and lush patches."""
    blades = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), sigmaX=0.8, sigmaY=2.0)
    tone = 0.46 + 0.16 * (noise(rng, 4) - 0.5) + 0.20 * (noise(rng, 32, 4) - 0.5) + 0.65 * (blades - 0.5)
    dry = np.clip((noise(rng, 4) - 0.45) * 2.2, 0, 1)[..., None]
    return rgba(tone[..., None] * ((1 - dry) * np.array([0.80, 1.0, 0.46]) + dry * np.array([1.02, 0.98, 0.58])))


def soil(rng: Generator) -> np.ndarray:
    """Paint trodden earth and gravel."""
    grain = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), 1.2)
    return rgba(0.52 + 0.2 * (noise(rng) - 0.5) + 0.5 * (grain - 0.5), (1, 0.88, 0.72))


def paint(rng: Generator) -> np.ndarray:
    """Paint a road marking, worn off in spots."""
    worn = np.clip((noise(rng, 32, 4) - 0.60) * 8, 0, 1)
    return rgba(0.95 + 0.10 * (noise(rng) - 0.5) - 0.20 * worn)


def bark(rng: Generator) -> np.ndarray:
    """Paint furrowed bark along v."""
    streaks = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), sigmaX=3, sigmaY=14)
    return rgba(0.42 + 0.2 * (noise(rng, 8) - 0.5) + 2.6 * (streaks - 0.5), (1, 0.88, 0.76))


def wood(rng: Generator) -> np.ndarray:
    """Paint sawn planks along u."""
    fibre = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), sigmaX=30, sigmaY=1.5)
    _, tone = brick_pattern(rng, SIZE, 64)
    shade = 0.62 + 1.6 * (fibre - 0.5) + 0.2 * (tone - 0.5) - 0.25 * ((ROWS % 64) < 3)
    return rgba(shade, (1, 0.80, 0.60))


def leaves(rng: Generator) -> np.ndarray:
    """Paint a spray of leaves, the outline in alpha."""
    return leaf_cluster(rng, count=420, lengths=(14, 27), aspect=0.48, colour=(0.56, 0.70, 0.34))


def needles(rng: Generator) -> np.ndarray:
    """Paint a conifer's twigs, the outline in alpha."""
    return leaf_cluster(rng, count=700, lengths=(18, 40), aspect=0.16, colour=(0.34, 0.48, 0.34))


def leaf_cluster(
    rng: Generator, count: int, lengths: tuple[float, float], aspect: float, colour: tuple[float, ...]
) -> np.ndarray:
    """Paint ellipses scattered over a disc, later ones brighter; alpha is 1 on them."""
    image = np.full((SIZE, SIZE, 3), 0.3, np.float32) * np.array(colour, np.float32)
    alpha = np.zeros((SIZE, SIZE), np.float32)
    for i in range(count):
        radius, angle = 215 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        centre = (int(256 + radius * np.cos(angle)), int(256 + radius * np.sin(angle)))
        length = rng.uniform(*lengths)
        tone = (0.50 + 0.45 * i / count) * rng.uniform(0.8, 1.15)
        tint = np.array(colour) * tone * np.array([rng.uniform(0.9, 1.2), 1.0, 0.95])
        ellipse = (centre, (int(length), int(length * aspect)), rng.uniform(0, 180), 0, 360)
        cv2.ellipse(image, *ellipse, tuple(tint.tolist()), -1)
        cv2.ellipse(alpha, *ellipse, 1.0, -1)
    return rgba(image, alpha=alpha)


def hedge(rng: Generator) -> np.ndarray:
    """Paint clipped leaves without gaps."""
    cluster = np.zeros((SIZE, SIZE, 3), np.float32)
    for i in range(2600):
        x, y = rng.integers(0, SIZE, 2)
        tone = (0.22 + 0.36 * i / 2600) * rng.uniform(0.75, 1.25)
        tint = (0.72 * tone * rng.uniform(0.9, 1.2), tone, 0.42 * tone)
        for dx in (-SIZE, 0, SIZE):
            for dy in (-SIZE, 0, SIZE):
                if -20 < x + dx < SIZE + 20 and -20 < y + dy < SIZE + 20:
                    axes = (10, 5)
                    cv2.ellipse(cluster, (int(x + dx), int(y + dy)), axes, i * 37 % 180, 0, 360, tint, -1)
    return rgba(cluster * 1.35)


def wire(rng: Generator) -> np.ndarray:
    """Paint chain-link mesh; alpha is 1 on the wire."""
    diagonal = ((ROWS + COLUMNS) % 32 < 4) | ((ROWS - COLUMNS) % 32 < 4) | (ROWS < 10) | (ROWS > 500)
    return rgba(np.full((SIZE, SIZE), 0.62), alpha=diagonal)


def pickets(rng: Generator) -> np.ndarray:
    """Paint upright boards on two rails; alpha is 1 on the wood."""
    board = (COLUMNS % 64 < 40) & ~((ROWS < 24) & (abs(COLUMNS % 64 - 20) > ROWS - 2))
    rail = ((ROWS > 120) & (ROWS < 160)) | ((ROWS > 380) & (ROWS < 420))
    tone = 0.9 + 0.12 * (noise(rng, 16, 4) - 0.5) - 0.2 * (rail & ~board)
    return rgba(tone, alpha=board | rail)


def railing(rng: Generator) -> np.ndarray:
    """Paint thin iron bars between two rails; alpha is 1 on the iron."""
    bars = (COLUMNS % 32 < 7) | ((ROWS > 20) & (ROWS < 44)) | ((ROWS > 440) & (ROWS < 462))
    return rgba(np.full((SIZE, SIZE), 0.9), alpha=bars & (ROWS > 6))


def clouds(rng: Generator) -> np.ndarray:
    """Return the cloud cover of the sky, float32 (SIZE, SIZE) in 0..1."""
    cover = noise(rng, 4, 7, 0.58)
    return (cover - cover.min()) / (cover.max() - cover.min())


PAINTERS: dict[str, Painter] = {
    painter.__name__: painter
    for painter in (
        white, asphalt, lane, paving, setts, concrete, plaster, brick, stone, roof, slate, grass, soil, paint,
        bark, wood, leaves, needles, hedge, wire, pickets, railing,
    )
}  # fmt: skip
