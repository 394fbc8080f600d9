"""Random designs for each kind of building."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.drawing.mesh import LinearColour

BAY, STOREY, SHOP_HEIGHT = 3.2, 3.2, 3.8  # metres: width of a bay, height of a storey, height of the shops

PLASTER_COLOURS: tuple[LinearColour, ...] = (
    (0.86, 0.82, 0.72),
    (0.80, 0.62, 0.42),
    (0.62, 0.70, 0.76),
    (0.88, 0.86, 0.84),
    (0.76, 0.52, 0.44),
    (0.66, 0.72, 0.60),
    (0.90, 0.80, 0.56),
    (0.58, 0.56, 0.54),
)
DOOR_COLOURS = ((0.22, 0.04, 0.03), (0.03, 0.10, 0.16), (0.05, 0.14, 0.08), (0.10, 0.06, 0.04), (0.55, 0.55, 0.52))


@dataclass(frozen=True)
class Design:
    """The design of one building.

    facade: a key of `facades.FACADES`. colour: linear RGB factor on it. bays: number of bays along the street and in
    depth. storeys: number of storeys, without the shops. roof: "flat", "gable", "hip" or "mansard".
    ground: "shops" (in a storey of their own) or "flats" (the lowest of the storeys). extras: some of "bay windows",
    "balconies", "awnings", "dormers", "chimneys".
    """

    facade: str
    colour: LinearColour
    bays: tuple[int, int]
    storeys: int
    roof: str
    ground: str = "flats"
    extras: tuple[str, ...] = ()

    @property
    def depth(self) -> float:
        """Metres at right angles to the street."""
        return self.bays[1] * BAY

    @property
    def width(self) -> float:
        """Metres along the street."""
        return self.bays[0] * BAY


def wall_colour(facade: str, rng: np.random.Generator) -> LinearColour:
    """Return a random colour for plaster; brick keeps the colour of its texture."""
    return (1.0, 1.0, 1.0) if "brick" in facade else PLASTER_COLOURS[rng.integers(len(PLASTER_COLOURS))]


def town_house(rng: np.random.Generator, bays: int) -> Design:
    """Design a terraced house with shops or flats at street level."""
    facade = str(rng.choice(["facade plaster", "facade brick", "facade yellow brick", "facade french"]))
    extras = [
        extra
        for extra, probability in (
            ("bay windows", 0.25),
            ("balconies", 0.25),
            ("awnings", 0.55),
            ("dormers", 0.6),
            ("chimneys", 0.7),
        )
        if rng.random() < probability
    ]
    return Design(
        facade=facade,
        colour=wall_colour(facade, rng),
        bays=(bays, int(rng.integers(3, 5))),
        storeys=int(rng.integers(2, 6)),
        roof=str(rng.choice(["gable", "mansard", "flat"], p=[0.45, 0.3, 0.25])),
        ground="shops" if rng.random() < 0.7 else "flats",
        extras=tuple(extras),
    )


def detached_house(rng: np.random.Generator) -> Design:
    """Design a single-family house."""
    # half of them are cottages
    facade = str(rng.choice(["facade cottage", "facade brick", "facade plaster", "facade cottage"]))
    colour = wall_colour(facade, rng)
    extras = ("chimneys", "dormers") if rng.random() < 0.5 else ("chimneys",)
    bays = (int(rng.integers(3, 5)), int(rng.integers(2, 4)))
    return Design(
        facade=facade,
        colour=colour,
        bays=bays,
        storeys=int(rng.integers(1, 3)),
        roof=str(rng.choice(["gable", "hip"])),
        extras=extras,
    )


def office(rng: np.random.Generator, bays: int) -> Design:
    """Design a modern building of glass or concrete bands."""
    facade = str(rng.choice(["facade glass", "facade ribbon"]))
    grey = rng.uniform(0.75, 1.05)
    ground = "shops" if rng.random() < 0.35 else "flats"
    return Design(
        facade=facade,
        colour=(grey, grey, grey * 1.02),
        bays=(bays, int(rng.integers(4, 6))),
        storeys=int(rng.integers(3, 9)),
        roof="flat",
        ground=ground,
    )


def apartment_block(rng: np.random.Generator, bays: int) -> Design:
    """Design a free-standing block of flats with balconies."""
    colour = PLASTER_COLOURS[rng.integers(len(PLASTER_COLOURS))]
    return Design(
        facade="facade block",
        colour=tuple(0.5 + 0.5 * c for c in colour),
        bays=(bays, 4),
        storeys=int(rng.integers(4, 8)),
        roof="flat",
        extras=("balconies",),
    )
