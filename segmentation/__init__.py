"""Semantic segmentation: label tables, the dataset folder, networks, training, inference and reports."""

import os

# TensorFlow prints a page of notes about the machine when it loads; the user's own setting takes precedence.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
