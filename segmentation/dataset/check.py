"""Check a whole dataset folder and report everything that is wrong with it together."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from segmentation.dataset.folder import Dataset, Sample, open_dataset
from segmentation.errors import UserError
from segmentation.labels import VOID, LabelTable


@dataclass
class Report:
    """What is wrong with a dataset folder (`problems`), and how often every class occurs in it."""

    folder: Path
    pictures: int = 0
    problems: list[str] = field(default_factory=list)
    labels: LabelTable | None = None
    class_pixels: np.ndarray = field(default_factory=lambda: np.zeros(VOID + 1, np.int64))
    class_pictures: np.ndarray = field(default_factory=lambda: np.zeros(VOID + 1, np.int64))

    @property
    def missing_classes(self) -> list[str]:
        """Names of the classes without a single pixel."""
        classes = self.labels.classes if self.labels else ()
        return [name for name, pixels in zip(classes, self.class_pixels, strict=False) if not pixels]


def check_folders(folders: Sequence[Path]) -> list[Report]:
    """Check and report on every folder. Raises `UserError` when any has a problem."""
    reports = [check_folder(folder) for folder in folders]
    for report in reports:
        print_report(report)
    spoilt = [str(report.folder) for report in reports if report.problems]
    if spoilt:
        raise UserError(f"{', '.join(spoilt)}: not fit for training; mend the files named above")
    return reports


def check_folder(folder: Path, progress: bool = True) -> Report:
    """Read every file of a dataset folder and report missing partners, unreadable and empty files, sizes that
    differ within a pair, ids that are not in `labels.csv`, and classes that never occur; writes nothing.
    """
    report = Report(folder)
    try:
        dataset = open_dataset(folder)
    except UserError as error:
        report.problems.append(str(error))
        return report
    try:
        report.labels = dataset.read_labels()
    except UserError as error:
        report.problems.append(str(error))
    report.pictures = len(dataset.samples)
    report.problems += dataset.problems
    for problems, pixels in tqdm(
        _check_samples(dataset, report.labels),
        total=len(dataset.samples),
        desc=f"Checking {folder}",
        unit="picture",
        disable=not progress,
        leave=False,
    ):
        report.problems += problems
        report.class_pixels += pixels
        report.class_pictures += pixels > 0
    if report.labels and not report.problems and not report.class_pixels[:VOID].any():
        report.problems.append(f"{folder}: no pixel has a class, so there is nothing to learn; see labels.csv")
    return report


def print_report(report: Report) -> None:
    """Print the share of every class, then the problems, one a line."""
    if report.labels and report.class_pixels.any():
        Console().print(_class_table(report, report.labels))
    for problem in report.problems:
        print(problem)
    for name in report.missing_classes:
        print(f"{report.folder}: class {name} never occurs; make it void in labels.csv, or record some")
    print(f"{report.folder}: pictures {report.pictures}, problems {len(report.problems)}")


def _check_samples(dataset: Dataset, labels: LabelTable | None) -> Iterator[tuple[list[str], np.ndarray]]:
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda sample: _check_sample(sample, labels), dataset.samples)


def _check_sample(sample: Sample, labels: LabelTable | None) -> tuple[list[str], np.ndarray]:
    """Problems of one sample, and its pixels per class index (256,)."""
    problems: list[str] = []
    pixels = np.zeros(VOID + 1, np.int64)
    picture = ids = None
    try:
        picture = sample.read_picture()
    except UserError as error:
        problems.append(str(error))
    try:
        # Without a table, colours cannot become ids; its absence is a problem that is told once.
        if labels or not sample.coloured:
            ids = sample.read_ids(labels or LabelTable(()))
    except UserError as error:
        problems.append(str(error))
    if ids is not None and picture is not None and ids.shape != picture.shape[:2]:
        problems.append(
            f"{sample.label}: is {_size(ids)} where its picture {sample.picture.name} is {_size(picture)}; "
            "record or export both at one size"
        )
    if ids is not None and labels:
        unknown = np.setdiff1d(ids, labels.ids)
        if unknown.size:
            problems.append(f"{sample.label}: ids {', '.join(map(str, unknown))} are not in labels.csv; add them")
        pixels = np.bincount(labels.to_classes(ids).ravel(), minlength=VOID + 1)
    return problems, pixels


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"


def _class_table(report: Report, labels: LabelTable) -> Table:
    table = Table("class", title=f"{report.folder}: classes")
    for column in ("share of pixels", "pictures with it"):
        table.add_column(column, justify="right")
    total = report.class_pixels.sum()
    for index, name in [*enumerate(labels.classes), (VOID, "(void)")]:
        share = report.class_pixels[index] / total
        table.add_row(name, f"{share:.2%}", f"{report.class_pictures[index] / report.pictures:.0%}")
    return table
