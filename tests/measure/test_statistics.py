"""Statistics against obvious twins, SciPy, and what they promise over many draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import permutation as naive
from scipy import stats
from wiretally.core.errors import InputError
from wiretally.measure import statistics

bytes_of_sessions = st.lists(st.integers(0, 100_000), min_size=1, max_size=5)


def column(values):
    return np.array(values, float)[:, None]


@given(bytes_of_sessions, bytes_of_sessions)
def test_p_is_that_of_every_arrangement(a, c):
    assert statistics.permutation_p(column(a), column(c), 99, 1)[0] == pytest.approx(naive.permutation_p(a, c))


def test_many_sessions_are_sampled_and_agree_with_scipy():
    random = np.random.default_rng(3)
    a, c = random.lognormal(8, 1, 14), random.lognormal(8.5, 1, 14)
    ours = statistics.permutation_p(column(a), column(c), 9999, 1)[0]
    theirs = stats.permutation_test(
        (a, c), lambda x, y, axis: np.abs(np.mean(y, axis=axis) - np.mean(x, axis=axis)), vectorized=True,
        n_resamples=9999, alternative="greater", rng=2,
    ).pvalue  # fmt: skip
    assert ours == pytest.approx(theirs, abs=0.015)
    assert ours == statistics.permutation_p(column(a), column(c), 9999, 1)[0]


@pytest.mark.parametrize(("n", "m", "least"), [(3, 3, 0.1), (6, 6, 2 / 924), (4, 6, 1 / 210)])
def test_the_smallest_p_is_reached_by_separate_modes_and_by_nothing_less(n, m, least):
    assert statistics.smallest_p(n, m) == pytest.approx(least)
    a, c = column(range(n)), column(range(10**6, 10**6 + m))
    reached = statistics.permutation_p(a, c, 99, 1)[0]
    assert reached == pytest.approx(least) if n == m else reached >= least


@given(bytes_of_sessions, bytes_of_sessions, st.integers(-1000, 1000))
def test_hodges_lehmann_is_the_median_difference_and_moves_with_a_shift(a, c, shift):
    found = statistics.hodges_lehmann(column(a), column(c), 0.05)
    assert found.estimate[0] == pytest.approx(naive.hodges_lehmann(a, c))
    assert found.low[0] <= found.estimate[0] <= found.high[0]
    moved = statistics.hodges_lehmann(column(a), column(c) + shift, 0.05)
    assert moved.estimate[0] == pytest.approx(found.estimate[0] + shift)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_q_is_benjamini_and_hochbergs(p):
    assert statistics.false_discovery(np.array(p)) == pytest.approx(naive.false_discovery(p))


def test_an_undefined_p_neither_gets_a_q_nor_counts():
    q = statistics.false_discovery(np.array([0.01, np.nan, 0.04]))
    assert q[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(q[1])


def test_the_ratio_subtracts_idle_and_covers_what_is_true():
    random = np.random.default_rng(5)
    covered = 0
    for draw in range(120):
        a, c = 100 + random.lognormal(3, 0.4, (10, 1)), 100 + 0.5 * random.lognormal(3, 0.4, (10, 1))
        idle = np.full((4, 1), 100.0)
        found = statistics.Bootstrap([a, c, idle], 400, draw).ratio(0.05)
        covered += bool(found.low[0] <= 0.5 <= found.high[0])
    assert covered >= 0.86 * 120  # 95 % less four standard errors and what ten sessions cost a bootstrap


def test_a_ratio_to_nothing_is_undefined():
    nothing, something, idle = np.zeros((5, 1)), np.full((5, 1), 9.0), np.zeros((0, 1))
    found = statistics.Bootstrap([nothing, something, idle], 200, 1).ratio(0.05)
    assert np.isnan([found.estimate[0], found.low[0], found.high[0]]).all()
    silent = statistics.Bootstrap([something, nothing, idle], 200, 1).ratio(0.05)
    assert (silent.estimate[0], silent.high[0]) == (0, 0)


def mean(values, alpha=0.05):
    return statistics.mean_interval(column(values), alpha)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=12))
def test_the_interval_of_a_mean_holds_the_estimate_is_never_below_nothing_and_has_no_unit(values):
    found = mean(values)
    assert 0 <= found.low[0] <= found.estimate[0] <= found.high[0]
    scaled = mean([1000 * value for value in values])
    assert [scaled.low[0], scaled.high[0]] == pytest.approx([1000 * found.low[0], 1000 * found.high[0]])
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    assert found.high[0] - found.low[0] <= 2.7 * 2 * half + 1e-6
    assert found.high[0] >= found.estimate[0] + half - 1e-6 * (1 + half) or len(values) > 2


def test_the_interval_of_a_mean_undoes_skew_as_willink_says():
    values = [3, 4, 5, 6, 7, 40]
    n, m, s = 6, np.mean(values), np.std(values, ddof=1)
    a = n * sum((v - m) ** 3 for v in values) / ((n - 1) * (n - 2)) / (6 * np.sqrt(n) * s**3)
    t = stats.t.ppf(0.975, n - 1)
    ends = [m - s / np.sqrt(n) * (np.cbrt(1 + 6 * a * (r - a)) - 1) / (2 * a) for r in (t, -t)]
    found = mean(values)
    assert found.high[0] == pytest.approx(ends[1])
    assert found.low[0] == pytest.approx(min(ends[0], m * np.exp(-t * s / np.sqrt(n) / m)))


def test_a_tail_to_the_left_is_left_to_student():
    values = [1832, 1832, 1832, 1374]
    found, half = mean(values), stats.t.ppf(0.975, 3) * stats.sem(values)
    assert found.low[0] == pytest.approx(np.mean(values) - half)


def test_a_mean_without_spread_is_known_and_one_value_has_no_interval():
    assert tuple(each[0] for each in mean([7, 7, 7])) == (7, 7, 7)
    assert tuple(each[0] for each in mean([0, 0])) == (0, 0, 0)
    assert np.isnan([mean([7]).low[0], mean([7]).high[0]]).all()
    assert mean([]).estimate[0] == 0


@pytest.mark.parametrize("n", [6, 10, 20])
@pytest.mark.parametrize(("draw", "truth"), [
    (lambda random, size: random.lognormal(0, 0.4, size), np.exp(0.08)),
    (lambda random, size: random.lognormal(0, 0.8, size), np.exp(0.32)),
    (lambda random, size: random.exponential(1, size), 1),
    (lambda random, size: random.poisson(3, size).astype(float), 3),
    (lambda random, size: random.normal(5, 1, size), 5),
])  # fmt: skip
def test_intervals_of_means_hold_the_truth_as_often_as_they_say(n, draw, truth):
    found = statistics.mean_interval(draw(np.random.default_rng(n), (n, 4000)), 0.05)
    assert 0.925 <= ((found.low <= truth) & (truth <= found.high)).mean() <= 0.975


def test_more_noise_and_more_tests_need_more_sessions():
    random = np.random.default_rng(1)
    calm = random.normal(100, 5, 8), random.normal(60, 5, 8)
    wild = random.normal(100, 40, 8), random.normal(90, 40, 8)
    counts = [statistics.needed(a, c, 0.0, 0.25, 0.05, tests) for (a, c), tests in ((calm, 1), (calm, 50), (wild, 1))]
    assert counts[0] <= counts[1] < counts[2]
    assert statistics.needed(np.zeros(4), np.ones(4), 0.0, 0.25, 0.05, 1) is None


class TestWhatIsAsked:
    @pytest.mark.parametrize("alpha", [statistics.LEAST_ALPHA, statistics.MOST_ALPHA])
    def test_the_bounds_are_allowed(self, alpha):
        statistics.check(alpha, 0, statistics.MOST_RESAMPLES)

    @pytest.mark.parametrize(
        ("alpha", "seed", "resamples"),
        [(0.0, 1, 9), (9e-7, 1, 9), (0.51, 1, 9), (2.0, 1, 9), (float("nan"), 1, 9), (0.05, -1, 9), (0.05, 1, 0),
         (0.05, 1, statistics.MOST_RESAMPLES + 1)],
    )  # fmt: skip
    def test_what_nothing_is_defined_for_is_refused(self, alpha, seed, resamples):
        with pytest.raises(InputError) as caught:
            statistics.check(alpha, seed, resamples)
        assert "\n" not in str(caught.value)
