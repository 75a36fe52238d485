"""Slopes by ranks: how much a response grows with a randomised input, whatever the noise looks like.

Theory: pads are drawn at random, so under "the slope is b" every arrangement of a session's pads over its visits is as
likely, beside y - b x, as the one that was used. The statistic is S(b) = sum of w · a(rank of y - b x), with Wilcoxon
scores a (Jaeckel 1972): ranks bound what one wild upload can do. Its p comes from re-arranged pads and is one-sided,
since who uploads a URL uploads more for a longer one and nothing is claimed of who uploads less; the estimate is where
S(b) = 0, and the interval, two-sided, holds every b that the permutation does not reject (Garthwaite 1996, "Confidence
intervals from randomization tests"). For that to be exact everything else is fitted anew at each b. Inputs are centred in a session; what its mean pad adds (`between`: twice in a flush of two visits)
is the same in every arrangement and has a slope of its own. What the mean pad of the visits before adds goes with their slope. With two inputs (own pads, those of the visit before) each
w is its input without what the other, the cells and `between` explain (Frisch and Waugh 1933), so that an error in one
slope does not move the other.

Rules: arrays are float64[groups], arrangements float64[draws, groups]. Offsets of `cells` (groups with as many visits,
groups of a session) are medians and are taken off before ranking.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ROUNDS = 2  # of fitting the two slopes in turn; they are nearly independent
TIE = 1e-9  # of sums in another order
SAME = 1e-12  # of the largest: residuals closer than this are ties
STEP, STEPS = 0.05, 20  # of looking for a root: the first step, bytes per character, and how many, each four times as long
CLOSE, NEAR = 5e-4, 1e-3  # a root is good enough within so many bytes per character, or within this share of the last step
ENOUGH = 6  # groups in a cell, on average, for its median to be worth taking off


class Slope(NamedTuple):
    """Estimate, interval at 1 - alpha, interval at 1 - 2 alpha (two one-sided tests), permutation p of a slope above 0."""

    estimate: float
    low: float
    high: float
    inner_low: float
    inner_high: float
    p: float


class Arranged(NamedTuple):
    """One input: as it was, float64[groups], and re-arranged, float64[draws, groups], both centred; `whole`: as it was, where its mean
    has the same slope and not that of `between`.
    """  # noqa: D205  (a list of fields)

    real: Floats
    drawn: Floats
    whole: Floats | None = None

    @property
    def beside(self) -> Floats:
        """What its slope is of while another slope is asked for."""
        return self.real if self.whole is None else self.whole


class _Input(NamedTuple):
    """An input as it is, and what of it the other does not explain."""

    given: Arranged
    own: Arranged


NOTHING = Slope(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
FLAT = Slope(0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def fit(
    y: Floats, own: Arranged, lagged: Arranged, between: Floats, cells: Sequence[Ints], alpha: float
) -> tuple[Slope, Slope]:  # fmt: skip
    """The slopes on both inputs; NOTHING for an input that does not vary, FLAT where y does not."""
    if not own.real.any():
        return NOTHING, NOTHING
    if np.ptp(y) == 0:
        return FLAT, FLAT if lagged.real.any() else NOTHING
    kept = [cell for cell in cells if len(cell) >= ENOUGH * len(np.unique(cell))]
    offsets, cells_only = [_Cells(cell) for cell in kept], _Plain(kept, len(y))
    weights = cells_only.off(between)
    plain = cells_only.beside(weights, np.abs(between).max())
    mine, before = (Arranged(plain.off(x.real), plain.off(x.drawn)) for x in (own, lagged))
    x, z = _Input(own, _without(mine, before)), _Input(lagged, _without(before, mine))
    level = _Level(y, between, weights, offsets)
    return _slope(level, x, z, alpha), _slope(level, z, x, alpha) if lagged.real.any() else NOTHING


class _Level(NamedTuple):
    """What is asked: y, `between` with its weights, and the cells whose medians are taken off."""

    y: Floats
    between: Floats
    weights: Floats
    offsets: Sequence[_Cells]

    def scores(self, y: Floats) -> Floats:
        """Of y without offsets."""
        return _scores(_aligned(y, self.offsets))

    def slope(self, y: Floats, x: Floats, w: Floats, start: float) -> float:
        """Where the ranks of y - b x do not go with w."""
        if np.abs(w).max() <= TIE * np.abs(x).max():
            return 0.0
        found = _root(lambda b: float(w @ self.scores(y - b * x)), 0.0, start)
        return found if np.isfinite(found) else 0.0


class _Rest:
    """What is left of y beside a slope on x, without what sessions and z explain then; looks from where it found last."""

    def __init__(self, level: _Level, x: Floats, z: Floats) -> None:
        """x, z: the inputs as they were."""
        self._level, self._x, self._z = level, x, z
        self._sessions = self._other = 0.0

    def at(self, b: float, w: Floats) -> Floats:
        """Beside a slope of b; w: weights of z."""
        level, rest = self._level, self._level.y - b * self._x
        self._sessions = level.slope(rest, level.between, level.weights, self._sessions)
        rest = rest - self._sessions * level.between
        if not self._z.any():
            return rest
        self._other = level.slope(rest, self._z, w, self._other)
        return rest - self._other * self._z


def _slope(level: _Level, x: _Input, z: _Input, alpha: float) -> Slope:
    """The slope on x, with whatever slope on z fits best beside it."""
    if np.abs(x.own.real).max() <= TIE * np.abs(x.given.real).max():
        return NOTHING  # cells or the other input leave nothing of it
    left, tie = _Rest(level, x.given.real, z.given.beside), TIE * np.abs(x.own.real).sum()

    def crossed(rest: Floats, b: float, target: float, start: float) -> float:
        """Where S crosses `target`; rest: what is left at b."""
        return _root(lambda to: float(x.own.real @ level.scores(rest - (to - b) * x.given.real)), target, start)

    null = level.scores(left.at(0.0, z.given.real))
    p = (1 + (x.own.drawn @ null >= float(x.own.real @ null) - tie).sum()) / (1 + len(x.own.drawn))
    estimate = 0.0
    for _ in range(ROUNDS):
        estimate = crossed(left.at(estimate, z.own.real), estimate, 0.0, estimate)
    places = [min(int(np.ceil((1 - share) * (len(x.own.drawn) + 1))), len(x.own.drawn)) - 1 for share in (alpha, 2 * alpha)]

    def limits(rest: Floats) -> Floats:
        """How large S is by chance, at both levels; as large is not beyond."""
        return np.asarray(np.partition(np.abs(x.own.drawn @ level.scores(rest)), places)[places] + tie)

    middle = left.at(estimate, z.own.real)
    widest = limits(middle)[0]
    bounds = []
    for sign in (1, -1):  # chance as it is at the estimate, then as it is at the end that this gave
        end = crossed(middle, estimate, sign * widest, estimate)
        rest = left.at(end, z.own.real) if np.isfinite(end) else middle
        around = end if np.isfinite(end) else estimate
        bounds.append([crossed(rest, around, sign * limit, around) for limit in limits(rest)])
    (low, inner_low), (high, inner_high) = bounds
    return Slope(estimate, min(low, estimate), max(high, estimate), min(inner_low, estimate), max(inner_high, estimate), float(p))


def _scores(r: Floats) -> Floats:
    """Wilcoxon scores, -1/2 to 1/2; ties share theirs. Residuals that differ by rounding only are ties."""
    order = r.argsort()
    ordered = r[order]
    apart = ordered[1:] - ordered[:-1] > SAME * max(ordered[-1], -ordered[0])
    if apart.all():
        ranks = np.empty(len(r))
        ranks[order] = np.arange(1.0, len(r) + 1)
        return ranks / (len(r) + 1) - 0.5
    first = np.concatenate([[True], apart])
    edges = np.append(np.flatnonzero(first), len(r))
    ranks = np.empty(len(r))
    ranks[order] = ((edges[:-1] + edges[1:] + 1) / 2)[first.cumsum() - 1]
    return ranks / (len(r) + 1) - 0.5


def _root(statistic: Callable[[float], float], target: float, start: float) -> float:
    """Where S(b), which falls, crosses `target`; infinite where it never does."""
    here = statistic(start)
    if here == target:
        return start
    way, near, width = (1 if here > target else -1), start, STEP * max(abs(start), 1.0)
    for _ in range(STEPS):
        far = near + way * width
        there = statistic(far)
        if there == target:
            return far
        if (there > target) != (here > target):
            return float(optimize.brentq(lambda b: statistic(b) - target, min(near, far), max(near, far), xtol=max(CLOSE, NEAR * width)))
        near, width = far, 4 * width
    return way * float("inf")


def _without(x: Arranged, z: Arranged) -> Arranged:
    """What of x z does not explain, in every arrangement."""
    real = x.real - z.real * ((x.real @ z.real) / (z.real @ z.real) if z.real.any() else 0.0)
    square = (z.drawn**2).sum(axis=1)
    share = np.where(square > 0, (x.drawn * z.drawn).sum(axis=1) / np.where(square > 0, square, 1), 0.0)
    return Arranged(real, x.drawn - share[:, None] * z.drawn)


class _Plain:
    """Takes off what the means of cells explain, all kinds at once (a projection)."""

    def __init__(self, cells: Sequence[Ints], groups: int) -> None:
        """cells: int64[groups] each."""
        design = [(cell[:, None] == np.unique(cell)[None, :]).astype(float) for cell in cells]
        whole = np.hstack([np.ones((groups, 1)), *design])
        squares, directions = np.linalg.eigh(whole.T @ whole)
        kept = squares > TIE * squares[-1]
        self._basis = whole @ (directions[:, kept] / np.sqrt(squares[kept]))

    def beside(self, weights: Floats, scale: float) -> _Plain:
        """The same with a covariate, of which the cells leave `weights`."""
        more, size = copy.copy(self), float(np.sqrt(weights @ weights))
        if np.abs(weights).max() > TIE * scale:
            more._basis = np.column_stack([self._basis, weights / size])  # noqa: SLF001  (its own kind)
        return more

    def off(self, x: Floats) -> Floats:
        """What is left of x, float64[groups] or [draws, groups]."""
        left: Floats = x - (x @ self._basis) @ self._basis.T
        return left


class _Cells:
    """Groups of one kind: their medians are taken off."""

    def __init__(self, cell: Ints) -> None:
        """cell: int64[groups], 0 and up."""
        names, self._of, sizes = np.unique(cell, return_inverse=True, return_counts=True)
        order = np.argsort(self._of, kind="stable")
        place = np.arange(len(cell)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self._at = np.empty(len(cell), np.int64)  # where each goes in a table with a row for each cell
        self._at[order] = self._of[order] * sizes.max() + place
        self._table = np.full(len(names) * sizes.max(), np.inf)
        self._shape = len(names), int(sizes.max())
        rows = np.arange(len(names)) * sizes.max()
        self._low, self._high = rows + (sizes - 1) // 2, rows + sizes // 2

    def off(self, y: Floats) -> Floats:
        """What is left of y without the median of each cell."""
        self._table[self._at] = y
        ordered = np.sort(self._table.reshape(self._shape), axis=1).ravel()
        left: Floats = y - ((ordered[self._low] + ordered[self._high]) / 2)[self._of]
        return left


def _aligned(y: Floats, offsets: Sequence[_Cells]) -> Floats:
    """What is left of y without the median of each cell, one kind of cell after the other."""
    for cells in offsets:
        y = cells.off(y)
    return y
