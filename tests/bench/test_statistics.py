"""The simulation of the two experiments asks their own code, and finds what it has put there."""

from wiretally.bench import statistics


def test_a_follower_is_locked_and_a_url_shows():
    assert statistics.coupled(4, 1.0, 2, seed=1)["locked"] == 1
    found = statistics.probed(6, 1.0, 2, seed=1)
    assert found["url_dependent"] == 1
    assert found["defined"] == 1


def test_nothing_is_found_where_nothing_is():
    assert statistics.coupled(4, 0.0, 2, seed=2)["locked"] == 0
    assert statistics.probed(6, 0.0, 2, seed=2)["url_dependent"] == 0
