"""Watch a recording: a window with the picture and its labels, and a tally of its frames."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
from tqdm import tqdm

from segmentation.labels import Bytes, LabelTable
from segmentation.panel import overlay

LARGEST = (960, 720)  # width and height of the window, pixels; a picture is shown as large as fits
LABEL_SHARE = 0.45  # of the labels' colours in the overlay
TEXT_HEIGHT, MARGIN = 18, 6  # pixels
SMOOTHING = 0.9  # of the frame rate shown: the share of its last value


@dataclass
class Tally:
    """What became of the frames of a recording: pictures kept, too alike or too common, not whole."""

    kept: int = 0
    skipped: int = 0
    lost: int = 0

    def __str__(self) -> str:
        return f"{self.kept} kept, {self.skipped} skipped, {self.lost} dropped"


class Window:
    """Shows what is recorded, in a window of its own or, where there is no display, not at all."""

    def __init__(self, pygame: Any | None, table: LabelTable) -> None:
        self._pygame, self._table = pygame, table
        self._screen: Any = None
        self._rate, self._before = 0.0, time.monotonic()

    def show(self, rgb: Bytes, ids: Bytes, run: str, tally: Tally) -> bool:
        """Show picture (height, width, 3) and labels (height, width); False when the user wants to stop.

        Escape, Q and closing the window mean that.
        """
        if self._pygame is None:
            return True
        try:
            return self._show(self._pygame, rgb, ids, run, tally)
        except self._pygame.error as error:
            tqdm.write(f"The window is gone ({error}); recording goes on without it.")
            self._pygame = None
            return True

    def _show(self, pygame: Any, rgb: Bytes, ids: Bytes, run: str, tally: Tally) -> bool:
        now = time.monotonic()
        self._rate = SMOOTHING * self._rate + (1 - SMOOTHING) / max(now - self._before, 1e-6)
        self._before = now
        picture = self._overlay(rgb, ids)
        height, width = picture.shape[:2]
        if self._screen is None:
            self._screen = pygame.display.set_mode((width, height))
            pygame.display.set_caption("Recording")
            self._font = pygame.font.Font(None, TEXT_HEIGHT + 4)
        self._screen.blit(pygame.image.frombuffer(picture.tobytes(), (width, height), "RGB"), (0, 0))
        self._write(pygame, (run, f"{self._rate:.1f} frames/s   {tally}   Esc stops"))
        pygame.display.flip()
        return not any(
            event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key in (pygame.K_ESCAPE, pygame.K_q))
            for event in pygame.event.get()
        )

    def _overlay(self, rgb: Bytes, ids: Bytes) -> Bytes:
        """The picture with its labels' colours over it, as large as LARGEST allows."""
        height, width = rgb.shape[:2]
        scale = min(LARGEST[0] / width, LARGEST[1] / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        colours = self._table.colourise_ids(cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST))
        return overlay(picture, colours, LABEL_SHARE)

    def _write(self, pygame: Any, lines: tuple[str, ...]) -> None:
        # Light letters on a dark strip: readable over sky and asphalt alike.
        strip = pygame.Surface((self._screen.get_width(), len(lines) * TEXT_HEIGHT + 2 * MARGIN))
        strip.set_alpha(170)
        self._screen.blit(strip, (0, 0))
        for number, line in enumerate(lines):
            self._screen.blit(self._font.render(line, True, "white"), (MARGIN, MARGIN + number * TEXT_HEIGHT))


@contextmanager
def open_window(wanted: bool, table: LabelTable) -> Iterator[Window]:
    """A window; one that shows nothing when it is not wanted or the machine has no display."""
    pygame = _pygame() if wanted else None
    try:
        yield Window(pygame, table)
    finally:
        if pygame:
            pygame.quit()


def _pygame() -> Any | None:
    displays = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in displays):
        return None
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    import pygame

    try:
        pygame.display.init()
        pygame.font.init()
    except pygame.error as error:
        tqdm.write(f"No window ({error}); recording goes on without it.")
        return None
    return pygame
