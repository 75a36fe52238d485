"""The length probe: whether what is uploaded grows with the length of the URL that is visited.

Theory: characters of high entropy are added to the URLs that are visited, as many as chance decides. Whoever uploads the
URL uploads more for a longer one; encryption hides what is sent, not how much. Flush totals (`flushes.py`) are regressed
on the sums of the pads of the visits since the last flush, by ranks (`slopes.py`), with the pad of the visit before
the first of these (a referrer) as an input of its own: own and lagged slopes are never folded into one. Chance is made from
the same pads in another order within each session.

| word | what it takes |
|---|---|
| url_dependent | q <= alpha and the slope is above 0 |
| independent | the 1 - 2 alpha interval of the slope lies within ± least_slope (two one-sided tests) |
| inconclusive | neither, or the control failed |

One host may be spoken to by two programs, as where a browser's telemetry goes to the content network that pages load from.
Then a page's request stands between a visit and the report of it, and the two do not belong to one flush. Programs say
hello with cipher lists of their own (the second part of JA4), so where one destination hears several, each is asked by
itself as well as all together, and the smallest p counts as often as was asked (Bonferroni).

The control: the visited sites themselves, taken together: what goes to the site of the latest visit. Its request carries
the URL, so it must be `url_dependent`; where it is not, visits and uploads do not belong together (a wrong clock, pads that
never reached the URL), and nothing is called independent. Nor is it where names are missing since packets came too fast. Together, because a plan may visit a site once in a session, and
one pad has no other order.

Rules: q is over the destinations that are no control. `independent` takes every program of a destination. Same input and seed give the same result.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from ..core.errors import InputError
from . import hidden, slopes, spans, statistics, volume
from .flushes import Sent, flushes, latest, silent
from .moments import host_of, site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .flushes import Bools, Flushes
    from .inputs import Session, Visit
    from .slopes import Floats, Ints, Slope

SCHEMA = "wiretally.probe/1"
URL_DEPENDENT, INDEPENDENT, INCONCLUSIVE = "url_dependent", "independent", "inconclusive"
MIN_FLUSHES = 8
MOST_TESTED = 5000  # destinations tested, those with most uploads first
MOST_PROGRAMS = 4  # of a destination that are asked by themselves, those with most uploads first
MOST_POINTS = 500  # of a destination, for its chart
FIRST, EXTREMES = 399, 10  # arrangements of all; what then had so many as large is chance, and is not drawn further
UNNAMED = "nothing is called independent"
CELLS = 50_000_000  # arrangements × visits held at one time


@dataclass(frozen=True)
class ProbeOptions:
    """alpha: level of q. least_slope: bytes per character that `independent` must exclude. resamples: arrangements.
    idle: the mode in which nothing is visited.
    """  # noqa: D205  (a list of fields)

    alpha: float = 0.05
    least_slope: float = 0.25
    resamples: int = 1999
    seed: int = 1
    idle: str = "idle"


class _Visits(NamedTuple):
    """Visits in order of session and time: session (index), moment on the line, pad (0 where none), padded, site, host."""

    session: Ints
    at: Ints
    pad: Floats
    padded: Bools
    site: Any
    host: Any


def probe(
    flows: pl.DataFrame, exchanges: pl.DataFrame, sessions: Sequence[Session], visits: Sequence[Visit],
    capture: pl.DataFrame | None = None, options: ProbeOptions | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The result of the contract; flows, exchanges, capture: its tables. Raises InputError where there are no pads."""
    chosen = options or ProbeOptions()
    statistics.check(chosen.alpha, chosen.seed, chosen.resamples)
    if not 0 < chosen.least_slope < np.inf:
        raise InputError(f"--least-slope {chosen.least_slope}: give bytes per character, above 0")
    closed = spans.ended(sessions, capture, exchanges)
    volumes = volume.assign(flows, exchanges, closed)
    volume.check_devices(volumes, closed)
    visits = spans.placed(closed, visits)
    found = _visits(closed, visits)
    _check_pads(found, visits)
    modes = np.array([session.mode for session in closed])
    concealed = hidden.of_sessions(flows, {session.device for session in closed})
    items = _Items(volumes, _programs(flows), closed, found, chosen)
    whole = items.measured(np.full(len(modes), fill_value=True))
    apart = {mode: copy.deepcopy(whole) if (modes[found.session] == mode).all() else items.measured(modes == mode)
             for mode in dict.fromkeys(modes.tolist()) if mode != chosen.idle}  # fmt: skip
    together = items.visited()
    ok = together["verdict"] == URL_DEPENDENT if together["p"] is not None else None
    nameless = spans.nameless(flows, capture, closed)
    destinations: list[dict[str, Any]] = []
    for at, key in enumerate(items.keys):
        mine = {mode: parts[at] for mode, parts in apart.items()}
        if ok is False or nameless:
            for each in (whole[at], *mine.values()):
                each["verdict"] = INCONCLUSIVE if each["verdict"] == INDEPENDENT else each["verdict"]
        points = whole[at].pop("points")
        for each in mine.values():
            each.pop("points")
        destinations.append({"key": key, "name": key, **items.facts[key], **whole[at], "control": items.control[at],
                             "modes": mine, "points": _shown(points, [session.mode for session in closed])})  # fmt: skip
    return {
        "schema": SCHEMA, "capture": [], "sessions": spans.session_rows(volumes, closed, visits),
        "destinations": sorted(destinations, key=lambda each: (each["control"], -(each["slope"]["estimate"] or 0), each["key"])),
        "control": {"keys": [key for key, is_one in zip(items.keys, items.control, strict=True) if is_one], "ok": ok,
                    "slope": together["slope"], "p": together["p"]},
        "basis": {"options": asdict(chosen), "seed": chosen.seed, "hidden_names": concealed.summary(),
                  "warnings": _warnings(found, closed, len(visits), chosen, ok=ok) + _lost(capture) + spans.unnamed(nameless, UNNAMED) + concealed.lines(), "databases": [], "versions": {}},
    }  # fmt: skip


