"""Batches for Keras: read, resize, augment and stack in background threads."""

from collections.abc import Sequence

import cv2
import keras
import numpy as np

from segmentation.dataset.augment import random_window, recolour, zoom_and_mirror
from segmentation.dataset.folder import Sample
from segmentation.labels import Bytes, LabelTable


def resize_picture(picture: Bytes, height: int, width: int) -> Bytes:
    """Picture (height, width, 3) at another size; averaging when it shrinks, so that nothing thin flickers."""
    shrinks = picture.shape[0] >= height and picture.shape[1] >= width
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_ids(ids: Bytes, height: int, width: int) -> Bytes:
    """Ids or classes at another size by their nearest neighbour; pixel centres stay where the picture's are."""
    return cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


class Batches(keras.utils.PyDataset):
    """Pictures (batch, height, width, 3) uint8 and class indices (batch, height, width) uint8, `VOID` included,
    and with `class_weights` (256,) the weight of every pixel (batch, height, width) float32.

    For training (`training=True`) samples are shuffled anew each epoch, zoomed, mirrored and recoloured if
    `augmented`, and cropped to a random window of `crop` (width, height) where that is smaller; the last batch is
    filled up from the start, so that all batches have one shape. Otherwise every sample comes once, in order.
    The seed, the epoch and the sample decide every random number, whatever the threads' timing.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        labels: LabelTable,
        *,
        height: int,
        width: int,
        batch_size: int,
        training: bool = False,
        augmented: bool = False,
        crop: tuple[int, int] | None = None,
        class_weights: np.ndarray | None = None,
        seed: int = 0,
        threads: int = 2,
    ) -> None:
        super().__init__(workers=threads, max_queue_size=4 * threads)
        self.samples = samples
        self.labels = labels
        self.height, self.width = height, width
        self.batch_size = batch_size
        self.training = training
        self.augmented = training and augmented
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
        pictures, classes = zip(*(self._sample(number) for number in chosen), strict=True)
        batch = np.stack(pictures), np.stack(classes)
        return batch if self.class_weights is None else (*batch, self.class_weights[batch[1]])

    def on_epoch_end(self) -> None:
        """Shuffle anew; Keras calls this."""
        self.start_epoch(self.epoch + 1)

    def start_epoch(self, epoch: int) -> None:
        """Go to the order and the random numbers of an epoch, counted from 0."""
        self.epoch = epoch
        self.order = self._order()

    def _order(self) -> np.ndarray:
        numbers = np.arange(len(self.samples))
        return np.random.default_rng([self.seed, self.epoch]).permutation(numbers) if self.training else numbers

    def _sample(self, number: int) -> tuple[Bytes, Bytes]:
        sample = self.samples[number]
        picture, classes = sample.read_picture(), self.labels.to_classes(sample.read_ids(self.labels))
        random = np.random.default_rng([self.seed, self.epoch, number])
        if self.augmented:
            # Before the picture is made small: what is enlarged keeps its detail.
            picture, classes = zoom_and_mirror(picture, classes, random)
        picture = resize_picture(picture, self.height, self.width)
        classes = resize_ids(classes, self.height, self.width)
        if self.augmented:
            picture = recolour(picture, random)
        if self.crop:
            picture, classes = random_window(picture, classes, self.crop, random)
        return picture, classes
