"""Beats: a clock's period is found through missed beats, and chance has none."""

import numpy as np
import pytest
from wiretally.measure import beats


def test_missed_beats_and_jitter_hide_no_clock():
    random = np.random.default_rng(1)
    intervals = 4.5 * random.choice([1, 1, 1, 2], 60) + random.normal(0, 0.03, 60)
    period, sharp = (float(found[0]) for found in beats.sharpest(intervals[None, :]))
    assert sharp > 0.95
    assert beats.exact(intervals, period) == pytest.approx(4.5, abs=0.01)
    assert np.abs(beats.off_beat(intervals, 4.5)).max() < 0.15


def test_chance_is_not_sharp_and_no_interval_is_nothing_times_a_period():
    random = np.random.default_rng(2)
    _, sharp = beats.sharpest(random.exponential(1, (300, 40)))
    assert np.quantile(sharp, 0.99) < beats.LEAST_SHARP
    assert beats.off_beat(np.array([0.2]), 4.5)[0] == pytest.approx(-4.3)