def _visits(sessions: Sequence[Session], visits: Sequence[Visit]) -> _Visits:
    """Those inside their sessions."""
    place = {session.session: number for number, session in enumerate(sessions)}
    line = spans.line(sessions)
    rows = []
    for visit in visits:
        number = place.get(visit.session)
        if number is not None and sessions[number].start <= visit.time < (sessions[number].end or visit.time):
            rows.append((number, int(line[number]) + visit.time - sessions[number].start, visit.pad, host_of(visit.url)))
    rows.sort(key=lambda row: row[:2])
    return _Visits(
        np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.int64),
        np.array([row[2] or 0 for row in rows], float), np.array([row[2] is not None for row in rows], bool),
        np.array([site(row[3]) for row in rows], object), np.array([row[3] for row in rows], object),
    )  # fmt: skip


def _check_pads(found: _Visits, given: Sequence[Visit]) -> None:
    if given and not len(found.at):
        unsaid = sum(not visit.session for visit in given)
        which = f"{unsaid} name no session in the column `session`, and not one session alone lies around their time; " if unsaid else ""
        raise InputError(f"visits: none of the {len(given)} visits lies in a session, in which a probe compares: {which}check the sessions' "
                         "names, and the clock")  # fmt: skip
    if not found.padded.any() or np.ptp(found.pad[found.padded]) == 0:
        raise InputError("visits: no pads, or all the same: a probe needs visits whose URLs were made longer by different "
                         "numbers of characters, in the column `pad`; `wiretally probe plan` writes such visits")  # fmt: skip


