"""What the tests of the protocol share: a simulator, a client, a world in synchronous mode."""

import pytest

carla = pytest.importorskip("carla", reason="the tests of the protocol need the carla package")

from processes import running_town  # noqa: E402

DELTA = 0.05


@pytest.fixture(scope="session", autouse=True)
def client_cache(tmp_path_factory):
    """The client keeps navigation meshes under the home folder: not under the user's, while tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def town():
    with running_town() as town:
        yield town


@pytest.fixture(scope="session")
def client(town):
    return town.client()


@pytest.fixture
def world(client):
    """A new episode in synchronous mode."""
    world = client.load_world("Eastfield")
    world.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=DELTA))
    yield world
    world.apply_settings(carla.WorldSettings())


@pytest.fixture
def spawn(world):
    """Spawns an actor by its blueprint's id, with attributes, and keeps hold of it: the client would stop a
    sensor that nobody refers to."""
    library, actors = world.get_blueprint_library(), []

    def spawn(name, transform=None, attach_to=None, **attributes):
        blueprint = library.find(name)
        for key, value in attributes.items():
            blueprint.set_attribute(key, str(value))
        transform = transform or world.get_map().get_spawn_points()[0]
        actors.append(world.spawn_actor(blueprint, transform, attach_to=attach_to))
        return actors[-1]

    yield spawn
    for actor in actors:
        if isinstance(actor, carla.Sensor) and actor.is_listening():
            actor.stop()
