"""Beacons: a clock is found with its period, also with missed beats, and chance is no clock."""

import numpy as np
import polars as pl
import pytest
from wiretally.measure.beacons import MIN_UPLOADS, beacons


def exchanges(**moments):
    rows = [("phone", key, "owner", int(at * 1e9), 458) for key, each in moments.items() for at in each]
    return pl.DataFrame(rows, schema=["device", "key", "owner", "began", "up_app_bytes"], orient="row")


def told(**moments):
    return {each["key"]: each for each in beacons(exchanges(**moments), 199, 1, 0.05)}


def test_a_clock_is_a_heartbeat_and_chance_is_none():
    random = np.random.default_rng(1)
    steady = 5 + 37 * np.arange(30) + random.normal(0, 0.3, 30)
    missed = np.delete(10 + 60 * np.arange(40), [3, 4, 11, 20, 30, 31])
    found = told(steady=steady, missed=missed, chance=np.cumsum(random.exponential(37, 60)) + 3)
    assert found["steady"]["verdict"] == "heartbeat"
    assert found["steady"]["period_s"] == pytest.approx(37, rel=0.02)
    assert found["steady"]["jitter_ms"] < 1000
    assert found["steady"]["same_size"]
    assert found["missed"]["verdict"] == "heartbeat"
    assert found["missed"]["period_s"] == pytest.approx(60, rel=0.02)
    assert found["chance"]["verdict"] == "no_heartbeat"


def test_chance_is_called_a_clock_no_more_often_than_it_says():
    random = np.random.default_rng(2)
    found = told(**{f"d{n}": np.cumsum(random.exponential(20, 20)) + 2 for n in range(60)})
    assert sum(each["p"] <= 0.05 for each in found.values()) <= 9  # 60 at 5 %: more than 9 in one of 900


def test_few_uploads_say_nothing():
    assert told(few=10 * np.arange(MIN_UPLOADS - 1) + 1) == {}
    assert set(told(enough=10 * np.arange(MIN_UPLOADS) + 1)) == {"enough"}
