"""Episodes, settings, actors and batches, with the real client."""

import carla
import pytest

from simulator.roads.maps import build_map
from simulator.roads.opendrive_writer import to_opendrive


def test_server_and_client_versions_are_equal(client):
    assert client.get_server_version() == client.get_client_version()


def test_every_map_loads_with_its_roads(client):
    for path in client.get_available_maps():
        world = client.load_world(path)
        town_map = world.get_map()
        assert path.endswith(town_map.name)
        assert len(town_map.get_spawn_points()) > 20
        assert len(town_map.get_topology()) > 20


def test_unknown_map_is_refused_with_the_available_names(client):
    with pytest.raises(RuntimeError, match=r"'Nowhere' not found; choose from .*Eastfield"):
        client.load_world("Nowhere")


def test_new_episode_has_no_actors_of_the_old_one(client, world, spawn):
    vehicle = spawn("vehicle.tesla.model3")
    world.tick()
    assert vehicle.id in [actor.id for actor in world.get_actors()]
    episode = world.id
    world = client.reload_world()
    assert world.id != episode
    assert not world.get_actors().filter("vehicle.*")
    assert not world.get_settings().synchronous_mode


def test_settings_can_be_kept_for_the_next_episode(client, world):
    assert client.load_world("Millbrook", reset_settings=False).get_settings().synchronous_mode


def test_uploaded_opendrive_becomes_a_town(client, world):
    text = world.get_map().to_opendrive()
    uploaded = client.generate_opendrive_world(text, carla.OpendriveGenerationParameters())
    assert uploaded.get_map().name.endswith("OpenDriveMap")
    assert len(uploaded.get_map().get_topology()) == len(world.get_map().get_topology())
    uploaded.apply_settings(carla.WorldSettings(synchronous_mode=True, fixed_delta_seconds=0.05))
    uploaded.tick()
    uploaded.apply_settings(carla.WorldSettings())


def test_unreadable_opendrive_is_refused_and_the_town_stays(client, world):
    with pytest.raises(RuntimeError, match="OpenDRIVE"):
        client.generate_opendrive_world("<OpenDRIVE", carla.OpendriveGenerationParameters())
    assert client.get_world().get_map().name.endswith("Eastfield")


def test_a_tick_advances_time_by_the_fixed_delta(world):
    before = world.get_snapshot().timestamp
    for _ in range(10):
        frame = world.tick()
    after = world.get_snapshot().timestamp
    assert after.frame == frame == before.frame + 10
    assert after.elapsed_seconds - before.elapsed_seconds == pytest.approx(10 * 0.05, abs=1e-4)
    assert after.delta_seconds == pytest.approx(0.05)


def test_weather_is_returned_as_it_was_set(world):
    for weather in (carla.WeatherParameters.HardRainSunset, carla.WeatherParameters.ClearNoon):
        world.set_weather(weather)
        assert world.get_weather() == weather


def test_blueprints_have_the_attributes_that_scripts_use(world):
    library = world.get_blueprint_library()
    cars = [b for b in library.filter("vehicle.*") if int(b.get_attribute("number_of_wheels")) == 4]
    assert len(cars) >= 12
    assert all(b.get_attribute("color").recommended_values for b in cars)
    assert {b.get_attribute("base_type").as_str() for b in library.filter("vehicle.*")} >= {
        *("car", "truck", "bus", "motorcycle", "bicycle")
    }
    walker = library.filter("walker.pedestrian.*")[0]
    assert float(walker.get_attribute("speed").recommended_values[1]) == pytest.approx(1.4)
    assert library.find("sensor.camera.semantic_segmentation").has_attribute("sensor_tick")


def test_spawning_at_an_occupied_place_is_refused(world, spawn):
    vehicle = spawn("vehicle.tesla.model3")
    with pytest.raises(RuntimeError, match="collision at spawn position"):
        spawn("vehicle.audi.tt")
    assert vehicle.destroy()
    spawn("vehicle.audi.tt")


