"""Beacons: uploads that come like clockwork, so that a heartbeat is not read as a page report.

Theory: a beacon's uploads are a period apart, whatever the device does. So with d the intervals and T the
period, R = mean of cos(2 pi d / T) is near 1 (`beats.py`). What is said: period, jitter (median absolute deviation of
intervals from whole multiples of the period), regularity of sizes.

Chance is two things, and the larger p counts. As many intervals drawn from an exponential distribution: as many uploads, no
clock. And what visits do: pages opened at nearly regular times make uploads at nearly regular times, and those are no
heartbeat. So the uploads stay with the visits that they follow, and their lags since these are dealt among them anew; a page's
uploads beat as well after that, a clock's do not, since it does not wait for visits.

Rules: uploads are those of `coupling.py` (48 bytes and more, bursts are one). A device is looked at over the whole of
its sessions, modes mixed, since a clock knows none. q is over all pairs of device and destination. What was itself visited, and
what is locked to visits, is no heartbeat whatever p says.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from . import coupling, statistics, volume
from .beats import LEAST_SHARP, exact, off_beat, sharpest
from .moments import site

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SIZES = (11, 15, 20, 28, 40, 60, 80)  # intervals that are looked at: the most of these that there are, from the beginning
MIN_UPLOADS = SIZES[0] + 1
MOST_TESTED = 5000
TIE, ROUNDED = 1e-12, 1e-6  # the latter in single precision, which is enough to compare and four times as fast
SAME_SIZE = 0.1  # relative deviation below which sizes are called regular
SHORTEST = 1e-3  # s between uploads that were dealt to one moment: a period is above 0
DEALT = 40  # intervals, the first ones, that are looked at where lags are dealt anew: enough for what a clock adds
VISITED, LOCKED = "was itself visited", "follows visits"


class Known(NamedTuple):
    """What visits did. `moments`: by device those of its visits in s since the epoch, in order; `sites`: those visited; `locked`:
    destinations whose uploads follow visits.
    """  # noqa: D205  (a list of fields)

    moments: Mapping[str, Floats]
    sites: frozenset[str]
    locked: frozenset[str]


def beacons(exchanges: pl.DataFrame, resamples: int, seed: int, alpha: float, known: Known) -> list[dict[str, Any]]:
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
        {"device": device, "key": key, "owner": owner, "uploads": count,
         **_beat(np.array(at, float) / 1e9, np.array(size), known.moments.get(device), resamples, seed)}
        for device, key, owner, at, size, count in rows.iter_rows()
    ]
    q = statistics.false_discovery(np.array([each["p"] for each in found], float))
    for each, value in zip(found, q, strict=True):
        each["q"] = float(value)
        each["note"] = VISITED if site(each["key"]) in known.sites else LOCKED if each["key"] in known.locked else None
        beats = value <= alpha and each["sharpness"] >= LEAST_SHARP and each["note"] is None
        each["verdict"] = "heartbeat" if beats else "no_heartbeat"
    return sorted(found, key=lambda each: (each["verdict"] != "heartbeat", -each["sharpness"], each["key"], each["device"]))


def _beat(moments: Floats, sizes: Floats, visits: Floats | None, resamples: int, seed: int) -> dict[str, Any]:
    """Period in s, jitter in ms, sharpness R, p, regularity of sizes."""
    intervals = np.diff(moments)
    intervals = intervals[: max(size for size in SIZES if size <= len(intervals))]
    found, sharp = sharpest(intervals[None, :])
    period = exact(intervals, float(found[0]))
    extreme = int((_chance(len(intervals), resamples, seed) >= sharp[0] - TIE).sum())
    if sharp[0] >= LEAST_SHARP and visits is not None and len(visits):
        extreme = max(extreme, _dealt(moments[: min(len(intervals), DEALT) + 1], visits, resamples, seed))
    off = off_beat(intervals, period)
    spread = float(np.median(np.abs(sizes - np.median(sizes))) / np.median(sizes))
    return {
        "period_s": period, "jitter_ms": float(np.median(np.abs(off)) * 1000), "sharpness": float(sharp[0]),
        "p": (1 + extreme) / (1 + resamples),
        "size": float(np.median(sizes)), "size_spread": spread, "same_size": spread <= SAME_SIZE,
    }  # fmt: skip


def _dealt(moments: Floats, visits: Floats, resamples: int, seed: int) -> int:
    """How many of the draws beat as well whose uploads follow the same visits by each other's lags; before the first: it leads them."""
    latest = visits[np.maximum(np.searchsorted(visits, moments, side="right") - 1, 0)]
    lags = np.random.default_rng(seed).permuted(np.tile(moments - latest, (resamples, 1)), axis=1)
    drawn = np.maximum(np.diff(np.sort(latest + lags, axis=1), axis=1), SHORTEST)
    real, *others = sharpest(np.vstack([np.diff(moments), drawn]).astype(np.float32))[1]
    return int((np.array(others) >= real - ROUNDED).sum())


@cache
def _chance(number: int, resamples: int, seed: int) -> Floats:
    """R of so many intervals without a clock; it does not depend on their mean, since periods are relative to it."""
    return sharpest(np.random.default_rng(seed).exponential(1, (resamples, number)))[1]
