"""Coupling: are uploads to a destination locked to visits? The `coupling` of the contract, per destination and owner.

Theory: see `lags.py` for the test. Verdicts:

| word | what it takes |
|---|---|
| locked | q <= alpha: uploads follow visits by some lag of 0 to 30 s more often than chance explains |
| not_locked | a steady lag explains, by its upper bound, less than `least_share` of visits or uploads; or a clock does |
| inconclusive | neither: too few visits or uploads, or visits so close together that every moment follows one |

What timing cannot tell: whether the browser or the page made the upload. A visit to the destination's own site therefore
does not count, nor do uploads until the next visit. For the others it is said after visits to how many of the visited
sites uploads came, and whether sites differ by more than chance (`site_p`): where they do, pages of those sites may have made
them; where uploads came after visits to all sites, it is the browser or something that all the pages have in common. A message
that a timer sends tells of all visits since it was armed, not of the first alone, and which visit is first goes with the order
of pages. So here an upload comes after a visit wherever it comes not later than the window ends; visits so near the end of
their session that it may not have come yet do not test sites. Idle sessions are the
control for what a session's start causes: where uploads there stand at the same moments, nothing is said to be locked.

A clock that beats on through all sessions is the other control: in each it stands where the one before left it, so that where
a session takes nearly a whole number of beats it stands alike to the visits of all, which turning sessions one by one does not
foresee. But what visits arm cannot keep better time than they do. So uploads whose intervals are whole multiples of one period,
closer than visits are regular, are `not_locked` whatever p says, but for those off the beat; and so are those that keep the
period in idle sessions too, where nothing arms them. Without idle sessions visits at regular intervals cannot be told from a clock.

Rules: an upload is an exchange with at least `LEAST_BYTES` up; those less than a second apart are one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from . import lags, spans, statistics, volume
from .beats import exact, off_beat, sharpest
from .moments import Table, site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .inputs import Session
    from .moments import Opened

Array = lags.Ints
LOCKED, NOT_LOCKED, INCONCLUSIVE = "locked", "not_locked", "inconclusive"
LEAST_BYTES = 48  # HTTP/2 control frames (PING 17, SETTINGS 9 to 45: RFC 9113 §6) carry no report
MERGE_NS = 1_000_000_000
MIN_VISITS, MIN_UPLOADS = 8, 4
MOST_TESTED = 5000  # destinations tested, those with most uploads first
SHOWN_VISITS = 60  # rows of a raster
SITES_LEAST = 3  # visits of a site before it is compared with others
IDLE_LEAST = 10  # pairs of an active session's visit and an idle session that make a control
NS_PER_MS = 1_000_000
OF_A_MODE = ("visits", "coupled", "median_lag_ms", "p", "q", "verdict", "uploads", "uploads_coupled")
CLOCK_LEAST, CLOCK_MOST = 16, 400  # intervals from which a clock is told, and the most that are looked at
CLOCK_SHARP = 0.9
TIGHTER = 4  # times that a clock keeps better time than the visits
ON_BEAT = 0.1  # of a period
IDLE_BEATS, STEADILY = 8, 0.9  # intervals in idle sessions from which a clock is told, and the share of them that is on the beat
CLOCK = "uploads come like clockwork every {:.3g} s, in better time than the visits: a heartbeat"
CLOCK_IDLE = "uploads come like clockwork every {:.3g} s, in idle sessions too, where nothing was visited: a heartbeat"
IDLE_TOO = "as often in idle sessions, where nothing was visited: it follows the start of a session"


class Setting(NamedTuple):
    """alpha, least_share, resamples, seed: as in CompareOptions; idle: that mode; source: of the visits."""

    alpha: float
    least_share: float
    resamples: int
    seed: int
    idle: str
    source: str


def uploads(exchanges: pl.DataFrame, kind: str, sessions: Sequence[Session]) -> pl.DataFrame:
    """(item, session, at): uploads in order, `session` an index, `at` in ns since its start; bursts are one."""
    places = spans.places(sessions, exchanges.schema["session"])
    none = exchanges.clear().select(item=pl.col(kind), at="began", session=pl.lit(0, pl.Int64))
    parts = [
        part.lazy().filter(pl.col("up_app_bytes") >= LEAST_BYTES)
        .select("session", item=pl.col(kind), began=pl.col("began"))
        .join(places.lazy(), on="session").select("item", "place", at=pl.col("began") - pl.col("from")).sort("item", "place", "at")
        .filter((pl.col("at") - pl.col("at").shift(1).over("item", "place")).fill_null(MERGE_NS) >= MERGE_NS)
        .select("item", "at", session="place").collect()
        for part in volume.together(exchanges, "session")
    ]  # fmt: skip
    return pl.concat([none, *parts]).sort("item", "session", "at")


class _Asked(NamedTuple):
    """One destination: uploads (session, at) and the visits that test it, as indices into the table."""

    key: str
    session: Array
    at: Array
    visits: Array


def couple(
    exchanges: pl.DataFrame, sessions: Sequence[Session], visits: Sequence[Opened], kind: str, setting: Setting, *,
    nameless: bool = False,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """By item (of the column `kind`) the `coupling` of the contract; exchanges: those of `volume.assign`.

    nameless: names are missing in some session, so uploads may be, and nothing is `not_locked`.
    """
    table, own = Table(visits, sessions), _sites(exchanges, kind)
    found = uploads(exchanges, kind, sessions)
    groups = {str(key[0]): part for key, part in found.partition_by("item", as_dict=True, maintain_order=True).items()}
    chosen = sorted(own, key=lambda key: (-len(groups.get(key, ())), key))[:MOST_TESTED]
    asked = [_asked(key, groups.get(key, found.clear()), table, own[key], sessions) for key in chosen]
    modes = np.array([session.mode for session in sessions])
    whole = _measured(asked, table, sessions, np.full(len(modes), fill_value=True), setting)
    apart = {mode: _measured(asked, table, sessions, modes == mode, setting)
             for mode in dict.fromkeys(modes.tolist()) if mode != setting.idle}  # fmt: skip
    for number, item in enumerate(whole):
        item["modes"] = {mode: {name: parts[number][name] for name in OF_A_MODE} for mode, parts in apart.items()}
        for each in (item, *item["modes"].values()):
            if nameless and each["verdict"] == NOT_LOCKED:
                each["verdict"] = INCONCLUSIVE
    return {each.key: item for each, item in zip(asked, whole, strict=True)}


def _asked(key: str, rows: pl.DataFrame, table: Table, own: frozenset[str], sessions: Sequence[Session]) -> _Asked:
    """Uploads and visits of one destination, without visits to itself and what follows them until the next visit."""
    session, at = rows["session"].to_numpy(), rows["at"].to_numpy()
    itself = table.itself(own)
    if itself.any():
        line = spans.line(sessions)
        last = np.searchsorted(line[table.session] + table.at, line[session] + at, side="right") - 1
        free = (last < 0) | (table.session[last] != session) | ~itself[last]
        session, at = session[free], at[free]
    return _Asked(key, session, at, np.flatnonzero(table.enough(key) & ~itself))


def _measured(
    asked: list[_Asked], table: Table, sessions: Sequence[Session], on: Any, setting: Setting  # noqa: ANN401
) -> list[dict[str, Any]]:  # fmt: skip
    """The item of each destination, from the sessions that are `on` (bool[sessions])."""
    lengths = np.array([max(((s.end or s.start) - s.start) // lags.BIN_NS + 1, 1) for s in sessions], np.int64)
    line = spans.line(sessions)
    alike: dict[bytes, list[int]] = {}
    for number, each in enumerate(asked):
        alike.setdefault(each.visits.tobytes(), []).append(number)
    items: list[dict[str, Any]] = [{} for _ in asked]
    for numbers in alike.values():
        visits = asked[numbers[0]].visits
        visits = visits[on[table.session[visits]]]
        left = np.array([(s.end or s.start) - s.start for s in sessions], np.int64)[table.session[visits]] - table.at[visits]
        bins = [np.zeros(0, np.int64)] * len(sessions)
        for place in np.unique(table.session[visits]):
            bins[place] = np.unique(table.at[visits[table.session[visits] == place]] // lags.BIN_NS)
        rows = lags.Uploads(
            np.concatenate([np.full(len(asked[number].at), place) for place, number in enumerate(numbers)]),
            np.concatenate([asked[number].session for number in numbers]),
            np.concatenate([asked[number].at for number in numbers]) // lags.BIN_NS,
        )
        scan = lags.scan(rows, len(numbers), bins, lengths, setting.resamples, setting.seed, setting.alpha)
        moments = line[table.session[visits]] + table.at[visits]
        for place, number in enumerate(numbers):
            each = asked[number]
            here = np.isin(each.session, table.session[visits])
            items[number] = _item(line[each.session[here]] + each.at[here], moments, left, table.sites[visits],
                                  {name: column[place] for name, column in scan._asdict().items()}, setting)  # fmt: skip
    q = statistics.false_discovery(np.array([item["p"] if item["p"] is not None else np.nan for item in items], float))
    for item, value, each in zip(items, q, asked, strict=True):
        item["q"] = _number(value)
        item["verdict"] = _verdict(item, setting)
        clock = _clock(each, table, sessions, setting) if item["verdict"] != NOT_LOCKED else None
        if clock is not None:
            item["verdict"], item["note"] = NOT_LOCKED, clock
        elif item["verdict"] == LOCKED and _as_often_idle(item, each, table, sessions, setting):
            item["verdict"], item["note"] = INCONCLUSIVE, IDLE_TOO
    return items


def _sites(exchanges: pl.DataFrame, kind: str) -> dict[str, frozenset[str]]:
    """The sites that each item's destinations belong to."""
    pairs = exchanges.select(item=pl.col(kind), key=pl.col("key")).unique()
    found: dict[str, set[str]] = {}
    for item, key in pairs.iter_rows():
        found.setdefault(item, set()).add(site(key))
    return {item: frozenset(sites) for item, sites in found.items()}


