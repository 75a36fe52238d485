"""The plan: as many visits as the power takes (by simulation), in random order, the same from the same seed."""

import numpy as np
import pytest
from wiretally.core.errors import InputError
from wiretally.measure import slopes, visit_plan
from wiretally.measure.probe import ProbeOptions
from wiretally.measure.visit_plan import PlanOptions, plan, visits_needed

URL = ["https://pages.example/a"]
MODES = ["normal", "incognito"]


def test_everything_follows_from_the_seed():
    assert plan(URL, MODES, PlanOptions()) == plan(URL, MODES, PlanOptions())
    assert plan(URL, MODES, PlanOptions()) != plan(URL, MODES, PlanOptions(seed=2))


def test_modes_are_mixed_and_pads_are_what_they_say():
    made = plan(URL, MODES, PlanOptions(seed=3))
    order = [mode for _, mode in dict.fromkeys((each.session, each.mode) for each in made)]
    assert order.count("normal") == order.count("incognito")
    firsts = order[::2]
    assert 0 < firsts.count("normal") < len(firsts)
    for each in made:
        assert len(each.url) == len(URL[0]) + len("?pad=") + each.pad
        assert 12 <= each.dwell <= 30
    assert len({each.url for each in made}) == len(made)


def test_pads_go_before_the_fragment_and_after_a_query():
    assert visit_plan.padded("https://a.example/x?y=1#z", "AB") == "https://a.example/x?y=1&pad=AB#z"


@pytest.mark.parametrize("destinations", [1, 20])
def test_the_stated_power_is_reached_where_q_is_over_so_many(destinations):
    options = PlanOptions(slope=1.0, noise=300.0, longest=500, per_flush=1, per_session=10, destinations=destinations)
    count = visits_needed(options)
    sessions = -(-count // 10)
    random, found, draws = np.random.default_rng(1), 0, 60
    for _ in range(draws):
        pads = random.integers(0, 501, (sessions, 10)).astype(float)
        pads -= pads.mean(axis=1, keepdims=True)
        order = random.random((499, sessions, 10)).argsort(axis=2)
        own = slopes.Arranged(pads.ravel(), np.take_along_axis(np.broadcast_to(pads, order.shape), order, axis=2).reshape(499, -1))
        nothing = slopes.Arranged(np.zeros(pads.size), np.zeros((499, pads.size)))
        y = pads.ravel() + random.normal(0, 300, pads.size)
        found += slopes.fit(y, own, nothing, np.zeros(pads.size), (np.ones(pads.size, np.int64),), 0.05)[0].p <= 0.05 / destinations
    assert found / draws >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / draws)


def test_more_destinations_take_more_visits_and_no_more_than_the_probe_can_tell():
    assert visits_needed(PlanOptions(slope=0.25)) > visits_needed(PlanOptions(slope=0.25, destinations=1))
    assert visits_needed(PlanOptions(destinations=100)) > 0
    for destinations in (0, 101):
        with pytest.raises(InputError, match="from 1 to 100 destinations"):
            visits_needed(PlanOptions(destinations=destinations))
    assert ProbeOptions().resamples == visit_plan.ARRANGEMENTS


@pytest.mark.parametrize(
    ("urls", "modes", "options", "words"),
    [([], MODES, PlanOptions(), "at least one URL"), (URL, ["a", "a"], PlanOptions(), "each mode once"), (["ftp://x"], MODES, PlanOptions(), "no web address"),
     (["https://x/'$(reboot)'"], MODES, PlanOptions(), "no web address"), (URL, MODES, PlanOptions(slope=0), "above 0"),
     (URL, MODES, PlanOptions(slope=0.01), "would be needed"), (URL, MODES, PlanOptions(per_session=2), "at least 3")],
)  # fmt: skip
def test_plans_that_cannot_be_are_refused(urls, modes, options, words):
    with pytest.raises(InputError, match=words):
        plan(urls, modes, options)
