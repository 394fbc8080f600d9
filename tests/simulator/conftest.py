"""Fixtures of the simulator's tests: a town, a client, a world in synchronous mode."""

import pytest

pytest.importorskip("carla", reason="the simulator's tests need the carla package")

import carla

from tests.harness.towns import running_stub_town

DELTA = 0.05  # simulated seconds per tick


@pytest.fixture(scope="session", autouse=True)
def client_cache(tmp_path_factory):
    """Keep the client's cache of navigation meshes out of the user's home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def town():
    """Run a stub town whose images are checksums of all that the renderer is given."""
    with running_stub_town("--images", "checksum") as town:
        yield town


@pytest.fixture(scope="session")
def client(town):
    return town.client()


@pytest.fixture
def world(client):
    """Start a new episode in synchronous mode."""
    world = client.load_world("Eastfield")
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=DELTA))
    yield world
    world.apply_settings(carla.WorldSettings())


@pytest.fixture
def spawn(world):
    """Spawn actors by the ids of their blueprints, with attributes.

    The actors are kept until the end of the test: the client stops a sensor that nobody refers to.
    """
    library, actors = world.get_blueprint_library(), []

    def spawn(type_id, transform=None, attach_to=None, **attributes):
        blueprint = library.find(type_id)
        for key, value in attributes.items():
            blueprint.set_attribute(key, str(value))
        transform = transform or world.get_map().get_spawn_points()[0]
        actors.append(world.spawn_actor(blueprint, transform, attach_to=attach_to))
        return actors[-1]

    yield spawn
    for actor in actors:
        if isinstance(actor, carla.Sensor) and actor.is_listening():
            actor.stop()
