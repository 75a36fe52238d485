"""Rows taken out of the state's sheets: what waits for the next tick.

Rules: taking copies the records and empties the sheets; ended flows give their places back, zeroed. An answer's place
is counted from the first answer taken, so it stays right when several takings are joined.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .announcements import Claim
from .dns.message import MESSAGE
from .dns.rdata import ANSWER, aliases
from .http import REQUEST
from .messages import ECH_OUTER
from .records import clear, copied, joined, picked
from .state import (
    ALIVE,
    ANSWERS,
    CHANGED,
    COLD,
    DNS_META,
    DNS_ROWS,
    DONE,
    END_OPEN,
    EXCHANGE,
    EXCHANGES,
    FIRSTS,
    FLOW,
    FREE,
    HIGH_WATER,
    HTTP_META,
    HTTP_ROWS,
    KEPT_PACKET,
    TLS_META,
    TLS_ROWS,
    State,
)
from .tls.client_hello import HELLO

Array = npt.NDArray[Any]
SHOW_EVERY = 60_000_000_000  # ns of packet time
KINDS = {"flows": FLOW, "cold": COLD, "exchanges": EXCHANGE, "tls": TLS_META, "hellos": HELLO, "dns": DNS_META,
         "messages": MESSAGE, "answers": ANSWER, "http": HTTP_META, "requests": REQUEST}  # fmt: skip
# the sheets of a table, and where the cursor says how far they are filled
SHEETS = (
    ("exchanges", ("exchanges",), EXCHANGES),
    ("tls", ("tls", "hellos"), TLS_ROWS),
    ("http", ("http", "requests"), HTTP_ROWS),
    ("dns", ("answers",), ANSWERS),
)


class Running(NamedTuple):
    """Flows that go on, as they are now.

    flows, cold: FLOW[n], COLD[n] of those whose row is due: when they are new, when their name has become known, and once in
    SHOW_EVERY. Their counters come from their exchanges (`store/reader.py`), so that showing them more often would only wear a disk.
    open: EXCHANGE[m], what is open of all that have had packets since the last live taking; with the closed ones it adds up
    to the flows' totals.
    """

    flows: Array
    cold: Array
    open: Array


class Taken(NamedTuple):
    """Rows, how many names there were, the latest packet time in ns, whether it was the last taking, what runs on.

    lean: what is left out (LEAN_ in `state.py`). moved: ns by which the clock was stepped since the taking before. claims: what
    devices said of themselves.
    """

    rows: Rows
    names: int
    now: int
    end: bool
    running: Running | None = None
    lean: int = 0
    moved: int = 0
    claims: tuple[Claim, ...] = ()


def running(state: State) -> Running:
    """Copies what is due of the flows that have changed, and notes it; of the others no more than numbers."""
    high = state["cursor"][HIGH_WATER]
    flows, cold = state["flows"][:high], state["cold"][:high]
    changed = np.flatnonzero((flows["alive"] == CHANGED) & (flows["alias"] == 0))
    flows["alive"][changed] = ALIVE
    names, last, before = _best_names(cold, changed), flows["last_ns"][changed], cold["shown_ns"][changed]
    due = (before == 0) | (cold["shown_name"][changed] != names) | (last - before > SHOW_EVERY)
    shown = changed[due]
    cold["shown_ns"][shown], cold["shown_name"][shown] = last[due], names[due]
    rows = picked(state["flows"], shown)
    rows["end"] = END_OPEN  # one that lingers may still get packets; its own row says how it ended
    return Running(rows, picked(state["cold"], shown), _open(flows, cold, changed, names))


def _open(flows: Array, cold: Array, places: Array, names: Array) -> Array:
    """EXCHANGE[m]: what is open of the flows at `places`, whose names are given."""
    counts = flows["counts"][places] - cold["snapshot"][places]
    some = counts.any(axis=(1, 2))
    rows, places = np.zeros(int(some.sum()), EXCHANGE), places[some]
    rows["flow_id"], rows["counts"], rows["name"] = cold["flow_id"][places], counts[some], names[some]
    rows["start"], rows["end"] = flows["exchange_start"][places], flows["exchange_last"][places]
    return rows


def _best_names(cold: Array, places: Array) -> Array:
    """As `exchange.best_name`, of many."""
    sni, host, dns = (cold[name][places] for name in ("sni", "host", "dns_name"))
    return np.select([(sni != 0) & (cold["ech"][places] != ECH_OUTER), host != 0, dns != 0], [sni, host, dns], 0)


class Rows:
    """Chunks of records by sheet."""

    def __init__(self, kept: Array | None = None) -> None:
        """Nothing taken yet; `kept`: KEPT_PACKET[POOL, n], the first n packets of each flow, if they are asked for."""
        self._kept = kept
        self._chunks: dict[str, list[Array]] = {name: [] for name in (*KINDS, "firsts")}

    @property
    def count(self) -> int:
        """Rows of all tables."""
        return sum(chunk.size for name in ("flows", "exchanges", "tls", "dns", "http") for chunk in self._chunks[name])

    def first_packets(self) -> Array | None:
        """KEPT_PACKET[m, n] of the flows taken, in their order; None where nobody asked."""
        if self._kept is None:
            return None
        chunks = self._chunks["firsts"]
        return np.concatenate(chunks) if chunks else np.zeros((0, self._kept.shape[1]), KEPT_PACKET)

    def joined(self, name: str) -> Array:
        """Everything taken from one sheet."""
        chunks = self._chunks[name]
        if len(chunks) == 1:
            return chunks[0]
        return joined(chunks) if chunks else np.zeros(0, KINDS[name])

    def take(self, state: State, tables: frozenset[str]) -> None:
        """Empties the sheets and the stack of ended flows; records of tables that nobody wants are let go."""
        self._keep_firsts(state)
        if "dns" not in tables and "aliases" in tables:
            self._take_aliases(state)
        self._take_dns(state, wanted="dns" in tables)
        for table, sheets, used in SHEETS:
            count = state["cursor"][used]
            for sheet in sheets:
                if count and table in tables:
                    self._chunks[sheet].append(copied(state[sheet][:count]))
            state["cursor"][used] = 0
        self._take_flows(state, wanted="flows" in tables)

    def move_dns(self, ns: int) -> None:
        """The clock was stepped: queries that may get their answers after it are moved with it."""
        for chunk in self._chunks["dns"]:
            chunk["time"] += ns

    def _take_dns(self, state: State, *, wanted: bool) -> None:
        """Messages; where their answers lie is counted over all takings."""
        count = state["cursor"][DNS_ROWS]
        if count and wanted:
            meta = copied(state["dns"][:count])
            meta["answers_at"] += sum(chunk.size for chunk in self._chunks["answers"])
            self._chunks["dns"].append(meta)
            self._chunks["messages"].append(copied(state["messages"][:count]))
        state["cursor"][DNS_ROWS] = 0

    def _take_aliases(self, state: State) -> None:
        """Answers that say what a name is an alias of."""
        records = state["answers"][: state["cursor"][ANSWERS]]
        told = picked(records, aliases(records))
        if told.size:
            self._chunks["answers"].append(told)

    def _keep_firsts(self, state: State) -> None:
        """Puts packets into the pool, at their flow's place and number; before ended flows give their places back."""
        count = state["cursor"][FIRSTS]
        if count and self._kept is not None:
            rows = state["firsts"][:count]
            at = rows["slot"], rows["number"]
            for name in KEPT_PACKET.names or ():
                self._kept[name][at] = rows[name]
        state["cursor"][FIRSTS] = 0

    def _take_flows(self, state: State, *, wanted: bool) -> None:
        """Ended flows; their places are free again."""
        cursor = state["cursor"]
        done = state["done"][: cursor[DONE]]
        if not done.size:
            return
        if wanted:
            own = state["flows"]["alias"][done] == 0  # what was counted in another flow has no row
            shown = done if own.all() else done[own]
            self._chunks["flows"].append(picked(state["flows"], shown))
            self._chunks["cold"].append(picked(state["cold"], shown))
            if self._kept is not None:
                self._chunks["firsts"].append(self._kept[shown])
        clear(state["flows"], done)
        clear(state["cold"], done)
        state["free"][cursor[FREE] : cursor[FREE] + done.size] = done[::-1]
        cursor[FREE] += done.size
        cursor[DONE] = 0
