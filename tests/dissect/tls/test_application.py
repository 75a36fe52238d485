"""App bytes against what two real ends said to one another, and against records that are told by their length only."""

import ssl

import pytest
from crafting.handshakes import Talk, contexts
from crafting.packets import FINISHED, Connection, app_record, client_hello, dissect, hello, server_hello
from wiretally.dissect.tls.client_hello import EARLY_DATA

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
UP, DOWN = (1, 400, 5000), (16, 17_000)


def flow_of(talk):
    for size in UP:
        talk.say(size)
    for size in DOWN:
        talk.say(size, up=False)
    talk.say(10)
    return dissect(talk.connection.items).one("flows")


@pytest.mark.parametrize(
    ("cipher", "name"),
    [("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
     ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
     ("ECDHE-ECDSA-AES128-CCM", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM"),
     ("ECDHE-ECDSA-AES256-CCM8", "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8"),
     ("ECDHE-ECDSA-NULL-SHA", "TLS_ECDHE_ECDSA_WITH_NULL_SHA")],
)  # fmt: skip
def test_tls_1_2_says_what_was_said(cipher, name):
    flow = flow_of(Talk(*contexts(V12, cipher)))
    assert flow["tls_cipher"] == name
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (sum(UP) + 10, sum(DOWN))
    assert flow["app_exact"]
    assert (flow["tls_version"], flow["tls_resumed"], flow["tls_group"]) == ("1.2", False, None)
    assert flow["certificate_names"] == ["server.example", "*.server.example"]


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"])
def test_padding_leaves_an_interval_whose_middle_is_taken(cipher):
    flow = flow_of(Talk(*contexts(V12, cipher)))
    records = len(UP) + 1
    assert abs(flow["up_app_bytes"] - sum(UP) - 10) <= 8 * records
    assert not flow["app_exact"]


@pytest.mark.parametrize(("curve", "hellos"), [(None, 1), ("secp521r1", 2)])
def test_tls_1_3_says_what_was_said_also_after_a_retry(curve, hellos):
    talk = Talk(*contexts(V13, curve=curve))
    flow = flow_of(talk)
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (sum(UP) + 10, sum(DOWN))
    assert flow["app_exact"]
    assert flow["tls_version"] == "1.3"
    assert flow["tls_group"] == (curve or flow["tls_group"])
    assert flow["certificate_names"] is None
    rows = dissect(talk.connection.items).tables["tls"]
    assert rows.height == hellos
    assert rows["ja4"][-1] == flow["ja4"]


def test_a_client_that_shows_a_certificate():
    flow = flow_of(Talk(*contexts(V13, client_certificate=True)))
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (sum(UP) + 10, sum(DOWN))


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_taken_up_again(version):
    client, server = contexts(version, tickets=1)
    first = Talk(client, server).say(5).say(5, up=False)
    second = Talk(client, server, first.ends[True].session).say(100)
    answer = dissect(second.connection.items)
    assert second.ends[True].session_reused
    assert answer.one("flows")["tls_resumed"] is True
    assert answer.one("tls")["resumption"] is True
    assert answer.one("flows")["up_app_bytes"] == 100
    assert dissect(first.connection.items).one("flows")["tls_resumed"] is False


def begun():
    """A TLS 1.3 connection at the client's turn."""
    return Connection().open().send(client_hello()).send(server_hello() + hello.record(23, bytes(900)), up=False)


@pytest.mark.parametrize(
    ("flight", "behind", "expected", "exact"),
    [((700,), (400, 50), 450 - 34, False),  # all in one record, then two requests
     ((700,), (400,), 400 - 17, False),  # the end of the capture comes before anything tells
     ((700, 281), (400,), 400 - 17, True),
     ((700 + 281 - 17,), (400,), 400 - 17, True)],
)  # fmt: skip
def test_a_clients_flight_in_one_to_three_records(flight, behind, expected, exact):
    finished = FINISHED if exact else b""
    c = begun().send(b"".join(hello.record(23, bytes(size)) for size in flight) + finished)
    c.send(b"".join(hello.record(23, bytes(size)) for size in behind))
    flow = dissect(c.items).one("flows")
    assert (flow["up_app_bytes"], flow["app_exact"]) == (expected, exact)


def test_what_the_server_says_settles_the_flight():
    c = begun().send(hello.record(23, bytes(700))).send(app_record(30)).send(app_record(1000), up=False).send(app_record(7))
    flow = dissect(c.items).one("flows")
    assert (flow["up_app_bytes"], flow["down_app_bytes"], flow["app_exact"]) == (37, 1000, False)


def with_extension(record, kind, body=b""):
    """The hello in `record` with one more extension, the first."""
    message = bytearray(record[5:])
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at]
    added = kind.to_bytes(2, "big") + hello.vector(2, body)
    size = int.from_bytes(message[at : at + 2], "big") + len(added)
    body = bytes(message[4:at]) + size.to_bytes(2, "big") + added + bytes(message[at + 2 :])
    return hello.record(22, hello.message(1, body), 0x0301)


def test_early_data_count_and_their_end_does_not():
    first = with_extension(client_hello(), EARLY_DATA)
    c = Connection().open().send(first + app_record(400) + app_record(36))  # the second as long as a Finished
    c.send(server_hello() + hello.record(23, bytes(120)), up=False)
    c.send(hello.record(23, bytes(4 + 17)) + FINISHED + app_record(100)).send(app_record(60), up=False)
    answer = dissect(c.items)
    assert answer.one("tls")["early_data"] is True
    flow = answer.one("flows")
    assert (flow["up_app_bytes"], flow["down_app_bytes"], flow["app_exact"]) == (536, 60, True)


def test_a_second_hello_whose_retry_was_not_seen():
    c = Connection().open().send(client_hello("a.example", 1)).send(client_hello("a.example", 2))
    assert dissect(c.items).tables["tls"].height == 2


def test_tls_1_3_with_short_tags():
    c = Connection().open().send(client_hello()).send(server_hello(cipher=0x1305), up=False)
    c.send(hello.record(23, bytes(4 + 32 + 9))).send(hello.record(23, bytes(109))).send(hello.record(23, bytes(209)), up=False)
    flow = dissect(c.items).one("flows")
    assert (flow["up_app_bytes"], flow["down_app_bytes"], flow["app_exact"]) == (100, 200, True)
