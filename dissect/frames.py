"""What the dissector gives up at a tick: records into the tables of the contract.

Theory: the pass left numbers; here they become columns, all rows at once. A DNS query waits here for its answer, since
a row is a transaction.

Rules: nothing is looked at row by row; what is the same for many rows (a name, a hello's shape) is worked out once.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..core.schema import ATTRIBUTION, COUNTERS, EXCHANGES, FLOWS, HTTP, TLS
from . import columns
from .announcements import Heard
from .community import community_ids
from .dns.rdata import aliases
from .dns_rows import DnsRows
from .intern import Names as InternedNames
from .intern import raw, texts
from .ip import PROTOCOL_ICMP, PROTOCOL_ICMP6
from .rows import Taken
from .state import (
    DOWN,
    END_NAMES,
    PACKETS,
    SERVICE_DOH,
    SERVICE_DOQ,
    SERVICE_DOT,
    SERVICE_GQUIC,
    SERVICE_NAMES,
    SERVICE_QUIC,
    SERVICE_TLS,
    UP,
)
from .tls.ja4 import Shape, describe
from .tls.names import names_of
from .tls.suites import group_name, suite_name
from .tunnel import named

if TYPE_CHECKING:
    Array = npt.NDArray[Any]

MOST_CHUNKS = 4  # pieces that the series of names may be in: of twenty, names take four times as long to find
LATER = frozenset(column.name for column in ATTRIBUTION)
# of a flow that goes on the exchanges hold the counters; gaps are told at its end
ENDED = frozenset(column.name for column in COUNTERS) | {f"{way}_gap_{what}_ms" for way in ("up", "down") for what in ("mean", "std")}
ALPN_OF_DNS = {"dot": SERVICE_DOT, "doq": SERVICE_DOQ}  # RFC 7858 §3.2 by the IANA registry, RFC 9250 §4.1.1
SIGNS = tuple("".join(letter for bit, letter in enumerate("SsFf") if code >> bit & 1) for code in range(16))
OF_SYN, OF_FIN = np.array([1, 2]), np.array([4, 8])  # what each way's counts for
ECH_WORDS = ("none", "grease_or_real", "outer")
VERSION_WORDS = {0x0300: "SSL3.0", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3",
                 0xFEFF: "DTLS1.0", 0xFEFD: "DTLS1.2", 0xFEFC: "DTLS1.3"}  # fmt: skip


def version_word(number: int) -> str:
    """A TLS version by its number: RFC 8446 §4.1.2, RFC 9147 §5.3."""
    return VERSION_WORDS.get(number, f"0x{number:04x}")




class Frames:
    """Makes the frames; remembers names and the DNS queries that wait."""

    def __init__(self, tables: frozenset[str]) -> None:
        """`tables`: which to make."""
        self._tables = tables
        self._texts: list[str | None] = [None]
        self._names = pl.Series("name", [None], dtype=pl.String())
        self._shapes: dict[int, Shape] = {}
        self._certificates: dict[int, list[str] | None] = {0: None}
        self._dns = DnsRows()
        self._heard = Heard()

    def make(self, interned: InternedNames, taken: Taken) -> dict[str, pl.DataFrame]:
        """One frame per table asked for."""
        rows, count, now, end, going, lean, moved, claims = taken
        names = self._known(interned, count)
        self._dns.move(moved)
        made = {}
        if "flows" in self._tables:
            made["flows"] = self._flows(interned, rows.joined("flows"), rows.joined("cold"), names, rows.first_packets(), lean=lean)
        if "exchanges" in self._tables:
            made["exchanges"] = _exchanges(rows.joined("exchanges"), names)
        if "tls" in self._tables:
            made["tls"] = self._tls(interned, rows.joined("tls"), rows.joined("hellos"), names)
        if "dns" in self._tables:
            made["dns"] = self._dns.make(rows, self._texts, names, interned, now, end=end)
        if "aliases" in self._tables:
            made["aliases"] = _aliases(rows.joined("answers"), names)
        if "announced" in self._tables:
            made["announced"] = self._heard.frame(list(claims), made["dns"])
        if "http" in self._tables:
            made["http"] = _http(rows.joined("http"), rows.joined("requests"), names)
        if going is not None:
            made["running"] = self._flows(interned, going.flows, going.cold, names, lean=lean, without=LATER | ENDED)
            made["open"] = _exchanges(going.open, names)
        return made

    def _known(self, interned: InternedNames, count: int) -> pl.Series:
        """The names so far as text."""
        new = texts(interned, len(self._texts), count)
        if new:
            self._texts.extend(new)
            self._names.append(pl.Series(new, dtype=pl.String()))
            if self._names.n_chunks() > MOST_CHUNKS:
                self._names = self._names.rechunk()
        return self._names

    def referred(self) -> Array:
        """The numbers of names that rows to come refer to."""
        return self._dns.names()

    def renumber(self, numbers: Array) -> None:
        """Names have other numbers now: the old ones are places of `numbers`; all texts are made anew."""
        self._dns.renumber(numbers)
        self._texts, self._names = [None], pl.Series("name", [None], dtype=pl.String())
        self._shapes.clear()
        self._certificates = {0: None}

    def _shape_series(self, interned: InternedNames, shapes: Array) -> dict[str, Any]:
        """JA4, protocols and versions of interned hello shapes, null where the shape is 0.

        As numbers, 0 then: `best`, the highest version, and `dns`, the service that the first protocol makes of it.
        """
        distinct, place = np.unique(shapes, return_inverse=True)
        for number in distinct.tolist():
            if number and number not in self._shapes:
                self._shapes[number] = describe(raw(interned, number))
        known = [self._shapes.get(number) for number in distinct.tolist()]
        firsts = [s.alpn[0] if s and s.alpn else None for s in known]
        lists = pl.List(pl.String())
        return {
            "ja4": columns.picked(pl.Series([s and s.ja4 for s in known], dtype=pl.String()), place),
            "alpn": columns.picked(pl.Series([s and list(s.alpn) for s in known], dtype=lists), place),
            "first": columns.picked(pl.Series(firsts, dtype=pl.String()), place),
            "dns": np.array([ALPN_OF_DNS.get(first or "", 0) for first in firsts], np.int64)[place],
            "best": np.array([s.version if s else 0 for s in known], np.int64)[place],
            "versions": columns.picked(
                pl.Series([s and [version_word(v) for v in s.versions] for s in known], dtype=lists), place),
        }  # fmt: skip

    def _certificate_series(self, interned: InternedNames, numbers: Array) -> pl.Series:
        """Names of interned certificates; null where the number is 0."""
        distinct, place = np.unique(numbers, return_inverse=True)
        for number in distinct.tolist():
            if number not in self._certificates:
                self._certificates[number] = names_of(raw(interned, number))
        known = [self._certificates[number] for number in distinct.tolist()]
        return columns.picked(pl.Series(known, dtype=pl.List(pl.String())), place)

    def _flows(
        self, interned: InternedNames, flows: Array, cold: Array, names: pl.Series, firsts: Array | None = None, *, lean: int = 0,
        without: frozenset[str] = LATER,
    ) -> pl.DataFrame:  # fmt: skip
        """The flows table but for some columns; `firsts`: KEPT_PACKET[n, m] of the same flows; lean: without what takes long."""
        if not flows.size:
            return columns.nothing(FLOWS, without)
        shapes = self._shape_series(interned, np.zeros_like(cold["shape"]) if lean else cold["shape"])
        identities = [None] * len(flows) if lean else community_ids(flows, cold["from_local"])
        sni, outer = cold["sni"].astype(np.int64), cold["ech"] == 2
        quic = (flows["service"] == SERVICE_QUIC) | (flows["service"] == SERVICE_GQUIC)
        spoke_quic = cold["quic_version"] != 0
        from_sni = (sni != 0) & ~outer
        from_host = ~from_sni & (cold["host"] != 0)
        from_dns = ~from_sni & ~from_host & (cold["dns_name"] != 0)
        best = np.where(from_sni, sni, np.where(from_host, cold["host"], np.where(from_dns, cold["dns_name"], 0)))
        source = np.select([from_sni & quic, from_sni, from_host, from_dns], [1, 2, 3, 4], 0)
        client_up = cold["syn_way"] == UP
        rtt_there, rtt_back = cold["rtt_remote_ns"] - 1, cold["rtt_local_ns"] - 1
        remote, local = np.where(client_up, rtt_there, rtt_back), np.where(client_up, rtt_back, rtt_there)
        least, initial = cold["rtt_min_ns"] - 1, cold["initial_rtt_ns"] - 1
        version = np.where(cold["tls_version"] != 0, cold["tls_version"], shapes["best"])
        icmp = np.isin(flows["kind"] & 0xFF, (PROTOCOL_ICMP, PROTOCOL_ICMP6))
        out: dict[str, Any] = {
            "flow_id": columns.identifiers(cold["flow_id"]),
            "community_id": pl.Series(identities, dtype=pl.String()),
            "first_seen": columns.times(flows["first_ns"]),
            "last_seen": columns.times(flows["last_ns"]),
            "local_mac": columns.macs(cold["mac"], cold["has_mac"]),
            **columns.ends(flows),
            "initiator": columns.coded(("remote", "local"), cold["from_local"]),
            "service": _services(flows, cold, shapes["dns"]),
            "name": columns.chosen(names, best),
            "name_source": columns.coded(("", "quic_sni", "sni", "http_host", "dns"), source),
            "sni": columns.chosen(names, sni),
            "ech": columns.coded(("", *ECH_WORDS), np.where(cold["shape"] != 0, cold["ech"] + 1, 0)),
            "alpn": shapes["first"],
            "tls_version": columns.worded(version_word, version, version != 0),
            "tls_cipher": columns.worded(suite_name, cold["cipher"], cold["tls_version"] != 0),
            "tls_group": columns.worded(group_name, cold["group"], cold["group"] != 0),
            "tls_resumed": columns.flags(cold["resumed"] == 2, cold["resumed"] != 0),
            "certificate_names": self._certificate_series(interned, cold["certificate"]),
            "ja4": shapes["ja4"],
            **({} if without >= ENDED else columns.counters(flows["counts"]) | _gaps(flows)),
            "app_exact": pl.Series((cold["inexact"] == 0) & ~spoke_quic),
            "rtt_remote_ms": columns.milliseconds(remote, remote >= 0),
            "rtt_local_ms": columns.milliseconds(local, local >= 0),
            "rtt_remote_min_ms": columns.milliseconds(least[:, UP], least[:, UP] >= 0),
            "rtt_local_min_ms": columns.milliseconds(least[:, DOWN], least[:, DOWN] >= 0),
            "initial_rtt_ms": columns.milliseconds(initial, initial >= 0),
            "tls_setup_ms": columns.milliseconds(cold["setup_ns"], cold["setup_done"] != 0),
            "tunnel": _tunnels(cold["tunnel"]),
            "remote_ipv4": _ipv4(cold["remote_v4"]),
            "first_packets": columns.packets(flows["counts"][:, :, PACKETS].sum(axis=1), firsts),
            "zero_rtt": columns.flags(cold["zero_rtt"] != 0, spoke_quic),
            "migrations": columns.numbers(cold["migrations"], spoke_quic, pl.UInt32),
            "tcp_signs": columns.coded(SIGNS, cold["syn"] @ OF_SYN + cold["fin"] @ OF_FIN),
            "icmp_type": columns.numbers(flows["kind"] >> 24 & 0xFF, icmp, pl.UInt16),
            "icmp_code": columns.numbers(flows["kind"] >> 16 & 0xFF, icmp, pl.UInt16),
            "end": columns.coded(END_NAMES, flows["end"]),
        }  # fmt: skip
        return columns.framed(FLOWS, out, without)

    def _tls(self, interned: InternedNames, rows: Array, hellos: Array, names: pl.Series) -> pl.DataFrame:
        """One row per ClientHello."""
        if not rows.size:
            return columns.nothing(TLS)
        shapes = self._shape_series(interned, hellos["shape"])
        quic = [f"0x{v:08x}" if v else None for v in rows["quic_version"].tolist()]
        out = {
            "time": columns.times(rows["time"]),
            "flow_id": columns.identifiers(rows["flow_id"]),
            **columns.ends(rows),
            "quic_version": pl.Series(quic, dtype=pl.String()),
            "sni": columns.chosen(names, hellos["sni"]),
            "alpn": shapes["alpn"],
            "versions": shapes["versions"],
            "ciphers": pl.Series(hellos["ciphers"].astype(np.uint16)),
            "ja4": shapes["ja4"],
            "ech": columns.coded(ECH_WORDS, hellos["ech"]),
            "post_quantum": pl.Series(hellos["post_quantum"] != 0),
            "resumption": pl.Series(hellos["resumes"] != 0),
            "early_data": pl.Series(hellos["early_data"] != 0),
            "hello_bytes": pl.Series(hellos["hello_bytes"].astype(np.uint32)),
            "packets": pl.Series(rows["packets"].astype(np.uint16)),
        }
        return columns.framed(TLS, out)


def _tunnels(chains: Array) -> pl.Series:
    """What the packets of each flow came in, in words."""
    distinct, place = np.unique(chains, return_inverse=True)
    return columns.picked(pl.Series([named(chain) for chain in distinct.tolist()], dtype=pl.String()), place)


def _ipv4(numbers: Array) -> pl.Series:
    """IPv4 addresses as text; 0 is none."""
    distinct, place = np.unique(numbers, return_inverse=True)
    texts = [str(IPv4Address(number)) if number else None for number in distinct.tolist()]
    return columns.picked(pl.Series(texts, dtype=pl.String()), place)


def _services(flows: Array, cold: Array, by_alpn: Array) -> pl.Series:
    """What is spoken; inside TLS and QUIC: DNS, where the name or the protocol that is asked for says so (`by_alpn`)."""
    spoken = flows["service"].copy()
    sealed = np.isin(spoken, (SERVICE_TLS, SERVICE_QUIC))
    spoken[sealed & (cold["resolver"] != 0)] = SERVICE_DOH
    return columns.coded(SERVICE_NAMES, np.where(sealed & (by_alpn != 0), by_alpn, spoken))


def _gaps(flows: Array) -> dict[str, pl.Series]:
    """Mean and population standard deviation of the time between packets of one way, in ms.

    Null for one packet, and where the last was stamped before the first.
    """
    out = {}
    for number, way in enumerate(("up", "down")):
        gaps = flows["counts"][:, number, PACKETS] - 1
        known = gaps > 0
        span = (flows["way_last_ns"][:, number] - flows["way_first_ns"][:, number]) / 1e6
        known &= span >= 0  # a clock that went back measures nothing
        mean = span / np.maximum(gaps, 1)
        spread = np.sqrt(np.maximum(flows["gap_squares"][:, number] / np.maximum(gaps, 1) - mean * mean, 0))
        out[f"{way}_gap_mean_ms"] = columns.numbers(mean, known)
        out[f"{way}_gap_std_ms"] = columns.numbers(spread, known)
    return out


def _exchanges(rows: Array, names: pl.Series) -> pl.DataFrame:
    """The exchanges that have ended."""
    if not rows.size:
        return columns.nothing(EXCHANGES)
    out = {
        "flow_id": columns.identifiers(rows["flow_id"]),
        "start": columns.times(rows["start"]),
        "end": columns.times(rows["end"]),
        "name": columns.chosen(names, rows["name"]),
        **columns.counters(rows["counts"]),
    }
    return columns.framed(EXCHANGES, out)


def _aliases(records: Array, names: pl.Series) -> pl.DataFrame:
    """name, target: what CNAME records say, for those who need nothing else of DNS (RFC 1035 §3.3.1)."""
    records = records[aliases(records)]
    return pl.DataFrame({"name": columns.chosen(names, records["name"]), "target": columns.chosen(names, records["data"])})


def _http(rows: Array, requests: Array, names: pl.Series) -> pl.DataFrame:
    """Cleartext requests."""
    if not rows.size:
        return columns.nothing(HTTP)
    out: dict[str, Any] = {"time": columns.times(rows["time"]), "flow_id": columns.identifiers(rows["flow_id"])}
    for name in ("method", "host", "target", "user_agent"):
        out[name] = columns.chosen(names, requests[name])
    return columns.framed(HTTP, out)
