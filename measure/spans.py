"""Sessions as spans of time: closed, numbered, laid end to end, and as rows of a result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from . import volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .inputs import Session, Visit

NS = 1_000_000_000
APART_NS = 60 * NS  # between sessions on the line: more than any lag that is looked at


def ended(sessions: Sequence[Session], capture: pl.DataFrame | None, exchanges: pl.DataFrame) -> list[Session]:
    """Sessions that are still open end with the capture."""
    latest = exchanges["end"].dt.epoch("ns").max() if len(exchanges) else None
    if capture is not None and len(capture) and capture["last_seen"].is_not_null().any():
        latest = capture["last_seen"].dt.epoch("ns").max()
    last = int(latest) if isinstance(latest, int) else max(s.start for s in sessions) + 1
    return [s if s.end is not None else type(s)(s.session, s.device, s.mode, s.start, max(last, s.start + 1), s.notes)
            for s in sessions]  # fmt: skip


def placed(sessions: Sequence[Session], visits: Sequence[Visit]) -> list[Visit]:
    """Visits whose session was left empty in the one that lies around them, where it is the only one; the rest as they are."""
    def only(time: int) -> str:
        around = [session.session for session in sessions if session.start <= time < (session.end or time + 1)]
        return around[0] if len(around) == 1 else ""

    return [visit if visit.session else replace(visit, session=only(visit.time)) for visit in visits]


def nameless(flows: pl.DataFrame, capture: pl.DataFrame | None, sessions: Sequence[Session]) -> list[str]:
    """The sessions in which payloads were not parsed, or in which a flow lives on that began then: names are missing there."""
    if capture is None:
        return []
    time = [pl.col(name).dt.epoch("ns").alias(name) for name in ("first_seen", "last_seen")]
    lean = capture.filter((pl.col("degraded") == "payload") & pl.col("first_seen").is_not_null()).select(time).sort("first_seen")
    if not len(lean):
        return []
    begin, end = (lean[name].to_numpy() for name in lean.columns)
    away = pl.col("name").is_null() & pl.col("first_seen").is_not_null() & ~pl.col("remote_ip").str.contains(volume.INSIDE)
    unnamed = flows.filter(away).select("local_ip", "local_mac", *time)
    at = np.searchsorted(begin, unnamed["first_seen"].to_numpy(), side="right") - 1
    late = unnamed.filter((at >= 0) & (unnamed["first_seen"].to_numpy() <= end[np.maximum(at, 0)]))

    def touched(session: Session) -> bool:
        until = session.end or session.start
        mine = ((pl.col("local_ip") == session.device) | (pl.col("local_mac") == session.device)).fill_null(value=False)
        living = (pl.col("first_seen") < until) & (pl.col("last_seen") >= session.start)
        return bool(((begin < until) & (end >= session.start)).any()) or len(late.filter(mine & living)) > 0

    return [session.session for session in sessions if touched(session)]


def unnamed(sessions: Sequence[str], consequence: str) -> list[str]:
    """The line that says so; sessions: of `nameless`."""
    if not sessions:
        return []
    which = ", ".join(sessions[:5]) + (f" and {len(sessions) - 5} more" if len(sessions) > 5 else "")
    told = f"packets came faster than they could be followed in session(s) {which}: names are missing there and uploads stand under addresses"
    return [f"{told}; {consequence}"]


def places(sessions: Sequence[Session], kind: pl.DataType) -> pl.DataFrame:
    """(session, place, from): the number of each session in the list, and its start in ns since the epoch; `kind`: of session."""
    return pl.DataFrame(
        {"session": [s.session for s in sessions], "place": range(len(sessions)), "from": [s.start for s in sessions]},
        schema={"session": pl.String, "place": pl.Int64, "from": pl.Int64},
    ).with_columns(pl.col("session").cast(kind))


def line(sessions: Sequence[Session]) -> npt.NDArray[np.int64]:
    """Where each session begins, in ns, when all are laid end to end, too far apart for a lag to cross."""
    lengths = [(s.end or s.start) - s.start + APART_NS for s in sessions]
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(lengths, np.int64))])


def session_rows(volumes: volume.Volumes, sessions: Sequence[Session], visits: Sequence[Visit]) -> list[dict[str, Any]]:
    """The `sessions` of the contract, in order of time."""
    whole = volumes.sums.with_columns(all=pl.lit("all"))
    sums = volume.per_session(volumes._replace(sums=whole), "all").drop("all")
    known = {row["session"]: row for row in sums.to_dicts()}
    counts: dict[str, int] = {}
    for visit in visits:
        counts[visit.session] = counts.get(visit.session, 0) + 1
    rows = []
    for s in sessions:
        end = s.end if s.end is not None else s.start
        found = known.get(s.session, {})
        rows.append({
            "session": s.session, "device": s.device, "mode": s.mode, "start": rfc3339(s.start), "end": rfc3339(end),
            "seconds": (end - s.start) / NS, "visits": counts.get(s.session, 0), "exchanges": found.get("exchanges", 0),
            **{name: found.get(name, 0) for name in volume.SUMMED},
        })  # fmt: skip
    return rows


def rfc3339(ns: int) -> str:
    """UTC with nine digits."""
    seconds, fraction = divmod(ns, NS)
    return f"{np.datetime64(seconds, 's')}.{fraction:09d}Z"
