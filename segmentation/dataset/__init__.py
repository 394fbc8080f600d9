"""The dataset folder: find its pictures and labels, check, split, augment and batch them."""
