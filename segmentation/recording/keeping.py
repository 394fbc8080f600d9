"""What is worth keeping: pictures that differ from the last kept one, and rare things often enough."""

from collections.abc import Sequence

import numpy as np

from segmentation.errors import UserError
from segmentation.labels import Bytes, LabelTable
from segmentation.recording.cameras import View

THINNING = 2  # every second pixel, both ways, is enough to see what a picture shows
PATIENCE = 30  # pictures passed over for want of something rare before one without is kept


def require_known(table: LabelTable, rare: Sequence[str]) -> None:
    """Raise a `UserError` that lists the table's names for one in `rare` that it does not have."""
    names = [row.name for row in table.rows]
    unknown = [name for name in rare if name not in names]
    if unknown:
        raise UserError(f"--rare-labels has {', '.join(unknown)}, which labels.csv does not; it has {', '.join(names)}")


class Keeper:
    """Decides for the views of one frame together, so that the pictures of several cameras stay a set."""

    def __init__(
        self,
        table: LabelTable,
        *,
        metres: float,
        change: float,
        rare: Sequence[str] = (),
        rare_share: float = 0.0,
        rare_pixels: float = 0.0,
    ) -> None:
        """Keep where a camera moved `metres` or more, or `change` (0..1) or more of the label pixels differ.

        Beyond that, while fewer than `rare_share` (0..1) of the pictures kept show a label named in `rare` on
        `rare_pixels` (0..1) or more of their pixels, only pictures that show such a lacking label are kept;
        after PATIENCE others, any. Names that the table does not have are left out.
        """
        self._known = np.isin(np.arange(256), table.ids)
        self._version_labels = len(table.rows)
        self._metres, self._change = metres, change
        self._rare = {row.name: row.id for row in table.rows if row.name in rare}
        self._rare_share, self._rare_pixels = rare_share, rare_pixels
        self._last: list[tuple[np.ndarray, Bytes]] = []
        self._kept = self._passed_over = 0
        self._shown = dict.fromkeys(self._rare, 0)

    def wants(self, views: Sequence[View]) -> bool:
        """Whether to keep these views; they are then the last kept ones.

        Raises `UserError` for ids that the table does not have: then it is not the table of these labels.
        """
        places = [np.array(view.pose[:3]) for view in views]
        thin = [np.ascontiguousarray(view.ids[::THINNING, ::THINNING]) for view in views]
        counts = np.sum([np.bincount(ids.ravel(), minlength=256) for ids in thin], axis=0)
        self._check(counts)
        if self._last and not any(
            self._differ(*now, *last) for now, last in zip(zip(places, thin, strict=True), self._last, strict=True)
        ):
            return False
        # A share of one picture, though several cameras may see the thing.
        enough = max(1.0, self._rare_pixels * thin[0].size)
        shown = {name for name, label in self._rare.items() if counts[label] >= enough}
        if not self._is_due(shown):
            self._passed_over += 1
            return False
        self._last = list(zip(places, thin, strict=True))
        self._kept += 1
        self._passed_over = 0
        for name in shown:
            self._shown[name] += 1
        return True

    def _check(self, counts: np.ndarray) -> None:
        unknown = np.flatnonzero((counts > 0) & ~self._known)
        if unknown.size:
            raise UserError(
                f"the server sends label ids {', '.join(map(str, unknown))}, which the table of {self._version_labels} "
                "labels for its version does not have; install the carla package of the server's version, or mend "
                "the server"
            )

    def _differ(self, place: np.ndarray, ids: Bytes, last_place: np.ndarray, last_ids: Bytes) -> bool:
        moved = float(np.linalg.norm(place - last_place))
        return moved >= self._metres or float(np.mean(ids != last_ids)) >= self._change

    def _is_due(self, shown: set[str]) -> bool:
        lacking = {name for name, count in self._shown.items() if count < self._rare_share * (self._kept + 1)}
        return not lacking or bool(shown & lacking) or self._passed_over >= PATIENCE
