"""Vehicles, walkers and traffic lights, with the real client."""

import json
import math
import subprocess

import carla
import pytest

from tests.harness.processes import start

DELTA = 0.05


def run(world, ticks):
    for _ in range(ticks):
        world.tick()


def point(world, index=0):
    return world.get_map().get_spawn_points()[index]


def drive_traffic(port, ticks):
    """Drive ten cars in a separate process and return its report; make up to three attempts.

    A synchronous tick of the client's traffic manager can miss the signal between two of its threads and then waits
    forever (TrafficManagerLocal.cpp notifies without the lock).
    """
    for _ in range(3):
        process = start("-m", "tests.harness.drive_traffic", port, ticks)
        try:
            output, _ = process.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            continue
        assert process.returncode == 0
        return json.loads(output.splitlines()[-1])
    pytest.fail("the ticks did not finish in any of three attempts")


def test_traffic_manager_drives_ten_cars_through_junctions(town):
    report = drive_traffic(town.port, ticks=1000)
    assert max(car["off_road"] for car in report) < 2.0, "left the road (a car that changes lanes is half a lane off)"
    assert min(car["distance"] for car in report) > 50.0, "got stuck"
    assert sum(car["junctions"] for car in report) >= 15
    assert sum(car["red_ticks"] for car in report) > 100, "no car waited at a red light"


def test_car_responds_to_pedals_and_steering(world, spawn):
    car = spawn("vehicle.tesla.model3")
    start_pose = point(world)
    car.apply_control(carla.VehicleControl(throttle=1.0))
    run(world, 40)
    speed = car.get_velocity().length()
    assert 6.0 < speed < 12.0
    ahead = car.get_location() - start_pose.location
    assert ahead.dot(start_pose.get_forward_vector()) == pytest.approx(math.hypot(ahead.x, ahead.y), rel=1e-3)
    assert car.get_location().z == pytest.approx(0.0, abs=1e-3)
    car.apply_control(carla.VehicleControl(throttle=0.3, steer=0.3))
    yaw = car.get_transform().rotation.yaw
    run(world, 10)
    assert 0.0 < (car.get_transform().rotation.yaw - yaw) % 360.0 < 180.0, "a positive steer must turn right"
    car.apply_control(carla.VehicleControl(brake=1.0))
    run(world, 40)
    assert car.get_velocity().length() == 0.0
    car.apply_control(carla.VehicleControl(throttle=0.5, reverse=True))
    run(world, 20)
    assert car.get_velocity().dot(car.get_transform().get_forward_vector()) < -1.0


def test_car_holds_a_set_speed(world, spawn):
    car = spawn("vehicle.tesla.model3")
    car.enable_constant_velocity(carla.Vector3D(7.0, 0.0, 0.0))
    run(world, 5)
    assert car.get_velocity().length() == pytest.approx(7.0)
    car.disable_constant_velocity()
    car.apply_ackermann_control(carla.VehicleAckermannControl(speed=4.0, acceleration=5.0))
    run(world, 40)
    assert car.get_velocity().length() == pytest.approx(4.0)


def test_car_without_physics_stays_where_it_is_put(world, spawn):
    car = spawn("vehicle.tesla.model3")
    car.set_simulate_physics(False)
    car.apply_control(carla.VehicleControl(throttle=1.0))
    pose = carla.Transform(carla.Location(3.0, 4.0, 5.0), carla.Rotation(pitch=10.0, yaw=20.0, roll=5.0))
    car.set_transform(pose)
    run(world, 5)
    assert car.get_location().distance(pose.location) < 1e-3
    assert car.get_transform().rotation.pitch == pytest.approx(10.0, abs=1e-3)


def test_walker_follows_its_control(world, spawn):
    sidewalk = world.get_map().get_waypoint(point(world).location, lane_type=carla.LaneType.Sidewalk).transform
    sidewalk.location.z = 1.5
    walker = spawn("walker.pedestrian.0001", sidewalk)
    world.tick()
    direction = sidewalk.get_forward_vector()
    walker.apply_control(carla.WalkerControl(direction, 1.5))
    before = walker.get_location()
    run(world, 40)
    walked = walker.get_location() - before
    assert walked.dot(direction) == pytest.approx(1.5 * 40 * DELTA, abs=0.01)
    assert walker.get_velocity().length() == pytest.approx(1.5)
    half = walker.bounding_box.extent.z
    assert half < walker.get_location().z < half + 0.2, "it must stand on the sidewalk"
    walker.apply_control(carla.WalkerControl(direction, 0.0))
    run(world, 2)
    assert walker.get_velocity().length() == 0.0


