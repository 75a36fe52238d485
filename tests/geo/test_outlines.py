from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wiretally.core.errors import DatabaseError
from wiretally.geo.outlines import EARTH_RADIUS_KM, WITHIN, Outlines, inside, to_edges_km, unit_vectors

BERLIN, MOSCOW, DELHI, SINGAPORE = (52.52, 13.405), (55.75, 37.62), (28.61, 77.21), (1.30, 103.85)
OUTLINES = Outlines()


@pytest.mark.parametrize(
    ("place", "code", "km"),
    [
        (BERLIN, "SG", 9903), (BERLIN, "US", 5500), (BERLIN, "PL", 64), (MOSCOW, "SG", 8400), (DELHI, "SG", 4128),
        ((51.5, -0.13), "FR", 138), ((40.7, -74.0), "CA", 430), ((66.08, -168.0), "RU", 74), ((65.0, 177.5), "US", 534),
    ],
)  # fmt: skip
def test_known_distances(place, code, km):
    assert OUTLINES.distance_km(place, code) == pytest.approx(km, rel=0.08)


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (BERLIN, "DE"), (MOSCOW, "RU"), (SINGAPORE, "SG"), ((66.5, 178.0), "RU"), ((66.0, -172.0), "RU"),  # beyond 180°
        ((-29.6, 28.2), "LS"), ((-77.8, 166.7), "AQ"), ((-90, 0), "AQ"), ((21.45, -158.0), "US"), ((35.9, 14.4), "MT"),
        ((4.9, -52.3), "GF"), ((4.9, -52.3), "FR"), ((42.6, 20.9), "XK"), ((-17.8, 178.0), "FJ"), ((71.0, 179.5), "RU"),
    ],
)  # fmt: skip
def test_inside_is_no_distance(place, code):
    assert OUTLINES.distance_km(place, code) == 0


@pytest.mark.parametrize(
    ("place", "code"), [((-29.6, 28.2), "ZA"), ((43.94, 12.46), "IT"), (BERLIN, "RU"), ((0, 0), "AQ")]
)
def test_holes_and_elsewhere_are_outside(place, code):
    assert OUTLINES.distance_km(place, code) > 0


def test_small_countries_are_there_and_unknown_codes_have_no_distance():
    for code in ("SG", "HK", "MO", "MT", "BH", "XK", "VA", *WITHIN):
        assert OUTLINES.distance_km(BERLIN, code) is not None
    for code in ("ZZ", "", "usa", "TV"):
        assert OUTLINES.distance_km(BERLIN, code) is None


def test_every_country_is_near_itself_and_countries_do_not_overlap():
    rng = np.random.default_rng(5)
    places = [(float(np.degrees(np.arcsin(rng.uniform(-1, 1)))), float(rng.uniform(-180, 180))) for _ in range(150)]
    rings = OUTLINES._rings
    for place in places:
        assert sum(inside(place, rings[code]) for code in rings) <= 1


SMALL = st.lists(st.tuples(st.floats(-179, 179), st.floats(-85, 85)), min_size=3, max_size=6, unique=True)


def sampled_km(place, ring, steps=2001):
    """The least distance to points strewn along the great circles between neighbours."""
    share = np.linspace(0, 1, steps)[:, None]
    here, points = unit_vectors(np.array(place[1]), np.array(place[0])), unit_vectors(ring[:, 0], ring[:, 1])
    found = []
    for start, end in pairwise(points):
        line = start * (1 - share) + end * share
        line /= np.linalg.norm(line, axis=1, keepdims=True)
        chord = np.linalg.norm(line - here, axis=1).min()
        found.append(2 * np.arcsin(min(chord / 2, 1)) * EARTH_RADIUS_KM)
    return np.array(found)


@given(points=SMALL, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180))
@example(points=[(0.0, 49.0), (30.0, 49.0), (30.0, 40.0)], latitude=50.0, longitude=15.0)
def test_distance_to_edges_is_that_to_points_along_them(points, latitude, longitude):
    ring = np.array([*points, points[0]])
    vectors = unit_vectors(ring[:, 0], ring[:, 1])
    if (np.sum(vectors[:-1] * vectors[1:], axis=1) < -0.9).any():
        return  # ends nearly opposite: which way the edge goes is anybody's guess
    assert to_edges_km((latitude, longitude), ring) == pytest.approx(sampled_km((latitude, longitude), ring), abs=12)


@given(SMALL, st.floats(-89, 89), st.floats(-179, 179), st.sampled_from([-360, 0, 360]))
def test_inside_does_not_depend_on_the_turn_that_a_ring_is_written_in(points, latitude, longitude, turn):
    ring = np.round(np.array([*points, points[0]]), 6)  # a turn must not cost a digit that decides
    assert inside((latitude, longitude), [ring]) == inside((latitude, longitude), [ring + np.array([turn, 0])])


def test_a_ring_inside_a_ring_takes_away():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]], float)
    hole = square * 0.2 + 4
    assert inside((5, 2), [square, hole])
    assert not inside((5, 5), [square, hole])
    assert inside((5, 5), [square])


def test_a_point_twice_is_no_edge():
    ring = np.array([[0, 0], [0, 0], [1, 0], [0, 0]], float)
    assert to_edges_km((0, -1), ring) == pytest.approx(np.full(3, np.radians(1) * EARTH_RADIUS_KM))


@pytest.mark.parametrize("content", [None, b"", b"not a file of arrays", b"PK\x03\x04 damaged"])
def test_a_damaged_file_is_named_in_one_line(tmp_path, content):
    path = tmp_path / "outlines.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatabaseError) as caught:
        Outlines(path).distance_km(BERLIN, "DE")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
