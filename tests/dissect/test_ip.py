"""IP headers: limits, lengths that say nothing, what the snapshot length cut, what contradicts itself."""

import struct

import pytest
from crafting.packets import START, assert_sums_close, dissect, ethernet, ipv4
from wiretally.dissect.dissector import DissectOptions
from wiretally.dissect.ip import MAX_EXTENSION_HEADERS

A, B = bytes.fromhex("fd00" + "00" * 13 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")
DATAGRAM = struct.pack(">HHHH", 5555, 7777, 8 + 12, 0) + bytes(12)


def six(payload, following=17, length=None):
    size = len(payload) if length is None else length
    return ethernet(struct.pack(">IHBB", 0x60000000, size, following, 64) + A + B + payload, ethertype=0x86DD)


def chain(count, last=17):
    """`count` destination options headers of eight bytes, then what `last` says: RFC 8200 §4.6."""
    return b"".join(bytes([60 if n < count - 1 else last, 0, 1, 4, 0, 0, 0, 0]) for n in range(count))


def row(frame, wire=None, **layout):
    answer = dissect([(START, frame, wire or len(frame))], **layout)
    assert_sums_close(answer, 1)
    return answer.one("flows")


@pytest.mark.parametrize(("count", "transport"), [(0, "udp"), (1, "udp"), (MAX_EXTENSION_HEADERS, "udp"),
                                                  (MAX_EXTENSION_HEADERS + 1, "60")])
def test_extension_headers_at_the_limit_and_one_past_it(count, transport):
    found = row(six(chain(count) + DATAGRAM, 60 if count else 17))
    assert found["transport"] == transport
    assert found["up_ip_bytes"] == 40 + 8 * count + 20


def test_a_jumbogram_has_the_length_of_its_frame():
    """RFC 2675 §2: length 0, and the real one in a hop-by-hop option."""
    size = 8 + 8 + 100_000
    option = bytes([17, 0, 0xC2, 4]) + size.to_bytes(4, "big")
    datagram = struct.pack(">HHHH", 5555, 7777, 0, 0) + bytes(32)  # §4: UDP has length 0 then
    found = row(six(option + datagram, following=0, length=0), wire=14 + 40 + size)
    assert (found["up_ip_bytes"], found["up_payload_bytes"]) == (40 + size, 100_000)


def test_padding_of_the_link_is_no_part_of_the_packet():
    found = row(ethernet(ipv4(DATAGRAM[:4] + b"\0\x09\0\0x", 17, "192.168.7.20", "192.0.2.1")) + bytes(17))
    assert (found["up_wire_bytes"], found["up_ip_bytes"], found["up_payload_bytes"]) == (60, 29, 1)


@pytest.mark.parametrize("kept", [42, 46, 54, 61])
def test_what_the_snapshot_length_cut_still_counts(kept):
    frame = ethernet(ipv4(DATAGRAM, 17, "192.168.7.20", "192.0.2.1"))
    found = row(frame[:kept], wire=len(frame))
    assert (found["up_wire_bytes"], found["up_ip_bytes"], found["up_payload_bytes"]) == (54, 40, 12)


def test_an_authentication_header_is_stepped_over():
    """RFC 4302 §2."""
    header = bytes([17, 4, 0, 0]) + bytes(20)
    found = row(ethernet(ipv4(header + DATAGRAM, 51, "192.168.7.20", "192.0.2.1")))
    assert (found["transport"], found["local_port"], found["up_payload_bytes"]) == ("udp", 5555, 12)


def test_a_source_route_tells_the_last_hop():
    """RFC 791 §3.1: the destination is where the packet goes next."""
    route = bytes([131, 7, 4, 203, 0, 113, 9, 0])
    packet = bytearray(ipv4(route + DATAGRAM, 17, "192.168.7.20", "192.0.2.1"))
    packet[0] = 0x47
    assert row(ethernet(bytes(packet)))["remote_ip"] == "203.0.113.9"


@pytest.mark.parametrize(("frame", "fate"), [
    (ethernet(b"\x45" + bytes(10)), "malformed"),  # ends early
    (ethernet(b"\x44" + ipv4(DATAGRAM, 17, "10.0.0.1", "10.0.0.2")[1:]), "malformed"),  # a header of 16 bytes
    (ethernet(b"\x55" + ipv4(DATAGRAM, 17, "10.0.0.1", "10.0.0.2")[1:]), "malformed"),  # version 5 in IPv4
    (ethernet(bytes(28), ethertype=0x0806), "unsupported"),  # ARP
    (six(bytes(2), following=60), "malformed"),  # an extension header that ends early
])  # fmt: skip
def test_what_cannot_be_counted_is_accounted_for(frame, fate):
    answer = dissect([(START, frame)], DissectOptions())
    assert answer.counters[fate] == 1
    assert_sums_close(answer, 1)
