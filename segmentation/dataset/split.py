"""Split samples by recording run: neighbouring frames are near copies, which would inflate the validation score."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from segmentation.dataset.check import Report
from segmentation.dataset.samples import Dataset, Sample, open_dataset
from segmentation.errors import UserError
from segmentation.labels.label_table import LabelTable
from segmentation.problems import NAMED, list_some, printable

NUM_BLOCKS = 20  # contiguous blocks of sorted names, which replace runs if none are known
TRAINING, VALIDATION, TEST = "train", "val", "test"  # parts that some datasets come in


@dataclass(frozen=True)
class Split:
    """Samples to train on and samples to validate on, which share a label table."""

    label_table: LabelTable
    training: Sequence[Sample]
    validation: Sequence[Sample]

    def fingerprint(self, contents: Mapping[Path, str]) -> str:
        """Return a hash of the names and `Report.contents` of all samples, in order."""
        parts = [
            [(sample.name, contents[sample.image]) for sample in part] for part in (self.training, self.validation)
        ]
        return sha256(str(parts).encode()).hexdigest()


def open_split(folder: Path, validation_folder: Path | None, share: float, seed: int) -> Split:
    """Open the samples of `folder` to train on, and those of `validation_folder` to validate on.

    If that is None, a dataset that comes in parts is split as it comes, and any other holds out a `share` by run. The
    part "test" is left out. Raise `UserError` if a folder has no images, or if the label tables differ.
    """
    dataset = open_dataset(folder)
    label_table = dataset.read_label_table()
    if validation_folder is not None:
        validation = open_dataset(validation_folder)
        if validation.read_label_table().to_csv() != label_table.to_csv():  # all of it, further colours too
            raise UserError(f"{validation.label_table}: differs from {dataset.label_table}; make them alike")
        return Split(label_table, _usable(dataset), _to_validate_on(validation))
    samples = _usable(dataset)
    parts = {part: [sample for sample in samples if sample.part == part] for part in (TRAINING, VALIDATION)}
    if all(parts.values()):
        counts = " and ".join(f"{len(part)} of its part {name!r}" for name, part in parts.items())
        rest = len(samples) - sum(map(len, parts.values()))
        left_out = f"; {rest} that are of no part are left out" if rest else ""
        print(printable(f"{folder}: images to train and to validate on are the {counts}{left_out}"))
        return Split(label_table, parts[TRAINING], parts[VALIDATION])
    return Split(label_table, *split_by_run(samples, share, seed))


def split_by_run(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Return training and validation samples; about `share` (0..1) of the images, in whole drives, is held out.

    A drive is the runs of all cameras of one car, which see the same things. If fewer than two drives are known,
    contiguous blocks of the sorted names replace them. The same samples, share and seed give the same split. Raise
    `UserError` for a single image.
    """
    drives = _drives(samples)
    if len(set(drives)) < 2:
        drives = _blocks(samples)
    sizes = Counter(drives)
    if len(sizes) < 2:
        raise UserError("one image cannot be split into training and validation; record more of them")
    target = share * len(samples)
    held_out: set[str] = set()
    count = 0
    order = np.random.default_rng(seed).permutation(sorted(sizes))
    for drive in order[:-1]:  # the last one always remains for training
        # A drive is held out if that brings the count closer to the target.
        if abs(count + sizes[drive] - target) < abs(count - target):
            held_out.add(drive)
            count += sizes[drive]
    held_out = held_out or {min(sorted(sizes), key=lambda drive: sizes[drive])}
    training = [sample for sample, drive in zip(samples, drives, strict=True) if drive not in held_out]
    return training, [sample for sample, drive in zip(samples, drives, strict=True) if drive in held_out]


def check_split(split: Split, reports: Sequence[Report]) -> None:
    """Check that the validation score will mean something, given the reports of all folders that the samples are from.

    Raise `UserError` if no sample to train or to validate on has a pixel with a class, or if validation images are
    training images too: any image of a folder given for validation, or all that were held out. Print what is less.
    """
    num_labelled = {image: pixels for report in reports for image, pixels in report.num_labelled.items()}
    hashes = {image: found for report in reports for image, found in report.image_hashes.items()}
    added = [sample.image for sample in (*split.training, *split.validation) if sample.image not in num_labelled]
    if added:
        raise UserError(f"{added[0]}: was added during the check; wait until the folder no longer changes, then repeat")
    if not any(num_labelled[sample.image] for sample in split.training):
        raise UserError(f"{reports[0].folder}: no image to train on has a pixel with a class; label some")
    void = [sample for sample in split.validation if not num_labelled[sample.image]]
    if void:
        found = f"{len(void)} of {len(split.validation)} images to validate on have only void pixels"
        names = list_some([sample.image.name for sample in void], NAMED)
        _warn_or_refuse(
            f"{reports[-1].folder}: {found} ({names}); label them, or validate on others",
            refuse=len(void) == len(split.validation),
        )
    trained = {hashes[sample.image]: sample for sample in split.training}
    copies = [sample for sample in split.validation if hashes[sample.image] in trained]
    if copies:
        example = f"{copies[0].image} is {trained[hashes[copies[0].image]].image}"
        found = f"{len(copies)} of {len(split.validation)} images to validate on are training images too ({example})"
        _warn_or_refuse(
            f"{reports[-1].folder}: {found}, which flatters the score; remove them, or validate on others",
            refuse=len(reports) > 1 or len(copies) == len(split.validation),
        )


def _usable(dataset: Dataset) -> Sequence[Sample]:
    """Return the labelled samples, without those of the part "test" if there are others."""
    labelled = [sample for sample in dataset.samples if sample.label]
    others = [sample for sample in labelled if sample.part != TEST]
    if others and len(others) < len(labelled):
        print(printable(f"{dataset.folder}: {len(labelled) - len(others)} images of its part 'test' are left out"))
    return others or labelled


def _to_validate_on(dataset: Dataset) -> Sequence[Sample]:
    """Return the labelled samples of the part "val" or, if there is no such part, all that are usable."""
    samples = _usable(dataset)
    part = [sample for sample in samples if sample.part == VALIDATION]
    if part and len(part) < len(samples):
        print(printable(f"{dataset.folder}: images to validate on are the {len(part)} of its part {VALIDATION!r}"))
    return part or samples


def _drives(samples: Sequence[Sample]) -> list[str]:
    """Return the drive of every sample: the first of the runs whose names differ only in the number of the camera."""
    first_runs: dict[str, str] = {}
    for run in sorted({sample.run for sample in samples}):
        first_runs.setdefault(_without_camera(run), run)
    return [first_runs[_without_camera(sample.run)] for sample in samples]


def _blocks(samples: Sequence[Sample]) -> list[str]:
    """Return the block of every sample; all cameras of one car see an instant in the same block."""
    instants = sorted({_without_camera(sample.name) for sample in samples})
    blocks = min(NUM_BLOCKS, len(instants))
    block_of = {instant: f"block {index * blocks // len(instants):02d}" for index, instant in enumerate(instants)}
    return [block_of[_without_camera(sample.name)] for sample in samples]


def _without_camera(name: str) -> str:
    """Return the name of a run or of its image, as 01 writes them, without the number of the camera."""
    return re.sub(r"_camera\d+(?=$|_\d+$)", "", name)


def _warn_or_refuse(sentence: str, refuse: bool) -> None:
    if refuse:
        raise UserError(sentence)
    print(printable(sentence))
