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
    """Flows that go on and have had packets since the last live taking: FLOW[n], COLD[n], as they are now.

    shown: bool[n], those whose row is due: when they are new, when their name has become known, and once in SHOW_EVERY.
    Their counters come from their exchanges (`store/reader.py`), so that showing them more often would only wear a disk.
    """

    flows: Array
    cold: Array
    shown: Array

    def exchanges(self) -> Array:
        """EXCHANGE[m]: what is open of them; with the closed ones it adds up to the flows' totals."""
        counts = self.flows["counts"] - self.cold["snapshot"]
        some = counts.any(axis=(1, 2))
        open_ = np.zeros(int(some.sum()), EXCHANGE)
        cold = picked(self.cold, some)
        open_["flow_id"], open_["counts"] = cold["flow_id"], counts[some]
        open_["start"], open_["end"] = self.flows["exchange_start"][some], self.flows["exchange_last"][some]
        open_["name"] = _best_names(cold)
        return open_


def _best_names(cold: Array) -> Array:
    """As `exchange.best_name`, of many."""
    seen = (cold["sni"] != 0) & (cold["ech"] != ECH_OUTER)
    known = [seen, cold["host"] != 0, cold["dns_name"] != 0]
    return np.select(known, [cold["sni"], cold["host"], cold["dns_name"]], 0)


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
    """Copies the flows that have changed, and notes which of them are shown."""
    high = state["cursor"][HIGH_WATER]
    changed = np.flatnonzero((state["flows"]["alive"][:high] == CHANGED) & (state["flows"]["alias"][:high] == 0))
    state["flows"]["alive"][changed] = ALIVE
    flows, cold = picked(state["flows"], changed), picked(state["cold"], changed)
    flows["end"] = END_OPEN  # one that lingers may still get packets; its own row says how it ended
    names = _best_names(cold)
    new = (cold["shown_ns"] == 0) | (cold["shown_name"] != names)
    shown = new | (flows["last_ns"] - cold["shown_ns"] > SHOW_EVERY)
    state["cold"]["shown_ns"][changed[shown]] = flows["last_ns"][shown]
    state["cold"]["shown_name"][changed[shown]] = names[shown]
    return Running(flows, cold, shown)


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
