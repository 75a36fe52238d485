"""Ground truth: the servers' ledger, summed by session and host.

`truth.json` (schema `wiretally.truth/1`): `sessions[].hosts[name]` holds `up_app_bytes` and `down_app_bytes`, the
plaintext inside TLS application data between the session's start and end by the server's clock, HTTP framing included
and TLS handshake, tickets and alerts not (over QUIC: the data of its streams); `posts` are the telemetry POSTs, with the
number of page events in each and the `visits` that these are of; `visits` says the same the other way round; `between` holds the bytes per host that fall into no session. `clearance_ms` is the smallest time between any byte and
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
    device: str = ""


class Visit(NamedTuple):
    """A page that was opened at `time` (ns since the epoch); `pad` is None where its address was not padded."""

    time: int
    session: str
    url: str
    pad: int | None = None
    device: str = ""


class AgentPost(NamedTuple):
    """A POST that the phone's agent delivered; `visits` are places in the phone's own list, one for each event."""

    device: str
    host: str
    visits: list[int]


def rfc3339(time_ns: int) -> str:
    """UTC with nine digits, as every time of the contract."""
    whole = dt.datetime.fromtimestamp(time_ns // NS, dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time_ns % NS:09d}Z"


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """The entries in the order in which they were written."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_agent(path: Path, device: str) -> list[AgentPost]:
    """What an agent wrote down of its POSTs."""
    return [AgentPost(device, entry["host"], entry["visits"]) for entry in read_ledger(path)]


def tally(ledger: Iterable[dict[str, Any]], spans: Sequence[Span]) -> tuple[dict[str, Totals], Totals]:
    """Bytes per session and host, and those of no session."""
    sessions: dict[str, Totals] = {span.session: {} for span in spans}
    between: Totals = {}
    for entry in ledger:
        if "bytes" not in entry:
            continue
        session = session_at(entry["time_ns"], spans, entry.get("peer", ""))
        hosts = between if session is None else sessions[session]
        totals = hosts.setdefault(entry["host"], {"up_app_bytes": 0, "down_app_bytes": 0})
        totals[f"{entry['way']}_app_bytes"] += entry["bytes"]
    return sessions, between


def session_at(time_ns: int, spans: Sequence[Span], device: str = "") -> str | None:
    """The session of a moment: start included, end not. `device`: whose, where there is more than one."""
    return next((span.session for span in spans
                 if span.start <= time_ns < span.end and device in {span.device, ""}), None)  # fmt: skip


def clearance_ms(ledger: Iterable[dict[str, Any]], spans: Sequence[Span]) -> float:
    """How close in time any byte comes to any mark."""
    marks = [mark for span in spans for mark in (span.start, span.end)]
    gaps = [abs(entry["time_ns"] - mark) for entry in ledger for mark in marks]
    return min(gaps, default=NS) / 1e6


def matched(
    ledger: Iterable[dict[str, Any]], visits: Sequence[Visit], agents: Sequence[AgentPost]
) -> list[list[int] | None]:
    """For each telemetry POST of the ledger the visits (places in `visits`) of its events; None where nobody knows.

    A phone's POSTs to a host arrive in the order in which its agent delivered them, so the two lists go together.
    """
    of_device: dict[str, list[int]] = {}
    for place, visit in enumerate(visits):
        of_device.setdefault(visit.device, []).append(place)
    told: dict[tuple[str, str], list[AgentPost]] = {}
    for post in agents:
        told.setdefault((post.device, post.host), []).append(post)
    found: list[list[int] | None] = []
    for entry in ledger:
        if "post" not in entry:
            continue
        waiting = told.get((entry.get("peer", ""), entry["host"]), [])
        if waiting and len(waiting[0].visits) == entry["post"]:
            post = waiting.pop(0)
            found.append([of_device[post.device][place] for place in post.visits])
        else:
            found.append(None)
    return found


def build(
    ledger: list[dict[str, Any]], spans: Sequence[Span], visits: Sequence[Visit], about: dict[str, Any],
    agents: Sequence[AgentPost] = (),
) -> dict[str, Any]:  # fmt: skip
    """The whole document; `about` is what the recorder knows of the arm, the machine and the hosts."""
    sessions, between = tally(ledger, spans)
    told = [entry for entry in ledger if "post" in entry]
    of_post = matched(ledger, visits, agents)
    posts = [
        {
            "time": rfc3339(entry["time_ns"]),
            "session": session_at(entry["time_ns"], spans, entry.get("peer", "")),
            "host": entry["host"],
            "events": entry["post"],
            "up_app_bytes": entry["up_bytes"],
            "visits": of,
        }
        for entry, of in zip(told, of_post, strict=True)
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
        "visits": [
            {
                "time": rfc3339(visit.time),
                "session": visit.session,
                "url": visit.url,
                "pad": visit.pad,
                "events": sum((of or []).count(place) for of in of_post),
                "posts": [number for number, of in enumerate(of_post) if place in (of or [])],
            }
            for place, visit in enumerate(visits)
        ],
        "posts": posts,
    }


def write_sessions(path: Path, spans: Sequence[Span]) -> None:
    """`sessions.csv` of the contract."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("session", "device", "mode", "start", "end", "notes"))
        rows.writerows((s.session, s.device, s.mode, rfc3339(s.start), rfc3339(s.end), s.notes) for s in spans)


def write_visits(path: Path, visits: Sequence[Visit]) -> None:
    """`visits.csv` of the contract; `pad` is empty where nothing was added to an address."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("time", "session", "url", "pad"))
        rows.writerows((rfc3339(v.time), v.session, v.url, "" if v.pad is None else v.pad) for v in visits)
