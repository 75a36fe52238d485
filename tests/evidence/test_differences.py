"""Differences: each with its place, none invented, none missed."""

import copy

from hypothesis import given
from hypothesis import strategies as st
from wiretally.evidence.differences import MISSING, Difference, differences

LEAF = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3)
TREES = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3))


def at(tree, pointer):
    for word in pointer.split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree


@given(TREES, TREES)
def test_a_place_is_where_it_says(one, other):
    assert differences(one, copy.deepcopy(one)).differences == []
    found = differences(one, other).differences
    for each in found:
        if each.theirs != MISSING:
            assert at(one, each.pointer) == each.theirs
        if each.ours != MISSING:
            assert at(other, each.pointer) == each.ours
    if not found:
        assert one == other or differences(one, other).rounded


def test_rounding_is_counted_and_nothing_more_is_forgiven():
    found = differences({"a": 0.1 + 0.2, "b": 5, "c": 1.0, "d": True}, {"a": 0.3, "b": 6, "c": 1.0000001, "d": 1})
    assert found.rounded == 1
    assert found.values == 4
    assert found.differences == [Difference("/b", 5, 6), Difference("/c", 1.0, 1.0000001), Difference("/d", theirs=True, ours=1)]


def test_what_is_missing_and_what_is_left_out():
    found = differences({"a": [1, 2], "basis": {"v": 1}}, {"a": [1], "basis": {"v": 2}, "x/y": 3}, frozenset({"/basis/v"}))
    assert found.differences == [Difference("/a/1", 2, MISSING), Difference("/x~1y", MISSING, 3)]
