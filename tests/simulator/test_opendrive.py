"""OpenDRIVE text as the client and the reader understand it."""

import math

import carla
import numpy as np
import pytest

from simulator.geometry import wrap_degrees
from simulator.roads.maps import MAPS, build_map
from simulator.roads.opendrive_reader import parse_opendrive
from simulator.roads.opendrive_writer import to_opendrive

LANE_TYPES = {
    "driving": carla.LaneType.Driving,
    "parking": carla.LaneType.Parking,
    "shoulder": carla.LaneType.Shoulder,
    "sidewalk": carla.LaneType.Sidewalk,
}
SIGNAL_TYPES = {"1000001": "traffic_light", "206": "stop", "205": "yield", "274": "speed_limit"}


@pytest.fixture(scope="module", params=MAPS)
def network(request):
    return build_map(request.param, seed=1)


@pytest.fixture(scope="module")
def client_map(network):
    return carla.Map(network.name, to_opendrive(network))


def assert_waypoint_at(waypoint, pose):
    place, yaw = waypoint.transform.location, waypoint.transform.rotation.yaw
    assert math.hypot(place.x - pose.x, place.y - pose.y) < 0.01
    assert abs(wrap_degrees(yaw - pose.yaw)) < 0.1


def test_client_lanes_match_the_network(network, client_map):
    for road in network.roads.values():
        for lane in road.lanes:
            for s in np.linspace(0.1, road.length - 0.1, 7):
                waypoint = client_map.get_waypoint_xodr(road.id, lane.id, float(s))
                assert_waypoint_at(waypoint, road.lane_pose(lane.id, s))
                assert waypoint.lane_type == LANE_TYPES[lane.kind]
                assert waypoint.lane_width == pytest.approx(lane.width)
                assert waypoint.is_junction == (road.junction >= 0)


def test_client_finds_points_of_a_lane_on_that_lane(network, client_map):
    for road in network.streets:
        for lane in road.lanes:
            for x, y in road.lane_centre(lane.id, 5.0)[1:-1]:
                place = carla.Location(float(x), float(y), 0.0)
                waypoint = client_map.get_waypoint(place, lane_type=LANE_TYPES[lane.kind])
                assert (waypoint.road_id, waypoint.lane_id) == (road.id, lane.id)
                assert_waypoint_at(waypoint, road.lane_pose(lane.id, waypoint.s))
                # on arcs the client counts metres along the lane as metres of s, a small error along the lane
                off = waypoint.transform.transform(carla.Location(0.0, 0.0, 0.0)) - place
                right = waypoint.transform.get_right_vector()
                assert abs(off.x * right.x + off.y * right.y) < 0.01
                assert math.hypot(off.x, off.y) < 0.5


def test_topology_covers_every_driving_lane(network, client_map):
    begins = {(begin.road_id, begin.lane_id) for begin, _ in client_map.get_topology()}
    assert begins == {
        (road.id, lane.id) for road in network.roads.values() for lane in road.lanes if lane.kind == "driving"
    }


def test_500_metres_from_every_lane_have_no_dead_end_and_no_jump(client_map):
    rng = np.random.default_rng(0)
    for waypoint, _ in client_map.get_topology():
        for _ in range(500):
            following = waypoint.next(1.0)
            assert following, f"dead end at {waypoint}"
            for other in following:
                assert 0.5 < other.transform.location.distance(waypoint.transform.location) < 1.6
                turn = wrap_degrees(other.transform.rotation.yaw - waypoint.transform.rotation.yaw)
                assert abs(turn) < 12.0
            waypoint = following[rng.integers(len(following))]


def test_every_turning_movement_can_be_driven(network, client_map):
    for junction in network.junctions.values():
        contacts = {arm.road: arm.contact for arm in junction.arms}
        for movement in junction.connections:
            s = network.roads[movement.incoming].station(contacts[movement.incoming], 0.5)
            before = client_map.get_waypoint_xodr(movement.incoming, movement.from_lane, s)
            inside = {w.road_id: w for w in before.next(1.0)}[movement.road]
            assert inside.junction_id == junction.id
            (after,) = inside.next(network.roads[movement.road].length)
            assert (after.road_id, after.lane_id) == (movement.outgoing, movement.to_lane)
            assert not after.is_junction


