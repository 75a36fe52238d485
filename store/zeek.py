r"""Tables as Zeek writes its logs, for tools that read those: conn.log, dns.log, ssl.log.

Theory: Zeek's ASCII format: a header of lines that begin with #, then a line per record, fields apart by tabs. Columns have
Zeek's names, order and types, so that zeek-cut and what is built on it work; what we do not measure is left unset, and so is
what a client only offered: `version`, `cipher`, `curve` are what the server chose. The originator of a connection is who
began it, as in Zeek, whichever end is local. Lookups and hellos wait for the flow that they belong to, which has the same uid.

Who sent a reset is not kept: a connection that was established and then reset is OTH, unless one end sent a single packet
(its SYN), so that the reset was the other's.

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

LINES = 10_000  # that are written at once
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
TRANSPORTS = {"tcp": "tcp", "udp": "udp", "icmp": "icmp", "icmp6": "icmp"}  # Zeek's `transport_proto` has no others
# names of its analysers, in lower case; what it has none for is unset
SERVICES = {"tls": "ssl", "dot": "ssl", "quic": "quic,ssl", "doq": "quic,ssl", "dtls": "dtls", "http": "http", "dns": "dns", "mdns": "dns",
            "llmnr": "dns", "netbios": "dns", "ntp": "ntp", "dhcp": "dhcp"}  # fmt: skip
QTYPES = {"ANY": "*"}
OF_FLOW = ("local_ip", "local_port", "remote_ip", "remote_port", "transport")
WANTED = {"dns": ("flow_id", "initiator"),
          "ssl": ("initiator", "tls_version", "tls_cipher", "tls_group", "tls_resumed", "tls_setup_ms")}  # fmt: skip


class ZeekSink:
    """A context manager that takes frames of the table FROM[kind]; the log is in its place once it is left."""

    def __init__(self, kind: str, target: str) -> None:
        """`kind`: conn, dns or ssl."""
        self.kind, self.output = kind, Output(target)
        self._waiting: list[pl.DataFrame] = []
        self._flows: list[pl.DataFrame] = []

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
                if self._waiting:
                    self._append(self._joined())
                self.output.write(f"#close\t{_now()}\n".encode())
        else:
            self.output.__exit__(kind, error, trace)

    def learn(self, flows: pl.DataFrame) -> None:
        """Takes flows that lookups and hellos may belong to; they may come before or after those."""
        if self.kind in WANTED:
            self._flows.append(flows.select(*dict.fromkeys(("flow_id", *OF_FLOW, "first_seen", "last_seen", *WANTED[self.kind]))))

    def write(self, frame: pl.DataFrame) -> None:
        """Appends a line per row; of lookups and hellos once it is left."""
        if self.kind in WANTED:
            self._waiting.append(frame)
        else:
            self._append(frame)

    def _joined(self) -> pl.DataFrame:
        """What waits, with the columns WANTED of its flow: by flow_id, or by the ends and the time."""
        import polars as pl

        from ..core.schema import FLOWS, polars_schema

        rows, wanted = pl.concat(self._waiting), WANTED[self.kind]
        if not self._flows:
            return rows.with_columns(pl.lit(None, polars_schema(FLOWS)[name]).alias(name) for name in wanted)
        flows = pl.concat(self._flows)
        if self.kind == "ssl":
            return rows.join(flows.select("flow_id", *wanted), on="flow_id", how="left", maintain_order="left")
        flows = flows.filter(pl.col("first_seen").is_not_null()).sort("first_seen")
        found = rows.with_row_index("row").sort("time").join_asof(flows, left_on="time", right_on="first_seen", by=list(OF_FLOW), check_sortedness=False)
        inside = pl.col("time") <= pl.col("last_seen")
        return found.with_columns(pl.when(inside).then(pl.col(name)).alias(name) for name in wanted).sort("row").drop("row")

    def _append(self, frame: pl.DataFrame) -> None:
        make = {"conn": _conn, "dns": _dns, "ssl": _ssl}[self.kind]
        fields = LOGS[self.kind]
        for part in _timed(frame).iter_slices(LINES):
            lines = []
            for row in part.iter_rows(named=True):
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
    return {f"id.{here}_h": row["local_ip"], f"id.{there}_h": row["remote_ip"], **ports,
            "proto": TRANSPORTS.get(str(row["transport"]), "unknown_transport")}  # fmt: skip


def _conn(row: dict[str, object]) -> dict[str, object]:
    began = row["initiator"] != "remote"
    here, there = ("up", "down") if began else ("down", "up")
    first, last = row["first_seen"], row["last_seen"]
    return _ends(row, local_began=began) | _icmp(row) | {
        "ts": Seconds(first) if isinstance(first, int) else None, "uid": row["flow_id"], "service": _service(row),
        "duration": Seconds(last - first) if isinstance(first, int) and isinstance(last, int) else None,
        "orig_bytes": row[f"{here}_payload_bytes"], "resp_bytes": row[f"{there}_payload_bytes"], "conn_state": _state(row, here, there),
        "local_orig": began, "local_resp": not began,
        "orig_pkts": row[f"{here}_packets"], "orig_ip_bytes": row[f"{here}_ip_bytes"],
        "resp_pkts": row[f"{there}_packets"], "resp_ip_bytes": row[f"{there}_ip_bytes"], "community_id": row["community_id"],
    }  # fmt: skip


def _service(row: dict[str, object]) -> str | None:
    """DNS over HTTPS is what it comes in."""
    if row["service"] == "doh":
        return SERVICES["tls" if row["transport"] == "tcp" else "quic"]
    return SERVICES.get(str(row["service"]))


def _icmp(row: dict[str, object]) -> dict[str, object]:
    """Type for the one port; for the other the type of the answer, or the code where there is none."""
    kind, code = row["icmp_type"], row["icmp_code"]
    if not isinstance(kind, int) or not isinstance(code, int):
        return {}
    from ..dissect.community import ICMP_PAIRS
    from ..dissect.ip import PROTOCOL_ICMP, PROTOCOL_ICMP6

    protocol = PROTOCOL_ICMP if row["transport"] == "icmp" else PROTOCOL_ICMP6
    halves = {one: other for which, *pair in ICMP_PAIRS if which == protocol for one, other in (pair, pair[::-1])}
    return {"id.orig_p": kind, "id.resp_p": halves.get(kind, code)}


def _state(row: dict[str, object], here: str, there: str) -> str:
    """`conn_state`, as `conn_state()` of Zeek's base/protocols/conn/main.zeek; here: the originator's way, there: the responder's."""
    sent, answered = int(str(row[f"{here}_packets"] or 0)), int(str(row[f"{there}_packets"] or 0))
    if row["transport"] == "udp":
        return "SF" if answered else "S0"
    if row["transport"] != "tcp":
        return "OTH"
    signs = str(row["tcp_signs"] or ("SsFf" if row["end"] == "fin" and row["rtt_remote_ms"] is not None else ""))  # a store of before they were kept
    signs = signs if here == "up" else signs.swapcase()
    asked, agreed, left, gone = (sign in signs for sign in "SsFf")
    if row["end"] == "rst":
        if not asked:
            return "RSTRH" if agreed and not sent else "OTH"
        if not agreed:
            quiet = not row["up_payload_bytes"] and not row["down_payload_bytes"]
            return "RSTOS0" if not answered else "REJ" if quiet else "OTH"
        return "RSTO" if answered == 1 else "RSTR" if sent == 1 else "OTH"
    if left and gone:
        return "SF" if asked or agreed else "OTH"
    if asked and not agreed:
        return "OTH" if answered else "SH" if left else "S0"
    if agreed and not asked:
        return "SHR" if gone and not sent else "OTH"
    return "OTH" if not asked else "S2" if left else "S3" if gone else "S1"


