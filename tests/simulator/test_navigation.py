"""The navigation mesh as data; that the client can use it is shown in test_traffic."""

import numpy as np
import pytest

from simulator.roads.ground import KERB_HEIGHT, Ground
from simulator.roads.maps import MAPS, build_map
from simulator.roads.navigation_mesh import CROSSING, ROAD, SIDEWALK, build_mesh, to_bytes


@pytest.fixture(scope="module", params=sorted(MAPS))
def network(request):
    return build_map(request.param, 1)


def reachable(mesh, allowed):
    """How many of the polygons with an allowed area can be reached from the first of them."""
    neighbours = mesh.neighbours()
    usable = [i for i, (_, area) in enumerate(mesh.polygons) if area in allowed]
    seen, waiting = set(), usable[:1]
    while waiting:
        number = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        waiting += [n - 1 for n in neighbours[number] if n and mesh.polygons[n - 1][1] in allowed]
    return len(seen), len(usable)


def test_all_sidewalks_are_joined_by_crossings(network):
    reached, total = reachable(build_mesh(network), {SIDEWALK, CROSSING})
    assert reached == total > 100


def test_the_asphalt_can_be_crossed_anywhere_on_a_street(network):
    reached, total = reachable(build_mesh(network), {SIDEWALK, CROSSING, ROAD})
    assert reached == total


def test_neighbours_know_each_other(network):
    mesh = build_mesh(network)
    neighbours = mesh.neighbours()
    for number, near in enumerate(neighbours):
        assert len(near) == len(mesh.polygons[number][0])
        assert all(number + 1 in neighbours[other - 1] for other in near if other)


def test_sidewalk_polygons_lie_on_the_sidewalk(network):
    mesh, ground = build_mesh(network), Ground(network)
    middles = [
        np.mean([mesh.points[c] for c in corners], axis=0) for corners, area in mesh.polygons if area == SIDEWALK
    ]
    heights = np.array([ground.height(x, y) for x, y in middles])
    assert (heights == KERB_HEIGHT).mean() > 0.99


def test_the_ground_is_flat_on_lanes_and_outside_the_town(network):
    ground = Ground(network)
    for road in network.streets:
        for lane in road.lanes:
            x, y = road.lane_centre(lane.id)[len(road.lane_centre(lane.id)) // 2]
            assert ground.height(x, y) == (KERB_HEIGHT if lane.kind == "sidewalk" else 0.0)
    assert ground.height(1e5, -1e5) == 0.0


def test_equal_towns_have_equal_files():
    name = sorted(MAPS)[0]
    first, second = (to_bytes(build_mesh(build_map(name, 1))) for _ in range(2))
    assert first == second
    assert first[:4] == b"TESM"