def test_lane_changes_are_allowed_across_broken_lines(network, client_map):
    road = next(road for road in network.streets if len(road.lanes_towards("end")) == 2)
    inner, outer = (client_map.get_waypoint_xodr(road.id, lane, road.length / 2.0) for lane in (-1, -2))
    assert inner.lane_change == carla.LaneChange.Right and outer.lane_change == carla.LaneChange.Left
    assert inner.get_right_lane().lane_id == -2
    assert inner.left_lane_marking.type == carla.LaneMarkingType.SolidSolid
    colour = {"yellow": carla.LaneMarkingColor.Yellow, "white": carla.LaneMarkingColor.White}
    assert inner.left_lane_marking.color == colour[road.centre_colour]
    assert inner.right_lane_marking.type == carla.LaneMarkingType.Broken
    assert outer.right_lane_marking.type == carla.LaneMarkingType.Solid


def test_crosswalks_are_the_crossings_as_closed_outlines(network, client_map):
    points = np.array([(p.x, p.y) for p in client_map.get_crosswalks()]).reshape(-1, 5, 2)
    np.testing.assert_allclose(points[:, 0], points[:, 4])
    assert len(points) == len(network.crossings)
    for crossing in network.crossings:
        assert np.abs(points[:, :4] - crossing.outline).max(axis=(1, 2)).min() < 0.01


def test_landmarks_are_the_signals(network, client_map):
    landmarks = {int(landmark.id): landmark for landmark in client_map.get_all_landmarks()}
    assert landmarks.keys() == network.signals.keys()
    for number, signal in network.signals.items():
        landmark, pole = landmarks[number], signal.transform
        assert SIGNAL_TYPES[landmark.type] == signal.kind
        assert landmark.is_dynamic == (signal.kind == "traffic_light")
        assert landmark.value == pytest.approx(signal.value)
        assert landmark.road_id == signal.road and landmark.s == pytest.approx(signal.s)
        place = landmark.transform.location
        assert math.hypot(place.x - pole.x, place.y - pole.y) < 0.01
        assert abs(wrap_degrees(landmark.transform.rotation.yaw - pole.yaw)) < 0.1
        assert landmark.get_lane_validities() == [(min(signal.lanes), max(signal.lanes))]


def test_waypoint_finds_the_light_ahead_and_its_group(network, client_map):
    light = next(s for s in network.signals.values() if s.kind == "traffic_light")
    before = light.s - 20.0 if light.lanes[0] < 0 else light.s + 20.0
    waypoint = client_map.get_waypoint_xodr(light.road, light.lanes[0], before)
    (found,) = waypoint.get_landmarks_of_type(30.0, "1000001")
    assert int(found.id) == light.id
    assert found.distance == pytest.approx(20.0, abs=0.01)
    together = {s.id for s in network.signals.values() if (s.junction, s.phase) == (light.junction, light.phase)}
    assert {int(landmark.id) for landmark in client_map.get_landmark_group(found)} == together


def test_spawn_points_are_on_driving_lanes_away_from_junctions_and_each_other(network, client_map):
    poses = network.spawn_points()
    assert len(poses) > 100
    for pose in poses:
        assert pose.z == 0.3
        waypoint = client_map.get_waypoint(carla.Location(pose.x, pose.y, pose.z))
        assert not waypoint.is_junction
        place = waypoint.transform.location
        assert math.hypot(place.x - pose.x, place.y - pose.y) < 0.2
        assert abs(wrap_degrees(waypoint.transform.rotation.yaw - pose.yaw)) < 0.5
    places = np.array([(pose.x, pose.y) for pose in poses])
    gaps = np.linalg.norm(places[:, None] - places, axis=2) + 100.0 * np.eye(len(places))
    assert gaps.min() > 3.0


def test_text_is_equal_only_for_equal_map_and_seed():
    texts = {(name, seed): to_opendrive(build_map(name, seed)) for name in MAPS for seed in (1, 2)}
    assert texts["Eastfield", 1] == to_opendrive(build_map("Eastfield", 1))
    assert len(set(texts.values())) == len(texts)


