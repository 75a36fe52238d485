"""Visits: when which site was opened, as the user wrote it down, or as the traffic betrays it.

Theory: a browser that opens a page says hello (TLS or QUIC ClientHello) to several names within a second or two: to the
site first, then to what its page embeds. Background programs greet one name at a time. So a visit is detected where at
least `MIN_NAMES` names are greeted, each less than `QUIET_NS` after the one before, after none of them was greeted for
`SILENT_NS`; its time and its site are those of the first. A page whose connections are all still open is not seen.

Rules: detected visits are marked as such wherever they are used. So that no destination can make the visits that it is
then tested against, a burst counts for a destination only if it has enough names without it, and is led by another.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .inputs import Session, Visit

SILENT_NS = 5_000_000_000
QUIET_NS = 1_000_000_000  # names that begin closer together belong to one burst
MIN_NAMES = 2
GIVEN, DETECTED = "given", "detected"


class Opened(NamedTuple):
    """A visit in a session: `at` in ns since its start; `names`: who began to upload with it (detected visits only)."""

    session: str
    at: int
    site: str
    names: frozenset[str] = frozenset()


@cache
def _suffixes() -> Any:  # noqa: ANN401  (the library has no types)
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


@cache
def site(host: str) -> str:
    """The registrable domain of a host; the host itself where it has none (an address, a private name)."""
    bare = host.lower().rstrip(".")
    if not bare or bare.replace(".", "").isdigit() or ":" in bare:
        return bare
    return str(_suffixes().privatesuffix(bare) or bare)


def host_of(url: str) -> str:
    """The host of a URL; empty where it has none."""
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return ""


def given(sessions: Sequence[Session], visits: Sequence[Visit]) -> tuple[list[Opened], int]:
    """The user's visits inside their sessions, and how many were left out because they are in none."""
    spans = {session.session: session for session in sessions}
    found, lost = [], 0
    for visit in visits:
        span = spans.get(visit.session)
        if span is None or visit.time < span.start or (span.end is not None and visit.time >= span.end):
            lost += 1
            continue
        found.append(Opened(visit.session, visit.time - span.start, site(host_of(visit.url))))
    return found, lost


def detected(flows: pl.DataFrame, sessions: Sequence[Session], idle: str) -> list[Opened]:
    """Visits betrayed by bursts of hellos; flows: the table of the contract. Idle sessions have none."""
    told = flows.filter(pl.col("service").is_in(["tls", "quic"]) & pl.col("name").is_not_null())
    if not len(told):
        return []
    hellos = told.lazy()
    found: list[Opened] = []
    for each in sessions:
        if each.mode == idle:
            continue
        here = (
            hellos.filter((pl.col("local_ip") == each.device) | (pl.col("local_mac") == each.device))
            .select("name", at=pl.col("first_seen").dt.epoch("ns") - each.start)
            .filter((pl.col("at") >= 0) & (pl.col("at") < (each.end or each.start) - each.start)).sort("at")
            .filter((pl.col("at") - pl.col("at").shift(1).over("name")).fill_null(SILENT_NS) >= SILENT_NS)
            .with_columns(burst=((pl.col("at") - pl.col("at").shift(1)).fill_null(QUIET_NS) >= QUIET_NS).cum_sum())
            .group_by("burst", maintain_order=True).agg(pl.col("at").first(), pl.col("name")).collect()
        )  # fmt: skip
        found += [Opened(each.session, at, site(names[0]), frozenset(names))
                  for _, at, names in here.iter_rows() if len(set(names)) >= MIN_NAMES]  # fmt: skip
    return found


def opened(
    flows: pl.DataFrame, sessions: Sequence[Session], visits: Sequence[Visit] | None, idle: str
) -> tuple[list[Opened], str, int]:  # fmt: skip
    """The visits to work with, where they come from, and how many of the user's are in no session."""
    if visits:
        found, lost = given(sessions, visits)
        return found, GIVEN, lost
    return detected(flows, sessions, idle), DETECTED, 0


def told(lost: int, source: str, count: int) -> list[str]:
    """What a reader must know of the visits."""
    lines = [f"{lost} visits are in no session, or outside the time of theirs: check the clock"] if lost else []
    if source == DETECTED and count:
        lines.append(f"no visits were given: {count} were detected from bursts of traffic, which may be something else")
    return lines


class Table:
    """Visits as columns: `session` (index), `at` (ns since its start), `sites`; asked once per destination."""

    def __init__(self, visits: Sequence[Opened], sessions: Sequence[Session]) -> None:
        """In order of session and time."""
        place = {session.session: number for number, session in enumerate(sessions)}
        self.visits = sorted(visits, key=lambda visit: (place[visit.session], visit.at))
        self.session = np.array([place[visit.session] for visit in self.visits], np.int64)
        self.at = np.array([visit.at for visit in self.visits], np.int64)
        self.sites = np.array([visit.site for visit in self.visits], object)
        self._poor: dict[str, list[int]] = {}
        for number, visit in enumerate(self.visits):
            if len(visit.names) == MIN_NAMES:
                for key in visit.names:
                    self._poor.setdefault(key, []).append(number)

    def itself(self, own: frozenset[str]) -> npt.NDArray[np.bool_]:
        """Visits to the destination itself, whose sites are `own`: they prove nothing about it."""
        mask = np.zeros(len(self.visits), bool)
        for each in own & self._known:
            mask |= self.sites == each
        return mask

    def enough(self, key: str) -> npt.NDArray[np.bool_]:
        """Visits that would have been detected without this destination too."""
        mask = np.ones(len(self.visits), bool)
        mask[self._poor.get(key, [])] = False
        return mask

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.sites.tolist())
