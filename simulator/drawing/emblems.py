"""Procedural textures with lettering or symbols: traffic signs, number plates, posters, destination boards, arrows."""

from __future__ import annotations

import cv2
import numpy as np

from simulator.drawing.surfaces import COLUMNS, ROWS, SIZE, Generator, Painter, noise, rgba

RED, CREAM, BLACK, BLUE = (0.78, 0.05, 0.06), (0.95, 0.95, 0.94), (0.05, 0.05, 0.05), (0.06, 0.22, 0.60)
SPEEDS = (20, 30, 40, 50, 60, 70, 80, 90)


def canvas(colour: tuple[float, ...]) -> np.ndarray:
    """Return an image of one colour (SIZE, SIZE, 3) float32."""
    return np.ones((SIZE, SIZE, 3), np.float32) * np.asarray(colour, np.float32)


def write(
    image: np.ndarray,
    text: str,
    centre: tuple[int, int],
    height: int,
    colour: tuple[float, ...],
    bold: float = 0.16,
) -> None:
    """Write letters of a height in pixels, centred on `centre` (x, y), in place."""
    font, thickness = cv2.FONT_HERSHEY_DUPLEX, max(1, round(height * bold))
    scale = height / cv2.getTextSize(text, font, 1.0, 1)[0][1]
    (width, text_height), _ = cv2.getTextSize(text, font, scale, thickness)
    origin = (int(centre[0] - width / 2), int(centre[1] + text_height / 2))
    ink = np.zeros(image.shape[:2], np.uint8)
    cv2.putText(ink, text, origin, font, scale, 255, thickness, cv2.LINE_AA)
    cover = ink[..., None] / np.float32(255)
    image[:] = image * (1 - cover) + np.asarray(colour, np.float32) * cover


def disc_mask(radius: float) -> np.ndarray:
    """Return a round mask about the middle of the image."""
    return radius**2 > (COLUMNS - 255.5) ** 2 + (ROWS - 255.5) ** 2


def speed_limit(limit: int) -> Painter:
    """Return the painter of a red ring with a number in it."""

    def painter(rng: Generator) -> np.ndarray:
        image = canvas(RED)
        image[disc_mask(196)] = CREAM
        write(image, str(limit), (256, 256), 150, BLACK)
        return rgba(image, alpha=disc_mask(252))

    return painter


def stop(rng: Generator) -> np.ndarray:
    """Paint a stop sign: a red octagon."""
    x, y = abs(COLUMNS - 255.5), abs(ROWS - 255.5)
    image = canvas(CREAM)
    image[(x + y < 322) & (x < 228) & (y < 228)] = RED
    write(image, "STOP", (256, 256), 130, CREAM)
    return rgba(image, alpha=(x + y < 346) & (x < 246) & (y < 246))


def triangle_mask(low: float, high: float, spread: float) -> np.ndarray:
    """Return the mask of a triangle that points down, from row `low` to row `high`."""
    return (low < ROWS) & (abs(COLUMNS - 255.5) < (high - ROWS) * spread)


def give_way(rng: Generator) -> np.ndarray:
    """Paint a give way sign: a white triangle with a red border, pointing down."""
    image = canvas(RED)
    image[triangle_mask(82, 372, 0.575)] = CREAM
    return rgba(image, alpha=triangle_mask(24, 466, 0.575))


def crossing(rng: Generator) -> np.ndarray:
    """Paint the blue square of a pedestrian crossing."""
    image = canvas(BLUE)
    white = (ROWS > 70) & (ROWS < 430) & (abs(COLUMNS - 255.5) < (ROWS - 30) * 0.55)
    image[white] = CREAM
    cv2.circle(image, (256, 170), 26, BLACK, -1)
    for limb in (
        [(256, 200), (250, 290)],
        [(250, 290), (200, 390)],
        [(250, 290), (310, 390)],
        [(195, 250), (320, 250)],
    ):
        cv2.line(image, *limb, BLACK, 24, cv2.LINE_AA)
    return rgba(image)


