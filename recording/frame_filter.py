"""Decide which frames are kept: those that differ from the last kept one and, if asked for, enough with rare labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recording.sensors import View
from segmentation.errors import UserError
from segmentation.labels.label_table import LabelTable
from segmentation.types import UInt8Array

STRIDE = 2  # every second pixel, in both directions, is enough to see what an image shows
PATIENCE = 30  # rejections in a row for lack of a rare label; the next frame is kept without one
MAX_REJECTED_IN_A_ROW = 2000  # frames after which the vehicle counts as stuck


def require_known_labels(label_table: LabelTable, names: Sequence[str]) -> None:
    """Raise `UserError`, which lists the known names, if one of `names` is not in the label table."""
    known = [row.name for row in label_table.rows]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f"--rare-labels has {', '.join(unknown)}, which labels.csv does not have; it has {', '.join(known)}"
        )


@dataclass(frozen=True)
class RareLabels:
    """Labels, each of which at least a share of the kept frames must show."""

    names: Sequence[str] = ()  # those that the label table lacks are ignored
    frame_share: float = 0.0  # 0 to 1, of the kept frames
    pixel_share: float = 0.0  # 0 to 1, of the pixels of one image; a frame with at least this share shows the label


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
        """Accept a frame if a camera has moved at least `metres`, or if at least `change` (0..1) of its ids differ.

        While a rare label is below its share of the kept frames, accept only frames that show such a label. After
        PATIENCE rejections in a row for this reason, accept one that does not.
        """
        rare_labels = rare_labels or RareLabels()
        self._label_table = label_table
        self._metres, self._change = metres, change
        self._frame_share, self._pixel_share = rare_labels.frame_share, rare_labels.pixel_share
        self._rare_ids = {row.name: row.id for row in label_table.rows if row.name in rare_labels.names}
        self._frames_showing = dict.fromkeys(self._rare_ids, 0)
        self._last_kept: list[_Snapshot] = []
        self._kept = self._rejected_without_rare = self._rejected_in_a_row = 0

    def accepts(self, views: Sequence[View]) -> bool:
        """Return whether to keep these views; if so, later ones are compared with them.

        Raise `UserError` for ids that the label table lacks, and after MAX_REJECTED_IN_A_ROW rejected frames in a row.
        """
        snapshots = [_snapshot(view) for view in views]
        counts = np.sum([np.bincount(each.ids.ravel(), minlength=256) for each in snapshots], axis=0)
        self._require_known_ids(counts)
        # The share is of one image, the count of all: a label seen by several cameras passes sooner.
        enough_pixels = max(1.0, self._pixel_share * snapshots[0].ids.size)
        rare = {name for name, label_id in self._rare_ids.items() if counts[label_id] >= enough_pixels}
        if self._differs(snapshots) and self._is_wanted(rare):
            self._keep(snapshots, rare)
            return True
        self._rejected_in_a_row += 1
        if self._rejected_in_a_row == MAX_REJECTED_IN_A_ROW:
            raise UserError(
                f"{MAX_REJECTED_IN_A_ROW} frames in a row were too similar to keep; lower --keep-metres and "
                "--keep-change or, with autopilot, use --driving teleport"
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
        """Return whether a camera has moved far enough or enough of its ids have changed since the last kept frame."""
        if not self._last_kept:
            return True
        return any(
            float(np.linalg.norm(now.location - last.location)) >= self._metres
            or float(np.mean(now.ids != last.ids)) >= self._change
            for now, last in zip(snapshots, self._last_kept, strict=True)
        )

    def _is_wanted(self, rare: set[str]) -> bool:
        """Return whether no rare label is below its share, the frame shows one that is, or PATIENCE is exhausted.

        Count the rejection otherwise.
        """
        required = self._frame_share * (self._kept + 1)
        below_share = {name for name, count in self._frames_showing.items() if count < required}
        if not below_share or rare & below_share or self._rejected_without_rare >= PATIENCE:
            return True
        self._rejected_without_rare += 1
        return False

    def _keep(self, snapshots: list[_Snapshot], rare: set[str]) -> None:
        self._last_kept = snapshots
        self._kept += 1
        self._rejected_without_rare = self._rejected_in_a_row = 0
        for name in rare:
            self._frames_showing[name] += 1


def _snapshot(view: View) -> _Snapshot:
    return _Snapshot(np.array(view.pose[:3]), np.ascontiguousarray(view.ids[::STRIDE, ::STRIDE]))
