"""Hold out whole recording runs for validation: neighbouring frames are near copies and would flatter."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segmentation.dataset.folder import Sample
from segmentation.errors import UserError

BLOCKS = 20  # stand-ins for runs where none are known: contiguous blocks of sorted names


def split_by_run(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Training and validation samples; about `share` (0..1) of the pictures, in whole runs, is held out.

    Where fewer than two runs are known, contiguous blocks of the sorted names stand in for runs. The same
    samples, share and seed give the same split. Raises `UserError` for a single picture.
    """
    if len({sample.run for sample in samples}) < 2:
        samples = _in_blocks(samples)
    runs = sorted({sample.run for sample in samples})
    if len(runs) < 2:
        raise UserError("one picture cannot be split into training and validation; record more of them")
    sizes = {run: sum(sample.run == run for sample in samples) for run in runs}
    wanted = share * len(samples)
    held_out: set[str] = set()
    count = 0
    for run in np.random.default_rng(seed).permutation(runs)[:-1]:  # the last stays to train on
        # A run is taken when that brings the count nearer to the wanted one.
        if abs(count + sizes[run] - wanted) < abs(count - wanted):
            held_out.add(run)
            count += sizes[run]
    held_out = held_out or {min(runs, key=lambda run: sizes[run])}
    training = [sample for sample in samples if sample.run not in held_out]
    return training, [sample for sample in samples if sample.run in held_out]


def _in_blocks(samples: Sequence[Sample]) -> list[Sample]:
    ordered = sorted(samples, key=lambda sample: sample.name)
    blocks = min(BLOCKS, len(ordered))
    return [replace(sample, run=f"block {place * blocks // len(ordered):02d}") for place, sample in enumerate(ordered)]
