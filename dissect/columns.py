"""Columns from numbers: addresses, names, times and counters as Polars series.

Theory: every distinct value is turned into text once; rows then refer to it by number. Whatever Polars makes a query of
(`DataFrame.cast`, `.dt`, joins) is left out: a query costs as much as a thousand rows, and a tick has a hundred columns.

Rules: arrays in, series out, all of one length; missing is null.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..core.schema import FLOWS, Table, polars_schema
from .dns.text import address_text
from .ip import PROTOCOL_ICMP, PROTOCOL_ICMP6, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP
from .state import APP, IP, PACKETS, PAYLOAD, RETRANSMITTED, WIRE

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[Any]
TRANSPORTS = {PROTOCOL_TCP: "tcp", PROTOCOL_UDP: "udp", PROTOCOL_ICMP: "icmp", PROTOCOL_ICMP6: "icmp6",
              PROTOCOL_SCTP: "sctp"}  # fmt: skip
WITH_PORTS = (PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP)
COUNTED = (("packets", PACKETS), ("wire_bytes", WIRE), ("ip_bytes", IP), ("payload_bytes", PAYLOAD),
           ("app_bytes", APP), ("retransmitted_bytes", RETRANSMITTED))  # fmt: skip


def times(ns: Array) -> pl.Series:
    """int64 ns since the epoch as UTC times."""
    return pl.Series(np.ascontiguousarray(ns)).cast(pl.Datetime("ns", "UTC"))


def addresses(hi: Array, lo: Array, kind: Array) -> pl.Series:
    """IP addresses as text; `kind` holds the IP version, hi and lo the 128 bits (IPv4 mapped)."""
    four = ((kind >> 8) & 0xFF) == 4
    return pl.Series(list(map(address_text, four.tolist(), hi.tolist(), lo.tolist())), dtype=pl.String())


def macs(values: Array, known: Array) -> pl.Series:
    """48-bit link addresses as aa:bb:cc:dd:ee:ff; null where `known` is 0."""
    distinct, place = np.unique(values, return_inverse=True)
    text = [None, *(int(value).to_bytes(8, "big")[2:].hex(":") for value in distinct)]
    return picked(pl.Series(text, dtype=pl.String()), np.where(known != 0, place + 1, 0))


def picked(values: pl.Series, places: Array) -> pl.Series:
    """`values[places]`. By brackets: `gather` makes a query of it, which costs more than it does."""
    return values[places.astype(np.uint32)]


def chosen(texts: pl.Series, numbers: Array) -> pl.Series:
    """`texts[numbers]`: names by their number; number 0 is null."""
    return picked(texts, numbers)


def coded(words: tuple[str, ...], codes: Array) -> pl.Series:
    """Words by code; the empty word is null."""
    return picked(pl.Series([word or None for word in words], dtype=pl.String()), codes)


def worded(word: Callable[[int], str], codes: Array, known: Array) -> pl.Series:
    """`word` of each code, asked once for each that occurs; null where `known` is false."""
    distinct, place = np.unique(np.where(known, codes, -1), return_inverse=True)
    texts = [None if code < 0 else word(code) for code in distinct.tolist()]
    return picked(pl.Series(texts, dtype=pl.String()), place)


def flags(values: Array, known: Array) -> pl.Series:
    """Booleans; null where not known."""
    return picked(pl.Series([None, False, True]), np.where(known, 1 + (values != 0), 0))


def numbers(values: Array, known: Array, kind: type[pl.DataType] = pl.Float64) -> pl.Series:
    """Numbers below 2**53; null where not known."""
    return pl.Series(np.where(known, values, np.nan), nan_to_null=True).cast(kind)


def transports(kind: Array) -> pl.Series:
    """tcp, udp, …; a transport without a name as its number."""
    words = [TRANSPORTS.get(number, str(number)) for number in range(256)]
    return picked(pl.Series(words, dtype=pl.String()), kind & 0xFF)


def ports(packed: Array, kind: Array) -> tuple[pl.Series, pl.Series]:
    """Local and remote ports; null where the transport has none."""
    has = np.isin(kind & 0xFF, WITH_PORTS)
    return numbers(packed >> 16, has, pl.UInt16), numbers(packed & 0xFFFF, has, pl.UInt16)


def ends(rows: Array) -> dict[str, pl.Series]:
    """The 5-tuple columns of any sheet that has them."""
    local_port, remote_port = ports(rows["ports"], rows["kind"])
    return {
        "local_ip": addresses(rows["local_hi"], rows["local_lo"], rows["kind"]),
        "local_port": local_port,
        "remote_ip": addresses(rows["remote_hi"], rows["remote_lo"], rows["kind"]),
        "remote_port": remote_port,
        "transport": transports(rows["kind"]),
    }


def identifiers(values: Array) -> pl.Series:
    """Flow identifiers as 16 hexadecimal digits."""
    return pl.Series(np.ascontiguousarray(values).astype(">u8").tobytes().hex(" ", 8).split(), dtype=pl.String())


def counters(counts: Array) -> dict[str, pl.Series]:
    """up_… and down_… of int64[n, 2, 6]."""
    return {
        f"{way}_{name}": pl.Series(counts[:, number, at].astype(np.uint64))
        for number, way in enumerate(("up", "down"))
        for name, at in COUNTED
    }


def milliseconds(ns: Array, known: Array) -> pl.Series:
    """Nanoseconds as ms; null where not known."""
    return numbers(ns / 1e6, known)


def packets(counts: Array, firsts: Array | None) -> pl.Series:
    """Lists of the first packets of flows, of which each has `counts` in all; null where nobody asked for them."""
    kind = polars_schema(FLOWS)["first_packets"]
    if firsts is None:
        return pl.Series([None], dtype=kind).new_from_index(0, len(counts))
    told = np.minimum(counts, firsts.shape[1])
    number = np.arange(firsts.shape[1])
    rows = firsts[number < told[:, None]]
    first = np.broadcast_to(number == 0, firsts.shape)[number < told[:, None]]
    frame = pl.DataFrame({
        "flow": np.repeat(np.arange(len(counts)), told),
        "direction": coded(("up", "down"), rows["way"]),
        "ip_bytes": rows["ip_bytes"],
        "payload_bytes": rows["payload_bytes"],
        "gap_ms": milliseconds(rows["gap_ns"], ~first),
    })  # fmt: skip
    packed = frame.select("flow", packet=pl.struct(pl.all().exclude("flow")))
    return packed.group_by("flow", maintain_order=True).agg("packet")["packet"].cast(kind)


def framed(table: Table, columns: dict[str, Any], without: frozenset[str] = frozenset()) -> pl.DataFrame:
    """The columns in the table's order and types; `without` names those that another room adds."""
    return pl.DataFrame([columns[name].alias(name).cast(kind) for name, kind in _schema(table, without).items()])


def nothing(table: Table, without: frozenset[str] = frozenset()) -> pl.DataFrame:
    """The same without a row."""
    return pl.DataFrame(schema=_schema(table, without))


@cache
def _schema(table: Table, without: frozenset[str]) -> dict[str, pl.DataType]:
    return {name: kind for name, kind in polars_schema(table).items() if name not in without}
