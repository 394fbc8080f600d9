"""The heights of the ground: the asphalt is at 0, sidewalks are a kerb higher."""

from __future__ import annotations

import cv2
import numpy as np

from simulator.roads.road_network import RoadNetwork

KERB_HEIGHT = 0.14  # metres
CELL = 0.15  # metres, side of a grid cell
FRACTION_BITS = 4  # of the fixed-point coordinates for OpenCV
MARGIN = 5.0  # metres of ground beyond the outermost lanes


class Ground:
    """The heights of a town's ground, stored as a grid."""

    def __init__(self, network: RoadNetwork) -> None:
        x0, y0, x1, y1 = network.bounds()
        self._origin = np.array([x0 - MARGIN, y0 - MARGIN])
        columns, rows = (int((high - low + 2 * MARGIN) / CELL) + 1 for low, high in ((x0, x1), (y0, y1)))
        self._is_sidewalk = np.zeros((rows, columns), np.uint8)
        for road in network.streets:
            for side in ("left", "right"):
                self._fill(*road.strip(road.kerb(side), road.border(side)))
        for junction in network.junctions.values():
            for corner in junction.corners:
                self._fill(corner.kerb, corner.back)

    def _fill(self, kerb: np.ndarray, back: np.ndarray) -> None:
        """Mark the band between two lines (n, 2) as sidewalk."""
        # OpenCV's coordinates refer to the centre of a cell
        near, far = ((line - self._origin) / CELL - 0.5 for line in (kerb, back))
        quads = np.stack([near[:-1], near[1:], far[1:], far[:-1]], axis=1)
        for quad in np.round(quads * (1 << FRACTION_BITS)).astype(np.int32):
            cv2.fillConvexPoly(self._is_sidewalk, quad, 1, shift=FRACTION_BITS)

    def height(self, x: float, y: float) -> float:
        """Return the height above the asphalt, metres; 0 outside the town."""
        column, row = int((x - self._origin[0]) / CELL), int((y - self._origin[1]) / CELL)
        rows, columns = self._is_sidewalk.shape
        inside = 0 <= row < rows and 0 <= column < columns
        return KERB_HEIGHT if inside and self._is_sidewalk[row, column] else 0.0
