"""Read ground truth for a model, and keep account of the labels that its scores do not cover."""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from segmentation.dataset.samples import Dataset, Sample
from segmentation.errors import UserError
from segmentation.labels.id_counts import ALL_IDS, count_classes, count_ids, count_unknown, describe_ids, share
from segmentation.labels.label_table import VOID, LabelTable
from segmentation.problems import NAMED, list_some
from segmentation.types import UInt8Array


class GroundTruth:
    """Reads the labels of a dataset as masks of a model's classes.

    The dataset's own `labels.csv` may have other ids than the model's label table: classes are matched by name. Ids
    that are not in the table, and classes that the model does not know, become void; `problems` reports them.
    `unlabelled` names the classes of the model that the table does not have, `notes` says if there is no table.
    """

    def __init__(self, dataset: Dataset, model_table: LabelTable) -> None:
        self._dataset = dataset
        self.num_labelled = sum(sample.label is not None for sample in dataset.samples)
        has_table = self.num_labelled > 0 and os.path.lexists(dataset.label_table)  # a broken link is an error
        self._table = dataset.read_label_table() if has_table else model_table
        self._table_name = dataset.label_table.name if has_table else "the model's label table"
        self.notes = (
            [f"{dataset.folder}: has no {dataset.label_table.name}, so its labels are read by the model's label table"]
            if self.num_labelled and not has_table
            else []
        )
        self.unlabelled = [name for name in model_table.class_names if name not in self._table.class_names]
        model_class = {name: index for index, name in enumerate(model_table.class_names)}
        self._model_class = np.full(256, VOID, np.uint8)  # of every class index of the table
        for index, name in enumerate(self._table.class_names):
            self._model_class[index] = model_class.get(name, VOID)
        self._unusable: list[str] = []
        self._id_counts = np.zeros(256, np.int64)
        self._with_unknown_ids: list[Sample] = []
        self._void: list[Sample] = []
        self.num_scored = 0  # samples that were read and have a pixel of one of the model's classes

    def read(self, sample: Sample) -> tuple[UInt8Array, UInt8Array | None]:
        """Return the image of a sample and its mask, None without labels, if they cannot be used, or if all is void.

        Raise `UserError` if the image cannot be read.
        """
        if sample.label is None:
            return sample.read_image(), None
        try:
            image, ids = sample.read_pair(self._table)
        except UserError as error:
            image = sample.read_image()  # raises the same error if it is not the labels that cannot be read
            self._unusable.append(str(error))
            return image, None
        counts = count_ids(ids)
        self._id_counts += counts
        if count_unknown(counts, self._table).any():
            self._with_unknown_ids.append(sample)
        mask = self._model_class[self._table.ids_to_mask(ids)]
        if (mask == VOID).all():
            if sample.part != "test":  # whose labels are often withheld
                self._void.append(sample)
            return image, None
        self.num_scored += 1
        return image, mask

    def problems(self) -> list[str]:
        """Return what the scores do not cover of the labels read so far."""
        return [*self._unusable, *self._unknown_ids(), *self._unknown_classes(), *self._void_images()]

    def coverage(self) -> str:
        """Return a sentence about how many images the scores cover."""
        if not self.num_scored:
            return f"There are no scores: none of the {self.num_labelled} labelled images can be used."
        num_images = len(self._dataset.samples)
        sentence = f"Scores cover {self.num_scored} of {self.num_labelled} labelled images"
        if self.num_labelled < num_images:
            sentence += f"; images without labels: {num_images - self.num_labelled}"
        training = sum(sample.part == "train" for sample in self._dataset.samples)
        if training:
            sentence += f"; of the part 'train': {training}, which flatters a network that was trained on them"
        return sentence + "."

    def _unknown_ids(self) -> Iterator[str]:
        unknown = count_unknown(self._id_counts, self._table)
        if unknown.any():
            yield (
                f"{self._dataset.folder}: {describe_ids(unknown, self._id_counts)} are not in {self._table_name} and "
                f"count as void, in {self._images(self._with_unknown_ids)}; add them there or correct the files"
            )

    def _unknown_classes(self) -> Iterator[str]:
        pixels = count_classes(self._id_counts, self._table.ids_to_mask(ALL_IDS))
        unknown = [
            index
            for index, name in enumerate(self._table.class_names)
            if pixels[index] and self._model_class[index] == VOID
        ]
        if unknown:
            names = list_some(self._table.class_names[index] for index in unknown)
            yield (
                f"{self._dataset.folder}: the model has no class {names} "
                f"({share(pixels[unknown].sum(), pixels.sum())} of the pixels), which count as void; "
                + (f"{self._table_name} has no class {list_some(self.unlabelled)}; " if self.unlabelled else "")
                + "rename matching classes as the model names them"
            )

    def _void_images(self) -> Iterator[str]:
        if self._void:
            yield (
                f"{self._dataset.folder}: {self._images(self._void)} have no pixel of a class that the model knows; "
                "the scores leave them out"
            )

    def _images(self, samples: Sequence[Sample]) -> str:
        names = list_some([sample.image.name for sample in samples], NAMED)
        return f"{len(samples)} of {self.num_labelled} labelled images ({names})"
