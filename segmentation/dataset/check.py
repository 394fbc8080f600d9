"""Check a whole dataset folder and report all its problems together."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from segmentation.dataset.samples import Dataset, Sample, open_dataset
from segmentation.errors import UserError
from segmentation.labels import VOID, LabelTable


@dataclass
class Report:
    """The problems of a dataset folder, and how often every class occurs in it.

    `class_pixels` (256,) counts the pixels of every class index, `class_images` (256,) the images that show it.
    """

    folder: Path
    num_images: int = 0
    problems: list[str] = field(default_factory=list)
    label_table: LabelTable | None = None
    class_pixels: np.ndarray = field(default_factory=lambda: np.zeros(VOID + 1, np.int64))
    class_images: np.ndarray = field(default_factory=lambda: np.zeros(VOID + 1, np.int64))

    @property
    def missing_classes(self) -> list[str]:
        """Names of the classes without a single pixel."""
        class_names = self.label_table.class_names if self.label_table else ()
        return [name for name, pixels in zip(class_names, self.class_pixels, strict=False) if not pixels]


def check_folders(folders: Sequence[Path]) -> list[Report]:
    """Check every folder and print its report. Raise `UserError` if any has a problem."""
    reports = [check_folder(folder) for folder in folders]
    for report in reports:
        print_report(report)
    unusable = [str(report.folder) for report in reports if report.problems]
    if unusable:
        raise UserError(f"{', '.join(unusable)}: not usable for training; fix the files listed above")
    return reports


def check_folder(folder: Path, progress: bool = True) -> Report:
    """Read every file of a dataset folder and report all problems; write nothing.

    Problems are missing partners, unreadable and empty files, sizes that differ within a pair, and ids that are not in
    `labels.csv`. A class that never occurs is not a problem; `print_report` mentions it.
    """
    report = Report(folder)
    try:
        dataset = open_dataset(folder)
    except UserError as error:
        report.problems.append(str(error))
        return report
    try:
        report.label_table = dataset.read_label_table()
    except UserError as error:
        report.problems.append(str(error))
    report.num_images = len(dataset.samples)
    report.problems += dataset.problems
    for problems, pixels in tqdm(
        _check_samples(dataset, report.label_table),
        total=len(dataset.samples),
        desc=f"Checking {folder}",
        unit="image",
        disable=not progress,
        leave=False,
    ):
        report.problems += problems
        report.class_pixels += pixels
        report.class_images += pixels > 0
    if report.label_table and not report.problems and not report.class_pixels[:VOID].any():
        report.problems.append(f"{folder}: no pixel has a class, so there is nothing to learn; see labels.csv")
    return report


def print_report(report: Report) -> None:
    """Print the share of every class, the problems, the classes that never occur, and a summary."""
    if report.label_table and report.class_pixels.any():
        Console().print(_class_table(report, report.label_table))
    for problem in report.problems:
        print(problem)
    for name in report.missing_classes:
        print(f"{report.folder}: class {name} never occurs; make it void in labels.csv, or record some")
    print(f"{report.folder}: images {report.num_images}, problems {len(report.problems)}")


def _check_samples(dataset: Dataset, label_table: LabelTable | None) -> Iterator[tuple[list[str], np.ndarray]]:
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda sample: _check_sample(sample, label_table), dataset.samples)


def _check_sample(sample: Sample, label_table: LabelTable | None) -> tuple[list[str], np.ndarray]:
    """Return the problems of one sample, and its pixels per class index (256,)."""
    problems: list[str] = []
    pixels: np.ndarray = np.zeros(VOID + 1, np.int64)
    image = ids = None
    try:
        image = sample.read_image()
    except UserError as error:
        problems.append(str(error))
    try:
        # Colours cannot become ids without a table, whose absence is reported once for the whole folder.
        if label_table or not sample.coloured:
            ids = sample.read_ids(label_table or LabelTable(()))
    except UserError as error:
        problems.append(str(error))
    if ids is not None and image is not None and ids.shape != image.shape[:2]:
        problems.append(
            f"{sample.label}: is {_size(ids)} but its image {sample.image.name} is {_size(image)}; "
            "record or export both at one size"
        )
    if ids is not None and label_table:
        unknown = np.setdiff1d(ids, label_table.ids)
        if unknown.size:
            problems.append(f"{sample.label}: ids {', '.join(map(str, unknown))} are not in labels.csv; add them")
        pixels = np.bincount(label_table.ids_to_mask(ids).ravel(), minlength=VOID + 1)
    return problems, pixels


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"


def _class_table(report: Report, label_table: LabelTable) -> Table:
    table = Table("class", title=f"{report.folder}: classes")
    for column in ("share of pixels", "images with it"):
        table.add_column(column, justify="right")
    total = report.class_pixels.sum()
    for index, name in [*enumerate(label_table.class_names), (VOID, "(void)")]:
        share = report.class_pixels[index] / total
        table.add_row(name, f"{share:.2%}", f"{report.class_images[index] / report.num_images:.0%}")
    return table
