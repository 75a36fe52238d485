r"""Tables as Zeek writes its logs, for tools that read those: conn.log, dns.log, ssl.log.

Theory: Zeek's ASCII format: a header of lines that begin with #, then a line per record, fields apart by tabs. Columns have
Zeek's names, order and types, so that zeek-cut and what is built on it work; what we do not measure is left unset. The
originator of a connection is who began it, as in Zeek, whichever end is local.

Rules: missing is `-`, an empty set or text `(empty)`. In text a backslash, a tab and everything unprintable is \xHH, by
the bytes of its UTF-8, as Zeek does; so is a text that would read as missing or empty, or as a comment.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Self

from .output import Output

if TYPE_CHECKING:
    from types import TracebackType

    import polars as pl

UNSET, EMPTY = "-", "(empty)"
ENDS = (("ts", "time"), ("uid", "string"), ("id.orig_h", "addr"), ("id.orig_p", "port"), ("id.resp_h", "addr"), ("id.resp_p", "port"))
# https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html#type-Conn::Info, and dns, ssl likewise
CONN = (*ENDS, ("proto", "enum"), ("service", "string"), ("duration", "interval"), ("orig_bytes", "count"), ("resp_bytes", "count"),
        ("conn_state", "string"), ("local_orig", "bool"), ("local_resp", "bool"), ("missed_bytes", "count"), ("history", "string"),
        ("orig_pkts", "count"), ("orig_ip_bytes", "count"), ("resp_pkts", "count"), ("resp_ip_bytes", "count"),
        ("tunnel_parents", "set[string]"), ("community_id", "string"))  # fmt: skip
DNS = (*ENDS, ("proto", "enum"), ("trans_id", "count"), ("rtt", "interval"), ("query", "string"), ("qtype_name", "string"),
       ("rcode_name", "string"), ("AA", "bool"), ("TC", "bool"), ("RD", "bool"), ("RA", "bool"), ("Z", "count"),
       ("answers", "vector[string]"), ("TTLs", "vector[interval]"), ("rejected", "bool"))  # fmt: skip
SSL = (*ENDS, ("version", "string"), ("cipher", "string"), ("curve", "string"), ("server_name", "string"), ("resumed", "bool"),
       ("last_alert", "string"), ("next_protocol", "string"), ("established", "bool"), ("ja4", "string"))  # fmt: skip
LOGS = {"conn": CONN, "dns": DNS, "ssl": SSL}
FROM = {"conn": "flows", "dns": "dns", "ssl": "tls"}
VERSIONS = {"1.3": "TLSv13", "1.2": "TLSv12", "1.1": "TLSv11", "1.0": "TLSv10", "SSL3.0": "SSLv3",
            "DTLS1.3": "DTLSv13", "DTLS1.2": "DTLSv12", "DTLS1.0": "DTLSv10"}  # fmt: skip
STATES = {"fin": "SF", "rst": "RSTO"}  # of what began with a handshake; the rest is OTH
TRANSPORTS = {"icmp6": "icmp"}  # Zeek's `transport_proto` has one for both


class ZeekSink:
    """A context manager that takes frames of the table FROM[kind]; the log is in its place once it is left."""

    def __init__(self, kind: str, target: str) -> None:
        """`kind`: conn, dns or ssl."""
        self.kind, self.output = kind, Output(target)

    def __enter__(self) -> Self:
        """Writes the header."""
        names, types = zip(*LOGS[self.kind], strict=True)
        lines = (r"#separator \x09", "#set_separator\t,", f"#empty_field\t{EMPTY}", f"#unset_field\t{UNSET}", f"#path\t{self.kind}",
                 f"#open\t{_now()}", "\t".join(("#fields", *names)), "\t".join(("#types", *types)))  # fmt: skip
        self.output.write("".join(f"{line}\n" for line in lines).encode())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Completes the log, or removes it where there was an exception."""
        if error is None:
            with self.output:
                self.output.write(f"#close\t{_now()}\n".encode())
        else:
            self.output.__exit__(kind, error, trace)

    def write(self, frame: pl.DataFrame) -> None:
        """Appends a line per row."""
        make = {"conn": _conn, "dns": _dns, "ssl": _ssl}[self.kind]
        fields = LOGS[self.kind]
        lines = []
        for row in _timed(frame).iter_rows(named=True):
            values = make(row)
            lines.append("\t".join(_cell(values.get(name)) for name, _ in fields))
        self.output.write("".join(f"{line}\n" for line in lines).encode())


