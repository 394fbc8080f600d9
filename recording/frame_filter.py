"""Which frames are kept: those that differ from the last kept one, and rare labels often enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recording.sensors import View
from segmentation.errors import UserError
from segmentation.labels import LabelTable
from segmentation.types import UInt8Array

STRIDE = 2  # every second pixel, in both directions, is enough to see what an image shows
PATIENCE = 30  # frames rejected for the lack of a rare label before one without is kept
MAX_REJECTED_IN_A_ROW = 2000  # frames after which the vehicle counts as stuck


def require_known_labels(label_table: LabelTable, names: Sequence[str]) -> None:
    """Raise `UserError` that lists the table's names if it lacks one of these."""
    known = [row.name for row in label_table.rows]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f"--rare-labels has {', '.join(unknown)}, which labels.csv does not have; it has {', '.join(known)}"
        )


@dataclass(frozen=True)
class RareLabels:
    """Labels that a share of the kept frames has to show, each of them."""

    names: Sequence[str] = ()  # those that the label table lacks are ignored
    share: float = 0.0  # 0 to 1, of the kept frames
    pixels: float = 0.0  # 0 to 1, of the pixels of one image; with at least these a frame shows a label


@dataclass(frozen=True)
class _Snapshot:
    """What is compared between frames: where a camera was, and every STRIDE-th id."""

    location: npt.NDArray[np.float64]
    ids: UInt8Array


class FrameFilter:
    """Decides for all views of a frame together, so that every camera has the same frames."""

    def __init__(
        self, label_table: LabelTable, metres: float, change: float, rare_labels: RareLabels | None = None
    ) -> None:
        """Keep frames in which a camera has moved `metres` or more, or `change` (0..1) or more of its ids differ.

        Of these, while fewer than their share show some rare label, keep only the ones that show such a label; after
        PATIENCE others, any.
        """
        rare_labels = rare_labels or RareLabels()
        self._label_table = label_table
        self._metres, self._change = metres, change
        self._rare_share, self._rare_pixels = rare_labels.share, rare_labels.pixels
        self._rare_ids = {row.name: row.id for row in label_table.rows if row.name in rare_labels.names}
        self._frames_showing = dict.fromkeys(self._rare_ids, 0)
        self._last_kept: list[_Snapshot] = []
        self._kept = self._lacking_in_a_row = self._rejected_in_a_row = 0

    def accepts(self, views: Sequence[View]) -> bool:
        """Return whether to keep these views; later ones are then compared with them.

        Raise `UserError` for ids that the label table lacks, and after MAX_REJECTED_IN_A_ROW rejected frames in a row.
        """
        snapshots = [_snapshot(view) for view in views]
        counts = np.sum([np.bincount(each.ids.ravel(), minlength=256) for each in snapshots], axis=0)
        self._require_known_ids(counts)
        # Relative to one image, though several cameras may see the label.
        enough_pixels = max(1.0, self._rare_pixels * snapshots[0].ids.size)
        rare = {name for name, label in self._rare_ids.items() if counts[label] >= enough_pixels}
        if self._differs(snapshots) and self._is_wanted(rare):
            self._keep(snapshots, rare)
            return True
        self._rejected_in_a_row += 1
        if self._rejected_in_a_row == MAX_REJECTED_IN_A_ROW:
            raise UserError(
                f"{MAX_REJECTED_IN_A_ROW} frames in a row were too similar to keep; lower --keep-metres and "
                "--keep-change, or use --driving teleport"
            )
        return False

    def _require_known_ids(self, counts: npt.NDArray[Any]) -> None:
        unknown = np.setdiff1d(np.flatnonzero(counts), self._label_table.ids)
        if unknown.size:
            raise UserError(
                f"the server sends label ids {', '.join(map(str, unknown))}, which are not among the "
                f"{len(self._label_table.rows)} labels of its version; install the carla package of the server's "
                "version, or fix the server"
            )

    def _differs(self, snapshots: Sequence[_Snapshot]) -> bool:
        """Return whether any camera sees something new since the last kept frame."""
        if not self._last_kept:
            return True
        return any(
            float(np.linalg.norm(now.location - last.location)) >= self._metres
            or float(np.mean(now.ids != last.ids)) >= self._change
            for now, last in zip(snapshots, self._last_kept, strict=True)
        )

    def _is_wanted(self, rare: set[str]) -> bool:
        """Return whether the frame shows a rare label that lacks its share, or can be kept anyway."""
        required = self._rare_share * (self._kept + 1)
        lacking = {name for name, count in self._frames_showing.items() if count < required}
        if not lacking or rare & lacking or self._lacking_in_a_row >= PATIENCE:
            return True
        self._lacking_in_a_row += 1
        return False

    def _keep(self, snapshots: list[_Snapshot], rare: set[str]) -> None:
        self._last_kept = snapshots
        self._kept += 1
        self._lacking_in_a_row = self._rejected_in_a_row = 0
        for name in rare:
            self._frames_showing[name] += 1


def _snapshot(view: View) -> _Snapshot:
    return _Snapshot(np.array(view.pose[:3]), np.ascontiguousarray(view.ids[::STRIDE, ::STRIDE]))
