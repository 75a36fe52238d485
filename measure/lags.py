"""Lags from visits to uploads, and how often chance gives such lags.

Theory: a destination that reports pages is contacted at a typical time after each visit: at once, or when a timer that
the first event armed runs out. So for every window of lags, a narrow one or a wide one, the uploads that follow some
visit by such a lag are counted; the statistic is the largest count in standard deviations above what chance gives.
Chance is the same uploads turned around in their session (circular shift, each session by an amount of its own): their
number, their bursts and their periods stay, only the place relative to the visits is lost. The same largest count is
taken from each surrogate, so looking at many windows costs nothing in validity: p = (1 + k) / (1 + N).

Rules: time is in bins of half a second; counts of all shifts of a session come from one circular correlation (FFT), so
that no loop runs over uploads. Mean and deviation over shifts are exact, not drawn. Destinations go in blocks, so that
memory does not grow with their number. What clearly is chance (`EXTREMES` of the first `FIRST` surrogates as large) is
not drawn further, after Besag and Clifford (1991).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BIN_NS = 500_000_000
WINDOWS = ((2, 1), (4, 2), (10, 5), (30, 10), (60, 60))  # width and distance of windows in bins: 1, 2, 5, 15, 30 s
MAX_LAG = 60  # bins: 30 s
STEADY = 4  # bins: windows up to this width are a steady lag
FIRST, EXTREMES = 99, 10
MOST_DRAWS = 999  # surrogates of one destination, whatever is asked for
TIE = 1e-6
BLOCK_CELLS = 4_000_000  # items × bins of the longest session, and items × surrogates × windows, held at one time


class Scan(NamedTuple):
    """Arrays by item. `start`, `width`: the window that stands out most, in bins; `hits`: uploads in it, `expected` of
    which chance gives; `bound`: upper bound of the share that a steady lag explains; NaN where nothing can be said.
    """  # noqa: D205  (a list of fields)

    p: Floats
    start: Ints
    width: Ints
    hits: Floats
    expected: Floats
    bound: Floats


def windows() -> tuple[Ints, Ints]:
    """Start and width of every window, in bins."""
    pairs = [(start, width) for width, step in WINDOWS for start in range(0, MAX_LAG - width + 1, step)]
    return np.array([start for start, _ in pairs]), np.array([width for _, width in pairs])


class Uploads(NamedTuple):
    """One upload a row, in order of item: `item` and `session` are indices, `bin` counts from the session's start."""

    item: Ints
    session: Ints
    bin: Ints