class Seconds(NamedTuple):
    """A time or an interval as Zeek prints it: seconds with six digits."""

    ns: int

    def __str__(self) -> str:
        sign, ns = ("-", -self.ns) if self.ns < 0 else ("", self.ns)
        return f"{sign}{ns // 1_000_000_000}.{ns % 1_000_000_000 // 1000:06d}"


def _timed(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as ns, exactly."""
    import polars as pl

    return frame.with_columns(pl.col(name).dt.epoch("ns") for name, kind in frame.schema.items() if kind.is_temporal())


def _ends(row: dict[str, object], *, local_began: bool) -> dict[str, object]:
    there, here = ("resp", "orig") if local_began else ("orig", "resp")
    ports = {f"id.{end}_p": row[f"{name}_port"] or 0 for end, name in ((here, "local"), (there, "remote"))}
    transport = str(row["transport"])
    return {f"id.{here}_h": row["local_ip"], f"id.{there}_h": row["remote_ip"], **ports,
            "proto": TRANSPORTS.get(transport, transport if transport.isalpha() else "unknown_transport")}  # fmt: skip


def _conn(row: dict[str, object]) -> dict[str, object]:
    began = row["initiator"] != "remote"
    here, there = ("up", "down") if began else ("down", "up")
    first, last = row["first_seen"], row["last_seen"]
    answered = bool(row["down_packets" if began else "up_packets"])
    state = STATES.get(str(row["end"]), "OTH") if row["rtt_remote_ms"] is not None and row["transport"] == "tcp" else "OTH"
    if row["transport"] == "udp":
        state = "SF" if answered else "S0"
    return _ends(row, local_began=began) | {
        "ts": Seconds(first) if isinstance(first, int) else None, "uid": row["flow_id"], "service": row["service"],
        "duration": Seconds(last - first) if isinstance(first, int) and isinstance(last, int) else None,
        "orig_bytes": row[f"{here}_payload_bytes"], "resp_bytes": row[f"{there}_payload_bytes"], "conn_state": state,
        "local_orig": began, "local_resp": not began,
        "orig_pkts": row[f"{here}_packets"], "orig_ip_bytes": row[f"{here}_ip_bytes"],
        "resp_pkts": row[f"{there}_packets"], "resp_ip_bytes": row[f"{there}_ip_bytes"], "community_id": row["community_id"],
    }  # fmt: skip


def _dns(row: dict[str, object]) -> dict[str, object]:
    answers, latency, time = row["answers"], row["latency_ms"], row["time"]
    listed = answers if isinstance(answers, list) else []
    return _ends(row, local_began=True) | {
        "ts": Seconds(time) if isinstance(time, int) else None, "trans_id": row["id"],
        "rtt": Seconds(round(latency * 1e6)) if isinstance(latency, float) else None,
        "query": row["qname"], "qtype_name": row["qtype"], "rcode_name": row["rcode"],
        "answers": [each["data"] for each in listed] or None,
        "TTLs": [Seconds(each["ttl"] * 1_000_000_000) for each in listed] or None,
    }  # fmt: skip


def _ssl(row: dict[str, object]) -> dict[str, object]:
    offered, protocols, time = row["versions"], row["alpn"], row["time"]
    best = offered[0] if isinstance(offered, list) and offered else None
    return _ends(row, local_began=True) | {
        "ts": Seconds(time) if isinstance(time, int) else None, "uid": row["flow_id"], "version": VERSIONS.get(str(best)),
        "server_name": row["sni"], "next_protocol": protocols[0] if isinstance(protocols, list) and protocols else None,
        "ja4": row["ja4"],
    }  # fmt: skip


def _cell(value: object) -> str:
    """A value as it stands in a line."""
    if value is None:
        return UNSET
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, Seconds):
        return str(value)
    if isinstance(value, list):
        return ",".join(_cell(each).replace(",", r"\x2c") for each in value) or EMPTY
    return _text(value) if isinstance(value, str) else str(value)


def _text(text: str) -> str:
    """Text on one line, by the rules above."""
    if not text:
        return EMPTY
    safe = "".join(c if c.isprintable() and c != "\\" else "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in text)
    return f"\\x{ord(safe[0]):02x}{safe[1:]}" if safe in {UNSET, EMPTY} or safe.startswith("#") else safe


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d-%H-%M-%S}"