class _Items:
    """Destinations with their uploads, asked for slopes in some of the sessions."""

    def __init__(
        self, volumes: volume.Volumes, programs: pl.DataFrame, sessions: Sequence[Session], visits: _Visits, options: ProbeOptions
    ) -> None:  # fmt: skip
        self._visits, self._options = visits, options
        rows = _after_visits(volumes.exchanges, programs, sessions, visits)
        parts = {str(key[0]): part for key, part in rows.partition_by("key", as_dict=True, maintain_order=True).items()}
        uploads = {key: int(part["uploads"].sum()) for key, part in parts.items()}
        self.keys = sorted(sorted(parts, key=lambda key: (-uploads[key], key))[:MOST_TESTED])
        self._sent = [self._of(parts[key]) for key in self.keys]
        self._apart = [self._by_program(parts[key]) for key in self.keys]
        sites, hosts = set(visits.site.tolist()), set(visits.host.tolist())
        self.control = [key in hosts for key in self.keys]
        self._own = [site(key) if site(key) in sites else None for key in self.keys]
        self.facts = _facts(volumes.sums)
        self._arranged: dict[tuple[bytes, int], tuple[slopes.Arranged, slopes.Arranged, Floats]] = {}

    def _of(self, part: pl.DataFrame) -> Sent:
        return Sent(part["after"].to_numpy(), part["place"].to_numpy(), part["amount"].to_numpy().astype(float), part["lag"].to_numpy())

    def _by_program(self, part: pl.DataFrame) -> dict[str | None, Sent]:
        """The uploads of each program, where there are several with enough of them."""
        counts = part.group_by("program").agg(len=pl.col("uploads").sum()).filter(pl.col("len") >= MIN_FLUSHES).sort(
            "len", "program", descending=[True, False])  # fmt: skip
        names = counts["program"].head(MOST_PROGRAMS).to_list()
        if part["program"].n_unique() < 2:
            return {}
        return {name: self._of(part.filter(pl.col("program").eq_missing(name))) for name in names}

    def measured(self, on: Bools) -> list[dict[str, Any]]:
        """The numbers of every destination from the sessions that are `on`."""
        self._arranged.clear()
        items = [self._item(number, on) for number in range(len(self.keys))]
        for which in ("", "lagged"):
            rows = [item["lagged"] if which else item for item in items]
            for family in (False, True):
                mine = [row for row, control in zip(rows, self.control, strict=True) if control == family]
                q = statistics.false_discovery(np.array([np.nan if row["p"] is None else row["p"] for row in mine]))
                for row, value in zip(mine, q, strict=True):
                    row["q"] = _number(value)
                    row["verdict"] = self._verdict(row)
        return items

    def visited(self) -> dict[str, Any]:
        """The numbers of the visited sites as one destination: uploads to the site of the latest visit."""
        visits = self._visits
        mine = [(self._sent[number], self.keys[number]) for number in range(len(self.keys)) if self.control[number]]
        kept = [self._latest(sent, key) for sent, key in mine]
        if not kept:
            return _told(slopes.NOTHING)
        joined = Sent(*(np.concatenate([sent[field] for sent in kept]) for field in range(len(Sent._fields))))
        row = _told(self._slopes(flushes(joined, visits.session, visits.padded, visits.at), visits.padded)[0])
        row["q"] = row["p"]
        return row | {"verdict": self._verdict(row)}

    def _latest(self, sent: Sent, key: str) -> Sent:
        """Those uploads that follow a visit to `key` before any other visit."""
        own = (sent.after >= 0) & (self._visits.host[np.maximum(sent.after, 0)] == key)
        return Sent(*(column[own] for column in sent))

    def _item(self, number: int, on: Bools) -> dict[str, Any]:
        """One destination: all its uploads together, or those of the program that tells most, where that tells more."""
        whole = self._row(number, self._sent[number], on)
        if not self._apart[number]:
            return whole
        rows = [whole, *({**self._row(number, sent, on), "program": name} for name, sent in self._apart[number].items())]
        item, before = dict(_clearest(rows)), _clearest([row["lagged"] for row in rows])
        return item | {"lagged": before}

    def _row(self, number: int, sent: Sent, on: Bools) -> dict[str, Any]:
        visits, own, key = self._visits, self._own[number], self.keys[number]
        usable = visits.padded & on[visits.session]
        if own is not None:
            usable &= visits.host == key if self.control[number] else visits.site == own
        if on[sent.session].any() and usable.any():
            found = flushes(sent, visits.session, usable, visits.at)
        else:
            found = silent(visits.session, usable)
        first, lagged = self._slopes(found, usable)
        return {
            "visits": len(found.visits), "flushes": len(found.first), "uploaded": float(found.amount.sum()), "program": None,
            **_told(first), "lagged": _told(lagged), "points": (found, found.sums(visits.pad)),
        }  # fmt: skip

    def _slopes(self, found: Flushes, usable: Bools) -> tuple[Slope, Slope]:
        if len(found.first) < MIN_FLUSHES:
            return slopes.NOTHING, slopes.NOTHING
        _, session = np.unique(found.session, return_inverse=True)
        told: tuple[Slope, Slope] = slopes.NOTHING, slopes.NOTHING
        for draws in (min(FIRST, self._options.resamples), self._options.resamples):
            own, lagged, mean = self._arrangements(usable, draws)
            sums = slopes.Arranged(found.sums(own.real), found.sums(own.drawn))
            ahead = found.visits[found.first]  # of the visits in a flush compression writes each address once
            before = slopes.Arranged(lagged.real[ahead], lagged.drawn[:, ahead], lagged.beside[ahead])
            told = slopes.fit(found.amount, sums, before, found.sums(mean), (found.size, session), self._options.alpha)
            if not any(slope.p < (1 + EXTREMES) / (1 + draws) for slope in told):  # clearly chance (Besag and Clifford 1991)
                break
        return told

    def _arrangements(self, usable: Bools, draws: int) -> tuple[slopes.Arranged, slopes.Arranged, Floats]:
        """Pads of all visits, and of the visit before each: as they were, and in other orders; centred. And the means."""
        key = usable.tobytes(), draws
        if key not in self._arranged:
            session, chosen = self._visits.session, np.flatnonzero(usable)
            draws = max(min(draws, CELLS // max(len(session), 1)), 99)
            random = np.random.default_rng(self._options.seed)
            order = random.random((draws, len(chosen))).argsort(axis=1)
            order = np.take_along_axis(order, session[chosen][order].argsort(axis=1, kind="stable"), axis=1)
            mean = _means(self._visits.pad, usable, session)
            own = np.zeros((draws + 1, len(session)), np.float64)
            own[:, chosen] = self._visits.pad[chosen] - mean[chosen]
            own[1:, chosen] = own[0, chosen][order]
            before = np.zeros_like(own)
            linked = np.flatnonzero(usable[1:] & usable[:-1] & (session[1:] == session[:-1])) + 1
            before[:, linked] = own[:, linked - 1]
            ahead = np.zeros(len(session))  # a session's first visit has none before it
            ahead[linked] = self._visits.pad[linked - 1]
            # draws innermost in memory: sums over visits then add whole rows
            self._arranged[key] = (slopes.Arranged(own[0], np.ascontiguousarray(own[1:].T).T),
                                   slopes.Arranged(before[0], np.ascontiguousarray(before[1:].T).T, ahead), mean)  # fmt: skip
        return self._arranged[key]

    def _verdict(self, row: dict[str, Any]) -> str:
        if row["q"] is None:
            return INCONCLUSIVE
        if row["q"] <= self._options.alpha and row["slope"]["estimate"] > 0:
            return URL_DEPENDENT
        ends = [np.inf if end is None else abs(end) for end in row["inner"]]
        return INDEPENDENT if max(ends) < self._options.least_slope else INCONCLUSIVE


def _after_visits(exchanges: pl.DataFrame, programs: pl.DataFrame, sessions: Sequence[Session], visits: _Visits) -> pl.DataFrame:
    """(key, program, place, after, amount, uploads, lag): by the latest visit, since a flush has no more to tell; slice by slice."""
    line, of = spans.line(sessions), ["key", "program", "place", "after"]
    places = spans.places(sessions, exchanges.schema["session"])
    parts = []
    for rows in (exchanges.iter_slices(volume.SLICE) if len(exchanges) else [exchanges]):
        sent = rows.filter(pl.col("up_app_bytes") > 0).join(places, on="session").join(programs, on="flow_id", how="left")
        place = sent["place"].to_numpy()
        at = line[place] + (sent["began"] - sent["from"]).to_numpy()
        last = latest(at, place, visits.at, visits.session)
        lag = at - visits.at[np.maximum(last, 0)] if len(visits.at) else at
        parts.append(sent.with_columns(after=pl.Series(last, dtype=pl.Int64), lag=pl.Series(lag, dtype=pl.Int64)).group_by(of).agg(
            amount=pl.col("up_app_bytes").sum().cast(pl.Int64), uploads=pl.len().cast(pl.Int64), lag=pl.col("lag").min()))  # fmt: skip
    return pl.concat(parts).group_by(of).agg(pl.col("amount").sum(), pl.col("uploads").sum(), pl.col("lag").min()).sort(of, nulls_last=True)


def _programs(flows: pl.DataFrame) -> pl.DataFrame:
    """(flow_id, program): the cipher list of the hello, which a program keeps where extensions come and go (resumption)."""
    program = pl.col("ja4").str.split("_").list.get(1, null_on_oob=True)
    return flows.select(pl.col("flow_id").cast(pl.Categorical()), program=program.cast(pl.Categorical())).unique(subset="flow_id")


def _clearest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row with the smallest p, times the number of those asked; the widest interval of all, for `independent`."""
    asked = [row for row in rows if row["p"] is not None]
    if not asked:
        return rows[0]
    best = min(asked, key=lambda row: row["p"])  # of equals the first: all together
    low, high = ([row["inner"][end] for row in asked] for end in (0, 1))
    inner = [None if None in low else min(low), None if None in high else max(high)]
    return best | {"p": min(best["p"] * len(asked), 1.0), "inner": inner}


def _means(pads: Floats, usable: Bools, session: Ints) -> Floats:
    """The mean pad of each visit's session, of those that are usable; zero elsewhere."""
    count = np.bincount(session[usable], minlength=int(session.max(initial=0)) + 1)
    total = np.bincount(session[usable], weights=pads[usable], minlength=len(count))
    return np.where(usable, (total / np.maximum(count, 1))[session], 0.0)


def _told(slope: Slope) -> dict[str, Any]:
    return {
        "slope": {"estimate": _number(slope.estimate), "ci_low": _number(slope.low), "ci_high": _number(slope.high)},
        "inner": [_number(slope.inner_low), _number(slope.inner_high)], "p": _number(slope.p), "q": None,
        "verdict": INCONCLUSIVE,
    }  # fmt: skip


def _shown(points: tuple[Flushes, Floats], modes: Sequence[str]) -> list[dict[str, Any]]:
    """Flushes for a chart, at most MOST_POINTS of them, evenly taken."""
    found, pads = points
    step = -(-len(found.first) // MOST_POINTS) or 1
    return [{"pad": int(pads[at]), "bytes": int(found.amount[at]), "visits": int(found.size[at]), "mode": modes[found.session[at]]}
            for at in range(0, len(found.first), step)]  # fmt: skip


def _facts(sums: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Owner and category of each destination, by its largest upload."""
    largest = sums.group_by("key", "owner", "category").agg(pl.col("largest").max())
    table = largest.sort("largest", "owner", "category", descending=[True, False, False]).group_by("key").agg(
        pl.col("owner").drop_nulls().first(), pl.col("category").drop_nulls().first())  # fmt: skip
    return {key: {"owner": owner, "category": category} for key, owner, category in table.iter_rows()}


def _warnings(found: _Visits, sessions: Sequence[Session], given: int, options: ProbeOptions, *, ok: bool | None) -> list[str]:
    """Everything that a reader must know before believing a number."""
    told = []
    if len(found.at) < given:
        told.append(f"{given - len(found.at)} visits are in no session, or outside the time of theirs: check the clock")
    if not found.padded.all():
        told.append(f"{int((~found.padded).sum())} visits have no pad and are left out, with the uploads that may tell of them")
    if ok is None:
        told.append("no control: none of the visited sites was seen in the traffic with enough visits")
    if ok is False:
        told.append("the control failed: uploads to the visited site do not grow with its URLs, so visits and uploads do not "
                    "belong together; nothing is called independent")  # fmt: skip
    counts = np.bincount(found.session[found.padded], minlength=len(sessions))
    for mode in dict.fromkeys(session.mode for session in sessions):
        number = int(sum(count for count, session in zip(counts, sessions, strict=True) if session.mode == mode))
        if mode != options.idle and number < 2 * MIN_FLUSHES:
            told.append(f"only {number} visit(s) with a pad in mode {mode}: that settles little")
    if ((counts > 0) & (counts < 3)).any():
        told.append("some sessions have fewer than three visits with a pad: chance is made by re-ordering pads within a session, and there is little to re-order")
    return told


def _lost(capture: pl.DataFrame | None) -> list[str]:
    lost = 0 if capture is None else int(capture["dropped"].fill_null(0).sum())
    return [f"{lost} packets were lost while capturing: uploads may be missing, and slopes be too small"] if lost else []


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
