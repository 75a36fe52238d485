"""Beats: how well intervals fit whole multiples of one period, as those of a clock do.

Theory: with d the intervals and T the period, R = mean of cos(2 pi d / T) is near 1 for a clock: the Lomb-Scargle
periodogram of the intervals' moments with the phase known, which is the V test of directional statistics (Mardia and Jupp,
§6.3). T is looked for among the periods around the median interval and its simple fractions, for a missed beat doubles an
interval.

Rules: intervals are above 0, in any unit; T is in theirs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PERIODS = 41  # candidates, evenly in logarithm
AROUND = 0.15  # of each fraction of the median interval
FRACTIONS = (1.0, 0.5)
LEAST_SHARP = 0.7  # R of a beacon: below, a clock is too loose to be called one


def sharpest(intervals: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """By row the period with the largest R, and that R; intervals: float64[rows, n], or float32 where many rows are only compared.

    Intervals and not moments are folded: a clock that is re-armed at each beat drifts, but its intervals stay.
    """
    typical = np.median(intervals, axis=1)
    best, top = typical.astype(np.float64), np.full(len(intervals), -1.0)
    for fraction in FRACTIONS:
        for factor in np.exp(np.linspace(np.log(1 - AROUND), np.log(1 + AROUND), PERIODS)).tolist():
            period = typical * fraction * factor
            sharp = np.cos(2 * np.pi * intervals / period[:, None]).mean(axis=1)
            sharp -= 0.02 * (fraction != 1)  # of two periods that fit alike the longer one
            better = sharp > top
            best[better], top[better] = period[better], sharp[better]
    return best, np.clip(top, 0, 1)


def exact(intervals: Floats, period: float) -> float:
    """The period that intervals near whole multiples of `period` have, without the steps of the search."""
    return float(np.median(intervals / np.maximum(np.round(intervals / period), 1)))


def off_beat(intervals: Floats, period: float) -> Floats:
    """By how much each interval differs from the nearest whole number of periods, of one or more."""
    off: Floats = intervals - period * np.maximum(np.round(intervals / period), 1)
    return off
