"""DNS messages into transactions: a query and its answer are one row, a lone one of either is a row too.

Theory: messages of one flow with the same identifier, name and type follow one another. Each answer belongs to the
oldest query that still waits for one, so a query that was repeated is paired with the first answer: its latency is
what the asker waited. The repetition is a row of its own, as is a second answer.

Rules: a query waits for its answer for WAIT_NS of packet time, then it is given up as it is, whether anybody looks
meanwhile or not. mDNS answers have identifier 0 and often no question (RFC 6762 §18.1): they are rows of their own.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..core.schema import DNS, polars_schema
from . import columns
from .dns.message import MESSAGE
from .dns.text import rcode_name, rdata_texts, subnet_text, type_name
from .intern import Names, raw
from .records import joined, picked
from .rows import Rows
from .state import DNS_META, SERVICE_NAMES

if TYPE_CHECKING:
    Array = npt.NDArray[Any]

WAIT_NS = 10_000_000_000
NOBODY = -1


class DnsRows:
    """Makes the dns table; remembers queries that wait for their answers."""

    def __init__(self) -> None:
        """Nothing waits yet."""
        self._waiting = (np.zeros(0, DNS_META), np.zeros(0, MESSAGE))

    def move(self, ns: int) -> None:
        """The clock was stepped: what waits is moved with it."""
        self._waiting[0]["time"] += ns

    def names(self) -> Array:
        """Numbers of the names and subnets of waiting queries."""
        return np.concatenate([self._waiting[1][name] for name in ("qname", "subnet")])

    def renumber(self, numbers: Array) -> None:
        """Names have other numbers now; the old ones are places of `numbers`."""
        for name in ("qname", "subnet"):
            self._waiting[1][name] = numbers[self._waiting[1][name]]

    def make(self, taken: Rows, texts: list[str | None], names: pl.Series, interned: Names, now: int, *, end: bool
             ) -> pl.DataFrame:  # fmt: skip
        """The transactions that are complete by packet time `now`, or all of them at the `end`."""
        meta = joined([self._waiting[0], taken.joined("dns")])
        messages = joined([self._waiting[1], taken.joined("messages")])
        partner = pairs(meta, messages)
        is_query = messages["response"] == 0
        answered = np.zeros(len(meta), bool)
        answered[partner[partner >= 0]] = True
        waits = is_query & (partner == NOBODY) & (messages["answers"] == 0) & (now - meta["time"] < WAIT_NS) & (not end)
        self._waiting = (picked(meta, waits), picked(messages, waits))
        rows = np.flatnonzero(~waits & ~answered)
        if not rows.size:
            return columns.nothing(DNS)
        asked, ends, partner = picked(messages, rows), picked(meta, rows), partner[rows]
        behind = np.where(partner >= 0, partner, rows)
        said, answers = picked(messages, behind), picked(meta, behind)
        frame = _transactions(asked, said, ends, answers, partner >= 0, names)
        frame |= _extensions(asked, said, interned)
        records, at = taken.joined("answers"), answers["answers_at"]
        listed = _records(records, texts, names, interned, at, said["answers"])
        more = _records(records, texts, names, interned, at + said["answers"], said["additional"])
        return columns.framed(DNS, {**frame, "answers": listed, "additional": more})


def pairs(meta: Array, messages: Array) -> Array:
    """For each message the place of its answer, if it is a query that has one; else -1."""
    count = len(meta)
    partner = np.full(count, NOBODY, np.int64)
    if count < 2:
        return partner
    keys = (messages["qtype"], messages["qname"], messages["id"], meta["flow_id"])
    order = np.lexsort((np.arange(count), *keys))
    here, following = order[:-1], order[1:]
    same = np.logical_and.reduce([key[here] == key[following] for key in keys]) & (messages["qname"][here] != 0)
    begins = np.flatnonzero(np.concatenate([[True], ~same]))
    sizes = np.diff(np.append(begins, count))
    two = begins[sizes == 2]
    asked, said = order[two], order[two + 1]
    found = (messages["response"][asked] == 0) & _answers_it(meta, messages, asked, said)
    partner[asked[found]] = said[found]
    for begin, size in zip(begins[sizes > 2].tolist(), sizes[sizes > 2].tolist(), strict=True):
        _pair_in_order(order[begin : begin + size].tolist(), meta, messages, partner)
    return partner


def _answers_it(meta: Array, messages: Array, asked: Any, said: Any) -> Any:  # noqa: ANN401  (arrays, or places)
    """Whether what was said came the other way, and in time."""
    late = meta["time"][said] - meta["time"][asked] >= WAIT_NS
    return (messages["response"][said] != 0) & (meta["way"][asked] != meta["way"][said]) & ~late


def _pair_in_order(group: list[int], meta: Array, messages: Array, partner: Array) -> None:
    """Messages of one kind in order of time: each answer goes to the oldest query that waits."""
    waiting: deque[int] = deque()
    for place in group:
        if messages["response"][place] == 0:
            waiting.append(place)
            continue
        while waiting and meta["time"][place] - meta["time"][waiting[0]] >= WAIT_NS:
            waiting.popleft()
        if waiting and _answers_it(meta, messages, waiting[0], place):
            partner[waiting.popleft()] = place


def _transactions(asked: Array, said: Array, ends: Array, answers: Array, paired: Array, names: pl.Series
                  ) -> dict[str, Any]:  # fmt: skip
    """The columns of each row but the answers; `said` is the answer where there is one, else the same as `asked`."""
    has_answer = said["response"] != 0
    return {
        "time": columns.times(ends["time"]),
        **columns.ends(ends),
        "service": columns.coded(SERVICE_NAMES, ends["service"]),
        "id": pl.Series(asked["id"].astype(np.uint16)),
        "qname": _hosts(names, asked["qname"]),
        "qtype": columns.worded(type_name, asked["qtype"], asked["qname"] != 0),
        "rcode": columns.worded(rcode_name, said["rcode"], has_answer),
        "latency_ms": columns.milliseconds(answers["time"] - ends["time"], paired),
    }  # fmt: skip


def _hosts(names: pl.Series, numbers: Array) -> pl.Series:
    """Names without a final dot: the root is the empty one."""
    found = columns.chosen(names, numbers)
    return found.replace(".", "") if (found == ".").any() else found


def _extensions(asked: Array, said: Array, interned: Names) -> dict[str, pl.Series]:
    """What EDNS said: the size from the query, the subnet from whichever has one."""
    subnet = np.where(asked["subnet"] != 0, asked["subnet"], said["subnet"])
    distinct, place = np.unique(subnet, return_inverse=True)
    texts = [subnet_text(raw(interned, number)) if number else None for number in distinct.tolist()]
    return {
        "edns_udp_size": columns.numbers(asked["udp_size"], asked["edns"] != 0, pl.UInt16),
        "client_subnet": columns.picked(pl.Series(texts, dtype=pl.String()), place),
    }


def _records(records: Array, texts: list[str | None], names: pl.Series, interned: Names, at: Array, count: Array
             ) -> pl.Series:  # fmt: skip
    """The records of each row that lie in one run, as a list."""
    count = count.astype(np.int64)
    kind = polars_schema(DNS)["answers"]
    total = int(count.sum())
    if total == 0:
        return pl.Series([[]], dtype=kind).new_from_index(0, len(count))
    owner = np.repeat(np.arange(len(count)), count)
    place = np.repeat(at, count) + np.arange(total) - np.repeat(np.cumsum(count) - count, count)
    records = picked(records, place)
    flat = pl.DataFrame(
        {
            "row": owner,
            "name": _hosts(names, records["name"]),
            "type": columns.worded(type_name, records["type"], np.ones(total, bool)),
            "data": pl.Series(rdata_texts(records, texts, interned), dtype=pl.String()),
            "ttl": pl.Series(records["ttl"].astype(np.uint32)),
        }
    )
    lists = flat.group_by("row", maintain_order=True).agg(pl.struct("name", "type", "data", "ttl"))["name"]
    found = pl.concat([pl.Series([[]], dtype=kind), lists.cast(kind)])
    return columns.picked(found, np.where(count > 0, np.cumsum(count > 0), 0))
