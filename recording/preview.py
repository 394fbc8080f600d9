"""Watch a recording: a window with the image and its labels, and how much was kept, skipped and dropped."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
from tqdm import tqdm

from recording.sensors import View
from segmentation.labels.label_table import LabelTable
from segmentation.types import UInt8Array
from segmentation.visualization import overlay

MAX_SIZE = (960, 720)  # of the window, pixels; an image is shown as large as fits
LABEL_OPACITY = 0.45  # of the labels' colours over the image
LINE_HEIGHT, MARGIN = 18, 6  # pixels
STRIP_OPACITY = 170  # 0 to 255, of the dark strip behind the text
SMOOTHING = 0.9  # weight of the previous value in the frame rate shown
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")  # environment variables that name a display on Linux


@dataclass
class RecordingCounts:
    """Images kept and skipped, and frames dropped, since the town was loaded."""

    kept: int = 0  # images
    skipped: int = 0  # images too similar to the last kept ones, or without rare labels
    dropped: int = 0  # frames with a missing or unusable image

    def __str__(self) -> str:
        return f"{self.kept} kept, {self.skipped} skipped, {self.dropped} dropped"


class Preview:
    """Shows what is recorded in a window or, without pygame, not at all.

    `stopped` becomes true when the user presses Escape or Q or closes the window.
    """

    def __init__(self, pygame: Any | None, label_table: LabelTable) -> None:
        self.stopped = False
        self._pygame, self._label_table = pygame, label_table
        self._screen: Any = None
        self._font: Any = None
        self._rate, self._last_time = 0.0, time.monotonic()

    def show(self, view: View, run: str, counts: RecordingCounts) -> None:
        """Show a view, the name of its run, the frame rate and the counts."""
        if self._pygame is None:
            return
        try:
            self._show(self._pygame, view, run, counts)
        except self._pygame.error as error:
            tqdm.write(f"The preview window is gone ({error}); recording continues without it.")
            self._pygame = None

    def _show(self, pygame: Any, view: View, run: str, counts: RecordingCounts) -> None:
        now = time.monotonic()
        self._rate = SMOOTHING * self._rate + (1 - SMOOTHING) / max(now - self._last_time, 1e-6)
        self._last_time = now
        image = self._overlay(view)
        height, width = image.shape[:2]
        if self._screen is None:
            self._screen = pygame.display.set_mode((width, height))
            pygame.display.set_caption("Recording")
            self._font = pygame.font.Font(None, LINE_HEIGHT + 4)
        self._screen.blit(pygame.image.frombuffer(image.tobytes(), (width, height), "RGB"), (0, 0))
        self._draw_text(pygame, (run, f"{self._rate:.1f} frames/s   {counts}   Esc stops"))
        pygame.display.flip()
        self.stopped = any(
            event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key in (pygame.K_ESCAPE, pygame.K_q))
            for event in pygame.event.get()
        )

    def _overlay(self, view: View) -> UInt8Array:
        """Return the image with its labels' colours over it, as large as fits into MAX_SIZE."""
        height, width = view.ids.shape
        scale = min(MAX_SIZE[0] / width, MAX_SIZE[1] / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(view.rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        colours = self._label_table.colourise_ids(cv2.resize(view.ids, size, interpolation=cv2.INTER_NEAREST))
        return overlay(image, colours, LABEL_OPACITY)

    def _draw_text(self, pygame: Any, lines: tuple[str, ...]) -> None:
        # White text on a dark strip is readable over sky and asphalt alike.
        strip = pygame.Surface((self._screen.get_width(), len(lines) * LINE_HEIGHT + 2 * MARGIN))
        strip.set_alpha(STRIP_OPACITY)
        self._screen.blit(strip, (0, 0))
        for number, line in enumerate(lines):
            self._screen.blit(self._font.render(line, True, "white"), (MARGIN, MARGIN + number * LINE_HEIGHT))


@contextmanager
def open_preview(wanted: bool, label_table: LabelTable) -> Iterator[Preview]:
    """Yield a preview; it shows nothing if it is not wanted or the machine has no display."""
    pygame = _start_pygame() if wanted else None
    try:
        yield Preview(pygame, label_table)
    finally:
        if pygame:
            pygame.quit()


def _start_pygame() -> Any | None:
    if sys.platform == "linux" and not any(os.environ.get(name) for name in DISPLAYS):
        return None
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    import pygame

    try:
        pygame.display.init()
        pygame.font.init()
    except pygame.error as error:
        tqdm.write(f"No preview window ({error}); recording continues without it.")
        return None
    return pygame
