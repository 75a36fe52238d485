"""Ground truth: the servers' ledger, summed by session and host.

`truth.json` (schema `wiretally.truth/1`): `sessions[].hosts[name]` holds `up_app_bytes` and `down_app_bytes`, the
plaintext inside TLS application data between the session's start and end by the server's clock, HTTP framing included
and TLS handshake, tickets and alerts not; `posts` are the telemetry POSTs, with the number of page events in each;
`between` holds the bytes per host that fall into no session. `clearance_ms` is the smallest time between any byte and
any session mark: where it is some milliseconds, no byte can be in another session at the tap than at the server.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SCHEMA = "wiretally.truth/1"
NS = 1_000_000_000

Totals = dict[str, dict[str, int]]


class Span(NamedTuple):
    """A session as it was: times in ns since the epoch; `history` is what the profile remembered."""

    session: str
    mode: str
    start: int
    end: int
    history: int
    notes: str


class Visit(NamedTuple):
    """A page that was opened at `time` (ns since the epoch)."""

    time: int
    session: str
    url: str


def rfc3339(time_ns: int) -> str:
    """UTC with nine digits, as every time of the contract."""
    whole = dt.datetime.fromtimestamp(time_ns // NS, dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time_ns % NS:09d}Z"


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """The entries in the order in which they were written."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def tally(ledger: Iterable[dict[str, Any]], spans: Sequence[Span]) -> tuple[dict[str, Totals], Totals]:
    """Bytes per session and host, and those of no session."""
    sessions: dict[str, Totals] = {span.session: {} for span in spans}
    between: Totals = {}
    for entry in ledger:
        if "bytes" not in entry:
            continue
        session = session_at(entry["time_ns"], spans)
        hosts = between if session is None else sessions[session]
        totals = hosts.setdefault(entry["host"], {"up_app_bytes": 0, "down_app_bytes": 0})
        totals[f"{entry['way']}_app_bytes"] += entry["bytes"]
    return sessions, between


def session_at(time_ns: int, spans: Sequence[Span]) -> str | None:
    """The session of a moment: start included, end not."""
    return next((span.session for span in spans if span.start <= time_ns < span.end), None)


def clearance_ms(ledger: Iterable[dict[str, Any]], spans: Sequence[Span]) -> float:
    """How close in time any byte comes to any mark."""
    marks = [mark for span in spans for mark in (span.start, span.end)]
    gaps = [abs(entry["time_ns"] - mark) for entry in ledger for mark in marks]
    return min(gaps, default=NS) / 1e6


def build(
    ledger: list[dict[str, Any]], spans: Sequence[Span], visits: Sequence[Visit], about: dict[str, Any]
) -> dict[str, Any]:
    """The whole document; `about` is what the recorder knows of the arm, the machine and the hosts."""
    sessions, between = tally(ledger, spans)
    posts = [
        {
            "time": rfc3339(entry["time_ns"]),
            "session": session_at(entry["time_ns"], spans),
            "host": entry["host"],
            "events": entry["post"],
            "up_app_bytes": entry["up_bytes"],
        }
        for entry in ledger
        if "post" in entry
    ]
    return {
        "schema": SCHEMA,
        **about,
        "clearance_ms": round(clearance_ms(ledger, spans), 3),
        "sessions": [
            {
                "session": span.session,
                "mode": span.mode,
                "start": rfc3339(span.start),
                "end": rfc3339(span.end),
                "visits": sum(visit.session == span.session for visit in visits),
                "history": span.history,
                "events": sum(post["events"] for post in posts if post["session"] == span.session),
                "hosts": dict(sorted(sessions[span.session].items())),
            }
            for span in spans
        ],
        "between": dict(sorted(between.items())),
        "posts": posts,
    }


def write_sessions(path: Path, device: str, spans: Sequence[Span]) -> None:
    """`sessions.csv` of the contract."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("session", "device", "mode", "start", "end", "notes"))
        rows.writerows((s.session, device, s.mode, rfc3339(s.start), rfc3339(s.end), s.notes) for s in spans)


def write_visits(path: Path, visits: Sequence[Visit]) -> None:
    """`visits.csv` of the contract; nothing was added to these URLs."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("time", "session", "url", "pad"))
        rows.writerows((rfc3339(visit.time), visit.session, visit.url, "") for visit in visits)
