"""What a TCP stream says, however it is cut: TLS records, hellos, DNS messages, HTTP heads, and what is neither."""

import itertools
import struct

import dpkt
import pytest
from crafting import packets
from crafting.packets import (
    FINISHED,
    Connection,
    app_record,
    client_hello,
    client_hello_message,
    dissect,
    hello,
    server_hello,
)
from hypothesis import given
from hypothesis import strategies as st
from wiretally.dissect import state

CCS = hello.CCS_RECORD
ENCRYPTED_EXTENSIONS = hello.record(23, bytes(2000))


def sent(data, *, cuts=(), up=True, port=443, opened=True):
    """A connection that carries `data`, one segment between two cuts."""
    connection = Connection(remote_port=port)
    if opened:
        connection.open()
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
    for low, high in itertools.pairwise(edges):
        connection.send(data[low:high], up=up)
    return connection


def in_records(message, sizes):
    """A handshake message over several records: RFC 8446 §5.1 allows any cut."""
    edges = [0, *(edge for edge in itertools.accumulate(sizes) if edge < len(message)), len(message)]
    return b"".join(hello.record(hello.HANDSHAKE, message[low:high]) for low, high in itertools.pairwise(edges))


# ---------------------------------------------------------------------------------------------------------------- TLS


@given(st.lists(st.integers(1, 900), max_size=5), st.lists(st.integers(1, 3000), max_size=6))
def test_a_hello_over_several_records_and_segments(sizes, cuts):
    message = client_hello_message("split.example", post_quantum=True)
    stream = in_records(message, sizes) + CCS + FINISHED + app_record(100)
    answer = dissect(sent(stream, cuts=cuts).items)
    row, whole = answer.one("tls"), dissect(sent(client_hello("split.example")).items).one("tls")
    assert {name: row[name] for name in ("sni", "ja4", "hello_bytes", "ech", "alpn")} == {
        name: whole[name] for name in ("sni", "ja4", "hello_bytes", "ech", "alpn")
    }
    assert answer.one("flows")["up_app_bytes"] == 100


def test_packets_counts_the_segments_that_carried_the_hello():
    stream = client_hello("x.example") + CCS
    for cuts in ([], [1000], [10, 600, 1200]):
        assert dissect(sent(stream, cuts=cuts).items).one("tls")["packets"] == len(cuts) + 1


@pytest.mark.parametrize("finished", [53, 69])
def test_handshake_finished_and_last_alert_are_not_application_data(finished):
    c = Connection().open().send(client_hello()).send(server_hello() + CCS + ENCRYPTED_EXTENSIONS, up=False)
    c.send(CCS + hello.record(23, bytes(finished))).send(app_record(500)).send(app_record(7000), up=False)
    c.send(hello.record(23, bytes(19))).close()
    flow = dissect(c.items).one("flows")
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (500, 7000)
    assert flow["app_exact"]
    assert flow["tls_version"] == "1.3"
    assert flow["end"] == "fin"
    assert flow["tls_setup_ms"] == 3.0  # ClientHello, the server's flight, Finished, the first request


def test_two_bytes_that_are_not_the_last_are_data():
    c = Connection().open().send(client_hello()).send(server_hello(), up=False).send(FINISHED)
    c.send(app_record(2)).send(app_record(10))
    assert dissect(c.items).one("flows")["up_app_bytes"] == 12


def test_the_setup_ends_with_the_first_application_record():
    c = Connection(step=10_000_000).open().send(client_hello()).send(server_hello(), up=False).send(FINISHED)
    c.send(app_record(2000))
    assert dissect(c.items).one("flows")["tls_setup_ms"] == 30.0


def test_early_data_before_finished_counts():
    c = Connection().open().send(client_hello() + CCS + app_record(400)).send(server_hello(), up=False)
    c.send(FINISHED + app_record(100))
    assert dissect(c.items).one("flows")["up_app_bytes"] == 500


@pytest.mark.parametrize(
    ("cipher", "overhead", "exact"), [(0xC02B, 24, True), (0xCCA8, 16, True), (0xC0A0, 16, True), (0xC013, 44, False)]
)
def test_tls_1_2_by_cipher(cipher, overhead, exact):
    c = Connection().open().send(client_hello(chromium=False)).send(server_hello(version=0x0303, cipher=cipher), up=False)
    c.send(CCS + hello.record(22, bytes(40))).send(CCS + hello.record(22, bytes(40)), up=False)
    c.send(hello.record(23, bytes(1000))).send(hello.record(23, bytes(3000)), up=False).send(hello.record(21, bytes(26)))
    flow = dissect(c.items).one("flows")
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (1000 - overhead, 3000 - overhead)
    assert flow["app_exact"] == exact
    assert flow["tls_version"] == "1.2"