def test_reader_restores_what_the_writer_wrote(network):
    restored = parse_opendrive(to_opendrive(network))
    assert restored.name == network.name
    for road in network.roads.values():
        other = restored.roads[road.id]
        s = road.stations(5.0)
        np.testing.assert_allclose(other.points(s, 1.0), road.points(s, 1.0), atol=1e-6)
        assert (other.left, other.right) == (road.left, road.right)
        assert (other.predecessor, other.successor) == (road.predecessor, road.successor)
        assert (other.junction, other.speed, other.name) == (road.junction, road.speed, road.name)
    for junction in network.junctions.values():
        other = restored.junctions[junction.id]
        assert other.connections == junction.connections
        assert (other.control, set(other.major)) == (junction.control, set(junction.major))
        assert outline_area(other.surface) == pytest.approx(outline_area(junction.surface))
    others = {(s.kind, s.road, s.lanes): s for s in restored.signals.values()}
    assert len(others) == len(network.signals)
    for signal in network.signals.values():
        other = others[signal.kind, signal.road, signal.lanes]
        assert (other.junction, other.phase, other.value) == (signal.junction, signal.phase, signal.value)
        assert other.reach == pytest.approx(signal.reach, abs=1e-6)
        np.testing.assert_allclose(other.transform.matrix(), signal.transform.matrix(), atol=1e-6)
        for stop, other_stop in zip(signal.stops, other.stops, strict=True):
            np.testing.assert_allclose(other_stop.matrix(), stop.matrix(), atol=1e-6)
    assert len(restored.markings) == len(network.markings) and len(restored.arrows) == len(network.arrows)
    others = {(c.road, round(c.s, 3)): c for c in restored.crossings}
    for crossing in network.crossings:
        other = others[crossing.road, round(crossing.s, 3)]
        np.testing.assert_allclose(other.stripes, crossing.stripes, atol=1e-6)
        assert other.junction == crossing.junction


def outline_area(points):
    x, y = points.T
    return abs(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1))) / 2.0


ROAD = """<OpenDRIVE><road id="7" length="{length}" junction="-1" name="Test">
<planView><geometry s="0" x="10" y="20" hdg="0.5" length="{length}">{shape}</geometry></planView>
<lanes>{offset}<laneSection s="0"><left/><center><lane id="0" type="none"/></center><right>
<lane id="-2" type="border"><width sOffset="0" a="1" b="0" c="0" d="0"/></lane>
<lane id="-1" type="driving"><width sOffset="0" a="3" b="0.01" c="0" d="0"/></lane>
</right></laneSection></lanes></road></OpenDRIVE>"""
SHAPES = {
    "line": "<line/>",
    "arc": '<arc curvature="0.02"/>',
    "spiral": '<spiral curvStart="0" curvEnd="0.04"/>',
    "paramPoly3": '<paramPoly3 pRange="normalized" bU="40" cV="8" dV="-4"/>',
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("offset", ["", '<laneOffset s="0" a="1.5" b="0" c="0" d="0"/>'])
def test_uploaded_road_is_read_where_the_client_places_it(shape, offset):
    text = ROAD.format(shape=SHAPES[shape], length=40.2 if shape == "paramPoly3" else 40.0, offset=offset)
    road = parse_opendrive(text).roads[7]
    assert [lane.kind for lane in road.right] == ["driving", "shoulder"]
    client_map = carla.Map("uploaded", text)
    for s in (5.0, 20.0, 35.0):
        seen = client_map.get_waypoint_xodr(7, -1, s).transform
        pose = road.lane_pose(-1, s * road.length / 40.0)
        assert math.hypot(seen.location.x - pose.x, seen.location.y - pose.y) < 0.5
        assert abs(wrap_degrees(seen.rotation.yaw - pose.yaw)) < 2.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid XML"),
        ("<OpenDRIVE><road", "not valid XML"),
        ("<OpenDRIVE/>", "no OpenDRIVE roads"),
        ("<html><road/></html>", "no OpenDRIVE roads"),
        (
            ROAD.format(shape="<line/>", length="long", offset=""),
            "needs a number as its 'length', not 'long'",
        ),
        (ROAD.format(shape="<line/>", length="1e9", offset=""), "1e\\+09 m long; split it"),
        ('<OpenDRIVE><road id="1" length="5"/></OpenDRIVE>', "Road 1 .* needs a planView and a laneSection"),
    ],
)
def test_text_without_a_road_network_is_refused_in_one_sentence(text, message):
    with pytest.raises(ValueError, match=message) as error:
        parse_opendrive(text)
    assert "\n" not in str(error.value)
