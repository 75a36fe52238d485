"""Beacons: uploads that come like clockwork, so that a heartbeat is not read as a page report.

Theory: a beacon's uploads are a period apart, whatever the device does. So with d the intervals and T the
period, R = mean of cos(2 pi d / T) is near 1: the Lomb-Scargle periodogram of the intervals' moments with the phase
known, which is the V test of directional statistics (Mardia and Jupp, §6.3). T is looked for among the periods around the median interval and its simple fractions, for a missed beat
doubles an interval. Chance is as many intervals drawn from an exponential
distribution: as many uploads, no clock. What is said: period, jitter (median absolute deviation of intervals from whole
multiples of the period), regularity of sizes.

Rules: uploads are those of `coupling.py` (48 bytes and more, bursts are one). A device is looked at over the whole of
its sessions, modes mixed, since a clock knows none. q is over all pairs of device and destination.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from . import coupling, statistics, volume

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SIZES = (7, 9, 12, 16, 24, 40, 80)  # intervals that are looked at: the most of these that there are, from the beginning
MIN_UPLOADS = SIZES[0] + 1
MOST_TESTED = 5000
PERIODS = 41  # candidates, evenly in logarithm
AROUND = 0.15  # of each fraction of the median interval
FRACTIONS = (1.0, 0.5)
LEAST_SHARP = 0.7  # R of a beacon: below, a clock is too loose to be called one
SAME_SIZE = 0.1  # relative deviation below which sizes are called regular


def beacons(exchanges: pl.DataFrame, resamples: int, seed: int, alpha: float) -> list[dict[str, Any]]:
    """Pairs of device and destination that beat, strongest first; exchanges: those of `volume.assign`."""
    parts = [
        part.lazy().filter(pl.col("up_app_bytes") >= coupling.LEAST_BYTES)
        .select("device", "key", "owner", at="began", size=pl.col("up_app_bytes").cast(pl.Float64)).sort("device", "key", "at")
        .filter((pl.col("at") - pl.col("at").shift(1).over("device", "key")).fill_null(coupling.MERGE_NS) >= coupling.MERGE_NS)
        .group_by("device", "key", maintain_order=True)
        .agg(pl.col("owner").first(), pl.col("at").head(SIZES[-1] + 1), pl.col("size").head(SIZES[-1] + 1), count=pl.len())
        .filter(pl.col("count") >= MIN_UPLOADS).with_columns(pl.col("device", "key", "owner").cast(pl.String)).collect()
        for part in volume.together(exchanges, "key")
    ]  # fmt: skip
    if not parts:
        return []
    rows = pl.concat(parts).sort("count", "device", "key", descending=[True, False, False]).head(MOST_TESTED)
    found = [
        {"device": device, "key": key, "owner": owner, "uploads": count, **_beat(np.array(at, float) / 1e9, np.array(size), resamples, seed)}
        for device, key, owner, at, size, count in rows.iter_rows()
    ]
    q = statistics.false_discovery(np.array([each["p"] for each in found], float))
    for each, value in zip(found, q, strict=True):
        each["q"] = float(value)
        each["verdict"] = "heartbeat" if value <= alpha and each["sharpness"] >= LEAST_SHARP else "no_heartbeat"
    return sorted(found, key=lambda each: (each["verdict"] != "heartbeat", -each["sharpness"], each["key"], each["device"]))


def _beat(moments: Floats, sizes: Floats, resamples: int, seed: int) -> dict[str, Any]:
    """Period in s, jitter in ms, sharpness R, p, regularity of sizes."""
    intervals = np.diff(moments)
    intervals = intervals[: max(size for size in SIZES if size <= len(intervals))]
    period, sharp = _sharpest(intervals[None, :])
    chance = _chance(len(intervals), resamples, seed)
    off = intervals - period[0] * np.maximum(np.round(intervals / period[0]), 1)
    spread = float(np.median(np.abs(sizes - np.median(sizes))) / np.median(sizes))
    return {
        "period_s": float(period[0]), "jitter_ms": float(np.median(np.abs(off)) * 1000), "sharpness": float(sharp[0]),
        "p": float((1 + (chance >= sharp[0] - 1e-12).sum()) / (1 + resamples)),
        "size": float(np.median(sizes)), "size_spread": spread, "same_size": spread <= SAME_SIZE,
    }  # fmt: skip


@cache
def _chance(number: int, resamples: int, seed: int) -> Floats:
    """R of so many intervals without a clock; it does not depend on their mean, since periods are relative to it."""
    return _sharpest(np.random.default_rng(seed).exponential(1, (resamples, number)))[1]


def _sharpest(intervals: Floats) -> tuple[Floats, Floats]:
    """By row the period with the largest R, and that R; intervals: float64[rows, n].

    Intervals and not moments are folded: a clock that is re-armed at each beat drifts, but its intervals stay.
    """
    typical = np.median(intervals, axis=1)
    best, top = typical.copy(), np.full(len(intervals), -1.0)
    for fraction in FRACTIONS:
        for factor in np.exp(np.linspace(np.log(1 - AROUND), np.log(1 + AROUND), PERIODS)):
            period = typical * fraction * factor
            sharp = np.cos(2 * np.pi * intervals / period[:, None]).mean(axis=1)
            sharp -= 0.02 * (fraction != 1)  # of two periods that fit alike the longer one
            better = sharp > top
            best[better], top[better] = period[better], sharp[better]
    return best, np.clip(top, 0, 1)