def test_controllers_move_walkers_along_sidewalks(world, spawn):
    world.set_pedestrians_seed(3)
    places = [world.get_random_location_from_navigation() for _ in range(8)]
    assert all(places)
    walkers = [spawn(f"walker.pedestrian.{i + 1:04d}", carla.Transform(place)) for i, place in enumerate(places)]
    world.tick()
    controllers = [spawn("controller.ai.walker", carla.Transform(), walker) for walker in walkers]
    world.tick()
    world.set_pedestrians_cross_factor(0.0)
    for controller in controllers:
        controller.start()
        controller.go_to_location(world.get_random_location_from_navigation())
        controller.set_max_speed(1.4)
    walked = [0.0] * len(walkers)
    on_lane = 0
    for _ in range(300):
        before = [walker.get_location() for walker in walkers]
        world.tick()
        for i, walker in enumerate(walkers):
            here = walker.get_location()
            walked[i] += here.distance(before[i])
            lane = world.get_map().get_waypoint(here, False, carla.LaneType.Driving)
            on_lane += lane is not None
    assert sorted(walked)[2] > 10.0, "most must walk all the time"
    assert max(walked) < 1.6 * 300 * DELTA
    assert on_lane < 0.2 * 300 * len(walkers), "they must use roads only to cross them"
    for controller in controllers:
        controller.stop()


def test_phases_of_a_junction_take_turns(world):
    lights = world.get_actors().filter("traffic.traffic_light")
    group = lights[0].get_group_traffic_lights()
    assert 2 <= len(group) <= 4
    shown = set()
    for _ in range(700):
        world.tick()
        states = tuple(light.get_state() for light in group)
        shown.add(states)
        lit = {s for s in states if s != carla.TrafficLightState.Red}
        assert len(lit) <= 1, "two phases, or green and yellow, at the same time"
    for i in range(len(group)):
        colours = {states[i] for states in shown}
        assert colours == {getattr(carla.TrafficLightState, name) for name in ("Red", "Yellow", "Green")}


def test_lights_can_be_controlled(world):
    light = world.get_actors().filter("traffic.traffic_light")[0]
    light.freeze(True)
    light.set_state(carla.TrafficLightState.Off)
    run(world, 300)
    assert light.is_frozen()
    assert light.get_state() == carla.TrafficLightState.Off
    light.set_green_time(1.5)
    world.tick()
    assert light.get_green_time() == 1.5
    world.freeze_all_traffic_lights(False)
    world.reset_all_traffic_lights()
    world.tick()
    assert not light.is_frozen()


def test_lights_match_the_signals_and_lanes_of_the_map(world):
    town_map = world.get_map()
    lights = world.get_actors().filter("traffic.traffic_light")
    assert len(lights) > 3
    for light in lights:
        for stop in light.get_stop_waypoints():
            assert not stop.is_junction
            assert town_map.get_waypoint(stop.transform.location).lane_id == stop.lane_id
        assert light.get_affected_lane_waypoints()
    landmarks = [m for m in town_map.get_all_landmarks() if m.type == "1000001"]
    assert {world.get_traffic_light(m).id for m in landmarks} == {light.id for light in lights}


def test_car_is_subject_to_the_light_ahead(world, spawn):
    light = world.get_actors().filter("traffic.traffic_light")[0]
    stop = light.get_stop_waypoints()[0].transform
    behind = stop.location - 6.0 * stop.get_forward_vector() + carla.Location(z=0.3)
    car = spawn("vehicle.mini.cooper_s", carla.Transform(behind, stop.rotation))
    world.tick()
    assert car.is_at_traffic_light()
    assert car.get_traffic_light().id == light.id
    assert car.get_traffic_light_state() == light.get_state()
    car.set_location(stop.location + 5.0 * stop.get_forward_vector())
    world.tick()
    assert not car.is_at_traffic_light()
