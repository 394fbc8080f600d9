"""Fixtures of all tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.toy_dataset import write_dataset


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write toy datasets into the test's own folder."""

    def make(name: str = "dataset", **size: int) -> Path:
        return write_dataset(tmp_path / name, **size)

    return make