def _dns(row: dict[str, object]) -> dict[str, object]:
    answers, latency, time, kind = row["answers"], row["latency_ms"], row["time"], str(row["qtype"] or "")
    listed = answers if isinstance(answers, list) else []
    return _ends(row, local_began=row["initiator"] != "remote") | {
        "ts": Seconds(time) if isinstance(time, int) else None, "uid": row["flow_id"], "trans_id": row["id"],
        "rtt": Seconds(round(latency * 1e6)) if isinstance(latency, float) else None,
        "query": row["qname"], "rcode_name": row["rcode"],
        "qtype_name": f"query-{kind[4:]}" if kind.startswith("TYPE") else QTYPES.get(kind, kind) or None,
        "answers": [each["data"] for each in listed] or None,
        "TTLs": [Seconds(each["ttl"] * 1_000_000_000) for each in listed] or None,
    }  # fmt: skip


def _ssl(row: dict[str, object]) -> dict[str, object]:
    time, chosen = row["time"], row["tls_cipher"]
    return _ends(row, local_began=row["initiator"] != "remote") | {
        "ts": Seconds(time) if isinstance(time, int) else None, "uid": row["flow_id"],
        "version": VERSIONS.get(str(row["tls_version"])) if chosen else None, "cipher": chosen, "curve": row["tls_group"],
        "server_name": row["sni"], "resumed": row["tls_resumed"], "established": True if row["tls_setup_ms"] is not None else None,
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
