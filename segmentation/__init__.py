"""What the three scripts share: labels, dataset folder, networks, training, metrics, inference, reports."""

import os

# TensorFlow greets with a page of notes about the machine; a user's own setting wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
