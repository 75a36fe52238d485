"""Lags from visits to uploads, and how often chance gives such lags.

Theory: a destination that reports pages is contacted at a typical time after each visit: at once, or when a timer that
the first event armed runs out. So for every window of lags, a narrow one or a wide one, the uploads that follow some
visit by such a lag are counted; the statistic is the largest count in standard deviations above what chance gives.
Chance is the same uploads turned around in their session (circular shift, each session by an amount of its own): their
number, their bursts and their periods stay, only the place relative to the visits is lost. The same largest count is
taken from each surrogate, so looking at many windows costs nothing in validity: p = (1 + k) / (1 + N). Counts are whole
numbers and windows of one width have one mean, so the largest ties with many surrogates, which would make p too large; a
little of the scores of all windows parts them.

Rules: time is in bins of half a second; counts of all shifts of a session come from one circular correlation (FFT), so
that no loop runs over uploads, and are made once: a surrogate only looks them up. Mean and deviation over shifts are
exact, not drawn. Destinations go in blocks, so that memory does not grow with their number; they lie innermost in every
array, so that one look-up serves all. What clearly is chance (`EXTREMES` of the first `FIRST` surrogates as large) is not
drawn further, after Besag and Clifford (1991).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft, stats

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

BIN_NS = 500_000_000
WINDOWS = ((2, 1), (4, 2), (10, 5), (30, 10), (60, 60))  # width and distance of windows in bins: 1, 2, 5, 15, 30 s
MAX_LAG = 60  # bins: 30 s
STEADY = 4  # bins: windows up to this width are a steady lag
FIRST, EXTREMES = 99, 10
MOST_DRAWS = 999  # surrogates of one destination, whatever is asked for
OTHERS = 0.01  # weight of the mean over all windows beside the largest: below what one upload more adds
TIE = 1e-6
BLOCK_CELLS = 16_000_000  # items × bins of all sessions × widths, and items × surrogates × windows, held at one time
SMALL = 1 << 15  # bins: sessions up to this length are exact in single precision (counts up to 2^15 of errors near 2^-20)


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
    bins = sum(int(lengths[at]) for at in active) * len(WINDOWS)
    resamples = min(resamples, MOST_DRAWS)
    step = max(1, min(BLOCK_CELLS // max(bins, 1), BLOCK_CELLS // (len(starts) * FIRST)))
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
        shape = (len(self.starts), self.count)
        self.hits, self.mean, self.variance, self.totals = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(self.count)
        self.tables: list[dict[int, Singles]] = []
        for at in active:
            length = int(lengths[at])
            self.totals += np.bincount(self.item[self.edges[at] : self.edges[at + 1]], minlength=self.count)
            self.tables.append(self._counts(at))
            for width, table in self.tables[-1].items():
                columns = self._columns(width, length)
                total, squares = table.sum(axis=0, dtype=np.float64), np.einsum("ij,ij->j", table, table, dtype=np.float64)
                self.hits[columns] += table[self.starts[columns]]
                self.mean[columns] += total / length
                self.variance[columns] += (squares - total**2 / length) / length
        self.deviation = np.sqrt(np.maximum(self.variance, 0))

    def scan(self, resamples: int, seed: int, alpha: float) -> Scan:
        """What `scan` gives, for these items."""
        scores, rows = self._scores(self.hits, np.arange(self.count)), np.arange(self.count)
        best = scores.argmax(axis=0)
        top = _largest(scores[None])[0]
        p = np.full(self.count, np.nan)
        left = np.flatnonzero(np.isfinite(top))
        turns = np.random.default_rng(seed).random((len(self.active), resamples))
        for draws in (min(FIRST, resamples), resamples):
            step = max(1, BLOCK_CELLS // (len(self.starts) * draws))
            for begin in range(0, len(left), step):
                chosen = left[begin : begin + step]
                drawn = _largest(self._scores(self._surrogates(chosen, turns[:, :draws]), chosen))
                p[chosen] = (1 + (drawn >= top[chosen] - TIE).sum(axis=0)) / (1 + draws)
            left = left[p[left] < (1 + EXTREMES) / (1 + draws)]
        number = float(sum(len(self.visits[at]) for at in self.active))
        bound = _bound(self.hits, self.mean, self.deviation, self.totals, number, self.widths, alpha)
        return Scan(p, self.starts[best], self.widths[best], self.hits[best, rows], self.mean[best, rows], bound)

    def _scores(self, hits: npt.NDArray[np.floating], chosen: Ints) -> Floats:
        """Standard deviations above chance; hits: float[(draws,) windows, items] of the items `chosen`."""
        mean, deviation = self.mean[:, chosen], self.deviation[:, chosen]
        scores: Floats = np.where(deviation > TIE, (hits - mean) / np.maximum(deviation, TIE), -np.inf)
        return scores

    def _columns(self, width: int, length: int) -> slice:
        """The windows of this width that fit a session."""
        first, last = np.searchsorted(self.widths, [width, width + 1])
        return slice(int(first), int(first + np.searchsorted(self.starts[first:last], length - width, side="right")))

    def _counts(self, at: int) -> dict[int, Singles]:
        """By width, float32[length, items]: uploads whose lag to some visit is in [k, k + width), for every k."""
        length, part = int(self.lengths[at]), slice(self.edges[at], self.edges[at + 1])
        series = np.bincount(self.item[part] * length + self.bin[part], minlength=self.count * length).reshape(self.count, length)
        kind = np.float32 if length <= SMALL else np.float64
        size = fft.next_fast_len(length, real=True)
        if size != length:  # a slow length (a prime): wide enough that the lags below zero stand apart, then folded
            size = fft.next_fast_len(2 * length - 1, real=True)
        spectrum = fft.rfft(series.astype(kind), n=size, axis=1)
        found = {}
        for width, _ in WINDOWS:
            if width <= length:
                mask = np.zeros(length, kind)
                mask[(self.visits[at][:, None] + np.arange(width)[None, :]) % length] = 1
                lags = fft.irfft(spectrum * np.conj(fft.rfft(mask, n=size))[None, :], n=size, axis=1)
                counts = lags[:, :length]
                if size != length:
                    counts[:, 1:] += lags[:, size - length + 1 :]
                found[width] = np.ascontiguousarray(np.rint(counts).T, dtype=np.float32)
        return found

    def _surrogates(self, chosen: Ints, turns: Floats) -> Singles:
        """float32[draws, windows, items]: the counts with every session's uploads turned by its own share of its length."""
        drawn = np.zeros((turns.shape[1], len(self.starts), len(chosen)), np.float32)
        for number, at in enumerate(self.active):
            length = int(self.lengths[at])
            turned = (turns[number] * length).astype(np.int64)
            for width, table in self.tables[number].items():
                columns = self._columns(width, length)
                mine = table if len(chosen) == self.count else table[:, chosen]
                drawn[:, columns] += mine.take((turned[:, None] + self.starts[columns][None, :]) % length, axis=0)
        return drawn


def _largest(scores: Floats) -> Floats:
    """float64[draws, items]: the largest score over windows, float64[draws, windows, items], and a little of all that are positive."""
    largest: Floats = scores.max(axis=1) + OTHERS * np.maximum(scores, 0).mean(axis=1)
    return largest


def _bound(
    hits: Floats, mean: Floats, deviation: Floats, totals: Floats, visits: float, widths: Ints, alpha: float
) -> Floats:
    """Upper bound over steady windows of what a steady lag explains, as a share of visits or uploads, whichever are fewer."""
    steady = widths <= STEADY
    fewer = np.minimum(totals, visits)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = 1 - mean[steady] / totals  # what chance leaves to explain
        upper = (hits[steady] - mean[steady] + stats.norm.ppf(1 - alpha) * deviation[steady]) / (fewer * room)
    upper = np.where(np.isfinite(upper) & (deviation[steady] > 0), upper, np.nan)
    result: Floats = np.where(np.isnan(upper).all(axis=0), np.nan, np.nanmax(np.where(np.isnan(upper), -np.inf, upper), axis=0))
    return result
