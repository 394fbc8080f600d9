"""Random designs for each kind of building."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BAY, STOREY, SHOP_HEIGHT = 3.2, 3.2, 3.8  # metres: width of a bay, height of a storey, height of the shops

PLASTER_COLOURS = (
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
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Design:
    """The design of one building.

    bays: number of bays along the street and in depth. roof: "flat", "gable", "hip" or "mansard".
    ground: "shops", "flats" (like the storeys above) or "plinth". extras: some of "bay windows", "balconies",
    "awnings", "dormers", "chimneys".
    """

    facade: str
    colour: Colour
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


def town_house(rng: np.random.Generator, bays: int) -> Design:
    """Design a terraced house with shops or flats at street level."""
    facade = str(rng.choice(["facade plaster", "facade brick", "facade yellow brick", "facade french"]))
    plain = "brick" in facade
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
        facade,
        (1.0, 1.0, 1.0) if plain else PLASTER_COLOURS[rng.integers(len(PLASTER_COLOURS))],
        (bays, int(rng.integers(3, 5))),
        int(rng.integers(2, 6)),
        str(rng.choice(["gable", "mansard", "flat"], p=[0.45, 0.3, 0.25])),
        "shops" if rng.random() < 0.7 else "plinth",
        tuple(extras),
    )


def detached_house(rng: np.random.Generator) -> Design:
    """Design a single-family house."""
    facade = str(rng.choice(["facade cottage", "facade brick", "facade plaster", "facade cottage"]))
    colour = (1.0, 1.0, 1.0) if "brick" in facade else PLASTER_COLOURS[rng.integers(len(PLASTER_COLOURS))]
    extras = ("chimneys", "dormers") if rng.random() < 0.5 else ("chimneys",)
    bays = (int(rng.integers(3, 5)), int(rng.integers(2, 4)))
    return Design(facade, colour, bays, int(rng.integers(1, 3)), str(rng.choice(["gable", "hip"])), "flats", extras)


def office(rng: np.random.Generator, bays: int) -> Design:
    """Design a modern building of glass or concrete bands."""
    facade = str(rng.choice(["facade glass", "facade ribbon"]))
    grey = rng.uniform(0.75, 1.05)
    ground = "shops" if rng.random() < 0.35 else "flats"
    return Design(
        facade,
        (grey, grey, grey * 1.02),
        (bays, int(rng.integers(4, 6))),
        int(rng.integers(3, 9)),
        "flat",
        ground,
    )


def apartment_block(rng: np.random.Generator, bays: int) -> Design:
    """Design a free-standing block of flats with balconies."""
    colour = PLASTER_COLOURS[rng.integers(len(PLASTER_COLOURS))]
    return Design(
        "facade block",
        tuple(0.5 + 0.5 * c for c in colour),
        (bays, 4),
        int(rng.integers(4, 8)),
        "flat",
        "flats",
        ("balconies",),
    )
