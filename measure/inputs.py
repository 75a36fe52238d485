"""The user's files: which minutes were which session, and which pages were visited.

Rules: CSV with a header, UTF-8 with or without a byte order mark. Times are RFC 3339 with a zone: a time without one is
refused, since a guess of hours would move uploads between sessions. Every refusal names the file, the line and the fix.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..core.errors import InputError

SESSION_COLUMNS = ("session", "device", "mode", "start", "end", "notes")
NEEDED_OF_SESSIONS = ("session", "device", "mode", "start")
VISIT_COLUMNS = ("time", "session", "url", "pad")
NEEDED_OF_VISITS = ("time", "session", "url")
PLANNED = ("mode", "position", "dwell", "seed")  # what a plan of visits has besides
# RFC 3339 §5.6; a space for the T is allowed there too
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)")
NS_PER_S = 1_000_000_000
MAX_BYTES = 64 << 20
EARLIEST_YEAR, LATEST_YEAR = 1970, 2261  # what int64 nanoseconds can hold, and a capture has
MOST_PAD = 1_000_000  # characters


@dataclass(frozen=True)
class Session:
    """A marked span of one device in one mode; times in ns since the epoch, `end` None while it is open."""

    session: str
    device: str
    mode: str
    start: int
    end: int | None
    notes: str = ""


@dataclass(frozen=True)
class Visit:
    """A page visited; `pad` is the number of random characters that were added to its URL."""

    time: int
    session: str
    url: str
    pad: int | None = None


def read_sessions(path: str, *, closed: bool = True) -> list[Session]:
    """The sessions of a file in order of their start; an empty end runs to the device's next mark.

    Not `closed`: it stays empty, for those who know which addresses and names are one device (`naming.py`).

    Raises InputError.
    """
    found: list[Session] = []
    seen: dict[str, int] = {}
    for line, row in _rows(path, SESSION_COLUMNS, NEEDED_OF_SESSIONS):
        for name in ("session", "device", "mode"):
            if not row[name]:
                raise InputError(f"{path}:{line}: no {name}; give each session a name, a device and a mode")
        if row["session"] in seen:
            raise InputError(f"{path}:{line}: session {row['session']!r} is already in line {seen[row['session']]}; "
                             "give each a name of its own")  # fmt: skip
        seen[row["session"]] = line
        start = _time(path, line, "start", row["start"])
        end = _time(path, line, "end", row["end"]) if row["end"] else None
        if end is not None and end <= start:
            raise InputError(f"{path}:{line}: session {row['session']!r} ends before it starts; swap or correct the times")
        found.append(Session(row["session"], notation(row["device"]), row["mode"].lower(), start, end, row["notes"]))
    if not found:
        raise InputError(f"{path}:2: no sessions; write one line for each, as {','.join(SESSION_COLUMNS)}")
    ordered = sorted(found, key=lambda session: (session.start, session.session))
    ended = _closed(path, ordered, seen)
    return ended if closed else ordered


def _closed(path: str, sessions: list[Session], lines: dict[str, int]) -> list[Session]:
    """Open sessions end where the device's next begins; sessions of one device must not overlap."""
    closed: list[Session] = []
    for place, session in enumerate(sessions):
        following = next((other for other in sessions[place + 1 :] if other.device == session.device), None)
        end = session.end
        if following is not None:
            if end is None:
                end = following.start
            if end > following.start:
                raise InputError(f"{path}:{lines[following.session]}: session {following.session!r} begins before "
                                 f"{session.session!r} of the same device has ended; correct the times")  # fmt: skip
        closed.append(Session(session.session, session.device, session.mode, session.start, end, session.notes))
    return closed


def read_visits(path: str) -> list[Visit]:
    """The visits of a file in order of time. Raises InputError."""
    found = []
    for line, row in _rows(path, VISIT_COLUMNS, NEEDED_OF_VISITS):
        pad = row["pad"]
        if pad and not (pad.isascii() and pad.isdigit() and len(pad) <= 9 and int(pad) <= MOST_PAD):
            raise InputError(f"{path}:{line}: pad {pad[:20]!r} is no number of characters; write 0, 1, 2, … or leave it empty")
        found.append(Visit(_time(path, line, "time", row["time"]), row["session"], row["url"], int(pad) if pad else None))
    return sorted(found, key=lambda visit: visit.time)


def _rows(path: str, columns: tuple[str, ...], needed: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """(line, row) of a CSV file whose header has the needed columns."""
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES >> 20} MB; this is no list of sessions or visits")
        text = Path(path).read_text("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: byte {e.start} is not UTF-8; save it as CSV in UTF-8") from None
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {e.strerror}; check the path") from None
    reader = csv.DictReader(text.splitlines(keepends=True), restkey="", restval="", strict=True)
    try:
        names = [name.strip().lower() for name in reader.fieldnames or []]
        reader.fieldnames = names
        missing = [name for name in needed if name not in names]
        if missing:
            hint = "; separate columns by commas" if len(names) == 1 and any(c in text[:500] for c in ";\t") else ""
            raise InputError(f"{path}:1: no column {', '.join(missing)}; the header is {','.join(columns)}{hint}")
        unknown = [name for name in names if name not in (*columns, *PLANNED)]
        if unknown:
            raise InputError(f"{path}:1: unknown column {unknown[0]!r}; the header is {','.join(columns)}")
        rows = []
        for row in reader:
            if row.get(""):
                raise InputError(f"{path}:{reader.line_num}: more fields than the header has; quote what holds a comma")
            rows.append((reader.line_num, {name: (row.get(name) or "").strip() for name in columns}))
    except csv.Error as e:
        raise InputError(f"{path}:{reader.line_num}: {e}; check the quotes") from None
    return rows


def _time(path: str, line: int, name: str, text: str) -> int:
    """RFC 3339 with a zone as ns since the epoch."""
    match = TIME.fullmatch(text)
    if match is None:
        raise InputError(f"{path}:{line}: {name} {text!r} is no time with a zone; write it as 2026-11-24T10:00:00+01:00")
    date, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if zone in 'Zz' else zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise InputError(f"{path}:{line}: {name} {text!r} is no day or hour that exists; correct it")
    seconds = int(moment.timestamp())
    return seconds * NS_PER_S + int((fraction or "").ljust(9, "0"))


def notation(device: str) -> str:
    """A device as tables write it: addresses by RFC 5952 §4, link addresses in lower case with colons; names as they are."""
    text = device.strip()
    try:
        address = ipaddress.ip_address(text.partition("%")[0])  # RFC 4007 §11: the zone says which interface
    except ValueError:
        return text.lower().replace("-", ":") if is_mac(text) else text
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_mac(text: str) -> bool:
    """Whether the text is a link address, with colons or hyphens."""
    return re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", text) is not None
