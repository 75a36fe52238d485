"""Logs as Zeek writes them: header, types, escapes, and who began a connection."""

import pytest
from crafting.sessions import START, frame, moment
from wiretally.core.errors import EnvironmentFault
from wiretally.store.zeek import LOGS, Seconds, ZeekSink, _text

FLOW = {"flow_id": "00ff", "local_ip": "10.0.0.2", "local_port": 40000, "remote_ip": "203.0.113.9", "remote_port": 443,
        "transport": "tcp", "initiator": "local", "service": "tls", "first_seen": moment(START), "last_seen": moment(START + 10**9),
        "up_packets": 3, "down_packets": 4, "up_payload_bytes": 50, "down_payload_bytes": 60, "up_ip_bytes": 170,
        "down_ip_bytes": 220, "rtt_remote_ms": 1.5, "end": "fin", "community_id": "1:abc="}  # fmt: skip


def log(path, kind, table, rows):
    """The log's header lines and records, as zeek-cut understands them."""
    with ZeekSink(kind, str(path)) as sink:
        sink.write(frame(table, rows))
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


def test_lookups_and_hellos(tmp_path):
    answers = [{"name": "a", "type": "A", "data": "192.0.2.1", "ttl": 60}, {"name": "a", "type": "TXT", "data": "x,y\tz", "ttl": 0}]
    ends = {name: FLOW[name] for name in ("local_ip", "local_port", "remote_ip", "remote_port")} | {"transport": "udp", "time": moment(START)}
    _, (row, lone) = log(tmp_path / "dns.log", "dns", "dns", [
        ends | {"id": 7, "qname": "a.example", "qtype": "A", "rcode": "NOERROR", "answers": answers, "latency_ms": 12.5},
        ends | {"qname": "-", "answers": []}])  # fmt: skip
    assert (row["rtt"], row["answers"], row["TTLs"]) == ("0.012500", r"192.0.2.1,x\x2cy\x09z", "60.000000,0.000000")
    assert (lone["query"], lone["answers"], lone["rtt"], lone["rcode_name"]) == (r"\x2d", "-", "-", "-")
    _, (hello,) = log(tmp_path / "ssl.log", "ssl", "tls", [
        ends | {"flow_id": "f", "sni": "s.example", "alpn": ["h2", "http/1.1"], "versions": ["1.3", "1.2"], "ja4": "t13d"}])  # fmt: skip
    assert (hello["version"], hello["server_name"], hello["next_protocol"], hello["ja4"]) == ("TLSv13", "s.example", "h2", "t13d")


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
