"""Batches for Keras: read, resize, augment and stack samples in background threads."""

from collections.abc import Sequence

import keras
import numpy as np

from segmentation.dataset.augmentation import jitter_colour, random_crop, zoom_and_mirror
from segmentation.dataset.samples import Sample
from segmentation.files.images import resize_image, resize_mask
from segmentation.labels.label_table import LabelTable
from segmentation.types import Size, UInt8Array


class DataLoader(keras.utils.PyDataset):
    """Batches of images, masks and, with `class_weights` (256,), pixel weights.

    Images are uint8 (batch, height, width, 3). Masks are uint8 (batch, height, width), `VOID` included. Weights are
    float32 (batch, height, width).

    For training (`training=True`) samples are shuffled every epoch, zoomed, mirrored and recoloured if `augment` is
    set, and cropped to a random window of size `crop` if that is smaller; the last batch is filled up from the start,
    so that all batches have one shape. Otherwise every sample comes once, in order. All random numbers follow from
    the seed, the epoch and the sample, whatever the timing of the threads.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        label_table: LabelTable,
        *,
        size: Size,
        batch_size: int,
        training: bool = False,
        augment: bool = False,
        crop: Size | None = None,
        class_weights: np.ndarray | None = None,
        seed: int = 0,
        threads: int = 2,
    ) -> None:
        super().__init__(workers=threads, max_queue_size=4 * threads)
        self.samples = samples
        self.label_table = label_table
        self.size = size
        self.batch_size = batch_size
        self.training = training
        self.augment = training and augment
        self.crop = crop if training else None
        self.class_weights = class_weights
        self.seed = seed
        self.start_epoch(0)

    def __len__(self) -> int:
        return -(-len(self.samples) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        places = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        if self.training:
            places %= len(self.samples)
        chosen = self.order[places[places < len(self.samples)]]
        images, masks = zip(*(self._load(number) for number in chosen), strict=True)
        batch = np.stack(images), np.stack(masks)
        return batch if self.class_weights is None else (*batch, self.class_weights[batch[1]])

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch; Keras calls this."""
        self.start_epoch(self.epoch + 1)

    def start_epoch(self, epoch: int) -> None:
        """Go to the order and the random numbers of an epoch, counted from 0."""
        self.epoch = epoch
        numbers = np.arange(len(self.samples))
        self.order = np.random.default_rng([self.seed, epoch]).permutation(numbers) if self.training else numbers

    def _load(self, number: int) -> tuple[UInt8Array, UInt8Array]:
        sample = self.samples[number]
        image, mask = sample.read_image(), self.label_table.ids_to_mask(sample.read_ids(self.label_table))
        rng = np.random.default_rng([self.seed, self.epoch, number])
        if self.augment:
            # Before the image is shrunk, so that the enlarged part keeps its detail.
            image, mask = zoom_and_mirror(image, mask, rng)
        image, mask = resize_image(image, self.size), resize_mask(mask, self.size)
        if self.augment:
            image = jitter_colour(image, rng)
        if self.crop:
            image, mask = random_crop(image, mask, self.crop, rng)
        return image, mask