def test_a_retry_gives_two_hellos_of_one_flow():
    c = Connection().open().send(client_hello("a.example", 1)).send(server_hello(retry=True) + CCS, up=False)
    c.send(CCS + client_hello("a.example", 2)).send(server_hello() + ENCRYPTED_EXTENSIONS, up=False)
    c.send(FINISHED + app_record(300))
    answer = dissect(c.items)
    assert answer.tables["tls"]["sni"].to_list() == ["a.example"] * 2
    assert answer.one("flows")["up_app_bytes"] == 300
    assert answer.one("flows")["app_exact"]


def test_tls_in_mid_stream_is_counted_but_flagged():
    flow = dissect(sent(app_record(1000) + app_record(53 - 17) + app_record(9), opened=False).items).one("flows")
    assert flow["service"] == "tls"
    assert flow["up_app_bytes"] == 1000 + 36 + 9
    assert not flow["app_exact"]


def test_bytes_are_credited_when_they_pass_not_when_the_record_begins():
    c = Connection().open().send(client_hello()).send(server_hello(), up=False).send(FINISHED)
    record = app_record(6000)
    c.send(record[:3000]).send(record[3000:], after=5 * packets.SECOND)
    exchanges = dissect(c.items).tables["exchanges"].sort("start")
    assert exchanges["up_app_bytes"].to_list()[-2:] == [2995, 3005]


def test_starttls_begins_in_the_middle():
    c = Connection(remote_port=25).open().send(b"220 mail.example\r\n", up=False).send(b"STARTTLS\r\n")
    c.send(b"220 go\r\n", up=False).send(client_hello("mail.example")).send(server_hello(), up=False)
    c.send(FINISHED + app_record(50))
    answer = dissect(c.items)
    assert answer.one("tls")["sni"] == "mail.example"
    assert answer.one("flows")["up_app_bytes"] == len(b"STARTTLS\r\n") + 50


def test_dns_over_tls_by_its_port():
    assert dissect(sent(client_hello(), port=853).items).one("flows")["service"] == "dot"


@pytest.mark.parametrize("first", [19, 25, 0x47])
def test_other_first_bytes_are_cleartext(first):
    data = bytes([first]) + b"\3\3\0\x10" + bytes(16)
    flow = dissect(sent(data, port=9000).items).one("flows")
    assert flow["service"] is None
    assert flow["up_app_bytes"] == len(data)
    assert flow["app_exact"]


@given(st.binary(min_size=1, max_size=4), st.integers(20, 24))
def test_a_stream_too_short_to_tell_is_cleartext(rest, first):
    data = (bytes([first]) + rest)[:4]
    flow = dissect(sent(data, cuts=range(4), port=9000).items).one("flows")
    assert flow["up_app_bytes"] == flow["up_payload_bytes"] == len(data)


def test_a_hello_cut_by_the_snapshot_length_names_the_flow_without_a_fingerprint():
    message = client_hello("cut.example", chromium=False)
    c = Connection().open()
    frame = c.frame(message)
    cut = 14 + 40 + message.index(b"cut.example") + 11
    c.items.append((c.now + 1, frame[:cut], len(frame)))
    answer = dissect(c.items)
    assert answer.one("flows")["sni"] == "cut.example"
    assert answer.one("tls")["ja4"] is None
    assert answer.one("flows")["up_payload_bytes"] == len(message)
    assert answer.counters["cut"] == 1


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_hello_as_long_as_can_be_collected_and_one_byte_more(beyond):
    message = client_hello_message("long.example", chromium=False)
    padding = state.COLLECT_BYTES + beyond - len(message) - 4
    size = int.from_bytes(message[1:4], "big") + padding + 4
    at = message.index(b"\0\0\0\x11\0\x0f\0\0\x0clong.example") - 2
    extensions = int.from_bytes(message[at : at + 2], "big") + padding + 4
    grown = b"\1" + size.to_bytes(3, "big") + message[4:at] + extensions.to_bytes(2, "big") + message[at + 2 :]
    grown += struct.pack(">HH", 21, padding) + bytes(padding)
    answer = dissect(sent(in_records(grown, [9000]), cuts=[1000, 5000]).items)
    assert answer.given_up["collect_long"] == beyond
    assert answer.tables["tls"].height == 1 - beyond
    if not beyond:
        assert answer.one("tls")["hello_bytes"] == state.COLLECT_BYTES


# ------------------------------------------------------------------------------------------------------- DNS over TCP


def dns_query(name, number=7):
    query = dpkt.dns.DNS(id=number, op=dpkt.dns.DNS_RD, qd=[dpkt.dns.DNS.Q(name=name, type=1, cls=1)])
    return struct.pack(">H", len(bytes(query))) + bytes(query)


