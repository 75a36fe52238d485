"""Rows taken out of the state's sheets: what waits for the next tick.

Rules: taking copies the records and empties the sheets; ended flows give their places back, zeroed. An answer's place
is counted from the first answer taken, so it stays right when several takings are joined.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .dns.message import ANSWER, MESSAGE
from .http import REQUEST
from .state import (
    ANSWERS,
    COLD,
    DNS_META,
    DNS_ROWS,
    DONE,
    EXCHANGE,
    EXCHANGES,
    FLOW,
    FREE,
    HTTP_META,
    HTTP_ROWS,
    TLS_META,
    TLS_ROWS,
    State,
)
from .tls.client_hello import HELLO

Array = npt.NDArray[Any]
KINDS = {"flows": FLOW, "cold": COLD, "exchanges": EXCHANGE, "tls": TLS_META, "hellos": HELLO, "dns": DNS_META,
         "messages": MESSAGE, "answers": ANSWER, "http": HTTP_META, "requests": REQUEST}  # fmt: skip
# the sheets of a table, and where the cursor says how far they are filled
SHEETS = (
    ("exchanges", ("exchanges",), EXCHANGES),
    ("tls", ("tls", "hellos"), TLS_ROWS),
    ("http", ("http", "requests"), HTTP_ROWS),
    ("dns", ("answers",), ANSWERS),
)


class Taken(NamedTuple):
    """Rows, how many names there were, the latest packet time in ns, and whether it was the last taking."""

    rows: Rows
    names: int
    now: int
    end: bool


class Rows:
    """Chunks of records by sheet."""

    def __init__(self) -> None:
        """Nothing taken yet."""
        self._chunks: dict[str, list[Array]] = {name: [] for name in KINDS}

    def joined(self, name: str) -> Array:
        """Everything taken from one sheet."""
        chunks = self._chunks[name]
        return np.concatenate(chunks) if chunks else np.zeros(0, KINDS[name])

    def take(self, state: State, tables: frozenset[str]) -> None:
        """Empties the sheets and the stack of ended flows; records of tables that nobody wants are let go."""
        self._take_dns(state, wanted="dns" in tables)
        for table, sheets, used in SHEETS:
            count = state["cursor"][used]
            for sheet in sheets:
                if count and table in tables:
                    self._chunks[sheet].append(state[sheet][:count].copy())
            state["cursor"][used] = 0
        self._take_flows(state, wanted="flows" in tables)

    def _take_dns(self, state: State, *, wanted: bool) -> None:
        """Messages; where their answers lie is counted over all takings."""
        count = state["cursor"][DNS_ROWS]
        if count and wanted:
            meta = state["dns"][:count].copy()
            meta["answers_at"] += sum(chunk.size for chunk in self._chunks["answers"])
            self._chunks["dns"].append(meta)
            self._chunks["messages"].append(state["messages"][:count].copy())
        state["cursor"][DNS_ROWS] = 0

    def _take_flows(self, state: State, *, wanted: bool) -> None:
        """Ended flows; their places are free again."""
        cursor = state["cursor"]
        done = state["done"][: cursor[DONE]]
        if not done.size:
            return
        if wanted:
            self._chunks["flows"].append(state["flows"][done])
            self._chunks["cold"].append(state["cold"][done])
        state["flows"][done] = np.zeros((), FLOW)
        state["cold"][done] = np.zeros((), COLD)
        state["free"][cursor[FREE] : cursor[FREE] + done.size] = done[::-1]
        cursor[FREE] += done.size
        cursor[DONE] = 0
