"""The comparison of two modes: per destination, per owner and in total, as the JSON of the contract.

Theory: volumes per session (or minute, or visit) of each destination form a matrix; the statistics run over all its
columns at once. Owners and the total are columns of their own, since data that move to another host of the same owner
must not read as "stops". What idle sessions upload is subtracted as a rate.

Rules: same input and seed give the same result. Everything that limits the result is in `basis`: options, seed, warnings.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.errors import InputError
from . import beacons, coupling, hidden, moments, spans, statistics, volume
from .places import places
from .verdict import ABSENT, INCONCLUSIVE, MIN_SESSIONS, Numbers, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .inputs import Session, Visit
    from .statistics import Array

SCHEMA = "wiretally.compare/1"
MEASURE = "up_app_bytes"
NS = 1_000_000_000
TWO_ONE_SIDED = 0.10  # level of the interval whose inclusion is two one-sided tests at 5 %
UNEVEN = 0.10  # sessions whose lengths vary more than this are compared per minute
TIMELINE_BINS = 600
BEACON_DRAWS = 999
ORDERED = 12  # sessions from which an order without chance is told from a random one
EVERYTHING = "total"
UNNAMED = "no destination or owner is said to stop, appear, shrink, grow, be absent, or not to follow visits"
PERIODS = ("session", "minute", "visit")


@dataclass(frozen=True)
class CompareOptions:
    """alpha: level of q. margin: equivalence within 1 ± margin. stop_ratio: bound of `stops`. resamples: of permutation
    and bootstrap. per: session, minute, visit, or None to choose. baseline, compared, idle: the modes. least_share: of visits or uploads that
    a steady lag must be able to explain before coupling is ruled out below it.
    """  # noqa: D205  (a list of fields)

    alpha: float = 0.05
    margin: float = 0.25
    stop_ratio: float = 0.2
    resamples: int = 4999
    seed: int = 1
    per: str | None = None
    baseline: str = "normal"
    compared: str = "incognito"
    idle: str = "idle"
    least_share: float = 0.5


def compare(
    flows: pl.DataFrame,
    exchanges: pl.DataFrame,
    sessions: Sequence[Session],
    visits: Sequence[Visit] | None = None,
    capture: pl.DataFrame | None = None,
    options: CompareOptions | None = None,
) -> dict[str, Any]:
    """The comparison; flows, exchanges, capture: tables of the contract. Raises InputError where modes are missing."""
    chosen = options or CompareOptions()
    if chosen.per not in {None, *PERIODS}:
        raise InputError(f"--per {chosen.per}: not one of {', '.join(PERIODS)}")
    if chosen.baseline == chosen.compared:
        raise InputError(f"--compared {chosen.compared}: is the mode compared with: name two different ones")
    statistics.check(chosen.alpha, chosen.seed, chosen.resamples)
    closed = spans.ended(sessions, capture, exchanges)
    _check_modes(closed, chosen)
    volumes = volume.assign(flows, exchanges, closed)
    volume.check_devices(volumes, closed)
    visits = spans.placed(closed, visits or [])
    rows = spans.session_rows(volumes, closed, visits)
    per = chosen.per or _period(rows, chosen)
    if per == "visit" and not all(row["visits"] for row in rows if row["mode"] in (chosen.baseline, chosen.compared)):
        raise InputError("--per visit: a session has no visits; give --visits with a visit for each, or another --per")
    dropped = bool(capture is not None and (capture["dropped"].fill_null(0) > 0).any())
    nameless = spans.nameless(flows, capture, closed)
    board = _Board(volumes, rows, per, chosen, dropped=dropped, nameless=bool(nameless))
    concealed = hidden.of_sessions(flows, {session.device for session in closed})
    opened, source, lost = moments.opened(flows, closed, visits, chosen.idle)
    setting = coupling.Setting(chosen.alpha, chosen.least_share, chosen.resamples, chosen.seed, chosen.idle, source)
    result: dict[str, Any] = {
        "schema": SCHEMA, "capture": [], "sessions": rows, "measure": MEASURE, "per": per,
        "destinations": board.items("key"), "owners": board.items("owner"), "total": board.items(EVERYTHING)[0],
        "vendors": board.vendors(),
        "volumes": board.volumes(), "timeline": _timeline(volumes, closed),
        "basis": {
            "options": asdict(chosen) | {"per": per, "two_one_sided_level": TWO_ONE_SIDED},
            "seed": chosen.seed, "hidden_names": concealed.summary(),
            "warnings": _warnings(volumes, rows, capture, chosen) + spans.unnamed(nameless, UNNAMED) + moments.told(lost, source, len(opened)) + concealed.lines(),
            "databases": [], "versions": {}, "visits": {"source": source, "count": len(opened), "outside": lost},
        },
    }  # fmt: skip
    for kind, items in (("key", result["destinations"]), ("owner", result["owners"])):
        found = coupling.couple(volumes.exchanges, closed, opened, kind, setting, nameless=bool(nameless)) if opened else {}
        for item in items:
            item["coupling"] = found.get(item["key"])
    known = _known(result["destinations"], closed, opened)
    result["beacons"] = beacons.beacons(volumes.exchanges, BEACON_DRAWS, chosen.seed, chosen.alpha, known)
    return result


def _known(destinations: list[dict[str, Any]], sessions: Sequence[Session], opened: Sequence[moments.Opened]) -> beacons.Known:
    """What a heartbeat must not be: an effect of visits."""
    of = {session.session: session for session in sessions}
    at: dict[str, list[float]] = {}
    for visit in opened:
        at.setdefault(of[visit.session].device, []).append((of[visit.session].start + visit.at) / NS)
    locked = frozenset(item["key"] for item in destinations if item["coupling"] and item["coupling"]["verdict"] == coupling.LOCKED)
    return beacons.Known({device: np.sort(np.array(each)) for device, each in at.items()}, frozenset(visit.site for visit in opened), locked)


def _check_modes(sessions: Sequence[Session], options: CompareOptions) -> None:
    modes = {session.mode for session in sessions}
    for mode in (options.baseline, options.compared):
        if mode not in modes:
            raise InputError(f"sessions: no session in mode {mode!r}; there are {', '.join(sorted(modes))}; mark some, or name "
                             "the modes to compare")  # fmt: skip


def _period(rows: list[dict[str, Any]], options: CompareOptions) -> str:
    """Per session, unless their lengths differ so much that a rate is fairer.

    As many visits are as much browsing however long the machine took over it, so then only the modes' typical lengths count.
    """
    active = [row for row in rows if row["mode"] in (options.baseline, options.compared)]
    lengths = np.array([row["seconds"] for row in active])
    first = np.array([row["mode"] == options.baseline for row in active])
    if len({row["visits"] for row in active}) == 1 and active[0]["visits"]:
        one, other = lengths[first].mean(), lengths[~first].mean()
        return "minute" if abs(one - other) > UNEVEN * (one + other) / 2 else "session"
    return "minute" if lengths.std() > UNEVEN * lengths.mean() else "session"


class _Board:
    """Volumes by session and column, and the items made of them."""

    def __init__(
        self, volumes: volume.Volumes, rows: list[dict[str, Any]], per: str, options: CompareOptions, *, dropped: bool,
        nameless: bool,
    ) -> None:  # fmt: skip
        self._all = volumes._replace(sums=volumes.sums.with_columns(total=pl.lit(EVERYTHING)))
        self._rows, self._per, self._options, self._dropped = rows, per, options, dropped
        self._nameless = nameless
        self._modes = list(dict.fromkeys(row["mode"] for row in rows))

    def volumes(self) -> list[dict[str, Any]]:
        """Volume by session and destination."""
        owners = dict(self._all.sums.sort("key", "owner", descending=True).select("key", "owner").iter_rows())  # of several the first
        table = volume.per_session(self._all, "key").sort("session", "key")
        return [{"session": row["session"], "key": row["key"], "owner": owners.get(row["key"]),
                 "up_app_bytes": row["up_app_bytes"], "up_wire_bytes": row["up_wire_bytes"],
                 "exchanges": row["exchanges"]} for row in table.iter_rows(named=True)]  # fmt: skip

    def vendors(self) -> list[dict[str, Any]]:
        """Items of the organisations that stand above several owners, or above one of another name."""
        above = self._all.sums.filter(pl.col("parent") != pl.col("owner"))["parent"].unique().to_list()
        return [item for item in self.items("parent") if item["key"] in above] if above else []

    def items(self, kind: str) -> list[dict[str, Any]]:
        """One ITEM for each value of the column `kind`: key, owner, or total; largest upload first."""
        table = volume.per_session(self._all, kind)
        keys = table[kind].unique().sort().to_list() if len(table) else []
        if not keys:
            keys = [EVERYTHING] if kind == EVERYTHING else []
        place = {key: at for at, key in enumerate(keys)}
        session = {row["session"]: at for at, row in enumerate(self._rows)}
        matrix = np.zeros((len(self._rows), len(keys)))
        counts = np.zeros_like(matrix)
        for row in table.iter_rows(named=True):
            matrix[session[row["session"]], place[row[kind]]] = row[MEASURE]
            counts[session[row["session"]], place[row[kind]]] = row["exchanges"]
        made = self._made(matrix * self._scale()[:, None], counts, keys, kind) if keys else []
        return sorted(made, key=lambda item: -max((mode["mean"] or 0) for mode in item["modes"].values()))

    def _scale(self) -> Array:
        """What each session's bytes are multiplied with to become bytes per period."""
        lengths = np.array([row["seconds"] for row in self._rows])
        active = np.array([row["mode"] in (self._options.baseline, self._options.compared) for row in self._rows])
        if self._per == "minute":
            return np.asarray(60 / lengths)
        visits = np.array([row["visits"] for row in self._rows], float)
        scale = np.where(active & (visits > 0), 1 / np.maximum(visits, 1), 1.0) if self._per == "visit" else np.ones(
            len(lengths))  # fmt: skip
        typical = lengths[active].mean() / (visits[active].mean() if self._per == "visit" else 1)
        idle = np.array([row["mode"] == self._options.idle for row in self._rows])
        return np.where(idle, typical / lengths, scale)

    def _of(self, matrix: Array, mode: str) -> Array:
        return matrix[[row["mode"] == mode for row in self._rows]]

    def _made(self, matrix: Array, counts: Array, keys: list[str], kind: str) -> list[dict[str, Any]]:
        o = self._options
        a, c, z = (self._of(matrix, mode) for mode in (o.baseline, o.compared, o.idle))
        boot = statistics.Bootstrap([a, c, z], o.resamples, o.seed)
        wide, narrow = boot.ratio(o.alpha), boot.ratio(TWO_ONE_SIDED)
        shift = statistics.hodges_lehmann(a, c, o.alpha)
        p = statistics.permutation_p(a, c, o.resamples, o.seed)
        p = np.where((a.sum(axis=0) == 0) & (c.sum(axis=0) == 0), np.nan, p)
        q = statistics.false_discovery(p)
        tests = int((~np.isnan(p)).sum())
        means = {mode: statistics.mean_interval(self._of(matrix, mode), o.alpha) for mode in self._modes}
        facts = self._facts(kind)
        made = []
        for at, key in enumerate(keys):
            idle = float(z[:, at].mean()) if len(z) else 0.0
            numbers = Numbers(
                float(a[:, at].mean()), float(c[:, at].mean()), idle, wide.low[at], wide.high[at], narrow.low[at],
                narrow.high[at], q[at], min(len(a), len(c)), self._dropped,
                self._nameless and kind != EVERYTHING,
            )  # fmt: skip
            word = verdict(numbers, o.alpha, o.margin, o.stop_ratio)
            modes = {
                mode: {
                    "sessions": len(self._of(matrix, mode)),
                    "mean": _number(means[mode].estimate[at]),
                    "median": _number(np.median(self._of(matrix, mode)[:, at])),
                    "ci_low": _number(means[mode].low[at]),
                    "ci_high": _number(means[mode].high[at]),
                    "exchanges": int(self._of(counts, mode)[:, at].sum()),
                }
                for mode in self._modes
            }
            settle = word == INCONCLUSIVE and min(len(a), len(c)) > 1 and not numbers.nameless  # no number of such sessions settles it
            made.append({
                "key": key, "name": key, **facts.get(key, {"owner": None, "category": None, "countries": [], "places": []}),
                "modes": modes,
                "ratio": _interval(wide, at) if word != ABSENT else _interval(None, at),
                "difference": _interval(shift, at), "p": _number(p[at]), "q": _number(q[at]), "verdict": word,
                "needed_sessions": statistics.needed(a[:, at], c[:, at], idle, o.margin, o.alpha, tests) if settle else None,
                "coupling": None,
            })  # fmt: skip
        return made

    def _facts(self, kind: str) -> dict[str, dict[str, Any]]:
        """Owner, category and countries of each value: the most common by upload, all countries."""
        rows = self._all.sums
        largest = rows.select("largest", "owner", "category", "country", item=pl.col(kind)).group_by(
            "item", "owner", "category", "country").agg(pl.col("largest").max())  # fmt: skip
        table = largest.sort("largest", "owner", "category", "country", descending=[True, False, False, False]).group_by("item").agg(
            pl.col("owner").drop_nulls().unique(maintain_order=True), pl.col("category").drop_nulls().unique(
                maintain_order=True), pl.col("country").drop_nulls().unique().sort(),
        )  # fmt: skip
        where = places(rows, kind)
        found = {}
        for value, owners, categories, countries in table.iter_rows():
            mixed = kind != "key"
            found[value] = {
                "owner": None if kind == EVERYTHING else (owners[0] if owners else None),
                "category": categories[0] if categories and (not mixed or len(categories) == 1) else None,
                "countries": countries,
                "places": where.get(value, []),
            }
        return found


