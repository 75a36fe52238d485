"""Beacons: a clock is found with its period, also with missed beats, and chance is no clock."""

import numpy as np
import polars as pl
import pytest
from wiretally.measure.beacons import LOCKED, MIN_UPLOADS, VISITED, Known, beacons

NOTHING = Known({}, frozenset(), frozenset())


def exchanges(**moments):
    rows = [("phone", key, "owner", int(at * 1e9), 458) for key, each in moments.items() for at in each]
    return pl.DataFrame(rows, schema=["device", "key", "owner", "began", "up_app_bytes"], orient="row")


def told(known=NOTHING, **moments):
    return {each["key"]: each for each in beacons(exchanges(**moments), 199, 1, 0.05, known)}


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


def browsing(seed, sites=frozenset(), locked=frozenset()):
    """Pages opened at nearly regular times in sessions a little apart, and then nothing for a while."""
    random = np.random.default_rng(seed)
    visits = np.sort((np.arange(12) * 33)[:, None] + 5.5 * np.arange(5) + random.normal(0, 0.1, (12, 5)), axis=None) + 10
    return random, visits, Known({"phone": visits}, sites, locked)


def test_what_regular_visits_cause_is_no_heartbeat_and_a_clock_beside_them_is():
    random, visits, known = browsing(3)
    some = np.sort(random.choice(visits, 40, replace=False))
    found = told(known, pages=visits + random.uniform(0.3, 0.4, 60), some=some + 0.5, timer=visits + 5,
                 clock=7 + 4.5 * np.arange(110) + random.normal(0, 0.01, 110), slow=3 + 31 * np.arange(16) + random.normal(0, 0.1, 16))  # fmt: skip
    assert {key for key, each in found.items() if each["verdict"] == "heartbeat"} == {"clock", "slow"}
    assert found["pages"]["sharpness"] >= 0.7  # they beat, as the visits do
    assert all(found[key]["q"] > 0.05 for key in ("pages", "some", "timer"))
    assert told(pages=visits + 0.3)["pages"]["verdict"] == "heartbeat"  # where nobody says that pages were opened


def test_page_uploads_are_called_a_clock_no_more_often_than_it_says():
    p = [told(known, pages=visits + random.uniform(0, 0.4, 60))["pages"]["p"] for random, visits, known in map(browsing, range(40))]
    assert sum(each <= 0.05 for each in p) <= 6  # 40 at 5 %: more than 6 in one of 300


@pytest.mark.parametrize(("known", "note"), [({"sites": frozenset({"beat.example"})}, VISITED), ({"locked": frozenset({"www.beat.example"})}, LOCKED)])
def test_what_was_visited_or_follows_visits_is_no_heartbeat(known, note):
    _, _, told_of = browsing(1, **known)
    found = told(told_of, **{"www.beat.example": 7 + 4.5 * np.arange(110)})["www.beat.example"]
    assert (found["verdict"], found["note"]) == ("no_heartbeat", note)
    assert found["q"] <= 0.05
