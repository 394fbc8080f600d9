"""Check a whole dataset folder and report all its problems together."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from segmentation.dataset.samples import Dataset, Sample, open_dataset
from segmentation.errors import UserError
from segmentation.labels.id_counts import ALL_IDS, IdCounts, count_classes, count_ids, count_unknown, describe_ids
from segmentation.labels.label_table import VOID, LabelTable
from segmentation.problems import collect, printable, shorten
from segmentation.report import literal
from segmentation.types import UInt8Array

THREADS = 4  # each holds an image and its labels, 0.3 GB for the largest that are read


@dataclass
class Report:
    """The problems of a dataset folder, and what its samples contain.

    `class_pixels` (256,) counts the pixels of every class index, `class_images` (256,) the images that show it. By the
    path of an image, `image_hashes` identifies its pixels, `contents` its pixels and its label ids, and `num_labelled`
    is how many of its pixels have a class; files that cannot be used are missing there.
    """

    folder: Path
    num_images: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    label_table: LabelTable | None = None
    class_pixels: np.ndarray = field(default_factory=lambda: np.zeros(VOID + 1, np.int64))
    class_images: np.ndarray = field(default_factory=lambda: np.zeros(VOID + 1, np.int64))
    image_hashes: dict[Path, str] = field(default_factory=dict)
    contents: dict[Path, str] = field(default_factory=dict)
    num_labelled: dict[Path, int] = field(default_factory=dict)

    @property
    def missing_classes(self) -> list[str]:
        """Names of the classes without a single pixel."""
        class_names = self.label_table.class_names if self.label_table else ()
        return [name for name, pixels in zip(class_names, self.class_pixels, strict=False) if not pixels]


@dataclass
class _Finding:
    """What one sample contains; `id_counts` is None if its labels cannot be used."""

    problems: list[str] = field(default_factory=list)
    image_hash: str = ""
    ids_hash: str = ""
    id_counts: IdCounts | None = None


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

    Problems are missing partners, unreadable and empty files, images and labels that do not match, and ids that are not
    in `labels.csv`. A class that never occurs is not a problem; `print_report` mentions it.
    """
    report = Report(folder)
    try:
        dataset = open_dataset(folder)
        dataset.require_labels()
    except UserError as error:
        report.problems.append(str(error))
        return report
    with collect(report.problems):
        report.label_table = dataset.read_label_table()
    report.num_images = len(dataset.samples)
    report.problems += [*dataset.problems, *dataset.run_problems]
    report.notes += dataset.notes
    untested = sum(not _needs_labels(sample) for sample in dataset.samples)
    if untested:
        report.notes.append(
            f"{folder}: {untested} images of its part 'test' have no labels, which training does not need"
        )
    findings = tqdm(
        _check_samples(dataset, report.label_table),
        total=len(dataset.samples),
        desc=printable(f"Checking {folder}"),
        unit="image",
        disable=not progress,
        leave=False,
    )
    for sample, finding in zip(dataset.samples, findings, strict=True):
        _add(report, sample, finding)
    if report.label_table and not report.problems and not report.class_pixels[:VOID].any():
        report.problems.append(f"{folder}: no pixel has a class, so there is nothing to learn; see labels.csv")
    return report


def print_report(report: Report) -> None:
    """Print the share of every class, the problems, the classes that never occur, and a summary."""
    if report.label_table and report.class_pixels.any():
        Console().print(_class_table(report, report.label_table))
    lines = shorten([*report.notes, *report.problems])
    if report.class_pixels.any():
        for name in report.missing_classes:
            lines.append(f"{report.folder}: class {name} never occurs; make it void in labels.csv, or record some")
    lines.append(f"{report.folder}: images {report.num_images}, problems {len(report.problems)}")
    for line in lines:
        print(printable(line))


def _check_samples(dataset: Dataset, label_table: LabelTable | None) -> Iterator[_Finding]:
    def check(sample: Sample) -> _Finding:
        return _check_sample(sample, label_table, dataset.label_table.name)

    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(check, dataset.samples)


def _check_sample(sample: Sample, label_table: LabelTable | None, table_name: str) -> _Finding:
    finding = _Finding()
    image, ids = _read(sample, label_table, finding.problems)
    if image is not None:
        finding.image_hash = _hash(image)
    if ids is not None and label_table:
        finding.ids_hash = _hash(ids)
        finding.id_counts = count_ids(ids)
        unknown = count_unknown(finding.id_counts, label_table)
        if unknown.any():
            found = describe_ids(unknown, finding.id_counts)
            finding.problems.append(f"{sample.label}: {found} are not in {table_name}; add them or correct the file")
    return finding


def _read(
    sample: Sample, label_table: LabelTable | None, problems: list[str]
) -> tuple[UInt8Array | None, UInt8Array | None]:
    """Return the image and the ids, None for what cannot be read, and add everything that is wrong to `problems`."""
    # What a label file means depends on the table, whose absence is reported once for the whole folder.
    image = ids = None
    if label_table is None or not _needs_labels(sample):
        with collect(problems):
            image = sample.read_image()
        return image, None
    try:
        return sample.read_pair(label_table)
    except UserError as error:
        mismatch = str(error)
    with collect(problems):
        image = sample.read_image()
    with collect(problems):
        ids = sample.read_ids(label_table)
    if image is not None and ids is not None:
        problems.append(mismatch)
    return image, ids


def _needs_labels(sample: Sample) -> bool:
    return sample.label is not None or sample.part != "test"


def _add(report: Report, sample: Sample, finding: _Finding) -> None:
    report.problems += finding.problems
    if finding.image_hash:
        report.image_hashes[sample.image] = finding.image_hash
        report.contents[sample.image] = f"{finding.image_hash} {finding.ids_hash}"
    if finding.id_counts is not None and report.label_table:
        pixels = count_classes(finding.id_counts, report.label_table.ids_to_mask(ALL_IDS))
        report.class_pixels += pixels
        report.class_images += pixels > 0
        report.num_labelled[sample.image] = int(pixels[:VOID].sum())


def _hash(pixels: UInt8Array) -> str:
    """Return a hash of the shape and the values."""
    digest = sha256(str(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _class_table(report: Report, label_table: LabelTable) -> Table:
    table = Table("class", title=literal(f"{report.folder}: classes", "table.title"))
    for column in ("share of pixels", "images with it"):
        table.add_column(column, justify="right")
    total = report.class_pixels.sum()
    for index, name in [*enumerate(label_table.class_names), (VOID, "(void)")]:
        share = report.class_pixels[index] / total
        table.add_row(literal(name), f"{share:.2%}", f"{report.class_images[index] / report.num_images:.0%}")
    return table
