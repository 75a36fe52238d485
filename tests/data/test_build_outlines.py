import numpy as np
import pytest
from wiretally.data.build_outlines import CODES, arcs, outlines, ring
from wiretally.geo.outlines import inside

UNSCALED = {"scale": [1, 1], "translate": [0, 0]}


def topology(lines, geometries, transform=UNSCALED):
    steps = [np.diff(np.array(line), axis=0, prepend=[[0, 0]]).tolist() for line in lines]
    return {"transform": transform, "arcs": steps, "objects": {"countries": {"geometries": geometries}}}


def test_arcs_are_running_sums_scaled_and_shifted():
    made = topology([[[1, 2], [3, 5]]], [], {"scale": [0.5, 2], "translate": [-180, -90]})
    assert arcs(made)[0].tolist() == [[-179.5, -86], [-178.5, -80]]


def test_a_border_is_used_forwards_by_one_and_backwards_by_the_other():
    border, west, east = [[5, 0], [5, 10]], [[5, 10], [0, 10], [0, 0], [5, 0]], [[5, 10], [9, 10], [9, 0], [5, 0]]
    lines = [np.array(line, float) for line in (border, west, east)]
    assert ring([0, 1], lines).tolist() == [*border, *west[1:]]
    assert ring([~2, ~0], lines).tolist() == [*east[::-1], *border[::-1][1:]]


def test_a_ring_across_the_date_line_runs_on():
    points = ring([0], [np.array([[170.0, 0], [-170, 0], [-170, 5], [170, 5], [170, 0]])])
    assert points[:, 0].tolist() == [170, 190, 190, 170, 170]


@pytest.mark.parametrize("latitude", [-70.0, 70.0])
def test_a_ring_around_a_pole_is_closed_over_it(latitude):
    line = np.array([[longitude, latitude] for longitude in (*range(-180, 180, 30), -180)], float)
    points = ring([0], [line])
    assert points[0].tolist() == points[-1].tolist()
    side = np.copysign(1, latitude)
    for longitude in range(-180, 180, 7):
        assert inside((80 * side, longitude), [points])
        assert not inside((60 * side, longitude), [points])


def test_countries_gather_their_polygons_and_holes_and_uncoded_shapes_are_named():
    square = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
    made = topology(
        [square],
        [
            {"type": "Polygon", "id": "040", "arcs": [[0], [0]], "properties": {"name": "Austria"}},
            {"type": "MultiPolygon", "id": "36", "arcs": [[[0]], [[0]]], "properties": {"name": "Australia"}},
            {"type": "Polygon", "id": "036", "arcs": [[0]], "properties": {"name": "Ashmore and Cartier Is."}},
            {"type": "Polygon", "arcs": [[0]], "properties": {"name": "Kosovo"}},
            {"type": "Polygon", "arcs": [[0]], "properties": {"name": "Siachen Glacier"}},
        ],
    )
    assert {code: len(rings) for code, rings in outlines(made).items()} == {"AT": 2, "AU": 3, "XK": 1}


def test_the_table_of_codes_is_one_to_one():
    assert len(CODES) == 249 == len(set(CODES.values()))
    assert (CODES["156"], CODES["702"], CODES["840"]) == ("CN", "SG", "US")
