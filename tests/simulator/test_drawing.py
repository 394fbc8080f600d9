"""Images of the town: exact labels, matching outlines, correct depth, equal bytes, distinct weathers."""

from itertools import combinations

import numpy as np
import pytest

from simulator.actor_catalogue import CATALOGUE
from simulator.drawing.compositing import MAX_DEPTH, depth_image
from simulator.drawing.mesh import ROAD, ROAD_LINE, SKY
from simulator.drawing.models import ModelLibrary, body_model_name
from simulator.drawing.renderer import KINDS, Body, Camera, Renderer, mirror_view, view_of
from simulator.drawing.sheet import PRESETS, light_states, place_traffic
from simulator.drawing.street import triangulate
from simulator.geometry import Transform
from simulator.roads.maps import MAPS, build_map

WIDTH, HEIGHT = 160, 112
IDS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 24, 25}
NOON = PRESETS["ClearNoon"]


@pytest.fixture(scope="module")
def networks():
    return {name: build_map(name, 1) for name in MAPS}


@pytest.fixture(scope="module")
def towns(networks):
    return {name: Renderer(network, 1) for name, network in networks.items()}


def street_view(network, number=0):
    start = network.spawn_points()[number]
    return Transform(start.x, start.y, 1.7, -4.0, start.yaw, 0.0)


def cameras(pose, *kinds, width=WIDTH, height=HEIGHT):
    return [Camera(kind, pose, width, height, 90.0) for kind in kinds]


def metres(depth):
    blue, green, red = (depth[..., c].astype(float) for c in range(3))
    return (red + 256 * green + 65536 * blue) / (256**3 - 1) * MAX_DEPTH


def test_all_and_only_the_known_ids_occur(networks, towns):
    found = set()
    for name, network in networks.items():
        bodies = place_traffic(network, 1)
        for start in network.spawn_points()[::9]:
            pose = Transform(start.x, start.y, 2.4, -6.0, start.yaw)
            (labels,) = towns[name].render(cameras(pose, "semantic_segmentation"), bodies, NOON, {}, 0.0)
            found |= set(np.unique(labels[..., 2]).tolist())
            assert not labels[..., :2].any()
            assert (labels[..., 3] == 255).all()
    assert found == IDS


def test_label_edges_lie_on_image_edges(networks, towns):
    network = networks["Millbrook"]
    bodies = place_traffic(network, 1)
    strength = np.zeros((5, 5))
    for start in network.spawn_points()[::13]:
        pose = Transform(start.x, start.y, 1.8, -4.0, start.yaw)
        requested = cameras(pose, "rgb", "semantic_segmentation")
        rgb, labels = towns["Millbrook"].render(requested, bodies, NOON, {}, 0.0)
        grey, label = rgb[..., :3].astype(float).mean(axis=2), labels[..., 2]
        gradient = np.maximum(
            np.abs(np.roll(grey, -1, 1) - np.roll(grey, 1, 1)),
            np.abs(np.roll(grey, -1, 0) - np.roll(grey, 1, 0)),
        )
        edge = (np.roll(label, -1, 1) != np.roll(label, 1, 1)) | (np.roll(label, -1, 0) != np.roll(label, 1, 0))
        inner = np.s_[4:-4, 4:-4]
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                strength[dy + 2, dx + 2] += gradient[inner][np.roll(edge, (dy, dx), (0, 1))[inner]].mean()
    assert np.unravel_index(strength.argmax(), strength.shape) == (2, 2)


def test_depth_of_the_road_matches_the_ground_plane(networks, towns):
    pose = street_view(networks["Eastfield"])
    requested = cameras(pose, "depth", "semantic_segmentation")
    depth, labels = towns["Eastfield"].render(requested, [], NOON, {}, 0.0)
    view = view_of(requested[0])
    rows, columns = np.nonzero(np.isin(labels[..., 2], (ROAD, ROAD_LINE)))
    lower = rows > HEIGHT * 0.6  # nearer than about 15 m, where a quarter of a pixel makes little difference
    rows, columns = rows[lower], columns[lower]
    down = -(
        view.rows[0, 2] * (columns + 0.5 - view.centre_x) / view.focal
        + view.rows[1, 2] * (view.centre_y - rows - 0.5) / view.focal
        + view.rows[2, 2]
    )
    assert len(rows) > 1000
    np.testing.assert_allclose(metres(depth)[rows, columns], pose.z / down, rtol=0.06)


