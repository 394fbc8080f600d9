"""Procedural textures of house fronts, four bays by four storeys of 3.2 m each, and of shop fronts.

Alpha is 1 where there is glass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.drawing import surfaces
from simulator.drawing.emblems import write
from simulator.drawing.surfaces import SIZE, Generator, Painter, noise, rgba

BAY_PIXELS = SIZE // 4  # width of a bay and height of a storey in the texture
GLASS_TINT = np.array([0.80, 0.95, 1.08], np.float32)
SHOP_WORDS = (
    "BAKERY",
    "BOOKS",
    "CAFE",
    "FLOWERS",
    "PHARMACY",
    "SHOES",
    "OPTICIAN",
    "MARKET",
    "HAIR",
    "BIKES",
    "BANK",
    "TOYS",
)


@dataclass(frozen=True)
class Facade:
    """The wall and windows of a facade; coordinates in pixels within a bay of 128 x 128.

    wall: a painter's name in `surfaces.PAINTERS`. tint: colour factor on it. window: left, right, top, bottom.
    frame, frame_width: colour and width of the frames. panes: columns and rows. sill, railing: whether there is one.
    lintel, shutters: their colours; None: without. band: brightness factor of the line between storeys.
    curtains: probability of curtains or a blind in a window.
    """

    wall: str
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    window: tuple[int, int, int, int] = (38, 90, 26, 104)
    frame: tuple[float, float, float] = (0.94, 0.93, 0.90)
    frame_width: int = 4
    panes: tuple[int, int] = (2, 2)
    sill: bool = True
    lintel: tuple[float, float, float] | None = None
    shutters: tuple[float, float, float] | None = None
    railing: bool = False
    band: float = 0.90
    curtains: float = 0.45


FACADES: dict[str, Facade] = {
    "facade plaster": Facade("plaster", window=(36, 92, 24, 104), lintel=(0.97, 0.96, 0.93)),
    "facade brick": Facade("brick", window=(40, 88, 22, 104), panes=(2, 3), lintel=(0.86, 0.84, 0.80)),
    "facade yellow brick": Facade(
        "brick",
        tint=(1.0, 1.36, 1.22),
        window=(34, 94, 30, 102),
        frame=(0.22, 0.24, 0.26),
        panes=(2, 1),
        lintel=(0.62, 0.42, 0.36),
    ),
    "facade ribbon": Facade(
        "concrete",
        tint=(1.02, 1.02, 1.03),
        window=(3, 125, 36, 104),
        frame=(0.34, 0.35, 0.37),
        panes=(3, 1),
        sill=False,
        band=0.78,
        curtains=0.3,
    ),
    "facade glass": Facade(
        "concrete",
        tint=(0.62, 0.66, 0.70),
        window=(2, 126, 6, 118),
        frame=(0.30, 0.32, 0.35),
        frame_width=3,
        panes=(2, 2),
        sill=False,
        band=0.7,
        curtains=0.12,
    ),
    "facade french": Facade(
        "plaster",
        tint=(1.0, 0.98, 0.94),
        window=(38, 90, 14, 120),
        panes=(2, 3),
        sill=False,
        railing=True,
        shutters=(0.42, 0.50, 0.52),
    ),
    "facade block": Facade(
        "concrete",
        tint=(1.06, 1.05, 1.0),
        window=(22, 106, 34, 98),
        panes=(3, 1),
        frame=(0.92, 0.92, 0.92),
        band=0.72,
    ),
    "facade cottage": Facade(
        "plaster",
        window=(40, 88, 34, 94),
        panes=(2, 2),
        shutters=(0.28, 0.42, 0.30),
        lintel=(0.80, 0.72, 0.62),
    ),
}


def facade(style: Facade) -> Painter:
    """Return the painter of a style."""

    def painter(rng: Generator) -> np.ndarray:
        wall = surfaces.PAINTERS[style.wall](rng)[..., :3] / np.float32(255) * np.array(style.tint, np.float32)
        glass = np.zeros((SIZE, SIZE), np.float32)
        for storey in range(4):
            top = storey * BAY_PIXELS
            wall[top : top + 3] *= style.band
            for column in range(4):
                left = column * BAY_PIXELS
                bay = np.s_[top : top + BAY_PIXELS, left : left + BAY_PIXELS]
                paint_window(wall[bay], glass[bay], style, rng)
        return rgba(wall, alpha=glass)

    return painter


def paint_window(wall: np.ndarray, glass: np.ndarray, style: Facade, rng: Generator) -> None:
    """Paint one window in a bay of wall (128, 128, 3) and glass (128, 128), both in place."""
    left, right, top, bottom = style.window
    edge = style.frame_width
    paint_surround(wall, style)
    wall[top - edge : bottom + edge, left - edge : right + edge] = style.frame
    depth = np.linspace(0.16, 0.34, bottom - top, dtype=np.float32)[:, None, None]
    wall[top:bottom, left:right] = depth * GLASS_TINT * rng.uniform(0.7, 1.25)
    if rng.random() < style.curtains:
        paint_curtains(wall[top:bottom, left:right], rng)
    glass[top:bottom, left:right] = 0.95
    columns, rows = style.panes
    bars = [(np.s_[top:bottom, x - 1 : x + 2]) for x in np.linspace(left, right, columns + 1).astype(int)[1:-1]]
    bars += [(np.s_[y - 1 : y + 1, left:right]) for y in np.linspace(top, bottom, rows + 1).astype(int)[1:-1]]
    for bar in bars:
        wall[bar], glass[bar] = style.frame, 0.0
    wall[top : top + 6, left:right] *= 0.5  # shade of the lintel
    wall[top:bottom, right - 3 : right] *= 0.65  # shade of the reveal
    if style.railing:
        wall[bottom - 36 : bottom, left - 6 : right + 6 : 5] = 0.16
        wall[bottom - 38 : bottom - 34, left - 8 : right + 8] = 0.14
        glass[bottom - 38 : bottom] *= 0.5


def paint_surround(wall: np.ndarray, style: Facade) -> None:
    """Paint lintel, sill and shutters, in place."""
    left, right, top, bottom = style.window
    edge = style.frame_width
    if style.lintel is not None:
        wall[top - edge - 9 : top - edge, left - 10 : right + 10] = style.lintel
        wall[top - edge : top - edge + 2, left - 10 : right + 10] *= 0.7
    if style.shutters is not None:
        for x0, x1 in ((left - edge - 22, left - edge), (right + edge, right + edge + 22)):
            wall[top:bottom, x0:x1] = np.array(style.shutters)
            wall[top + 3 : bottom - 3 : 5, x0 + 3 : x1 - 3] *= 0.78
            wall[top:bottom, x0 : x0 + 1] *= 0.6
    if style.sill:
        wall[bottom + edge : bottom + edge + 6, left - 9 : right + 9] = 0.84
        wall[bottom + edge + 6 : bottom + edge + 12, left - 7 : right + 7] *= 0.72


def paint_curtains(pane: np.ndarray, rng: Generator) -> None:
    """Paint a blind or a pair of curtains behind a window, in place."""
    height, width = pane.shape[:2]
    cloth = np.array([0.80, 0.77, 0.70], np.float32) * rng.uniform(0.62, 1.0)
    if rng.random() < 0.5:
        pane[: int(height * rng.uniform(0.15, 0.7))] = cloth
        return
    folds = 1 + 0.12 * np.sin(np.arange(width) * 1.3)[None, :, None]
    span = int(width * rng.uniform(0.15, 0.3))
    pane[:, :span] = (cloth * folds)[:, :span]
    pane[:, -span:] = (cloth * folds)[:, -span:]


def shops(first: int) -> Painter:
    """Return the painter of two shop fronts side by side, 6.4 m wide and 3.8 m high each.

    first: index in SHOP_WORDS of the word over the left one.
    """

    def painter(rng: Generator) -> np.ndarray:
        wall = np.full((SIZE, SIZE, 3), 0.5, np.float32) + 0.08 * (noise(rng, 8)[..., None] - 0.5)
        glass = np.zeros((SIZE, SIZE), np.float32)
        for i in range(2):
            part = np.s_[:, i * 256 : (i + 1) * 256]
            paint_shop(wall[part], glass[part], SHOP_WORDS[(first + i) % len(SHOP_WORDS)], rng)
        return rgba(wall, alpha=glass)

    return painter


def paint_shop(wall: np.ndarray, glass: np.ndarray, word: str, rng: Generator) -> None:
    """Paint a shop front in wall (512, 256, 3) and glass (512, 256), in place. word: the text of its sign."""
    colour = np.array(
        (
            (0.50, 0.10, 0.10),
            (0.08, 0.24, 0.38),
            (0.10, 0.30, 0.20),
            (0.20, 0.18, 0.20),
            (0.62, 0.52, 0.36),
            (0.40, 0.44, 0.48),
        ),
        np.float32,
    )[rng.integers(6)]
    wall[24:] = colour * 0.9
    wall[36:112, 8:248] = colour * 1.15 + 0.04
    write(
        wall[36:112, 8:248],
        word,
        (120, 38),
        34,
        (0.95, 0.93, 0.86) if colour.mean() < 0.4 else (0.12, 0.10, 0.10),
        0.14,
    )
    wall[112:120] *= 0.5
    windows = ((16, 150, 130, 430), (176, 236, 130, 478))  # display window and door: left, right, top, bottom
    for x0, x1, y0, y1 in windows:
        wall[y0 - 5 : y1 + 5, x0 - 5 : x1 + 5] = colour * 0.6 + 0.08
        wall[y0:y1, x0:x1] = np.linspace(0.40, 0.20, y1 - y0)[:, None, None] * np.array([1.0, 0.94, 0.82])
        glass[y0:y1, x0:x1] = 0.95
    for _ in range(46):  # goods on shelves
        x, y = int(rng.integers(18, 136)), int(rng.choice((210, 270, 330, 390, 428)))
        width, height = int(rng.integers(5, 16)), int(rng.integers(10, 40))
        item = wall[y - height : y, x : min(x + width, 148)]
        item[:] = item * 0.4 + 0.6 * (rng.random(3) * 0.45 + 0.08)
    for y in (210, 270, 330, 390):  # shelves
        wall[y : y + 3, 16:150] *= 0.6
    for x0, x1, y0, _ in windows:  # shade under the lintel
        wall[y0 : y0 + 14, x0:x1] *= 0.5
    wall[130:430, 82:86], glass[130:430, 82:86] = colour * 0.6 + 0.08, 0.0  # glazing bar
    wall[300:306, 180:186] = 0.8  # door handle
    wall[484:] = 0.32  # plinth


def door(rng: Generator) -> np.ndarray:
    """Paint a front door with a glazed panel above it, 1.3 m by 2.6 m."""
    image = np.full((SIZE, SIZE, 3), 0.86, np.float32)
    glass = np.zeros((SIZE, SIZE), np.float32)
    image[40:, 40:472] = np.array([0.85, 0.85, 0.88])
    for x0 in (80, 276):  # four sunk panels
        for y0, y1 in ((150, 300), (330, 480)):
            image[y0:y1, x0 : x0 + 156] *= 0.78
            image[y0 : y0 + 8, x0 : x0 + 156] *= 0.6
    image[56:118, 70:442], glass[56:118, 70:442] = 0.22, 0.9  # the glazed panel
    image[310:330, 420:440] = 0.3  # handle
    return rgba(image, alpha=glass)


def garage(rng: Generator) -> np.ndarray:
    """Paint a sectional garage door."""
    rows = np.arange(SIZE)[:, None] + np.zeros((1, SIZE), int)
    return rgba(0.86 - 0.25 * (rows % 100 < 8) + 0.04 * (noise(rng) - 0.5))


PAINTERS: dict[str, Painter] = {
    **{name: facade(style) for name, style in FACADES.items()},
    **{f"shops {i}": shops(i * 2) for i in range(6)},
    "door": door,
    "garage": garage,
}
