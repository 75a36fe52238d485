"""Every table and column that users and their scripts see, defined once.

Polars schemas, the reference pages and the stores are derived from here. Adding a column is fine; renaming or dropping
one breaks users. Times are UTC nanoseconds; counts are unsigned 64-bit; missing is null, never 0 or "-".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl


class Column(NamedTuple):
    """`type` is one of time, u64, u32, u16, f64, bool, str, and list[…] of str, answer, packet, span; `unit` may be empty."""

    name: str
    type: str
    meaning: str
    unit: str = ""


class Table(NamedTuple):
    """A named list of columns, in the order in which they are written."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The column names in order."""
        return [column.name for column in self.columns]


ANSWER_FIELDS = (("name", "str"), ("type", "str"), ("data", "str"), ("ttl", "u32"))
PACKET_FIELDS = (("direction", "str"), ("ip_bytes", "u32"), ("payload_bytes", "u32"), ("gap_ms", "f64"))

SPAN_FIELDS = (("address", "str"), ("first_seen", "time"), ("last_seen", "time"))

ENDS = (
    Column("local_ip", "str", "address of the device under observation"),
    Column("local_port", "u16", "its port; null where the transport has none"),
    Column("remote_ip", "str", "address of the other end"),
    Column("remote_port", "u16", "its port; null where the transport has none"),
    Column("transport", "str", "tcp, udp, icmp, icmp6, sctp, else the IP protocol number"),
)

QUANTITIES = (
    ("packets", "packets", ""),
    ("wire_bytes", "frame lengths on the wire, as captured from the link", "bytes"),
    ("ip_bytes", "from the first byte of the IP header to the end of the IP packet", "bytes"),
    ("payload_bytes", "unique transport payload: retransmitted ranges count once", "bytes"),
    ("app_bytes", "application data inside TLS or QUIC (there with ACK frames, an upper bound); for cleartext equal to payload_bytes", "bytes"),
    ("retransmitted_bytes", "TCP payload seen again", "bytes"),
)
COUNTERS = tuple(
    Column(f"{way}_{name}", "u64", f"{meaning}, {'local to remote' if way == 'up' else 'remote to local'}", unit)
    for way in ("up", "down")
    for name, meaning, unit in QUANTITIES
)

ATTRIBUTION = (
    Column("country", "str", "ISO 3166-1 code of the place that the database gives for remote_ip"),
    Column("asn", "u32", "autonomous system that announces remote_ip"),
    Column("as_org", "str", "its organisation"),
    Column("owner", "str", "organisation that runs the destination, from the catalogue"),
    Column("product", "str", "what the destination belongs to"),
    Column("category", "str", "telemetry, telemetry_mixed, analytics, ads, crash, push, update, sync, search, cdn, …"),
    Column("attribution_source", "str", "whose word owner and category are: list:FILE (the user's own), catalogue, third-party-web, cname (of an alias behind the name), domain (registered, owner unknown), as (no name: weaker)"),
    Column("geo_check", "str", "plausible, impossible or unknown: the country against the smallest RTT"),
    Column("max_distance_km", "f64", "how far away the server can be at most, by the smallest RTT seen", "km"),
    Column("prefix_max_distance_km", "f64", "the same for the nearest address seen of its /24 (IPv6: /48)", "km"),
    Column("geo_status", "str", "how far country can be believed: agree, disputed, shared, v6_low, refuted; null without a country"),
    Column("country_second", "str", "country that a second database gives"),
    Column("registered_country", "str", "country that the address block is registered in: not where the server stands"),
    Column("shared", "str", "operator, where the address belongs to a content network or anycast: no one place"),
    Column("parent", "str", "organisation that the owner belongs to, else the owner itself"),
    Column("cname", "str", "alias behind name that owner and category rest on, where attribution_source is cname"),
)

