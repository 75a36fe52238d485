"""DTLS: hellos in any fragments, cookies, application bytes, what shares a port with it, and the limits."""

import random
import struct

import pytest
from crafting.packets import MS, START, client_hello_message, dissect, hello, sorted_tables, udp
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import dtls_message
from wiretally.dissect.tls import dtls

V10, V12, V13 = 0xFEFF, 0xFEFD, 0xFEFC


def body_of(name="call.example", *, cookie=b"", version=V12, versions=(), padding=0):
    """The body of a DTLS ClientHello: RFC 6347 §4.2.1."""
    message = client_hello_message(name, 3, chromium=False)
    at = 4 + 2 + 32
    at += 1 + message[at]
    ciphers = message[at : at + 2 + int.from_bytes(message[at : at + 2], "big")]
    extensions = struct.pack(">HH", 0, len(name) + 5) + hello.vector(2, b"\0" + hello.vector(2, name.encode()))
    extensions += struct.pack(">HH", 13, 6) + hello.vector(2, b"\4\3\4\1")
    if versions:
        extensions += struct.pack(">HH", 43, 1 + 2 * len(versions)) + hello.vector(
            1, b"".join(v.to_bytes(2, "big") for v in versions))  # fmt: skip
    if padding:
        extensions += struct.pack(">HH", 21, padding) + bytes(padding)
    return (version.to_bytes(2, "big") + bytes(range(32)) + b"\0" + hello.vector(1, cookie) + ciphers + b"\1\0"
            + hello.vector(2, extensions))  # fmt: skip


def record(kind, body, *, epoch=0, version=V12):
    return struct.pack(">BHH", kind, version, epoch) + bytes(6) + hello.vector(2, body)


def fragment(kind, whole, low=0, high=None, *, number=0):
    data = whole[low:high]
    return (bytes([kind]) + len(whole).to_bytes(3, "big") + number.to_bytes(2, "big") + low.to_bytes(3, "big")
            + hello.vector(3, data))  # fmt: skip


def call(*datagrams, port=5000):
    """Datagrams (bytes, up) a millisecond apart."""
    return [(START + n * MS, udp(data, up=up, remote_port=port)) for n, (data, up) in enumerate(datagrams)]


def said(body, **more):
    return record(22, fragment(1, body, **more)), True


def answered(version=V12, cipher=0xC02B, extensions=b"", *, retry=False, number=0):
    chance = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c") if retry else bytes(32)
    body = V12.to_bytes(2, "big") if version == V13 else version.to_bytes(2, "big")
    body += chance + b"\0" + cipher.to_bytes(2, "big") + b"\0" + hello.vector(2, extensions)
    return record(22, fragment(2, body, number=number)), False


WHOLE = body_of()
EXPECTED = dissect(call(said(WHOLE))).one("tls")


