"""Fixtures of the recorder's tests: towns and recorders in separate processes."""

import pytest

pytest.importorskip("carla", reason="the recorder's tests need the carla package")

from tests.harness.recorders import Recorder
from tests.harness.towns import running_stub_town, running_town


@pytest.fixture(scope="session")
def town():
    """Run the embedded town."""
    with running_town("--map", "Eastfield", "--seed", 1) as town:
        yield town


@pytest.fixture(scope="session")
def stub_town():
    """Run the same streets with images that cost nothing and show the number of their tick."""
    with running_stub_town() as town:
        yield town


@pytest.fixture
def start_recorder():
    """Start recorders for a town or a port; kill those that still run at the end of the test."""
    recorders = []

    def start(town, folder, *arguments, **environment):
        recorders.append(Recorder(getattr(town, "port", town), folder, *arguments, **environment))
        return recorders[-1]

    yield start
    for recorder in recorders:
        recorder.kill()