@pytest.mark.parametrize(("name", "value"), [("image_size_x", 0), ("image_size_y", 100_000), ("fov", 180.0)])
def test_invalid_camera_attribute_is_refused_by_name(spawn, name, value):
    with pytest.raises(RuntimeError, match=name):
        spawn("sensor.camera.rgb", **{name: value})


def test_actors_are_listed_until_they_are_destroyed(world, spawn):
    vehicle, walker = spawn("vehicle.tesla.model3"), spawn("walker.pedestrian.0001", point(world, 1))
    world.tick()
    assert {vehicle.id, walker.id} <= {actor.id for actor in world.get_actors()}
    assert world.get_actor(vehicle.id).attributes["number_of_wheels"] == "4"
    assert vehicle.bounding_box.location.z == pytest.approx(vehicle.bounding_box.extent.z)
    assert vehicle.destroy()
    world.tick()
    assert vehicle.id not in {actor.id for actor in world.get_actors()}
    assert not vehicle.is_alive


def point(world, index):
    return world.get_map().get_spawn_points()[index]


def test_actors_of_the_town_cannot_be_destroyed(world):
    light = world.get_actors().filter("traffic.traffic_light")[0]
    assert not light.destroy()
    assert not world.get_spectator().destroy()


def test_spectator_can_be_moved(world):
    pose = carla.Transform(carla.Location(1.0, 2.0, 3.0), carla.Rotation(yaw=45.0))
    world.get_spectator().set_transform(pose)
    world.tick()
    assert world.get_spectator().get_location().distance(pose.location) < 1e-3


def test_batch_responds_to_each_command(client, world):
    command = carla.command
    blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
    responses = client.apply_batch_sync(
        [
            command.SpawnActor(blueprint, point(world, 0)).then(command.SetSimulatePhysics(command.FutureActor, False)),
            command.SpawnActor(blueprint, point(world, 0)),
            command.SpawnActor(blueprint, point(world, 1)),
            command.DestroyActor(10**6),
        ],
        True,
    )
    assert [bool(response.error) for response in responses] == [False, True, False, True]
    assert "collision" in responses[1].error
    fixed, free = (world.get_actor(responses[index].actor_id) for index in (0, 2))
    throttle = [command.ApplyVehicleControl(car, carla.VehicleControl(throttle=1.0)) for car in (fixed, free)]
    client.apply_batch_sync(throttle, True)
    for _ in range(20):
        world.tick()
    assert fixed.get_velocity().length() == 0.0
    assert free.get_velocity().length() > 2.0
    target = carla.Transform(carla.Location(5.0, 6.0, 0.0))
    responses = client.apply_batch_sync(
        [
            command.ApplyTransform(fixed, target),
            command.SetVehicleLightState(fixed, carla.VehicleLightState.Position),
            command.DestroyActor(free),
        ],
        True,
    )
    assert not any(response.error for response in responses)
    assert fixed.get_location().distance(target.location) < 1e-3
    assert fixed.get_light_state() == carla.VehicleLightState.Position
    assert not world.get_actors().filter("vehicle.*").find(free.id)


def test_recorder_call_is_refused_with_a_message(client):
    with pytest.raises(RuntimeError, match="start_recorder is not supported"):
        client.start_recorder("town.log")


def test_calls_without_effect_are_answered(world, spawn):
    vehicle = spawn("vehicle.tesla.model3")
    world.load_map_layer(carla.MapLayer.Buildings)
    world.unload_map_layer(carla.MapLayer.All)
    world.debug.draw_point(carla.Location())
    vehicle.set_collisions(True)
    vehicle.open_door(carla.VehicleDoor.FL)
    vehicle.apply_physics_control(vehicle.get_physics_control())
    assert world.get_lightmanager().get_all_lights() == []
    world.tick()


def test_client_and_server_have_the_same_map(world):
    assert world.get_map().to_opendrive() == to_opendrive(build_map("Eastfield", 1))
