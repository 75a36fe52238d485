"""Slopes by ranks: how much a response grows with a randomised input, whatever the noise looks like.

Theory: pads are drawn at random, so under "it does not depend on the pad" every arrangement of a session's pads over
its visits is as likely as the one that was used. The statistic is S(b) = sum of w · a(rank of y - b x), with Wilcoxon
scores a (Jaeckel 1972): ranks bound what one wild upload can do. Its p comes from re-arranged pads; the estimate is
where S(b) = 0, and the interval holds every b that the permutation does not reject. Two inputs at once (own pads, those
of the visit before) are fitted in turn, and each w is its input without what the other explains (Frisch and Waugh), so
that an error in the one slope does not move the other.

Rules: arrays are float64[groups], arrangements float64[draws, groups]; inputs are centred by the caller. Offsets of
`cells` (groups with as many visits, groups of a session) are medians and are taken off before ranking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ROUNDS = 2  # of fitting the two slopes in turn; they are nearly independent
STEPS = 60  # of looking for a root
CLOSE = 1e-4  # bytes per character: a root is good enough within this
ENOUGH = 6  # groups in a cell, on average, for its median to be worth taking off


class Slope(NamedTuple):
    """Estimate, interval at 1 - alpha, interval at 1 - 2 alpha (two one-sided tests), two-sided permutation p."""

    estimate: float
    low: float
    high: float
    inner_low: float
    inner_high: float
    p: float


class Arranged(NamedTuple):
    """One input: as it was, float64[groups], and re-arranged, float64[draws, groups]."""

    real: Floats
    drawn: Floats


NOTHING = Slope(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
FLAT = Slope(0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def fit(y: Floats, own: Arranged, lagged: Arranged, cells: Sequence[Ints], alpha: float) -> tuple[Slope, Slope]:
    """The slopes on both inputs; NOTHING for an input that does not vary, FLAT where y does not."""
    if not own.real.any():
        return NOTHING, NOTHING
    if np.ptp(y) == 0:
        return FLAT, FLAT if lagged.real.any() else NOTHING
    one, other = _without(own, lagged), _without(lagged, own)
    flat = _aligned(y, cells)
    b_own, b_lagged = 0.0, 0.0
    for _ in range(ROUNDS):
        offset = y - _aligned(y - b_own * own.real - b_lagged * lagged.real, cells) - b_own * own.real - b_lagged * lagged.real
        level = y - offset
        b_own = _root(_statistic(level - b_lagged * lagged.real, own.real, one.real), 0.0, b_own)
        if lagged.real.any():
            b_lagged = _root(_statistic(level - b_own * own.real, lagged.real, other.real), 0.0, b_lagged)
    alone = _root(_statistic(flat, lagged.real, lagged.real), 0.0, 0.0) if lagged.real.any() else 0.0
    first = _slope(level - b_lagged * lagged.real, flat - alone * lagged.real, own, one, b_own, alpha)
    if not lagged.real.any():
        return first, NOTHING
    only = _root(_statistic(flat, own.real, own.real), 0.0, 0.0)
    return first, _slope(level - b_own * own.real, flat - only * own.real, lagged, other, b_lagged, alpha)


def _slope(level: Floats, null: Floats, x: Arranged, w: Arranged, estimate: float, alpha: float) -> Slope:
    """level: y without offsets and without the other input; null: the same, fitted as if this slope were zero."""
    chance = np.abs(w.drawn @ _scores(null))
    p = (1 + (chance >= abs(w.real @ _scores(null)) - 1e-9 * np.abs(w.real).sum()).sum()) / (1 + len(chance))
    statistic = _statistic(level, x.real, w.real)
    estimate = _root(statistic, 0.0, estimate)
    chance = np.sort(np.abs(w.drawn @ _scores(level - estimate * x.real)))
    ends = []
    for share in (alpha, 2 * alpha):
        limit = chance[min(int(np.ceil((1 - share) * (len(chance) + 1))) - 1, len(chance) - 1)]
        ends += [min(_root(statistic, limit, estimate), estimate), max(_root(statistic, -limit, estimate), estimate)]
    return Slope(estimate, ends[0], ends[1], ends[2], ends[3], float(p))


def _scores(r: Floats) -> Floats:
    """Wilcoxon scores, -1/2 to 1/2; ties share theirs. Residuals that differ by rounding only are ties."""
    scale = np.abs(r).max()
    rounded = np.round(r / scale, 12) if scale > 0 else r
    order = rounded.argsort()
    ordered = rounded[order]
    apart = ordered[1:] != ordered[:-1]
    ranks = np.empty(len(r))
    if apart.all():
        ranks[order] = np.arange(1.0, len(r) + 1)
    else:
        first = np.concatenate([[True], apart])
        edges = np.append(np.flatnonzero(first), len(r))
        ranks[order] = ((edges[:-1] + edges[1:] + 1) / 2)[first.cumsum() - 1]
    return ranks / (len(r) + 1) - 0.5


def _statistic(level: Floats, x: Floats, w: Floats) -> Callable[[float], float]:
    """S(b); falls with b."""
    return lambda b: float(w @ _scores(level - b * x))


def _root(statistic: Callable[[float], float], target: float, start: float) -> float:
    """Where S(b) crosses `target`, to the middle of its step."""
    width = max(abs(start), 1.0)
    low, high = start - width, start + width
    for _ in range(STEPS):
        if statistic(low) >= target:
            break
        low -= width
        width *= 2
    width = max(abs(start), 1.0)
    for _ in range(STEPS):
        if statistic(high) <= target:
            break
        high += width
        width *= 2
    if statistic(low) <= target or statistic(high) >= target:
        return low if statistic(low) <= target else high
    return float(optimize.brentq(lambda b: statistic(b) - target, low, high, xtol=CLOSE * min(high - low, 1.0)))


def _without(x: Arranged, z: Arranged) -> Arranged:
    """What of x z does not explain, in every arrangement."""
    real = x.real - z.real * ((x.real @ z.real) / (z.real @ z.real) if z.real.any() else 0.0)
    square = (z.drawn**2).sum(axis=1)
    share = np.where(square > 0, (x.drawn * z.drawn).sum(axis=1) / np.where(square > 0, square, 1), 0.0)
    return Arranged(real, x.drawn - share[:, None] * z.drawn)


def _aligned(y: Floats, cells: Sequence[Ints]) -> Floats:
    """What is left of y without the median of each cell, one kind of cell after the other; cells: int64[groups], 0 and up."""
    for cell in cells:
        if len(cell) < ENOUGH * len(np.unique(cell)):
            continue
        order = np.lexsort((y, cell))
        sizes = np.bincount(cell)
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        inside = sizes > 0
        low, high = first[inside] + (sizes[inside] - 1) // 2, first[inside] + sizes[inside] // 2
        medians = np.zeros(len(sizes))
        medians[inside] = (y[order[low]] + y[order[high]]) / 2
        y = y - medians[cell]
    return y
