"""Plans of sessions: as many as the effect takes, in an order that chance drew, or a refusal in plain words."""

import numpy as np
import pytest
from wiretally.core.errors import InputError
from wiretally.measure import statistics
from wiretally.measure.session_plan import MOST_SESSIONS, SessionPlanOptions, needed, plan, spread

MODES = ["normal", "incognito"]


def pilot(sizes):
    return {"basis": {"options": {"baseline": "normal"}}, "sessions": [{"session": str(n), "mode": "normal"} for n in range(len(sizes))],
            "volumes": [{"key": "a.example", "session": str(n), "up_app_bytes": size} for n, size in enumerate(sizes)]}  # fmt: skip


def test_every_block_has_every_mode_and_the_seed_decides():
    made = plan(MODES, SessionPlanOptions(seed=3))
    active = [each.mode for each in made.sessions if each.mode != "idle"]
    assert all(set(active[at : at + 2]) == set(MODES) for at in range(0, len(active), 2))
    assert len(active) == 2 * made.per_mode
    assert sum(each.mode == "idle" for each in made.sessions) == -(-made.per_mode // 3)
    assert len({each.session for each in made.sessions}) == len(made.sessions)
    assert made == plan(MODES, SessionPlanOptions(seed=3))
    assert made.sessions != plan(MODES, SessionPlanOptions(seed=4)).sessions


@pytest.mark.parametrize("tests", [1, 20])
def test_the_number_gives_the_power_that_it_promises(tests):
    options = SessionPlanOptions(ratio=0.5, cv=0.4)
    count = needed(0.4, tests, options)
    random = np.random.default_rng(1)
    first = random.gamma(1 / 0.4**2, 0.4**2, (count, 300))
    second = random.gamma(1 / 0.4**2, 0.4**2 / 2, (count, 300))
    found = (statistics.permutation_p(first, second, 1999, 1) <= 0.05 / tests).mean()
    assert 0.72 <= found <= 0.97


def test_a_destination_that_is_named_is_tested_beside_all_others():
    before = pilot([100, 150, 50])
    before["volumes"] += [{"key": f"{n}.example", "session": str(at), "up_app_bytes": 100 + 10 * at} for n in range(18) for at in range(3)]
    named = plan(MODES, SessionPlanOptions(ratio=0.0), before, "a.example")
    assert (named.cv, named.tests) == (0.5, 19)
    assert plan(MODES, SessionPlanOptions(ratio=0.0), before).cv < named.cv
    assert statistics.smallest_p(named.per_mode, named.per_mode) <= 0.05 / 19


def test_smaller_differences_and_more_destinations_take_more():
    assert needed(0.5, 1, SessionPlanOptions(ratio=0.8)) > needed(0.5, 1, SessionPlanOptions(ratio=0.5))
    assert needed(0.1, 1000, SessionPlanOptions()) > needed(0.1, 1, SessionPlanOptions())


def test_a_pilot_tells_the_spread():
    assert spread(pilot([100, 150, 50]), None) == (0.5, 1)
    assert plan(MODES, SessionPlanOptions(), pilot([100, 150, 50]), "a.example").warnings == []


@pytest.mark.parametrize("idle", [0, 1, MOST_SESSIONS])
def test_idle_sessions_are_as_many_as_asked_for(idle):
    made = plan(MODES, SessionPlanOptions(idle=idle))
    assert sum(each.mode == "idle" for each in made.sessions) == idle
    assert any("no idle session" in line for line in made.warnings) == (idle == 0)


@pytest.mark.parametrize(("modes", "options", "before", "words"), [
    (["normal"], {}, None, "one mode answers nothing"),
    (["normal", "normal"], {}, None, "one mode answers nothing"),
    (MODES, {"ratio": 1.0}, None, "never 1"),
    (MODES, {"ratio": 0.95}, None, "sessions per mode would be needed"),
    (MODES, {"idle": MOST_SESSIONS + 1}, None, "idle sessions"),
    (MODES, {}, {}, "no result of"),
    (MODES, {}, pilot([1, 2]), "a spread takes 3"),
    (MODES, {}, pilot([0, 0, 0]), "no spread"),
])  # fmt: skip
def test_what_cannot_answer_is_refused(modes, options, before, words):
    with pytest.raises(InputError, match=words):
        plan(modes, SessionPlanOptions(**options), before)
