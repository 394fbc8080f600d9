"""The navigation mesh as data; test_traffic checks that the client can use it."""

import numpy as np
import pytest

from simulator.roads.ground import KERB_HEIGHT, Ground
from simulator.roads.maps import MAPS, build_map
from simulator.roads.navigation_mesh import CROSSING, ROAD, SIDEWALK, build_navigation_mesh, encode_mesh


@pytest.fixture(scope="module", params=sorted(MAPS))
def network(request):
    return build_map(request.param, 1)


def reachable(mesh, allowed):
    """Return how many polygons with an allowed area are reachable from the first one, and how many there are."""
    neighbours = mesh.neighbours()
    usable = [i for i, (_, area) in enumerate(mesh.polygons) if area in allowed]
    seen, pending = set(), usable[:1]
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        pending += [n - 1 for n in neighbours[number] if n and mesh.polygons[n - 1][1] in allowed]
    return len(seen), len(usable)


def test_crossings_connect_all_sidewalks(network):
    reached, total = reachable(build_navigation_mesh(network), {SIDEWALK, CROSSING})
    assert reached == total > 100


def test_asphalt_connects_to_the_sidewalks(network):
    reached, total = reachable(build_navigation_mesh(network), {SIDEWALK, CROSSING, ROAD})
    assert reached == total


def test_neighbours_are_mutual(network):
    mesh = build_navigation_mesh(network)
    neighbours = mesh.neighbours()
    for number, near in enumerate(neighbours):
        assert len(near) == len(mesh.polygons[number][0])
        assert all(number + 1 in neighbours[other - 1] for other in near if other)


def test_sidewalk_polygons_lie_on_the_sidewalk(network):
    mesh, ground = build_navigation_mesh(network), Ground(network)
    centres = [
        np.mean([mesh.points[c] for c in corners], axis=0) for corners, area in mesh.polygons if area == SIDEWALK
    ]
    heights = np.array([ground.height(x, y) for x, y in centres])
    assert (heights == KERB_HEIGHT).mean() > 0.99


def test_ground_height_is_a_kerb_on_sidewalks_and_zero_elsewhere(network):
    ground = Ground(network)
    for road in network.streets:
        for lane in road.lanes:
            x, y = road.lane_centre(lane.id)[len(road.lane_centre(lane.id)) // 2]
            assert ground.height(x, y) == (KERB_HEIGHT if lane.kind == "sidewalk" else 0.0)
    assert ground.height(1e5, -1e5) == 0.0


def test_equal_towns_have_equal_navigation_files():
    name = sorted(MAPS)[0]
    first, second = (encode_mesh(build_navigation_mesh(build_map(name, 1))) for _ in range(2))
    assert first == second
    assert first[:4] == b"TESM"
