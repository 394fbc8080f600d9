"""The vehicles and pedestrians that can be spawned: kind, size and colours by blueprint id.

Ids follow CARLA's naming. Sizes are those of the models that `simulator.drawing` draws.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]

CAR_COLOURS: tuple[Colour, ...] = (
    (190, 192, 195),
    (238, 238, 236),
    (24, 25, 28),
    (78, 82, 88),
    (122, 14, 18),
    (22, 44, 104),
    (34, 92, 140),
    (18, 66, 48),
    (168, 126, 62),
    (206, 96, 26),
)
TWO_WHEELER_COLOURS: tuple[Colour, ...] = (
    (20, 20, 22),
    (150, 20, 20),
    (24, 70, 140),
    (30, 96, 60),
    (212, 208, 198),
)


@dataclass(frozen=True)
class CatalogueEntry:
    """A vehicle or pedestrian that can be spawned.

    kind: "car", "truck", "bus", "motorcycle", "bicycle" or "pedestrian".
    extent: half length, half width and half height, metres; the body stands on z = 0, centred in x and y.
    colours: RGB choices, 0 to 255; for a pedestrian, the colour of the upper clothing.
    base_type: CARLA's attribute of that name. number_of_wheels: 0 for pedestrians.
    """

    kind: str
    extent: tuple[float, float, float]
    colours: tuple[Colour, ...]
    base_type: str
    number_of_wheels: int


def _car(length: float, width: float, height: float, base_type: str = "car") -> CatalogueEntry:
    return CatalogueEntry("car", (length / 2, width / 2, height / 2), CAR_COLOURS, base_type, 4)


def _large(kind: str, length: float, width: float, height: float, colours: tuple[Colour, ...]) -> CatalogueEntry:
    return CatalogueEntry(kind, (length / 2, width / 2, height / 2), colours, kind, 4)


def _two_wheeler(kind: str, length: float, width: float, height: float) -> CatalogueEntry:
    return CatalogueEntry(kind, (length / 2, width / 2, height / 2), TWO_WHEELER_COLOURS, kind, 2)


def _pedestrian(height: float, colour: Colour) -> CatalogueEntry:
    return CatalogueEntry("pedestrian", (0.19, 0.19, height / 2), (colour,), "pedestrian", 0)


CATALOGUE: dict[str, CatalogueEntry] = {
    "vehicle.audi.a2": _car(3.83, 1.70, 1.55),
    "vehicle.audi.tt": _car(4.18, 1.84, 1.36),
    "vehicle.chevrolet.impala": _car(5.10, 1.88, 1.48),
    "vehicle.citroen.c3": _car(3.98, 1.74, 1.50),
    "vehicle.dodge.charger_2020": _car(5.00, 1.92, 1.48),
    "vehicle.jeep.wrangler_rubicon": _car(4.24, 1.90, 1.85),
    "vehicle.lincoln.mkz_2020": _car(4.92, 1.86, 1.48),
    "vehicle.mercedes.coupe": _car(4.70, 1.82, 1.40),
    "vehicle.mini.cooper_s": _car(3.82, 1.73, 1.43),
    "vehicle.nissan.patrol": _car(4.95, 1.94, 1.90),
    "vehicle.seat.leon": _car(4.28, 1.80, 1.46),
    "vehicle.tesla.model3": _car(4.70, 1.85, 1.45),
    "vehicle.toyota.prius": _car(4.52, 1.76, 1.49),
    "vehicle.volkswagen.t2": _car(4.50, 1.80, 1.98, "van"),
    "vehicle.carlamotors.carlacola": _large("truck", 6.80, 2.40, 3.10, ((176, 22, 26), (232, 232, 228), (30, 70, 130))),
    "vehicle.carlamotors.european_hgv": _large(
        "truck", 8.60, 2.50, 3.55, ((34, 62, 120), (228, 228, 226), (150, 30, 26))
    ),
    "vehicle.mitsubishi.fusorosa": _large("bus", 7.60, 2.20, 2.75, ((236, 236, 232), (30, 90, 60), (200, 160, 40))),
    "vehicle.mitsubishi.citybus": _large("bus", 11.60, 2.52, 3.15, ((172, 24, 24), (28, 80, 150), (224, 170, 30))),
    "vehicle.harley-davidson.low_rider": _two_wheeler("motorcycle", 2.14, 0.76, 1.75),
    "vehicle.kawasaki.ninja": _two_wheeler("motorcycle", 1.98, 0.76, 1.75),
    "vehicle.vespa.zx125": _two_wheeler("motorcycle", 1.88, 0.76, 1.79),
    "vehicle.bh.crossbike": _two_wheeler("bicycle", 1.74, 0.66, 1.78),
    "vehicle.diamondback.century": _two_wheeler("bicycle", 1.70, 0.66, 1.78),
    "vehicle.gazelle.omafiets": _two_wheeler("bicycle", 1.84, 0.72, 1.84),
    "walker.pedestrian.0001": _pedestrian(1.70, (120, 26, 34)),
    "walker.pedestrian.0002": _pedestrian(1.78, (40, 60, 92)),
    "walker.pedestrian.0003": _pedestrian(1.66, (196, 178, 120)),
    "walker.pedestrian.0004": _pedestrian(1.82, (34, 36, 40)),
    "walker.pedestrian.0005": _pedestrian(1.74, (92, 112, 70)),
    "walker.pedestrian.0006": _pedestrian(1.62, (206, 120, 138)),
    "walker.pedestrian.0007": _pedestrian(1.85, (210, 212, 214)),
    "walker.pedestrian.0008": _pedestrian(1.68, (70, 44, 96)),
    "walker.pedestrian.0009": _pedestrian(1.28, (226, 150, 30)),
    "walker.pedestrian.0010": _pedestrian(1.36, (40, 130, 150)),
    "walker.pedestrian.0011": _pedestrian(1.76, (142, 96, 58)),
    "walker.pedestrian.0012": _pedestrian(1.72, (30, 84, 60)),
    "walker.pedestrian.0013": _pedestrian(1.64, (238, 232, 220)),
    "walker.pedestrian.0014": _pedestrian(1.80, (170, 60, 30)),
}
