"""Opening Initials: the RFCs' own packets, every version, numbers and frames."""

import hmac

import pytest
from crafting import quic
from crafting.quic_vectors import CLIENT_FRAMES, CLIENT_INITIAL, DCID, RETRY, SERVER_INITIAL
from hypothesis import given
from hypothesis import strategies as st
from wiretally.dissect.quic import datagram, initial
from wiretally.dissect.quic.hellos import HelloFromInitials
from wiretally.dissect.quic.initial import (
    client_keys,
    crypto_frames,
    opened,
    packet_number,
    packets,
    salts_of,
    varint,
)

VARINTS = [("c2197c5eff14e88c", 151288809941952652), ("9d7f3e7d", 494878333), ("7bbd", 15293), ("25", 37), ("4025", 37)]


@pytest.mark.parametrize("version", CLIENT_INITIAL)
def test_the_client_initial_of_the_appendix(version):
    sealed = CLIENT_INITIAL[version]
    [packet] = packets(sealed)
    assert (packet.kind, packet.version, packet.dcid, packet.end) == (0, version, DCID, 1200)
    [keys] = client_keys(version, DCID)
    assert opened(sealed, packet, keys) == (2, CLIENT_FRAMES + bytes(917))
    hello = HelloFromInitials().take(1, sealed)
    assert hello == (CLIENT_FRAMES[4:], 1, version)


@pytest.mark.parametrize("version", SERVER_INITIAL)
def test_server_and_retry_of_the_appendix_say_nothing_of_the_client(version):
    [keys] = client_keys(version, DCID)
    [packet] = packets(SERVER_INITIAL[version])
    assert (packet.kind, packet.dcid) == (0, b"")
    assert opened(SERVER_INITIAL[version], packet, keys) is None
    assert packets(RETRY[version]) == []
    hellos = HelloFromInitials()
    assert hellos.take(1, SERVER_INITIAL[version], 1) is hellos.take(1, RETRY[version], 1) is None


@pytest.mark.parametrize("version", CLIENT_INITIAL)
def test_a_changed_bit_anywhere_is_not_opened(version):
    [keys] = client_keys(version, DCID)
    for at in range(0, 1200, 37):
        broken = bytearray(CLIENT_INITIAL[version])
        broken[at] ^= 0x10
        found = packets(bytes(broken))
        assert not found or found[0].version != version or opened(bytes(broken), found[0], keys) is None


@pytest.mark.parametrize("version", quic.SALTS)
def test_every_version_gives_its_hello(version):
    sealed = quic.initial(quic.crypto(quic.hello_message()), version=version)
    assert HelloFromInitials().take(1, sealed) == (quic.hello_message(), 1, version)


def test_versions_without_a_salt():
    assert [salts_of(version) for version in (0, 2, 0xFF000015, 0xFF000023, 0x51303433)] == [()] * 5
    assert len(salts_of(0x0A1A2A3A)) == len(salts_of(0xFACEB00E)) == 3


@given(st.binary(max_size=initial.BLOCK), st.binary(max_size=200))
def test_hmac_is_that_of_the_standard_library(key, message):
    assert initial._mac(initial._mac_key(key), message) == hmac.digest(key, message, "sha256")


@pytest.mark.parametrize(("text", "value"), VARINTS)
def test_variable_length_integers_of_the_appendix(text, value):
    import numpy as np

    data = bytes.fromhex(text)
    assert varint(b"\xff" + data, 1) == (value, 1 + len(data))
    assert datagram.varint(np.frombuffer(data, np.uint8), 0, len(data)) == (value, len(data))
    with pytest.raises(IndexError):
        varint(data[:-1], 0)
    assert datagram.varint(np.frombuffer(data, np.uint8), 0, len(data) - 1) == (-1, 0)


def test_the_packet_number_of_the_appendix():
    assert packet_number(0xA82F30EA, 0x9B32, 2) == 0xA82F9B32


@given(st.integers(0, (1 << 62) - 1), st.integers(1, 4), st.data())
def test_packet_numbers_come_back(number, size, data):
    window = 1 << (8 * size)
    largest = data.draw(st.integers(max(number - window // 2, -1), min(number + window // 2 - 2, (1 << 62) - 1)))
    assert packet_number(largest, number % window, size) == number


def test_a_number_cut_to_one_byte_after_others_is_made_whole():
    hellos = HelloFromInitials()
    message = quic.hello_message(post_quantum=True)
    first = quic.initial(quic.crypto(message[:900]), number=0xABCDE, number_bytes=4)
    second = quic.initial(quic.crypto(message[900:], 900), number=0xABCDF, dcid=quic.SERVER_ID, keys_of=quic.DCID)
    assert hellos.take(1, first) is None
    assert hellos.take(1, second) == (message, 2, 1)


def test_frames_that_may_stand_in_an_initial():
    ecn = bytes.fromhex("030500020001000200010203")
    load = quic.ACK + quic.PING + quic.crypto(b"ab", 70) + bytes(9) + ecn + quic.crypto(b"c" * 80)
    assert crypto_frames(load) == [(70, b"ab"), (0, b"c" * 80)]
    assert crypto_frames(load + b"\x1c" + quic.crypto(b"no")) == [(70, b"ab"), (0, b"c" * 80)]


@given(st.binary(max_size=60))
def test_any_frames_end_quietly(load):
    assert all(offset >= 0 for offset, _ in crypto_frames(load))


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xc0\0\0\0\1", b"\xd0\x6b\x33\x43\xcf\x14"]))
def test_any_datagram_ends_quietly(rest, front):
    for packet in packets(front + rest):
        assert packet.start < packet.number_at < packet.end <= len(front + rest)
