"""Statistics of two modes over sessions, for all destinations at once.

Theory: sessions are the replicates. Without an assumption about distributions:
- p: permutation of the mode labels, difference of means, two-sided; exact while the arrangements can be enumerated,
  else Monte Carlo with (1 + k) / (1 + n) (Phipson and Smyth 2010).
- q: Benjamini and Hochberg (1995) over the destinations of one family.
- difference: Hodges-Lehmann estimate (median of all pairwise differences), interval by the Mann-Whitney distribution
  (Hollander and Wolfe, §4.3).
- a mode's mean: `mean_interval`, Student's t corrected for skew.
- ratio of means, idle subtracted: BCa bootstrap over sessions (Efron 1987), with quantiles widened for small samples
  (Hesterberg 2015, "expanded percentile": z replaced by sqrt(n / (n - 1)) t).

Rules: arrays are float64[sessions, destinations]; the same resampling serves all destinations. A seed makes everything
repeatable. What is not defined is NaN here and null outside.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from math import comb, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from ..core.errors import InputError

Array = npt.NDArray[np.float64]

MAX_EXACT = 200_000  # arrangements that are enumerated
CHUNK = 20_000
LEAST_ALPHA, MOST_ALPHA = 1e-6, 0.5
MOST_RESAMPLES = 1_000_000
FLAT = 1e-6  # skewness, over 6 sqrt(n), from which t needs no correction
TIE = 1e-9  # differences closer than this share of the scale are the same: sums in another order


class Interval(NamedTuple):
    """float64[destinations] each."""

    estimate: Array
    low: Array
    high: Array


def permutation_p(a: Array, c: Array, resamples: int, seed: int) -> Array:
    """Two-sided p of the difference of means; a: float64[n, d], c: float64[m, d]."""
    n, m = len(a), len(c)
    both = np.concatenate([a, c])
    if n < 1 or m < 1:
        return np.full(both.shape[1], np.nan)
    total = both.sum(axis=0)
    scale = np.abs(both).sum(axis=0) + 1e-300
    observed = np.abs(c.mean(axis=0) - a.mean(axis=0))
    exact = comb(n + m, m) <= MAX_EXACT
    extreme = np.zeros(both.shape[1])
    arranged = 0
    labels = _arrangements(n + m, m, resamples, seed, exact=exact)
    for at in range(0, len(labels), CHUNK):
        chosen = labels[at : at + CHUNK]
        sums = chosen.astype(float) @ both
        shift = np.abs(sums / m - (total - sums) / n)
        extreme += (shift >= observed - TIE * scale).sum(axis=0)
        arranged += len(chosen)
    return extreme / arranged if exact else (extreme + 1) / (arranged + 1)


@lru_cache(maxsize=2)
def _arrangements(count: int, chosen: int, resamples: int, seed: int, *, exact: bool) -> npt.NDArray[np.uint8]:
    """Rows of 0 and 1: which sessions are given the second label. One comparison asks several times for the same."""
    if exact and 2 * chosen == count:  # the other half differs in sign only: the first session keeps its label
        places = np.array([(0, *rest) for rest in combinations(range(1, count), chosen - 1)])
    elif exact:
        places = np.array(list(combinations(range(count), chosen)))
    else:
        random = np.random.default_rng(seed)
        places = random.permuted(np.tile(np.arange(count), (resamples, 1)), axis=1)[:, :chosen]
    rows = np.zeros((len(places), count), np.uint8)
    np.put_along_axis(rows, places, 1, axis=1)
    return rows


def smallest_p(n: int, m: int) -> float:
    """The smallest two-sided p that so many sessions can give."""
    return min(1.0, (2 if n == m else 1) / comb(n + m, m))


def false_discovery(p: Array) -> Array:
    """Benjamini-Hochberg q; NaN stays NaN and does not count."""
    q = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known], method="bh")
    return q


def hodges_lehmann(a: Array, c: Array, alpha: float) -> Interval:
    """Shift from a to c: the median of pairwise differences, and its distribution-free interval."""
    n, m = len(a), len(c)
    shifts = np.sort((c[:, None, :] - a[None, :, :]).reshape(n * m, -1), axis=0)
    if not n * m:
        nothing = np.full(a.shape[1], np.nan)
        return Interval(nothing, nothing, nothing)
    spread = stats.norm.ppf(1 - alpha / 2) * sqrt(n * m * (n + m + 1) / 12)
    k = max(int(np.floor(n * m / 2 - spread)), 0)
    return Interval(np.median(shifts, axis=0), shifts[k], shifts[n * m - 1 - k])


def mean_interval(group: Array, alpha: float) -> Interval:
    """The mean of each column over few skewed values that are never below zero; group: float64[n, d].

    Student's t misses the mean of skewed values on one side. Two remedies each miss less where the other misses more, so each
    end is the one that is further out: Willink's, who undoes the skew that the sample shows (to the right, where sizes have their tail; 2005, "A confidence interval and
    test for the mean of an asymmetric distribution", Communications in Statistics 34, equation 9, after Hall 1992); and t for
    the logarithm of the mean (delta method), for skew that few values seldom show although sizes that multiply have it.
    The logarithm may not go further up than Willink's interval could for any n values: sample skewness is at most sqrt(n).
    Bounds of fewer than two values are NaN.
    """
    n, mean = len(group), _mean(group)
    if n < 2:
        return Interval(mean, np.full(mean.shape, np.nan), np.full(mean.shape, np.nan))
    t = float(stats.t.ppf(1 - alpha / 2, n - 1))
    spread = group.std(axis=0, ddof=1)
    varies = spread > TIE * mean
    error = spread / sqrt(n)
    third = ((group - mean) ** 3).mean(axis=0) * n**2 / ((n - 1) * max(n - 2, 1)) if n > 2 else np.zeros_like(mean)
    skew = np.where(varies & (third > 0), third / np.where(varies, spread, 1) ** 3, 0) / (6 * sqrt(n))
    ratio = np.where(varies, error / np.where(mean > 0, mean, 1), 0)
    furthest = np.maximum(_willink(np.full_like(mean, 1 / 6), t), t)
    high = np.maximum(_willink(skew, t) * error, mean * np.minimum(np.exp(np.minimum(t * ratio, 99)) - 1, furthest * ratio))
    low = np.maximum(_willink(-skew, t) * error, mean * (1 - np.exp(-t * ratio)))
    return Interval(mean, np.maximum(mean - low, 0), mean + high)


def _willink(skew: Array, t: float) -> Array:
    """Standard errors from the mean up to the end where `skew`, over 6 sqrt(n), is undone; with -skew down to the other."""
    flat = np.abs(skew) < FLAT
    some = np.where(flat, 1, skew)
    return np.where(flat, t, (1 - np.cbrt(1 - 6 * some * (t + some))) / (2 * some))


class Bootstrap:
    """Resampled means of each group of sessions, shared by all destinations."""

    def __init__(self, groups: list[Array], resamples: int, seed: int) -> None:
        """groups: float64[sessions, destinations] each."""
        random = np.random.default_rng(seed)
        self.groups = groups
        self.means = []
        for group in groups:
            n = len(group)
            if not n:
                self.means.append(np.zeros((resamples, group.shape[1])))
                continue
            weights = random.multinomial(n, np.full(n, 1 / n), resamples) / n
            self.means.append(weights @ group)

    def ratio(self, alpha: float) -> Interval:
        """(second - third) / (first - third) of the means: BCa; NaN where the denominator is not above zero."""
        first, second, _ = self.groups
        estimate = _ratio(*(_mean(group) for group in self.groups))
        resampled = _ratio(*self.means)
        jackknife = []
        for number, group in enumerate(self.groups):
            means = [_mean(other) for other in self.groups]
            for place in range(len(group)):
                if len(group) > 1:
                    left = (group.sum(axis=0) - group[place]) / (len(group) - 1)
                    jackknife.append(_ratio(*(left if at == number else mean for at, mean in enumerate(means))))
        low, high = _bca(estimate, resampled, np.array(jackknife), alpha, min(len(first), len(second)))
        return Interval(estimate, np.maximum(low, 0), np.maximum(high, 0))


def _mean(group: Array) -> Array:
    """The mean over sessions; zero for a group without any."""
    mean: Array = group.mean(axis=0) if len(group) else np.zeros(group.shape[1])
    return mean


def _ratio(first: Array, second: Array, third: Array) -> Array:
    """Idle subtracted from both; uploads cannot be less than nothing."""
    below = first - third
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, np.maximum(second - third, 0) / np.where(below > 0, below, 1), np.nan)


def _expanded(alpha: float, n: int) -> tuple[float, float]:
    """Quantiles that a small sample needs for an interval of level 1 - alpha (Hesterberg 2015, §3.3)."""
    if n < 2:
        return 0.0, 1.0
    z = sqrt(n / (n - 1)) * stats.t.ppf(1 - alpha / 2, n - 1)
    return float(stats.norm.cdf(-z)), float(stats.norm.cdf(z))


def _bca(estimate: Array, resampled: Array, jackknife: Array, alpha: float, n: int) -> tuple[Array, Array]:
    """Bias-corrected and accelerated bounds for each destination; infinite upwards where the ratio often has none."""
    size = len(estimate)
    low, high = np.full(size, np.nan), np.full(size, np.nan)
    tail, _ = _expanded(alpha, n)
    z = stats.norm.ppf(tail) if tail > 0 else -8.0
    for place in range(size):
        if np.isnan(estimate[place]):
            continue
        values = np.sort(np.where(np.isnan(resampled[:, place]), np.inf, resampled[:, place]))
        below = (values < estimate[place]).mean() + (values == estimate[place]).mean() / 2
        bias = stats.norm.ppf(np.clip(below, 1 / (len(values) + 1), len(values) / (len(values) + 1)))
        around = jackknife[:, place][~np.isnan(jackknife[:, place])] if len(jackknife) else np.zeros(0)
        shifts = around.mean() - around if len(around) else np.zeros(1)
        power = (shifts**2).sum() ** 1.5
        acceleration = (shifts**3).sum() / (6 * power) if power > 0 else 0.0
        bounds = []
        for side in (z, -z):
            moved = bias + side
            below_one = 1 - acceleration * moved
            bounds.append(stats.norm.cdf(bias + moved / below_one) if below_one > 0 else float(side > 0))
        low[place] = values[min(int(bounds[0] * len(values)), len(values) - 1)]
        high[place] = values[min(int(np.ceil(bounds[1] * len(values))), len(values) - 1)]
    return low, high


def check(alpha: float, seed: int, resamples: int) -> None:
    """Refuses, with InputError, what no statistic here is defined for, or what would take all memory."""
    if not LEAST_ALPHA <= alpha <= MOST_ALPHA:
        raise InputError(f"--alpha {alpha}: the level of a test is from {LEAST_ALPHA:g} to {MOST_ALPHA:g}; 0.05 is usual")
    if seed < 0:
        raise InputError(f"--seed {seed}: give 0 or a number above it")
    if not 1 <= resamples <= MOST_RESAMPLES:
        raise InputError(f"resamples {resamples}: give 1 to {MOST_RESAMPLES}")


def needed(a: Array, c: Array, idle: float, margin: float, alpha: float, tests: int) -> int | None:
    """Sessions per mode that would settle it at 80 % power, by the spread seen so far; None beyond a thousand.

    Either the ratio is shown to be within the margin (two one-sided tests), or the difference to be there, whichever
    takes fewer, the latter over all tests; and never so few that the permutation cannot reach alpha over these.
    """
    below, above = a.mean() - idle, c.mean() - idle
    spread = a.var(ddof=1) + c.var(ddof=1)
    if not below > 0 or not np.isfinite(spread):
        return None
    beta = stats.norm.ppf(0.8)
    ratio, relative = above / below, spread / below**2
    room = min(ratio - (1 - margin), 1 + margin - ratio)
    wanted = [(stats.norm.ppf(1 - alpha) + beta) ** 2 * relative / room**2] if room > 0 else []
    if ratio != 1:
        wanted.append((stats.norm.ppf(1 - alpha / 2 / max(tests, 1)) + beta) ** 2 * relative / (ratio - 1) ** 2)
    least = next(n for n in range(2, 100) if smallest_p(n, n) <= alpha / max(tests, 1))
    count = max(int(np.ceil(min(wanted))), least) if wanted else None
    return count if count is not None and count <= 1000 else None
