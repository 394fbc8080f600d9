"""Geometry, and the road networks of the maps."""

from itertools import pairwise

import carla
import cv2
import numpy as np
import pytest

from simulator.geometry import Transform, compose, inverse, wrap_degrees
from simulator.roads import curves
from simulator.roads.junctions import arm_pose
from simulator.roads.maps import MAPS, build_map
from simulator.roads.town_plan import AVENUE, STREET, Bend, NamedStreet, Plan, build_network

RESOLUTION = 4.0  # pixels per metre of the drawn ground plans


@pytest.fixture(scope="module", params=MAPS)
def network(request):
    return build_map(request.param, seed=1)


class GroundPlan:
    """Counts how many outlines cover each point of a town."""

    def __init__(self, network):
        x_min, y_min, x_max, y_max = network.bounds()
        self.origin = np.array([x_min, y_min]) - 10.0
        width, height = np.array([x_max - x_min, y_max - y_min]) + 20.0
        self.count = np.zeros((int(height * RESOLUTION), int(width * RESOLUTION)), np.uint8)

    def pixels(self, points):
        return np.round((points - self.origin) * RESOLUTION).astype(np.int32)

    def add(self, outline):
        covered = np.zeros_like(self.count)
        cv2.fillPoly(covered, [self.pixels(outline)], 1)
        self.count += covered
        return self

    def at(self, points):
        x, y = self.pixels(np.atleast_2d(points)).T
        return self.count[y, x]


def band(line, other):
    return np.concatenate([line, other[::-1]])


def asphalt_outlines(network):
    for road in network.streets:
        yield band(*road.strip(road.kerb("left"), road.kerb("right")))
    for junction in network.junctions.values():
        yield junction.surface


def sidewalk_outlines(network):
    for road in network.streets:
        yield from (road.lane_polygon(lane.id) for lane in road.lanes if lane.kind == "sidewalk")
    for junction in network.junctions.values():
        yield from (band(corner.kerb, corner.back) for corner in junction.corners)


def ground_plan(network, outlines):
    plan = GroundPlan(network)
    for outline in outlines:
        plan.add(outline)
    return plan


def test_transform_matrix_equals_the_clients():
    rng = np.random.default_rng(0)
    for pitch, yaw, roll in rng.uniform(-170.0, 170.0, (20, 3)):
        client = carla.Transform(carla.Location(1.0, 2.0, 3.0), carla.Rotation(pitch, yaw, roll))
        matrix = Transform(1.0, 2.0, 3.0, pitch, yaw, roll).matrix()
        np.testing.assert_allclose(matrix, client.get_matrix(), atol=1e-5)


def test_composition_with_the_inverse_is_the_identity():
    pose = Transform(3.0, -2.0, 1.0, pitch=20.0, yaw=130.0, roll=-70.0)
    np.testing.assert_allclose(compose(pose, inverse(pose)).matrix(), np.eye(4), atol=1e-12)


def test_child_pose_is_relative_to_its_parent():
    child = compose(Transform(10.0, 0.0, yaw=90.0), Transform(2.0, 1.0, yaw=45.0))
    np.testing.assert_allclose([child.x, child.y, child.yaw], [9.0, 2.0, 135.0], atol=1e-12)


@pytest.mark.parametrize("pitch", [90.0, -90.0])
def test_pose_looking_straight_up_or_down_keeps_its_axes(pitch):
    pose = Transform(pitch=pitch, yaw=30.0, roll=10.0)
    np.testing.assert_allclose(compose(Transform(), pose).matrix(), pose.matrix(), atol=1e-6)


def test_connecting_curve_joins_any_two_poses_without_a_kink():
    rng = np.random.default_rng(0)
    for _ in range(200):
        begin = (0.0, 0.0, rng.uniform(-180.0, 180.0))
        end = (*rng.uniform(-30.0, 30.0, 2), rng.uniform(-180.0, 180.0))
        curve = curves.connect(begin, end)
        assert (curve[0].x, curve[0].y, curve[0].yaw) == begin
        for piece, following in pairwise(curve):
            assert_same_pose(piece.end(), (following.x, following.y, following.yaw))
        assert_same_pose(curve[-1].end(), end)


def test_parallel_curve_keeps_its_distance():
    arc = curves.Piece(1.0, 2.0, 30.0, 40.0, 1.0 / 25.0)
    x, y, _ = arc.at(np.linspace(0.0, 40.0, 9))
    shifted = arc.shifted(4.0)
    other_x, other_y, _ = shifted.at(np.linspace(0.0, shifted.length, 9))
    np.testing.assert_allclose(np.hypot(other_x - x, other_y - y), 4.0)


