"""The dataset folder: find, check, split, read, augment and batch its images and labels."""
