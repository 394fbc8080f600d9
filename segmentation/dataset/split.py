"""Split samples by recording run: neighbouring frames are near copies, which would inflate the validation score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from segmentation.dataset.samples import Sample, open_dataset
from segmentation.errors import UserError
from segmentation.labels import LabelTable

NUM_BLOCKS = 20  # contiguous blocks of sorted names, which replace runs if none are known


@dataclass(frozen=True)
class Split:
    """Samples to train on and samples to validate on, which share a label table."""

    label_table: LabelTable
    training: Sequence[Sample]
    validation: Sequence[Sample]

    def fingerprint(self) -> str:
        """Return a hash of the names of all samples, in order."""
        names = [[sample.name for sample in samples] for samples in (self.training, self.validation)]
        return sha256(str(names).encode()).hexdigest()


def open_split(folder: Path, validation_folder: Path | None, share: float, seed: int) -> Split:
    """Open the samples of `folder` and of `validation_folder` or, if that is None, hold out a `share` by run.

    Raise `UserError` if a folder has no images, or if the label tables differ.
    """
    dataset = open_dataset(folder)
    label_table = dataset.read_label_table()
    if validation_folder is None:
        return Split(label_table, *split_by_run(dataset.samples, share, seed))
    validation = open_dataset(validation_folder)
    if validation.read_label_table() != label_table:
        raise UserError(f"{validation_folder}: its labels.csv differs from that of {folder}; make them alike")
    return Split(label_table, dataset.samples, validation.samples)


def split_by_run(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Return training and validation samples; about `share` (0..1) of the images, in whole runs, is held out.

    If fewer than two runs are known, contiguous blocks of the sorted names replace them. The same samples, share and
    seed give the same split. Raise `UserError` for a single image.
    """
    if len({sample.run for sample in samples}) < 2:
        samples = _assign_blocks(samples)
    runs = sorted({sample.run for sample in samples})
    if len(runs) < 2:
        raise UserError("one image cannot be split into training and validation; record more of them")
    sizes = {run: sum(sample.run == run for sample in samples) for run in runs}
    target = share * len(samples)
    held_out: set[str] = set()
    count = 0
    for run in np.random.default_rng(seed).permutation(runs)[:-1]:  # the last one always remains for training
        # A run is held out if that brings the count closer to the target.
        if abs(count + sizes[run] - target) < abs(count - target):
            held_out.add(run)
            count += sizes[run]
    held_out = held_out or {min(runs, key=lambda run: sizes[run])}
    training = [sample for sample in samples if sample.run not in held_out]
    return training, [sample for sample in samples if sample.run in held_out]


def _assign_blocks(samples: Sequence[Sample]) -> list[Sample]:
    ordered = sorted(samples, key=lambda sample: sample.name)
    blocks = min(NUM_BLOCKS, len(ordered))
    return [replace(sample, run=f"block {index * blocks // len(ordered):02d}") for index, sample in enumerate(ordered)]