def assert_same_pose(pose, other, tolerance=1e-6):
    np.testing.assert_allclose(pose[:2], other[:2], atol=tolerance)
    assert abs(wrap_degrees(pose[2] - other[2])) < 100.0 * tolerance


def test_reference_lines_have_neither_gaps_nor_kinks(network):
    for road in network.roads.values():
        for piece, following in pairwise(road.pieces):
            assert_same_pose(piece.end(), (following.x, following.y, following.yaw))


def test_maps_have_varied_roads_junctions_and_signals(network):
    assert 20 <= len(network.streets) <= 40
    assert {len(junction.arms) for junction in network.junctions.values()} == {3, 4}
    assert {len(road.lanes_towards("end")) for road in network.streets} == {1, 2}
    assert {lane.kind for road in network.streets for lane in road.lanes} == {
        "driving",
        "parking",
        "shoulder",
        "sidewalk",
    }
    assert any(piece.curvature for road in network.streets for piece in road.pieces)
    assert {signal.kind for signal in network.signals.values()} == {
        "traffic_light",
        "stop",
        "yield",
        "speed_limit",
    }
    x_min, y_min, x_max, y_max = network.bounds()
    assert 380.0 < x_max - x_min < 520.0 and 380.0 < y_max - y_min < 520.0


def test_turning_movements_lead_from_lane_centre_to_lane_centre(network):
    for junction in network.junctions.values():
        contacts = {arm.road: arm.contact for arm in junction.arms}
        for movement in junction.connections:
            path = network.roads[movement.road]
            for road_id, lane, s_on_path, is_target in (
                (movement.incoming, movement.from_lane, 0.0, False),
                (movement.outgoing, movement.to_lane, path.length, True),
            ):
                road = network.roads[road_id]
                assert lane in (road.lanes_away_from if is_target else road.lanes_towards)(contacts[road_id])
                joint = road.lane_pose(lane, road.station(contacts[road_id], 0.0))
                pose = path.lane_pose(-1, s_on_path)
                assert_same_pose((pose.x, pose.y, pose.yaw), (joint.x, joint.y, joint.yaw))


def test_movements_use_every_lane_and_connect_all_arms_of_a_junction(network):
    for junction in network.junctions.values():
        used = {(m.incoming, m.from_lane) for m in junction.connections}
        reached = {(m.outgoing, m.to_lane) for m in junction.connections}
        for arm in junction.arms:
            road = network.roads[arm.road]
            assert {(arm.road, lane) for lane in road.lanes_towards(arm.contact)} <= used
            assert {(arm.road, lane) for lane in road.lanes_away_from(arm.contact)} <= reached
        pairs = {(m.incoming, m.outgoing) for m in junction.connections}
        assert len(pairs) == len(junction.arms) * (len(junction.arms) - 1)


def test_turning_lanes_stay_on_the_asphalt_of_the_junction(network):
    for junction in network.junctions.values():
        outline = junction.surface.astype(np.float32)
        for movement in junction.connections:
            for point in network.roads[movement.road].lane_polygon(-1):
                inside = cv2.pointPolygonTest(outline, tuple(float(v) for v in point), True)
                assert inside > -0.01, f"{movement} leaves the asphalt by {-inside:.2f} m"


def test_corners_join_the_kerbs_and_sidewalks_of_neighbouring_arms(network):
    for junction in network.junctions.values():
        for i, corner in enumerate(junction.corners):
            arm, following = junction.arms[i], junction.arms[(i + 1) % len(junction.arms)]
            for line, offset in ((corner.kerb, "kerb"), (corner.back, "border")):
                road, other = network.roads[arm.road], network.roads[following.road]
                begin = arm_pose(road, arm.contact, getattr(road, offset)("right"))
                end = arm_pose(other, following.contact, getattr(other, offset)("left"))
                np.testing.assert_allclose(line[0], begin[:2], atol=1e-6)
                np.testing.assert_allclose(line[-1], end[:2], atol=1e-6)


def test_streets_junctions_and_sidewalks_do_not_overlap(network):
    plan = ground_plan(network, [*asphalt_outlines(network), *sidewalk_outlines(network)])
    # adjacent outlines share a line of pixels; real overlaps are thicker
    overlap = cv2.erode((plan.count > 1).astype(np.uint8), np.ones((5, 5), np.uint8))
    assert not overlap.any()