FLOWS = Table(
    "flows",
    "One row per bidirectional flow between its first packet and its end.",
    (
        Column("flow_id", "str", "stable across runs: the same packets give the same identifier"),
        Column("community_id", "str", "Community ID v1, seed 0"),
        Column("first_seen", "time", "time of the first packet"),
        Column("last_seen", "time", "time of the last packet"),
        Column("local_mac", "str", "link address of the local end, where the link has one"),
        *ENDS,
        Column("initiator", "str", "local or remote: who sent the first packet (TCP: the SYN)"),
        Column("service", "str", "application protocol, from content first: tls, quic, dns, http, dot, …"),
        Column("name", "str", "name of the remote end, by name_source"),
        Column("name_source", "str", "sni, quic_sni, http_host or dns"),
        Column("sni", "str", "server name of the ClientHello"),
        Column("ech", "str", "none, grease_or_real, outer; null without a ClientHello"),
        Column("alpn", "str", "first protocol that the ClientHello offers"),
        Column("tls_version", "str", "version that the server chose, else the highest offered"),
        Column("tls_cipher", "str", "cipher suite that the server chose, by its name in the IANA registry"),
        Column("tls_group", "str", "named group of the key exchange that the server chose; before TLS 1.3 not seen"),
        Column("tls_resumed", "bool", "whether an earlier session was taken up again; null where the server's answer was not seen"),
        Column("certificate_names", "list[str]", "common name and DNS names of the server's certificate, as it says; TLS 1.3 hides it"),
        Column("ja4", "str", "JA4 fingerprint of the ClientHello; of the second one after a retry"),
        *COUNTERS,
        Column("app_exact", "bool", "false where a record header was lost or is not defined (QUIC): app_bytes are estimates"),
        Column("zero_rtt", "bool", "QUIC: 0-RTT packets were seen; null for other protocols"),
        Column("migrations", "u16", "QUIC: how often packets of the connection came from another address or port; the columns above show the first. Null for other protocols"),
        Column("rtt_remote_ms", "f64", "SYN to SYN/ACK at the tap, or to the refusal; QUIC: first client Initial to first answer (Initial, Retry or Version Negotiation)", "ms"),
        Column("rtt_local_ms", "f64", "SYN/ACK to the ACK of it at the tap", "ms"),
        Column("rtt_remote_min_ms", "f64", "smallest round trip to the remote end in the whole TCP flow: handshake, then data to their acknowledgement; repeated segments left out", "ms"),
        Column("rtt_local_min_ms", "f64", "the same to the local end", "ms"),
        Column("initial_rtt_ms", "f64", "latest SYN to the first acknowledgement behind it from either end, as Wireshark's tcp.analysis.initial_rtt; known also where the SYN/ACK is not in the capture", "ms"),
        Column("tls_setup_ms", "f64", "ClientHello to the client's first application record; QUIC: to its first 1-RTT packet", "ms"),
        Column("up_gap_mean_ms", "f64", "mean time between packets; null for a single one, and where the clock of the capture went back: the last was stamped before the first", "ms"),
        Column("up_gap_std_ms", "f64", "standard deviation of the time between packets; null where the mean is", "ms"),
        Column("down_gap_mean_ms", "f64", "as up_gap_mean_ms", "ms"),
        Column("down_gap_std_ms", "f64", "as up_gap_std_ms", "ms"),
        Column("tunnel", "str", "what the packets came in, the outermost first: gre/vxlan; ipip, 6in4, 4in6, 6in6, gre, etherip, mpls, pppoe, vxlan, geneve, gtp, teredo, ayiya, l2tp, capwap; null where nothing"),
        Column("remote_ipv4", "str", "IPv4 address that remote_ip stands for behind NAT64: by the well-known prefix, or the one that the network told before (RFC 7050)"),
        Column("first_packets", "list[packet]", "the first packets of both ways: direction, ip_bytes, payload_bytes, gap_ms; null unless asked for (--packets)"),
        Column("tcp_signs", "str", "TCP: what of its opening and closing was seen, in no order: S the SYN of the local end, s of the remote, F and f their FIN; null where nothing"),
        Column("icmp_type", "u16", "ICMP: type of the message, of an echo and its reply that of the echo; null for others"),
        Column("icmp_code", "u16", "ICMP: code of the message; null for others"),
        Column("end", "str", "fin, rst, idle, active, eof; evicted where --max-flows was reached"),
        *ATTRIBUTION,
    ),
)

EXCHANGES = Table(
    "exchanges",
    "One row per upload-then-download epoch inside a flow; their sums are the flow's totals, exactly.",
    (
        Column("flow_id", "str", "the flow"),
        Column("start", "time", "first packet"),
        Column("end", "time", "last packet"),
        Column("name", "str", "name of the remote end"),
        *COUNTERS,
    ),
)

TLS = Table(
    "tls",
    "One row per ClientHello.",
    (
        Column("time", "time", "packet that completed the hello"),
        Column("flow_id", "str", "the flow"),
        *ENDS,
        Column("quic_version", "str", "QUIC version in hexadecimal; null over TCP and for DTLS"),
        Column("sni", "str", "server name"),
        Column("alpn", "list[str]", "protocols offered"),
        Column("versions", "list[str]", "TLS versions offered, GREASE left out"),
        Column("ciphers", "u16", "cipher suites offered, GREASE left out"),
        Column("ja4", "str", "JA4 fingerprint"),
        Column("ech", "str", "none, grease_or_real, outer"),
        Column("post_quantum", "bool", "whether a post-quantum key share or group is offered"),
        Column("resumption", "bool", "whether it offers to take up an earlier session: pre-shared key, ticket, or identifier before TLS 1.3"),
        Column("early_data", "bool", "whether it announces early data (0-RTT)"),
        Column("hello_bytes", "u32", "length of the handshake message with its header", "bytes"),
        Column("packets", "u16", "packets that carried a part of it"),
    ),
)

