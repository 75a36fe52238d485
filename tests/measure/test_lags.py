"""Lags: counts against an obvious twin, chance found to be chance, and locks of several kinds found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.lags import followers
from wiretally.measure import lags

ALPHA = 0.05


def scan(uploads, visits, lengths, **options):
    """uploads: bins by item and session."""
    rows = [(item, session, b) for item, each in enumerate(uploads) for session, bins in enumerate(each) for b in bins]
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    settings_ = {"resamples": 499, "seed": 1, "alpha": ALPHA} | options
    return lags.scan(lags.Uploads(*columns), len(uploads), [np.array(v, np.int64) for v in visits], np.array(lengths), **settings_)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_counts_are_those_of_the_twin(data):
    length = data.draw(st.integers(1, 90))
    bins = st.lists(st.integers(0, length - 1), max_size=8)
    uploads, visits = data.draw(st.lists(bins, min_size=1, max_size=3)), data.draw(bins)
    rows = [(item, b) for item, each in enumerate(uploads) for b in each]
    item, at = np.array(rows, np.int64).reshape(-1, 2).T
    block = lags._Block(lags.Uploads(item, np.zeros_like(item), at), range(len(uploads)), [np.array(visits, np.int64)],
                        np.array([length]), [0] if visits else [])  # fmt: skip
    if not visits:
        assert not block.hits.any()
        return
    turn = data.draw(st.integers(0, length - 1))
    drawn = block._surrogates(np.arange(len(uploads)), np.array([[(turn + 0.5) / length]]))[0]
    for place, (start, width) in enumerate(zip(*lags.windows(), strict=True)):
        if start + width <= length:
            for number, each in enumerate(uploads):
                assert block.hits[place, number] == followers(each, visits, length, start, width)
                assert drawn[place, number] == followers(each, visits, length, start, width, turn=turn)


def test_a_lock_is_found_whatever_its_lag_and_however_wide():
    random = np.random.default_rng(5)
    lengths = [400] * 6
    visits = [np.sort(random.choice(330, 6, replace=False)) for _ in lengths]
    steady = [v + 30 for v in visits]
    loose = [v + random.integers(0, 25, len(v)) for v in visits]
    chance = [random.integers(0, 400, 6) for _ in lengths]
    found = scan([steady, loose, chance], visits, lengths)
    assert found.p[0] <= 0.005
    assert found.p[1] <= 0.05
    assert found.p[2] > 0.05
    assert found.start[0] <= 30 < found.start[0] + found.width[0]
    assert found.hits[0] == 36
    assert found.bound[2] < 0.5 < found.bound[0]


def test_a_timer_that_several_visits_share_is_found():
    random = np.random.default_rng(6)
    visits, uploads = [], []
    for _ in range(8):
        pages = np.cumsum(random.integers(6, 40, 14))
        flushes, due = [], -1
        for page in pages:
            if page > due:
                due = page + 30
                flushes.append(due)
        visits.append(pages)
        uploads.append(flushes)
    lengths = [int(max(u)) + 20 for u in uploads]
    found = scan([uploads], visits, lengths)
    assert found.p[0] <= 0.01
    assert abs(found.start[0] - 30) <= found.width[0]


def test_chance_is_called_chance_as_often_as_it_says():
    random = np.random.default_rng(7)
    lengths = [120] * 5
    visits = [np.sort(random.choice(110, 5, replace=False)) for _ in lengths]
    uploads = [[random.integers(0, 120, 5) for _ in lengths] for _ in range(400)]
    p = scan(uploads, visits, lengths, resamples=199).p
    assert 0.02 <= (p <= 0.05).mean() <= 0.085  # 400 draws: 3.5 standard deviations are 0.038
    assert 0.42 <= (p <= 0.5).mean() <= 0.58  # whole counts tie, and still no surrogate counts twice


def test_few_uploads_do_not_make_p_too_large():
    """Largest counts of three or four uploads are the same in most surrogates; what the other windows hold parts them."""
    random = np.random.default_rng(11)
    lengths = [200] * 4
    visits = [np.sort(random.choice(180, 4, replace=False)) for _ in lengths]
    p = scan([[random.integers(0, 200, 3) for _ in lengths] for _ in range(600)], visits, lengths, resamples=199).p
    assert 0.14 <= (p <= 0.2).mean() <= 0.26  # 600 draws: 3.5 standard deviations are 0.057


def test_without_visits_or_uploads_nothing_is_said():
    found = scan([[[1, 2]], [[]]], [[]], [100])
    assert np.isnan(found.p).all()
    assert np.isnan(scan([[[]]], [[5]], [100]).p).all()


def test_blocks_do_not_matter(monkeypatch):
    random = np.random.default_rng(8)
    visits = [np.array([3, 40, 77])] * 3
    uploads = [[random.integers(0, 100, 6) for _ in range(3)] for _ in range(9)]
    whole = scan(uploads, visits, [100] * 3)
    monkeypatch.setattr(lags, "BLOCK_CELLS", 200)
    for one, other in zip(whole, scan(uploads, visits, [100] * 3), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("length", [1, 2, 3, 59, 60, 61])
def test_sessions_shorter_than_a_window_are_no_trouble(length):
    found = scan([[[0] * 5]], [[0]], [length])
    assert np.isnan(found.p[0]) or 0 < found.p[0] <= 1