def parking(rng: Generator) -> np.ndarray:
    """Paint a parking sign: a white P on blue."""
    image = canvas(BLUE)
    write(image, "P", (256, 256), 330, CREAM)
    return rgba(image)


def plate(rng: Generator) -> np.ndarray:
    """Paint four different number plates, one above the other."""
    image = canvas(CREAM)
    letters = list("ABCDEFGHJKLMNPRSTUVWXYZ")
    for row in range(4):
        text = "".join(rng.choice(letters, 2)) + f" {rng.integers(100, 999)} " + "".join(rng.choice(letters, 2))
        write(image, text, (280, 64 + row * 128), 64, BLACK)
        image[row * 128 : row * 128 + 128, :44] = BLUE
        image[row * 128 : row * 128 + 5], image[row * 128 + 123 : row * 128 + 128] = 0.2, 0.2
    return rgba(image)


def destination(rng: Generator) -> np.ndarray:
    """Paint a bus's destination board, amber letters on black; only the upper half is used."""
    image = canvas((0.02, 0.02, 0.02))
    write(image, "24 STATION", (256, 128), 72, (1.0, 0.62, 0.08))
    return rgba(image)


def posters(rng: Generator) -> np.ndarray:
    """Paint four advertisements, two by two."""
    image = canvas((1, 1, 1))
    words = (("FRESH", "COFFEE"), ("OPEN", "AIR"), ("CITY", "RUN"), ("NEW", "MUSIC"))
    for i, (first, second) in enumerate(words):
        y, x = 256 * (i // 2), 256 * (i % 2)
        base = rng.random(3) * 0.7 + 0.15
        block = image[y : y + 256, x : x + 256]
        block[:] = base + (np.linspace(0, 0.3, 256)[:, None, None])
        cv2.circle(block, (int(rng.integers(60, 200)), 150), int(rng.integers(40, 80)), (1 - base).tolist(), -1)
        write(block, first, (128, 50), 34, CREAM)
        write(block, second, (128, 215), 34, CREAM)
    return rgba(np.clip(image, 0, 1))


def arrow(straight: bool, left: bool, right: bool) -> Painter:
    """Return the painter of a turn arrow on the road that points towards small v; alpha is 1 on the paint."""

    def painter(rng: Generator) -> np.ndarray:
        mask = np.zeros((SIZE, SIZE), np.float32)
        cv2.rectangle(mask, (236, 340 if not straight else 150), (276, 510), 1.0, -1)
        if straight:
            cv2.fillPoly(mask, [np.array([(256, 4), (176, 190), (336, 190)])], 1.0)
        for wanted, sign in ((left, -1), (right, 1)):
            if wanted:
                bend = [
                    (256 - 20 * sign, 330),
                    (256 + 90 * sign, 230),
                    (256 + 90 * sign, 290),
                    (256 - 20 * sign, 400),
                ]
                cv2.fillPoly(mask, [np.array(bend)], 1.0)
                head = [(256 + 80 * sign, 150), (256 + 80 * sign, 370), (256 + 200 * sign, 240)]
                cv2.fillPoly(mask, [np.array(head)], 1.0)
        return rgba(0.93 + 0.1 * (noise(rng, 8) - 0.5), alpha=mask)

    return painter


PAINTERS: dict[str, Painter] = {
    **{f"speed {limit}": speed_limit(limit) for limit in SPEEDS},
    "stop": stop,
    "give way": give_way,
    "crossing": crossing,
    "parking": parking,
    "plate": plate,
    "destination": destination,
    "posters": posters,
    "arrow straight": arrow(True, False, False),
    "arrow left": arrow(False, True, False),
    "arrow right": arrow(False, False, True),
    "arrow left straight": arrow(True, True, False),
    "arrow right straight": arrow(True, False, True),
    "arrow left right": arrow(False, True, True),
    "arrow left right straight": arrow(True, True, True),
}