@given(st.lists(st.integers(1, 200), max_size=8), st.integers(1, 4))
def test_dns_over_tcp_in_any_cut(cuts, count):
    data = b"".join(dns_query(f"n{number}.example", number) for number in range(count))
    answer = dissect(sent(data, cuts=cuts, port=53).items)
    assert answer.tables["dns"].sort("id")["qname"].to_list() == [f"n{number}.example" for number in range(count)]
    flow = answer.one("flows")
    assert flow["service"] == "dns"
    assert flow["up_app_bytes"] == len(data)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_dns_message_as_long_as_can_be_collected_and_one_byte_more(beyond):
    query = dns_query("long.example")[2:]
    query += bytes(state.COLLECT_BYTES - 2 + beyond - len(query))
    data = struct.pack(">H", len(query)) + query
    answer = dissect(sent(data, cuts=range(0, len(data), 1400), port=53).items)
    assert answer.tables["dns"].height == 1 - beyond
    assert answer.given_up["collect_long"] == beyond
    assert answer.one("flows")["up_app_bytes"] == len(data)


def test_a_super_packet_of_messages_is_taken_whole():
    empty = struct.pack(">H", 12) + bytes(12)
    data = empty * 4600  # 64 kB
    answer = dissect(sent(data, port=53).items)
    packets.assert_sums_close(answer, 4)
    assert answer.tables["dns"].height + answer.given_up["sheets_full"] == 4600


def test_answers_of_a_super_packet_are_taken_whole():
    answer_record = b"\0" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes(4)
    message = struct.pack(">HHHHHH", 1, 0x8180, 0, 500, 0, 0) + answer_record * 500
    data = (struct.pack(">H", len(message)) + message) * 30  # 225 kB in one frame, as segmentation offload gives it
    c = Connection(remote_port=53).open()
    for _ in range(10):
        c.send(data, up=False)
    answer = dissect(c.items)
    packets.assert_sums_close(answer, 13)
    assert answer.tables["dns"].height + answer.given_up["sheets_full"] == 300


# --------------------------------------------------------------------------------------------------------------- HTTP

REQUEST = b"POST /path?q=1 HTTP/1.1\r\nHost: plain.example:8080\r\nUser-Agent: probe/1\r\nContent-Length: 5\r\n\r\n"


@given(st.lists(st.integers(8, 200), max_size=6))
def test_a_request_in_any_cut_behind_its_method(cuts):
    answer = dissect(sent(REQUEST + b"hello", cuts=cuts, port=8080).items)
    row, flow = answer.one("http"), answer.one("flows")
    assert (row["method"], row["host"], row["target"], row["user_agent"]) == (
        "POST", "plain.example:8080", "/path?q=1", "probe/1")  # fmt: skip
    assert (flow["service"], flow["name"], flow["name_source"]) == ("http", "plain.example", "http_host")
    assert flow["up_app_bytes"] == flow["up_payload_bytes"] == len(REQUEST) + 5
    assert flow["app_exact"]


def test_requests_in_a_row_are_rows():
    answer = dissect(sent(REQUEST.replace(b"Content-Length: 5\r\n", b"") * 3, port=80).items)
    assert answer.tables["http"].height == 3


def test_a_super_packet_of_requests_is_taken_whole():
    data = b"GET \n\n" * 10_000
    answer = dissect(sent(data, port=80).items)
    packets.assert_sums_close(answer, 4)
    assert answer.tables["http"].height + answer.given_up["sheets_full"] == 10_000


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_head_as_long_as_can_be_collected_and_one_byte_more(beyond):
    head = REQUEST[:-2] + b"X: "
    head += b"y" * (state.COLLECT_BYTES + beyond - len(head) - 4) + b"\r\n\r\n"
    answer = dissect(sent(head + b"hello", cuts=range(0, len(head), 1400), port=80).items)
    assert answer.one("http")["host"] == "plain.example:8080"  # what there is of it
    assert answer.given_up["collect_long"] == beyond
    assert answer.one("flows")["up_app_bytes"] == len(head) + 5


def test_tls_behind_a_proxy_begins_after_connect():
    c = Connection(remote_port=3128).open().send(b"CONNECT secret.example:443 HTTP/1.1\r\n\r\n")
    c.send(b"HTTP/1.1 200 OK\r\n\r\n", up=False).send(client_hello("secret.example")).send(server_hello(), up=False)
    c.send(FINISHED + app_record(70))
    answer = dissect(c.items)
    assert answer.one("tls")["sni"] == answer.one("flows")["name"] == "secret.example"
    assert answer.one("flows")["service"] == "tls"
    assert answer.one("flows")["up_app_bytes"] == len(b"CONNECT secret.example:443 HTTP/1.1\r\n\r\n") + 70


def test_as_many_messages_are_put_together_at_one_time_and_no_more():
    items = []
    for number in range(state.COLLECTORS + 1):
        c = Connection(port=1000 + number).open().send(client_hello()[:900])
        items += c.items
    answer = dissect(items)
    assert answer.given_up["collect_full"] == 1
    packets.assert_sums_close(answer, len(items))