def test_sidewalks_leave_no_gap_along_the_asphalt(network):
    ground = ground_plan(network, [*asphalt_outlines(network), *sidewalk_outlines(network)])
    asphalt = ground_plan(network, asphalt_outlines(network))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17))  # radius 2 m
    beside = cv2.dilate((asphalt.count > 0).astype(np.uint8), disc)
    assert not (beside.astype(bool) & (ground.count == 0)).any()


def test_poles_stand_on_sidewalks_and_face_their_traffic(network):
    sidewalks = ground_plan(network, sidewalk_outlines(network))
    for signal in network.signals.values():
        pole = signal.transform
        assert sidewalks.at([pole.x, pole.y])[0] > 0, signal
        for stop in signal.stops:
            assert abs(wrap_degrees(pole.yaw - stop.yaw - 180.0)) < 15.0
            right = (pole.location() - stop.location()) @ stop.right()
            assert right > 2.0


def test_lights_stand_across_the_junction_and_their_mast_arms_reach_over_the_lanes(network):
    for light in network.signals.values():
        if light.kind == "traffic_light":
            inner = light.stops[0]
            offset = light.transform.location() - inner.location()
            assert 15.0 < offset @ inner.forward() < 60.0
            assert offset @ inner.right() == pytest.approx(light.reach)


def test_only_arms_that_face_each_other_are_green_together(network):
    for junction in network.junctions.values():
        lights = [s for s in network.signals.values() if s.junction == junction.id]
        if junction.control != "lights":
            continue
        assert len(lights) == len(junction.arms)
        straight = {(m.incoming, m.outgoing) for m in junction.connections if m.turn == "straight"}
        for light in lights:
            for other in lights:
                if light is not other:
                    assert (light.phase == other.phase) == ((light.road, other.road) in straight)


def test_minor_roads_of_junctions_without_lights_have_signs(network):
    for junction in network.junctions.values():
        if junction.control in ("yield", "stop"):
            signs = {s.road: s.kind for s in network.signals.values() if s.junction == junction.id}
            minor = {arm.road for arm in junction.arms} - set(junction.major)
            assert len(junction.major) == 2
            assert signs == dict.fromkeys(minor, junction.control)


def test_stop_lines_lie_before_the_crossings(network):
    for line in network.stop_lines:
        middle = network.roads[line.road].length / 2.0
        at_end = line.s > middle
        for crossing in network.crossings:
            same_end = crossing.road == line.road and (crossing.s > middle) == at_end
            if same_end and crossing.junction >= 0:
                gap = (crossing.s - line.s) * (1.0 if at_end else -1.0)
                assert gap == pytest.approx(crossing.width / 2.0 + 1.2)


def test_markings_leave_out_the_crossings(network):
    for crossing in network.crossings:
        outline = crossing.outline.astype(np.float32)
        for marking in network.markings:
            near = np.abs(marking.points - crossing.outline.mean(axis=0)).max(axis=1) < 15.0
            for point in marking.points[near]:
                assert cv2.pointPolygonTest(outline, tuple(float(v) for v in point), True) < 0.0


def test_arrows_show_the_turns_of_their_lane(network):
    assert network.arrows
    for arrow in network.arrows:
        assert arrow.turns and set(arrow.turns) <= {"left", "straight", "right"}
    assert {turn for arrow in network.arrows for turn in arrow.turns} == {"left", "straight", "right"}


@pytest.mark.parametrize("name", MAPS)
def test_every_seed_builds_a_different_town(name):
    lengths = [sum(road.length for road in build_map(name, seed).streets) for seed in range(12)]
    assert len(set(lengths)) == 12


def test_unknown_map_is_refused_with_the_available_names():
    with pytest.raises(KeyError, match=r"Nowhere.+Eastfield, Millbrook, Westgate"):
        build_map("Nowhere", 0)


def test_bend_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        curves.rounded_polyline([(0.0, 0.0), (20.0, 0.0), (20.0, 20.0)], [30.0])


def test_street_too_short_for_its_junctions_is_refused():
    nodes = {"A": (0.0, 0.0), "B": (15.0, 0.0), "C": (0.0, 90.0), "D": (15.0, 90.0)}
    streets = (
        NamedStreet("Long", AVENUE, ("A", Bend(-80.0, 0.0, 20.0), Bend(-80.0, 90.0, 20.0), "C")),
        NamedStreet("Wide", AVENUE, ("B", Bend(95.0, 0.0, 20.0), Bend(95.0, 90.0, 20.0), "D")),
        NamedStreet("Short", STREET, ("A", "B")),
        NamedStreet("First", STREET, ("A", "C", "D", "B")),
    )
    with pytest.raises(ValueError, match="Short is too short for its junctions"):
        build_network("Tight", 0, Plan(nodes, streets), np.random.default_rng(0))
