"""Logs as Zeek writes them: header, types, escapes, and who began a connection."""

import pytest
from crafting.sessions import NS, START, frame, moment
from wiretally.core.errors import EnvironmentFault
from wiretally.store.zeek import LOGS, Seconds, ZeekSink, _text

FLOW = {"flow_id": "00ff", "local_ip": "10.0.0.2", "local_port": 40000, "remote_ip": "203.0.113.9", "remote_port": 443,
        "transport": "tcp", "initiator": "local", "service": "tls", "first_seen": moment(START), "last_seen": moment(START + 10**9),
        "up_packets": 3, "down_packets": 4, "up_payload_bytes": 50, "down_payload_bytes": 60, "up_ip_bytes": 170,
        "down_ip_bytes": 220, "rtt_remote_ms": 1.5, "end": "fin", "tcp_signs": "SsFf", "community_id": "1:abc="}  # fmt: skip


def log(path, kind, table, rows, flows=()):
    """The log's header lines and records, as zeek-cut understands them."""
    with ZeekSink(kind, str(path)) as sink:
        sink.write(frame(table, rows))
        if flows:
            sink.learn(frame("flows", flows))
    lines = path.read_text().splitlines()
    fields = next(line.split("\t")[1:] for line in lines if line.startswith("#fields\t"))
    types = next(line.split("\t")[1:] for line in lines if line.startswith("#types\t"))
    assert list(zip(fields, types, strict=True)) == list(LOGS[kind])
    return lines, [dict(zip(fields, line.split("\t"), strict=True)) for line in lines if not line.startswith("#")]


def test_a_connection_has_zeeks_columns_and_its_originator(tmp_path):
    there = FLOW | {"initiator": "remote", "transport": "udp", "service": None, "end": "idle", "rtt_remote_ms": None, "up_packets": 0}
    lines, rows = log(tmp_path / "conn.log", "conn", "flows", [FLOW, there])
    assert lines[:5] == [r"#separator \x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tconn"]
    assert lines[-1].startswith("#close\t")
    first, second = rows
    assert (first["id.orig_h"], first["id.orig_p"], first["id.resp_h"], first["id.resp_p"]) == ("10.0.0.2", "40000", "203.0.113.9", "443")
    assert (first["uid"], first["ts"], first["duration"]) == ("00ff", "1700000000.000000", "1.000000")
    assert (first["orig_bytes"], first["resp_bytes"], first["orig_ip_bytes"], first["conn_state"]) == ("50", "60", "170", "SF")
    assert (first["local_orig"], first["tunnel_parents"], first["community_id"]) == ("T", "-", "1:abc=")
    assert (second["id.orig_h"], second["orig_bytes"], second["resp_pkts"], second["conn_state"]) == ("203.0.113.9", "60", "0", "S0")
    assert (second["service"], second["local_orig"]) == ("-", "F")


def test_lookups(tmp_path):
    answers = [{"name": "a", "type": "A", "data": "192.0.2.1", "ttl": 60}, {"name": "a", "type": "TXT", "data": "x,y\tz", "ttl": 0}]
    ends = {name: FLOW[name] for name in ("local_ip", "local_port", "remote_ip", "remote_port")} | {"transport": "udp", "time": moment(START)}
    _, (row, lone) = log(tmp_path / "dns.log", "dns", "dns", [
        ends | {"id": 7, "qname": "a.example", "qtype": "A", "rcode": "NOERROR", "answers": answers, "latency_ms": 12.5},
        ends | {"qname": "-", "answers": []}])  # fmt: skip
    assert (row["rtt"], row["answers"], row["TTLs"]) == ("0.012500", r"192.0.2.1,x\x2cy\x09z", "60.000000,0.000000")
    assert (lone["query"], lone["answers"], lone["rtt"], lone["rcode_name"]) == (r"\x2d", "-", "-", "-")


def test_hellos_say_what_the_server_chose_and_nothing_that_was_only_offered(tmp_path):
    ends = {name: FLOW[name] for name in ("local_ip", "local_port", "remote_ip", "remote_port", "transport")} | {"time": moment(START)}
    hello = ends | {"sni": "s.example", "alpn": ["h2", "http/1.1"], "versions": ["1.3", "1.2"], "ja4": "t13d"}
    chosen = FLOW | {"tls_version": "1.2", "tls_cipher": "TLS_X", "tls_group": "x25519", "tls_resumed": True, "tls_setup_ms": 9.0, "alpn": "h2"}
    offered = FLOW | {"flow_id": "01", "initiator": "remote", "tls_version": "1.3", "alpn": "h2"}
    _, rows = log(tmp_path / "ssl.log", "ssl", "tls", [hello | {"flow_id": "00ff"}, hello | {"flow_id": "01"}, hello | {"flow_id": "02"}],
                  [chosen, offered])  # fmt: skip
    told = ("uid", "version", "cipher", "curve", "resumed", "next_protocol", "established", "server_name", "ja4")
    assert [tuple(row[name] for name in told) for row in rows] == [
        ("00ff", "TLSv12", "TLS_X", "x25519", "T", "-", "T", "s.example", "t13d"),
        ("01", "-", "-", "-", "-", "-", "-", "s.example", "t13d"), ("02", "-", "-", "-", "-", "-", "-", "s.example", "t13d"),
    ]  # fmt: skip
    assert [row["id.orig_h"] for row in rows] == ["10.0.0.2", "203.0.113.9", "10.0.0.2"]