def _timeline(volumes: volume.Volumes, sessions: Sequence[Session]) -> dict[str, Any]:
    """Uploads over time, in so many bins that a chart can show them."""
    span = (max(s.end or s.start for s in sessions) - min(s.start for s in sessions)) / NS
    width = next(w for w in (1, 2, 5, 10, 30, 60, 300, 600, 3600, 86400, 1 << 30) if span / w <= TIMELINE_BINS)
    bins = volume.timeline(volumes, width)
    return {
        "bin_seconds": width,
        "bins": [{**row, "time": spans.rfc3339(row["time"])} for row in
                 bins.with_columns(pl.col("time").dt.epoch("ns")).iter_rows(named=True)],
    }  # fmt: skip


def _warnings(
    volumes: volume.Volumes, rows: list[dict[str, Any]], capture: pl.DataFrame | None, options: CompareOptions
) -> list[str]:
    """Everything that a reader must know before believing a number."""
    told = []
    counts = {mode: sum(row["mode"] == mode for row in rows) for mode in (options.baseline, options.compared, options.idle)}
    told += [
        f"only {counts[mode]} session(s) in mode {mode}: no difference can be shown with fewer than {MIN_SESSIONS}"
        for mode in (options.baseline, options.compared) if counts[mode] < MIN_SESSIONS
    ]  # fmt: skip
    least = statistics.smallest_p(counts[options.baseline], counts[options.compared])
    if least > options.alpha:
        told.append(f"with {counts[options.baseline]} and {counts[options.compared]} sessions the smallest possible p is "
                    f"{least:.3f}: no difference can reach {options.alpha}")  # fmt: skip
    if not counts[options.idle]:
        told.append("no idle session: uploads that have nothing to do with browsing are not subtracted")
    order = [row["mode"] for row in rows if row["mode"] in (options.baseline, options.compared)]
    changes = sum(one != other for one, other in pairwise(order))
    if len(order) > 2 and changes == 1:
        told.append("all sessions of one mode came before those of the other: an effect of time cannot be told apart")
    elif len(order) >= ORDERED and changes == len(order) - 1:
        told.append("the two modes took turns without exception: unless chance drew that order, what comes back with every second session "
                    "cannot be told apart; `wiretally plan` draws an order")  # fmt: skip
    elif len(order) >= ORDERED and changes == 2:
        told.append("the sessions of a mode came in one run: unless chance drew that order, an effect of time may be taken for one of the mode; "
                    "`wiretally plan` draws an order")  # fmt: skip
    if capture is not None:
        lost = int(capture["dropped"].fill_null(0).sum())
        if lost:
            told.append(f"{lost} packets were lost while capturing: no verdict is 'stops'")
        if capture["cut_short"].any():
            told.append("a capture ends in the middle of a packet: what came after it is missing")
    told += [f"device {device} of the sessions is in no flow of the captures" for device in volumes.unseen]
    silent = [row["session"] for row in rows if not row["exchanges"] and row["mode"] != options.idle]
    if silent:
        told.append(f"no traffic at all in session(s) {', '.join(silent[:5])}: check the clock of the marks")
    for mode in dict.fromkeys(row["mode"] for row in rows):
        if mode not in counts:
            told.append(f"mode {mode} ({sum(row['mode'] == mode for row in rows)} session(s)): not compared; name it with --compared")
    total = sum(row["up_app_bytes"] for row in rows)
    if total and volumes.straddling > 0.01 * total:
        told.append(f"{volumes.straddling} uploaded bytes are in exchanges that outlast their session; they count where they began")
    if volumes.inexact > 0.01:
        told.append(f"{volumes.inexact:.0%} of the uploaded bytes are estimates: record headers were lost or are not defined")
    return told


def _interval(found: statistics.Interval | None, at: int) -> dict[str, float | None]:
    if found is None:
        return {"estimate": None, "ci_low": None, "ci_high": None}
    return {"estimate": _number(found.estimate[at]), "ci_low": _number(found.low[at]), "ci_high": _number(found.high[at])}


def _number(value: float) -> float | None:
    """A float that JSON can hold; null where it is not defined."""
    return float(value) if isfinite(value) else None