def test_a_hello_is_a_row():
    row = EXPECTED
    assert (row["transport"], row["quic_version"], row["sni"], row["hello_bytes"]) == ("udp", None, "call.example", 12 + len(WHOLE))
    assert row["ja4"].startswith("dd2d")
    assert row["versions"] == []
    flow = dissect(call(said(WHOLE), answered())).one("flows")
    assert (flow["service"], flow["name"], flow["name_source"]) == ("dtls", "call.example", "sni")
    assert (flow["tls_version"], flow["tls_cipher"]) == ("DTLS1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
    assert (flow["up_app_bytes"], flow["down_app_bytes"], flow["app_exact"]) == (0, 0, True)


@given(st.data())
@settings(max_examples=25)
def test_any_fragments_in_any_order_give_the_same_row(data):
    edges = sorted(set(data.draw(st.lists(st.integers(1, len(WHOLE) - 1), max_size=5))))
    pieces = list(zip([0, *edges], [*edges, len(WHOLE)], strict=True))
    again = data.draw(st.lists(st.integers(0, len(WHOLE) - 1), max_size=3))  # sent again, cut anew
    pieces = data.draw(st.permutations(pieces + [(low, data.draw(st.integers(low + 1, len(WHOLE)))) for low in again]))
    items = call(*((record(22, fragment(1, WHOLE, low, high)), True) for low, high in pieces))
    cut = data.draw(st.integers(0, len(items)))
    row = dissect(items, cuts=[cut] if 0 < cut < len(items) else ()).one("tls")
    same = ("sni", "ja4", "hello_bytes", "alpn", "versions", "ciphers", "ech")
    assert {name: row[name] for name in same} == {name: EXPECTED[name] for name in same}
    assert dtls_message.messages((1, 0, len(WHOLE), low, WHOLE[low:high]) for low, high in pieces) == [(0, 1, WHOLE)]
    assert 1 <= row["packets"] <= len(pieces)


def test_fragments_of_one_message_share_a_datagram():
    both = record(22, fragment(1, WHOLE, 0, 50) + fragment(1, WHOLE, 50, 90)) + record(22, fragment(1, WHOLE, 90))
    assert dissect(call((both, True))).one("tls")["packets"] == 1


def test_the_hello_with_the_cookie_is_another_row_and_a_repeated_one_is_none():
    again = body_of(cookie=b"cookie")
    verify = (record(22, fragment(3, b"\xfe\xff\6cookie")), False)
    answer = dissect(call(said(WHOLE), said(WHOLE), verify, said(again, number=1), said(again, number=1), answered(number=1)))
    assert answer.tables["tls"]["hello_bytes"].to_list() == [12 + len(WHOLE), 18 + len(WHOLE)]
    assert answer.one("flows")["ja4"] == answer.tables["tls"]["ja4"][1]


def test_an_older_hello_does_not_displace_a_newer_one():
    newer = body_of(cookie=b"c")
    half = len(WHOLE) // 2
    items = call(said(newer, number=1, high=half), said(WHOLE, high=half), said(newer, number=1, low=half))
    answer = dissect(items)
    assert answer.one("tls")["hello_bytes"] == 12 + len(newer)
    assert answer.given_up["collect_full"] == 1


@pytest.mark.parametrize(
    ("version", "cipher", "added", "exact"),
    [(V12, 0xC02B, 24, True), (V12, 0xCCA9, 16, True), (V12, 0xC0AE, 16, True), (V10, 0xC009, 44, False)],
)
def test_application_bytes(version, cipher, added, exact):
    data = record(23, bytes(500), epoch=1, version=version)
    change = record(20, b"\1", version=version) + record(22, bytes(40), epoch=1, version=version)
    items = call(said(WHOLE), answered(version, cipher), (change, True), (change, False), (data + data, True), (data, False),
                 (record(21, bytes(26), epoch=1, version=version), True))  # fmt: skip
    flow = dissect(items).one("flows")
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (2 * (500 - added), 500 - added)
    assert (flow["app_exact"], flow["tls_setup_ms"]) == (exact, 4.0)
    assert flow["tls_resumed"] is True  # nothing came between hello and change of cipher


def test_version_1_3():
    extensions = struct.pack(">HHH", 43, 2, V13) + struct.pack(">HHH", 51, 2, 0x11EC)
    with_length = bytes([0x2F]) + bytes(2) + hello.vector(2, bytes(100))  # sequence of 16 bits, length, epoch 3
    items = call(said(body_of(versions=(V13, V12))), answered(V13, 0x1301, extensions, retry=True),
                 said(body_of(versions=(V13, V12)), number=1), answered(V13, 0x1301, extensions, number=1),
                 (bytes([0x2E]) + bytes(70), False), (with_length + bytes([0x2B]) + bytes(52), True))  # fmt: skip
    answer = dissect(items)
    assert answer.tables["tls"]["versions"].to_list() == [["DTLS1.3", "DTLS1.2"]] * 2
    assert answer.tables["tls"]["ja4"][0].startswith("dd3d")
    flow = answer.one("flows")
    assert (flow["tls_version"], flow["tls_group"]) == ("DTLS1.3", "X25519MLKEM768")
    assert (flow["up_app_bytes"], flow["down_app_bytes"], flow["app_exact"]) == (83 + 50 - 17, 0, False)


def test_media_beside_it_count_as_they_stand():
    stun, media = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12), b"\x80" + bytes(99)
    items = call((stun, True), said(WHOLE), answered(), (media, True), (media, False), (stun, False))
    flow = dissect(items).one("flows")
    assert (flow["service"], flow["up_app_bytes"], flow["down_app_bytes"]) == ("dtls", 120, 120)


@pytest.mark.parametrize("data", [b"\x16\xfe\xfd", record(22, WHOLE)[:-1], b"\x16\3\3" + record(22, WHOLE)[3:], b"\x16" * 60])
def test_what_only_begins_like_it_is_not_it(data):
    flow = dissect(call((data, True))).one("flows")
    assert (flow["service"], flow["up_app_bytes"]) == (None, len(data))


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_message_as_long_as_can_be_put_together_and_one_byte_more(beyond):
    body = body_of(padding=dtls.MAX_DTLS_MESSAGE - 12 - len(WHOLE) - 4 + beyond)
    assert len(body) == dtls.MAX_DTLS_MESSAGE - 12 + beyond
    items = call(*((record(22, fragment(1, body, low, low + 1200)), True) for low in range(0, len(body), 1200)))
    answer = dissect(items)
    assert answer.tables["tls"].height == 1 - beyond
    assert (answer.given_up["collect_long"] > 0) == bool(beyond)


def test_a_certificate_in_fragments_and_splits_into_batches():
    from crafting import handshakes
    from cryptography.hazmat.primitives import serialization

    octets = handshakes.certificate("dtls.example", ("dtls.example",))[0].public_bytes(serialization.Encoding.DER)
    body = hello.vector(3, hello.vector(3, octets))
    pieces = [(record(22, fragment(11, body, low, low + 200, number=1)), False) for low in range(0, len(body), 200)]
    items = call(said(WHOLE), answered(), *reversed(pieces))
    whole = sorted_tables(dissect(items))
    assert whole["flows"]["certificate_names"].to_list() == [["dtls.example"]]
    for cut in range(1, len(items)):
        other = sorted_tables(dissect(items, cuts=[cut]))
        assert all(frame.equals(whole[name]) for name, frame in other.items())


@given(st.binary(max_size=80), st.integers(0, 2**32))
@settings(max_examples=40)
def test_anything_behind_a_header_is_survived(noise, seed):
    rng = random.Random(seed)
    datagram = bytearray(record(22, fragment(1, WHOLE, 0, 60)) + record(rng.randrange(20, 27), noise, epoch=rng.randrange(3)))
    datagram[rng.randrange(len(datagram))] = rng.randrange(256)
    flow = dissect(call(said(WHOLE), (bytes(datagram), True), (bytes(noise), False))).one("flows")
    assert 0 <= flow["up_app_bytes"] <= flow["up_payload_bytes"]