DNS = Table(
    "dns",
    "One row per transaction; a lone query or a lone answer is a row too.",
    (
        Column("time", "time", "the query, or the lone answer"),
        *ENDS,
        Column("service", "str", "dns, mdns or llmnr"),
        Column("id", "u16", "transaction identifier"),
        Column("qname", "str", "lower case, no final dot, non-printing bytes as \\DDD"),
        Column("qtype", "str", "type by name, else TYPE123"),
        Column("rcode", "str", "response code by name; null without an answer"),
        Column("answers", "list[answer]", "records of the answer section: name, type, data, ttl"),
        Column("additional", "list[answer]", "records of the additional section, of multicast DNS and LLMNR: devices tell there what they were not asked; empty for others"),
        Column("latency_ms", "f64", "query to answer; of one that was repeated: from the first time it was asked", "ms"),
        Column("edns_udp_size", "u16", "longest answer over UDP that the query allows (RFC 6891); null without EDNS", "bytes"),
        Column("client_subnet", "str", "network of the asker that the query gives away to name servers (RFC 7871)"),
    ),
)

HTTP = Table(
    "http",
    "One row per cleartext HTTP/1 request.",
    (
        Column("time", "time", "packet that completed the request's head"),
        Column("flow_id", "str", "the flow"),
        Column("method", "str", "request method"),
        Column("host", "str", "Host header"),
        Column("target", "str", "request target"),
        Column("user_agent", "str", "User-Agent header"),
    ),
)

DEVICES = Table(
    "devices",
    "One row per local device: a link address, or an IP address where the link has none.",
    (
        Column("mac", "str", "link address"),
        Column("addresses", "list[str]", "IP addresses seen with it, in order of time"),
        Column("address_spans", "list[span]", "the same, with the first and the last packet of each"),
        Column("vendor", "str", "organisation that the IEEE has assigned the address block to; null where randomised"),
        Column("randomised", "bool", "locally administered bit: the address says nothing of the vendor"),
        Column("names", "list[str]", "names that it gave itself, in order of time: claims, not facts"),
        Column("name_sources", "list[str]", "where each of the names was said: dhcp, mdns, llmnr, netbios"),
        Column("software", "list[str]", "what its software calls itself: DHCP vendor class, SSDP"),
        Column("first_seen", "time", "first packet"),
        Column("last_seen", "time", "last packet"),
    ),
)

ANNOUNCED = Table(
    "announced",
    "One row per claim of a device about itself; `devices` is made from these and from flows. In stores only.",
    (
        Column("time", "time", "when it was first said"),
        Column("mac", "str", "link address that it is about, where that is known"),
        Column("ip", "str", "IP address that it is about, where that is known"),
        Column("name", "str", "the name, or what the software calls itself"),
        Column("source", "str", "dhcp, mdns, llmnr, netbios: a name; dhcp_vendor, ssdp: software"),
    ),
)

CAPTURE = Table(
    "capture",
    "One row per input, or per minute live. packets = counted + malformed + unsupported, always.",
    (
        Column("source", "str", "file, address or interface"),
        Column("linktype", "str", "link types by name, comma-separated where a file holds several"),
        Column("packets", "u64", "packets read"),
        Column("wire_bytes", "u64", "their lengths on the wire", "bytes"),
        Column("dropped", "u64", "packets that the capturing kernel or interface says it lost; null where it said nothing"),
        Column("truncated", "u64", "packets cut by the snapshot length"),
        Column("malformed", "u64", "packets whose headers contradict themselves or end early"),
        Column("unsupported", "u64", "packets that carry no IP, or a link type that is not read"),
        Column("counted", "u64", "packets that are in a flow"),
        Column("cut_short", "bool", "the file ends in the middle of a packet"),
        Column("degraded", "str", "what was left out since packets came faster than they could be followed: columns, payload; byte counts never"),
        Column("first_seen", "time", "earliest packet"),
        Column("last_seen", "time", "latest packet"),
    ),
)

TABLES = {table.name: table for table in (FLOWS, EXCHANGES, TLS, DNS, HTTP, DEVICES, CAPTURE)}


def polars_schema(table: Table) -> dict[str, pl.DataType]:
    """The table's columns as Polars types, in order."""
    import polars as pl

    types: dict[str, pl.DataType] = {
        "time": pl.Datetime("ns", "UTC"), "u64": pl.UInt64(), "u32": pl.UInt32(), "u16": pl.UInt16(),
        "f64": pl.Float64(), "bool": pl.Boolean(), "str": pl.String(), "list[str]": pl.List(pl.String()),
    }  # fmt: skip
    for name, fields in (("answer", ANSWER_FIELDS), ("packet", PACKET_FIELDS), ("span", SPAN_FIELDS)):
        types[f"list[{name}]"] = pl.List(pl.Struct([pl.Field(field, types[kind]) for field, kind in fields]))
    return {column.name: types[column.type] for column in table.columns}