def _item(
    moments: Array, visits: Array, left: Array, sites: Any, scan: dict[str, float], setting: Setting  # noqa: ANN401
) -> dict[str, Any]:  # fmt: skip
    """Counts and lags of one destination; moments, visits: ns on the line of sessions; left: ns from each visit to its session's end;
    scan: its row of `lags.Scan`.
    """  # noqa: D205  (a list of fields)
    tested = len(visits) >= MIN_VISITS and len(moments) >= MIN_UPLOADS
    low = max(int(scan["start"]) - 1, 0) * lags.BIN_NS  # a lag of k bins lies between k - 1 and k + 1 bins of time
    high = int(scan["start"] + scan["width"]) * lags.BIN_NS
    first, last = (np.searchsorted(moments, visits + edge) for edge in (low, high))
    followed = last > first
    after = np.searchsorted(visits, moments - low, side="right") - np.searchsorted(visits, moments - high, side="right")
    inside = [moments[a:b] - visit for a, b, visit in zip(first, last, visits, strict=True) if b > a]
    edges = np.arange(lags.MAX_LAG + 1) * lags.BIN_NS
    counts = np.diff(np.searchsorted(moments, visits[:, None] + edges[None, :]), axis=1).sum(axis=0) if len(visits) else edges[1:]
    return {
        "visits": len(visits), "coupled": int(followed.sum()) if tested else 0,
        "median_lag_ms": float(np.median(np.concatenate(inside))) / NS_PER_MS if inside and tested else None,
        "p": _number(scan["p"]) if tested else None, "q": None, "verdict": INCONCLUSIVE,
        "uploads": len(moments), "uploads_coupled": int((after > 0).sum()) if tested else 0,
        "expected": _number(scan["expected"]) if tested else None, "share_bound": _number(scan["bound"]) if tested else None,
        "window_ms": [low // NS_PER_MS, high // NS_PER_MS] if tested else None,
        **_by_site(last > np.searchsorted(moments, visits), left >= high, sites, setting, tested=tested),
        "histogram": {"bin_ms": lags.BIN_NS // NS_PER_MS, "counts": counts.tolist() if len(visits) else []},
        "raster": [[int(lag) // NS_PER_MS for lag in _within(moments, visit)] for visit in visits[:SHOWN_VISITS]],
        "source": setting.source, "note": None,
    }  # fmt: skip


def _within(moments: Array, visit: int) -> Array:
    """Lags of the uploads within 30 s of a visit."""
    first, last = np.searchsorted(moments, [visit, visit + lags.MAX_LAG * lags.BIN_NS])
    return moments[first:last] - visit


def _by_site(followed: Any, seen: Any, sites: Any, setting: Setting, *, tested: bool) -> dict[str, Any]:  # noqa: ANN401
    """How many sites were visited, after how many an upload came, and whether sites differ by more than chance.

    followed, seen: bool[visits], whether an upload came until the window ended, and whether the session lasted so long.
    """
    names, code = np.unique(sites.astype(str), return_inverse=True)
    of, hits = (np.bincount(code[mask], minlength=len(names)) for mask in (seen, seen & followed))
    number, p = int(hits.sum()), None
    if tested and (of >= SITES_LEAST).sum() > 1 and 0 < number < of.sum():
        share = 1 / np.maximum(of, 1)
        between, random = (hits**2 * share).sum(), np.random.default_rng(setting.seed)  # up to what is the same for all
        for draws in (min(lags.FIRST, setting.resamples), min(lags.MOST_DRAWS, setting.resamples)):
            # labels in any order over visits, counted by site: that is the multivariate hypergeometric distribution
            drawn = random.multivariate_hypergeometric(of, number, size=draws, method="marginals")
            extreme = int(((drawn**2 * share).sum(axis=1) >= between - lags.TIE).sum())
            p = (1 + extreme) / (1 + draws)
            if extreme >= lags.EXTREMES:  # clearly chance, as in `lags.py`
                break
    return {"sites": len(names), "sites_coupled": len(np.unique(code[followed])) if tested else 0, "site_p": p}


def _verdict(item: dict[str, Any], setting: Setting) -> str:
    """The word for one item."""
    # lags turn around with a session: what stands out may lie before the visits, and follows none of them
    if item["q"] is not None and item["q"] <= setting.alpha and item["uploads_coupled"] > item["expected"]:
        return LOCKED
    if item["visits"] >= MIN_VISITS and not item["uploads"]:
        return NOT_LOCKED
    bound = item["share_bound"]
    return NOT_LOCKED if bound is not None and bound < setting.least_share else INCONCLUSIVE


def _clock(each: _Asked, table: Table, sessions: Sequence[Session], setting: Setting) -> str | None:
    """What is said of the clock that the uploads follow, where they do as what visits arm never could."""
    between, of_visits = _intervals(each.session, each.at), _intervals(table.session[each.visits], table.at[each.visits])
    if len(between) < CLOCK_LEAST:
        return None
    period, sharp = (float(found[0]) for found in sharpest(between[None, :CLOCK_MOST]))
    period = exact(between, period)
    off = np.abs(off_beat(between, period))
    few = (off > ON_BEAT * period).sum() < setting.least_share * min(len(each.at), len(each.visits))
    if sharp < CLOCK_SHARP or not few:
        return None
    if len(of_visits) >= CLOCK_LEAST and TIGHTER * np.median(off) < np.median(np.abs(of_visits - np.median(of_visits))):
        return CLOCK.format(period / spans.NS)
    idle = np.array([session.mode == setting.idle for session in sessions])[each.session]
    quiet = np.abs(off_beat(_intervals(each.session[idle], each.at[idle]), period))
    beats = len(quiet) >= IDLE_BEATS and (quiet <= ON_BEAT * period).mean() >= STEADILY
    return CLOCK_IDLE.format(period / spans.NS) if beats else None


def _intervals(session: Array, at: Array) -> lags.Floats:
    """Between neighbours of one session, in ns."""
    between: lags.Floats = np.diff(at)[session[1:] == session[:-1]].astype(float)
    return between


def _as_often_idle(item: dict[str, Any], each: _Asked, table: Table, sessions: Sequence[Session], setting: Setting) -> bool:
    """Whether uploads in idle sessions stand at the moments of others' visits, beyond chance half as often as in those."""
    line, offsets, moments = spans.line(sessions), table.at[each.visits], each.at
    low, high = (edge * NS_PER_MS for edge in item["window_ms"])
    pairs = hits = chance = 0.0
    for place, session in enumerate(sessions):
        length = (session.end or session.start) - session.start
        inside = offsets[offsets + high < length] + line[place]
        if session.mode == setting.idle and len(inside):
            here = np.sort(moments[each.session == place]) + line[place]
            pairs += len(inside)
            hits += int((np.searchsorted(here, inside + high) > np.searchsorted(here, inside + low)).sum())
            chance += len(inside) * min(len(here) * (high - low) / length, 1.0)
    active = (item["coupled"] - item["expected"]) / item["visits"]
    return pairs >= IDLE_LEAST and (hits - chance) / pairs >= 0.5 * active


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