def scan(
    uploads: Uploads, items: int, visits: list[Ints], lengths: Ints, resamples: int, seed: int, alpha: float
) -> Scan:  # fmt: skip
    """Tests `items` destinations against the same visits; visits: bins by session; lengths: bins of each session."""
    active = [at for at, each in enumerate(visits) if len(each)]
    starts, _ = windows()
    longest = max((int(lengths[at]) for at in active), default=1)
    resamples = min(resamples, MOST_DRAWS)
    step = max(1, min(BLOCK_CELLS // longest, BLOCK_CELLS // (len(starts) * FIRST)))
    parts = [_Block(uploads, range(at, min(at + step, items)), visits, lengths, active).scan(resamples, seed, alpha)
             for at in range(0, items, step)]  # fmt: skip
    return Scan(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Block:
    """Some items: observed windows, then surrogates, first few for all, then all for those that may matter."""

    def __init__(self, uploads: Uploads, items: range, visits: list[Ints], lengths: Ints, active: list[int]) -> None:
        first, last = np.searchsorted(uploads.item, [items.start, items.stop])
        order = np.argsort(uploads.session[first:last], kind="stable") + first
        self.item, self.bin = uploads.item[order] - items.start, uploads.bin[order]
        self.edges = np.searchsorted(uploads.session[order], np.arange(len(visits) + 1))
        self.count, self.visits, self.lengths, self.active = len(items), visits, lengths, active
        self.starts, self.widths = windows()
        shape = (self.count, len(self.starts))
        self.hits, self.mean, self.variance, self.totals = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape[0])
        every = np.arange(self.count)
        for at in active:
            length = int(lengths[at])
            self.totals += np.bincount(self._of(at, every)[0], minlength=self.count)
            for width, table in self._counts(at, every).items():
                columns = np.flatnonzero((self.widths == width) & (self.starts + width <= length))
                self.hits[:, columns] += table[:, self.starts[columns]]
                self.mean[:, columns] += table.mean(axis=1)[:, None]
                self.variance[:, columns] += table.var(axis=1)[:, None]
        self.deviation = np.sqrt(self.variance)

    def scan(self, resamples: int, seed: int, alpha: float) -> Scan:
        """What `scan` gives, for these items."""
        scores = self._scores(self.hits, np.arange(self.count))
        best, rows = scores.argmax(axis=1), np.arange(self.count)
        top = scores[rows, best]
        p = np.full(self.count, np.nan)
        left = np.flatnonzero(np.isfinite(top))
        turns = np.random.default_rng(seed).random((len(self.active), resamples))
        for draws in (min(FIRST, resamples), resamples):
            step = max(1, BLOCK_CELLS // (len(self.starts) * draws))
            for begin in range(0, len(left), step):
                chosen = left[begin : begin + step]
                drawn = self._scores(self._surrogates(chosen, turns[:, :draws]), chosen).max(axis=2)
                p[chosen] = (1 + (drawn >= top[chosen, None] - TIE).sum(axis=1)) / (1 + draws)
            left = left[p[left] < (1 + EXTREMES) / (1 + draws)]
        number = float(sum(len(self.visits[at]) for at in self.active))
        bound = _bound(self.hits, self.mean, self.deviation, self.totals, number, self.widths, alpha)
        return Scan(p, self.starts[best], self.widths[best], self.hits[rows, best], self.mean[rows, best], bound)

    def _scores(self, hits: Floats, chosen: Ints) -> Floats:
        """Standard deviations above chance; hits: float[items, (draws,) windows] of the items `chosen`."""
        wide = (slice(None), *([None] * (hits.ndim - 2)))
        mean, deviation = self.mean[chosen][wide], self.deviation[chosen][wide]
        return np.where(deviation > TIE, (hits - mean) / np.maximum(deviation, TIE), -np.inf)

    def _of(self, at: int, chosen: Ints) -> tuple[Ints, Ints]:
        """(item, bin) of one session's uploads, items numbered as in `chosen`."""
        part = slice(self.edges[at], self.edges[at + 1])
        if len(chosen) == self.count:
            return self.item[part], self.bin[part]
        number = np.full(self.count, -1)
        number[chosen] = np.arange(len(chosen))
        item = number[self.item[part]]
        return item[item >= 0], self.bin[part][item >= 0]

    def _counts(self, at: int, chosen: Ints) -> dict[int, Floats]:
        """By width, float64[items, length]: uploads whose lag to some visit is in [k, k + width), for every k."""
        length = int(self.lengths[at])
        item, bins = self._of(at, chosen)
        series = np.bincount(item * length + bins, minlength=len(chosen) * length).reshape(len(chosen), length)
        spectrum = np.fft.rfft(series, axis=1)
        found = {}
        for width, _ in WINDOWS:
            if width <= length:
                mask = np.zeros(length)
                mask[(self.visits[at][:, None] + np.arange(width)[None, :]) % length] = 1.0
                found[width] = np.rint(np.fft.irfft(spectrum * np.conj(np.fft.rfft(mask))[None, :], n=length, axis=1))
        return found

    def _surrogates(self, chosen: Ints, turns: Floats) -> Floats:
        """float64[items, draws, windows]: the counts with every session's uploads turned by its own share of its length."""
        drawn = np.zeros((len(chosen), turns.shape[1], len(self.starts)))
        for number, at in enumerate(self.active):
            length = int(self.lengths[at])
            turned = (turns[number] * length).astype(np.int64)
            for width, table in self._counts(at, chosen).items():
                columns = np.flatnonzero((self.widths == width) & (self.starts + width <= length))
                drawn[:, :, columns] += table[:, (turned[:, None] + self.starts[columns][None, :]) % length]
        return drawn


def _bound(
    hits: Floats, mean: Floats, deviation: Floats, totals: Floats, visits: float, widths: Ints, alpha: float
) -> Floats:
    """Upper bound over steady windows of what a steady lag explains, as a share of visits or uploads, whichever are fewer."""
    steady = widths <= STEADY
    fewer = np.minimum(totals, visits)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = 1 - mean[:, steady] / totals[:, None]  # what chance leaves to explain
        upper = (hits[:, steady] - mean[:, steady] + stats.norm.ppf(1 - alpha) * deviation[:, steady]) / (fewer * room)
    upper = np.where(np.isfinite(upper) & (deviation[:, steady] > 0), upper, np.nan)
    result: Floats = np.where(np.isnan(upper).all(axis=1), np.nan, np.nanmax(np.where(np.isnan(upper), -np.inf, upper), axis=1))
    return result