def test_a_lookup_has_the_uid_of_the_flow_that_it_was_in(tmp_path):
    ends = {name: FLOW[name] for name in ("local_ip", "local_port", "remote_ip", "remote_port")} | {"transport": "udp"}
    later = START + 100 * NS
    flows = [ends | {"flow_id": name, "initiator": began, "first_seen": moment(first), "last_seen": moment(first + NS)}
             for name, began, first in (("b", "remote", later), ("a", "local", START))]  # fmt: skip
    asked = [(later, "b"), (START + NS // 2, "a"), (START + 50 * NS, "-"), (START - 1, "-")]
    _, rows = log(tmp_path / "dns.log", "dns", "dns", [ends | {"time": moment(at), "qname": f"{at}", "qtype": "TYPE123"} for at, _ in asked], flows)
    assert [(row["query"], row["uid"]) for row in rows] == [(str(at), name) for at, name in asked]
    assert rows[0]["id.orig_h"] == "203.0.113.9"
    assert rows[0]["qtype_name"] == "query-123"


@pytest.mark.parametrize(("service", "transport", "word"), [
    ("tls", "tcp", "ssl"), ("quic", "udp", "quic,ssl"), ("doh", "tcp", "ssl"), ("doh", "udp", "quic,ssl"), ("dot", "tcp", "ssl"), ("doq", "udp", "quic,ssl"),
    ("dtls", "udp", "dtls"), ("mdns", "udp", "dns"), ("http", "tcp", "http"), ("ntp", "udp", "ntp"), ("dhcp", "udp", "dhcp"), ("ssdp", "udp", "-"),
])  # fmt: skip
def test_services_have_zeeks_names(tmp_path, service, transport, word):
    _, (row,) = log(tmp_path / "conn.log", "conn", "flows", [FLOW | {"service": service, "transport": transport}])
    assert row["service"] == word


SYN_ONLY = {"up_packets": 3, "down_packets": 0, "up_payload_bytes": 0, "down_payload_bytes": 0, "end": "idle", "rtt_remote_ms": None, "tcp_signs": "S"}


@pytest.mark.parametrize(("changes", "state"), [
    ({}, "SF"), ({"tcp_signs": "Ss", "end": "active"}, "S1"), ({"tcp_signs": "SsF", "end": "idle"}, "S2"), ({"tcp_signs": "Ssf", "end": "eof"}, "S3"),
    (SYN_ONLY, "S0"), (SYN_ONLY | {"tcp_signs": "SF"}, "SH"), (SYN_ONLY | {"end": "rst"}, "RSTOS0"),
    (SYN_ONLY | {"end": "rst", "down_packets": 3}, "REJ"), (SYN_ONLY | {"tcp_signs": None}, "OTH"),
    ({"end": "rst", "tcp_signs": "Ss"}, "OTH"), ({"end": "rst", "tcp_signs": "Ss", "down_packets": 1}, "RSTO"),
    ({"end": "rst", "tcp_signs": "Ss", "up_packets": 1}, "RSTR"), ({"end": "rst", "tcp_signs": None}, "OTH"), ({"tcp_signs": "Ff"}, "OTH"),
    ({"tcp_signs": "sf", "end": "idle", "up_packets": 0}, "SHR"), ({"tcp_signs": "s", "end": "rst", "up_packets": 0}, "RSTRH"),
    ({"tcp_signs": None}, "SF"), ({"tcp_signs": None, "rtt_remote_ms": None}, "OTH"), ({"transport": "sctp"}, "OTH"),
])  # fmt: skip
@pytest.mark.parametrize("initiator", ["local", "remote"])
def test_states_are_zeeks(tmp_path, changes, state, initiator):
    flow = FLOW | changes
    if initiator == "remote":
        other = {"up": "down", "down": "up"}
        flow = {f"{other[way]}_{rest}" if (way := name.partition("_")[0]) in other and (rest := name.partition("_")[2]) else name: value
                for name, value in flow.items()} | {"tcp_signs": flow["tcp_signs"] and flow["tcp_signs"].swapcase(), "initiator": "remote"}  # fmt: skip
    _, (row,) = log(tmp_path / "conn.log", "conn", "flows", [flow])
    assert row["conn_state"] == state


@pytest.mark.parametrize(("transport", "kind", "code", "ports"), [
    ("icmp", 8, 0, ("8", "0")), ("icmp", 3, 3, ("3", "3")), ("icmp6", 135, 0, ("135", "136")), ("icmp6", 136, 0, ("136", "135")), ("icmp6", 1, 4, ("1", "4")),
])  # fmt: skip
def test_icmp_has_type_and_code_for_ports(tmp_path, transport, kind, code, ports):
    flow = FLOW | {"transport": transport, "icmp_type": kind, "icmp_code": code, "local_port": None, "remote_port": None, "initiator": "remote"}
    _, (row,) = log(tmp_path / "conn.log", "conn", "flows", [flow])
    assert (row["id.orig_p"], row["id.resp_p"], row["proto"], row["conn_state"]) == (*ports, "icmp", "OTH")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", "(empty)"), ("-", r"\x2d"), ("(empty)", r"\x28empty)"), ("#fields", r"\x23fields"), ("a\\b", r"a\x5cb"),
     ("a\nb\x1b", r"a\x0ab\x1b"), ("é", "é"), ("\u202e", r"\xe2\x80\xae")],
)  # fmt: skip
def test_hostile_text_stays_in_its_cell(text, shown):
    assert _text(text) == shown


def test_times_before_the_epoch_and_broken_logs(tmp_path):
    assert [str(Seconds(ns)) for ns in (-1_500_000_000, 999, 10**18)] == ["-1.500000", "0.000000", "1000000000.000000"]
    with pytest.raises(ZeroDivisionError), ZeekSink("conn", str(tmp_path / "conn.log")):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(EnvironmentFault), ZeekSink("conn", str(tmp_path / "no" / "conn.log")):
        pass