def test_depth_of_a_vehicle_and_of_the_sky(networks, towns):
    pose = street_view(networks["Eastfield"])
    ahead = pose.forward() * [1, 1, 0]
    at = pose.location() + 12.0 * ahead / np.linalg.norm(ahead)
    bus = Body(77, "vehicle.mitsubishi.citybus", Transform(at[0], at[1], 0.0, 0.0, pose.yaw), (200, 30, 30))
    level = Transform(pose.x, pose.y, 1.7, 0.0, pose.yaw)
    requested = cameras(level, "depth", "semantic_segmentation", "instance_segmentation")
    depth, labels, instance = towns["Eastfield"].render(requested, [bus], NOON, {}, 0.0)
    rear = 12.0 - CATALOGUE[bus.type_id].extent[0]
    assert metres(depth)[HEIGHT // 2, WIDTH // 2] == pytest.approx(rear, abs=0.1)
    assert instance[HEIGHT // 2, WIDTH // 2].tolist() == [0, 77, 16, 255]
    sky = labels[..., 2] == SKY
    assert sky.any()
    assert (metres(depth)[sky] == MAX_DEPTH).all()


def test_depth_image_has_24_bits():
    given = np.array([[0.0, 0.37, 12.345, 999.0, MAX_DEPTH, 5000.0]], np.float32)
    np.testing.assert_allclose(metres(depth_image(given)), np.minimum(given, MAX_DEPTH), atol=1e-4)


def test_equal_calls_return_equal_bytes(networks):
    network = networks["Westgate"]
    bodies, states = place_traffic(network, 1), light_states(network)
    requested = [c for n in (3, 21) for c in cameras(street_view(network, n), *KINDS)]
    first, second = Renderer(network, 1), Renderer(network, 1)
    for weather in (PRESETS["HardRainNight"], NOON):
        one = first.render(requested, bodies, weather, states, 3.25)
        # earlier images must not matter
        second.render(cameras(street_view(network, 40), "rgb"), bodies[::2], PRESETS["WetSunset"], {}, 9.0)
        other = second.render(requested, bodies, weather, states, 3.25)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_images_have_the_order_and_size_of_the_cameras(networks, towns):
    pose = street_view(networks["Eastfield"])
    requested = [
        Camera("rgb", pose, 64, 48, 90.0),
        Camera("depth", pose, 80, 48, 60.0),
        Camera("rgb", pose, 64, 48, 90.0),
    ]
    images = towns["Eastfield"].render(requested, [], NOON, {}, 0.0)
    assert [image.shape for image in images] == [(48, 64, 4), (48, 80, 4), (48, 64, 4)]
    assert all(image.dtype == np.uint8 for image in images)
    assert np.array_equal(images[0], images[2])
    with pytest.raises(ValueError, match="lidar"):
        towns["Eastfield"].render(cameras(pose, "lidar"), [], NOON, {}, 0.0)


def test_weathers_look_different(networks, towns):
    pose = street_view(networks["Millbrook"], 5)
    images = {}
    for name, weather in PRESETS.items():
        (rgb,) = towns["Millbrook"].render(cameras(pose, "rgb", width=80, height=56), [], weather, {}, 2.0)
        images[name] = rgb[..., :3].astype(float)
    for one, other in combinations(images, 2):
        assert np.abs(images[one] - images[other]).mean() > 2.5, (one, other)
    mean = {name: image.mean() for name, image in images.items()}
    assert mean["ClearNight"] < 0.6 * mean["ClearNoon"]
    warmth = {name: image[..., 2].mean() / image[..., 0].mean() for name, image in images.items()}
    assert warmth["ClearSunset"] > 1.1 * warmth["ClearNoon"]


def test_weather_does_not_change_labels(networks, towns):
    pose = street_view(networks["Westgate"], 9)
    bodies = place_traffic(networks["Westgate"], 1)
    requested = cameras(pose, "semantic_segmentation")
    images = [
        towns["Westgate"].render(requested, bodies, PRESETS[w], {}, 0.0)[0] for w in ("ClearNoon", "HardRainNight")
    ]
    assert np.array_equal(*images)


def test_a_traffic_light_shows_its_state(networks, towns):
    network = networks["Eastfield"]
    signal = next(s for s in network.signals.values() if s.kind == "traffic_light")
    turn = np.radians(signal.transform.yaw)
    x, y = signal.transform.x + 5.0 * np.cos(turn), signal.transform.y + 5.0 * np.sin(turn)
    pose = Transform(x, y, 2.8, 0.0, signal.transform.yaw + 180.0)
    requested = [
        Camera("rgb", pose, WIDTH, HEIGHT, 40.0),
        Camera("semantic_segmentation", pose, WIDTH, HEIGHT, 40.0),
    ]
    shown = {}
    for state in ("red", "green"):
        rgb, labels = towns["Eastfield"].render(requested, [], NOON, {signal.id: state}, 0.0)
        head = rgb[labels[..., 2] == 7].astype(float)
        shown[state] = (head[:, 2] - head[:, 1]).max(), (head[:, 1] - head[:, 2]).max()
    assert shown["red"][0] > 100 > shown["green"][0]
    assert shown["green"][1] > 60 > shown["red"][1]


def test_brake_lights_follow_the_light_bits(networks, towns):
    pose = street_view(networks["Eastfield"])
    ahead = pose.forward() * [1, 1, 0]
    at = pose.location() + 7.0 * ahead / np.linalg.norm(ahead)
    reds = []
    for lights in (0, 8):
        car = Body(5, "vehicle.tesla.model3", Transform(at[0], at[1], 0.0, 0.0, pose.yaw), (230, 230, 230), lights)
        (rgb,) = towns["Eastfield"].render(cameras(pose, "rgb"), [car], PRESETS["CloudyNoon"], {}, 0.0)
        reds.append(((rgb[..., 2].astype(int) - rgb[..., 1]) > 90).sum())
    assert reds[1] > reds[0] + 5


def test_the_mirror_view_shows_ground_points_at_the_same_place(networks, towns):
    pose = street_view(networks["Westgate"], 3)
    view = view_of(cameras(pose, "rgb")[0])
    mirrored = mirror_view(view)
    ground = pose.location() * [1, 1, 0] + 9.0 * pose.forward() * [1, 1, 0]

    def pixel(v):
        right, up, ahead = v.rows @ (ground - v.position)
        return np.array([v.centre_x + v.focal * right / ahead, v.centre_y - v.focal * up / ahead])

    np.testing.assert_allclose(pixel(mirrored) * 2, pixel(view), atol=1e-6)


@pytest.mark.parametrize("type_id", CATALOGUE)
def test_bodies_fill_their_bounding_boxes(type_id):
    library = ModelLibrary()
    model = library.model(body_model_name(type_id, 0.0, 0.0))
    points = library.triangles.vertices[model.first[0] : model.last[0]].reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    length, width, height = (2 * half for half in CATALOGUE[type_id].extent)
    assert -0.03 <= low[2] < 0.05
    assert high[2] == pytest.approx(height, rel=0.03)
    if CATALOGUE[type_id].number_of_wheels:
        assert high[0] - low[0] == pytest.approx(length, rel=0.045)
        assert high[1] - low[1] < width * 1.25


def test_coarser_levels_have_fewer_triangles():
    library = ModelLibrary()
    for name in (
        "vehicle vehicle.tesla.model3 parked",
        "tree maple 0",
        "walker walker.pedestrian.0001 3",
        "lights 4",
    ):
        model = library.model(name)
        counts = model.last - model.first
        assert (np.diff(counts) <= 0).all()
        assert counts[-1] < 0.5 * counts[0]


def test_triangulation_fills_a_concave_outline():
    outline = np.array([(0, 0), (4, 0), (4, 1), (1, 1), (1, 3), (4, 3), (4, 4), (0, 4)], float)
    a, b, c = (outline[triangulate(outline)[:, k]] for k in range(3))
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (area > 0).all()
    assert area.sum() == pytest.approx(10.0)


def test_the_road_is_clear(networks, towns):
    for name, network in networks.items():
        for start in network.spawn_points()[::7]:
            above = Transform(start.x, start.y, 3.0, -90.0, start.yaw)
            requested = [Camera("semantic_segmentation", above, 16, 16, 40.0)]
            (labels,) = towns[name].render(requested, [], NOON, {}, 0.0)
            assert np.isin(labels[..., 2], (ROAD, ROAD_LINE)).all()
