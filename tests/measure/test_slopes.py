"""Slopes: scores against a twin, coverage, and two inputs that do not disturb each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.ranks import scores
from wiretally.measure import slopes

ALPHA = 0.05


def inputs(random, sessions=8, visits=10, draws=299):
    """Own and lagged pads as a randomised plan has them, centred, and the session of each visit."""
    pads = random.integers(0, 800, (sessions, visits)).astype(float)
    pads -= pads.mean(axis=1, keepdims=True)
    order = random.random((draws, sessions, visits)).argsort(axis=2)
    drawn = np.take_along_axis(np.broadcast_to(pads, order.shape), order, axis=2)

    def before(x):
        moved = np.zeros_like(x)
        moved[..., 1:] = x[..., :-1]
        return moved

    own = slopes.Arranged(pads.ravel(), drawn.reshape(draws, -1))
    return own, slopes.Arranged(before(pads).ravel(), before(drawn).reshape(draws, -1)), np.repeat(np.arange(sessions), visits)


def fitted(y, own, lagged, session):
    return slopes.fit(y, own, lagged, np.zeros(len(y)), (np.ones(len(y), np.int64), session), ALPHA)


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=30))
def test_scores_are_those_of_the_twin(values):
    np.testing.assert_allclose(slopes._scores(np.array(values, float)), scores(values))


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 1000))
def test_both_slopes_are_found(b, c, seed):
    random = np.random.default_rng(seed)
    own, lagged, session = inputs(random, draws=99)
    y = 900 + b * own.real + c * lagged.real + random.normal(0, 5, len(session)) + 50 * session
    first, second = fitted(y, own, lagged, session)
    assert first.estimate == pytest.approx(b, abs=0.03)
    assert second.estimate == pytest.approx(c, abs=0.03)
    assert first.low <= first.inner_low <= first.estimate <= first.inner_high <= first.high


def test_one_wild_upload_changes_little():
    random = np.random.default_rng(1)
    own, lagged, session = inputs(random)
    y = 900 + own.real + random.normal(0, 5, len(session))
    y[[3, 40]] = 1e7
    assert fitted(y, own, lagged, session)[0].estimate == pytest.approx(1, abs=0.05)


def test_chance_is_called_chance_and_intervals_hold_the_truth():
    random = np.random.default_rng(2)
    rejected, held = 0, 0
    for _ in range(60):
        own, lagged, session = inputs(random, sessions=6, visits=8, draws=99)
        noise = np.exp(random.normal(6, 1, len(session)))
        rejected += fitted(noise, own, lagged, session)[0].p <= ALPHA
        found = fitted(noise + own.real, own, lagged, session)[0]
        held += found.low <= 1 <= found.high
    assert rejected <= 9  # 60 draws at 5 %: more than 9 in one of 900
    assert held >= 51


def test_only_growth_is_evidence():
    random = np.random.default_rng(8)
    own, lagged, session = inputs(random)
    noise = random.normal(900, 5, len(session))
    grows, shrinks = (fitted(noise + b * own.real, own, lagged, session)[0] for b in (1, -1))
    assert grows.p == 1 / 300
    assert shrinks.p == 1
    assert shrinks.high < 0  # the interval has two sides


def test_what_does_not_vary_has_no_slope_and_what_nothing_is_sent_to_has_none_either():
    own, lagged, session = inputs(np.random.default_rng(3))
    nothing = slopes.Arranged(np.zeros_like(own.real), np.zeros_like(own.drawn))
    assert fitted(np.full(len(session), 7.0), own, lagged, session) == (slopes.FLAT, slopes.FLAT)
    assert np.isnan(fitted(own.real, nothing, lagged, session)[0].p)
    assert np.isnan(fitted(own.real, own, nothing, session)[1].p)
    assert fitted(2 * own.real, own, nothing, session)[0].estimate == pytest.approx(2, abs=0.01)


def test_a_flush_of_two_visits_holds_two_session_means():
    """Pads are centred within a session for the arrangements; what was uploaded is not."""
    random = np.random.default_rng(4)
    raw = random.integers(0, 800, (10, 3)).astype(float)
    pads = raw - raw.mean(axis=1, keepdims=True)
    order = random.random((299, 10, 3)).argsort(axis=2)
    drawn = np.take_along_axis(np.broadcast_to(pads, order.shape), order, axis=2)

    def flushed(x):  # the first two visits of a session in one flush, the third in another
        return np.stack([x[..., :2].sum(axis=-1), x[..., 2]], axis=-1).reshape(*x.shape[:-2], 20)

    own = slopes.Arranged(flushed(pads), flushed(drawn))
    nothing = slopes.Arranged(np.zeros(20), np.zeros((299, 20)))
    size = np.tile([2, 1], 10)
    between = flushed(raw) - own.real
    y = 300 * size + 1.2 * flushed(raw) + random.normal(0, 5, 20)
    found = slopes.fit(y, own, nothing, between, (size, np.repeat(np.arange(10), 2)), ALPHA)[0]
    assert found.estimate == pytest.approx(1.2, abs=0.05)
    assert 1.1 < found.low <= 1.2 <= found.high < 1.3


def test_an_end_that_no_arrangement_gives_is_open():
    own, lagged, session = inputs(np.random.default_rng(5), sessions=2, visits=2, draws=99)
    found = fitted(np.array([1.0, 5, 2, 9]), own, lagged, session)[0]
    assert np.isnan(found.p) or (found.low == -np.inf and found.high == np.inf)
