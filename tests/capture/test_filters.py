"""Programs for the kernel, run by a slow interpreter and by the kernel itself."""

import struct

import pytest
from crafting.link import ENDS, HERE, collect, frames, frames_of, send, udp
from hypothesis import example, given
from hypothesis import strategies as st
from naive.bpf import run
from wiretally.capture import filters
from wiretally.capture.filters import CUT_BYTES, NOTHING, Instruction, by_device, chain, keep, keep_names
from wiretally.capture.interface import open_live
from wiretally.capture.live import LiveOptions
from wiretally.core.errors import CaptureError
from wiretally.core.packets import LINKTYPE_ETHERNET, LINKTYPE_IEEE802_11, LINKTYPE_LINUX_SLL, LINKTYPE_RAW

ports = st.sampled_from([443, 53, 50_000])
first_bytes = st.sampled_from([0x40, 0x4F, 0x7F, 0xC0, 0xCF, 0x80, 0x0D, 0x16])


@st.composite
def datagrams(draw):
    """An IP packet, and whether it is QUIC with a short header."""
    protocol, source, destination = draw(st.sampled_from([17, 6])), draw(ports), draw(ports)
    payload = draw(st.one_of(st.just(b""), first_bytes.map(lambda one: bytes([one]) * 300)))
    udp = struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload
    fragment = 0
    if draw(st.booleans()):
        options, fragment = draw(st.integers(0, 10)), draw(st.sampled_from([0, 0x4000, 0x2000, 0x00B9]))
        head = struct.pack(">BBHHHBBH8s", 0x45 + options, 0, 0, 1, fragment, 64, protocol, 0, b"") + bytes(4 * options)
    else:
        head = struct.pack(">IHBB32s", 6 << 28, len(udp), protocol, 64, b"")
    short = bool(payload) and payload[0] & 0xC0 == 0x40
    return head + udp, protocol == 17 and 443 in {source, destination} and short and not fragment & 0x3FFF


@given(datagrams())
def test_what_is_cut_is_quic_with_a_short_header(case):
    packet, cut = case
    kept = CUT_BYTES if cut else 9_999
    ethertype = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    assert run(keep_names(LINKTYPE_ETHERNET, 9_999), ENDS + ethertype + packet) == kept
    assert run(keep_names(LINKTYPE_RAW, 9_999), packet) == kept
    assert run(keep_names(LINKTYPE_LINUX_SLL, 9_999), packet) == kept
    assert run(keep_names(LINKTYPE_ETHERNET, 100), ENDS + ethertype + packet) == 100
    assert run(keep_names(LINKTYPE_IEEE802_11, 9_999), packet) == 9_999


@given(st.binary(max_size=120), st.sampled_from([LINKTYPE_ETHERNET, LINKTYPE_RAW, LINKTYPE_LINUX_SLL]))
@example(ENDS + b"\x08\x00\x4f" + bytes(8) + b"\x11" + bytes(19), LINKTYPE_ETHERNET)
def test_no_packet_is_lost_however_short(packet, linktype):
    assert run(keep_names(linktype, 9_999), packet) in {9_999, CUT_BYTES}


@given(datagrams(), st.integers(0, 600))
def test_no_cut_packet_is_lost_wherever_it_ends(case, end):
    packet = ENDS + (b"\x08\x00" if case[0][0] >> 4 == 4 else b"\x86\xdd") + case[0]
    assert run(keep_names(LINKTYPE_ETHERNET, 9_999), packet[:end]) > 0


@given(st.binary(min_size=6, max_size=6), st.binary(min_size=6, max_size=6))
def test_both_ways_of_a_device_meet(one, other):
    assert run(by_device(), one + other + bytes(50)) == run(by_device(), other + one + bytes(50))


def test_devices_are_spread():
    router = ENDS[:6]
    shares = [0] * 4
    for n in range(1_000):
        shares[run(by_device(), router + bytes((2, 0, 0, 0, n >> 8, n & 255)) + bytes(50)) % 4] += 1
    assert min(shares) > 200


@pytest.mark.parametrize("packet_type", [0, 4])
@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("incoming_only", [True, False])
def test_expression_then_policy(packet_type, accepts, incoming_only):
    expression = (
        Instruction(filters.LD_BYTE, 0, 0, 0),
        Instruction(filters.IF_EQUAL, 0, 1, 7),
        Instruction(filters.RETURN, 0, 0, 64),
        Instruction(filters.RETURN, 0, 0, 0),
    )
    program = chain(expression, keep(1_000), incoming_only=incoming_only)
    wanted = 1_000 if accepts and not (incoming_only and packet_type == filters.PACKET_OUTGOING) else 0
    assert run(program, bytes([7 if accepts else 8]) * 60, packet_type=packet_type) == wanted


def test_without_an_expression_the_policy_decides():
    assert chain((), keep(9), incoming_only=False) == keep(9)
    assert run(chain(NOTHING, keep(9), incoming_only=False), b"1") == 0


def test_a_program_is_as_long_as_the_kernel_takes_and_no_longer():
    fits = NOTHING * (filters.MAX_INSTRUCTIONS - 1)
    assert len(chain(fits, keep(9), incoming_only=False)) == filters.MAX_INSTRUCTIONS
    with pytest.raises(CaptureError, match="4097 instructions, 4096 at most"):
        chain(fits + NOTHING, keep(9), incoming_only=False)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [("udp port 53", [0, 1]), ("vlan 5", [3]), ("ether proto 0x88b5", [2, 3]), ("not udp", [2, 3]), ("", [0, 1, 2, 3, 4])],
)
def test_the_kernel_takes_what_the_expression_accepts(link, expression, wanted):
    sent = [udp(5000, 53), udp(53, 5000), frames(1)[0], ENDS + bytes.fromhex("8100000588b5") + bytes(46), udp(1, 2)]
    with open_live(HERE, LiveOptions(expression=expression, ring_bytes=1 << 20, block_bytes=1 << 16)) as capture:
        send(sent)
        capture.stop()
        found = frames_of(collect(capture))
        assert capture.counters().seen == len(wanted)
    assert [sent.index(frame) for frame in found] == wanted


@pytest.mark.parametrize("tag", [b"", bytes.fromhex("81000005")])
def test_lengths_on_the_wire_are_exact_whatever_is_kept(link, tag):
    sent = [ENDS + tag + frame[12:] for frame in frames(20, 900)]
    with open_live(HERE, LiveOptions(snaplen=100, ring_bytes=1 << 20, block_bytes=1 << 16)) as capture:
        send(sent)
        found = collect(capture, 20)
    assert [wire for _, wire, _ in found] == list(map(len, sent))
    assert frames_of(found) == [frame[: 100 + len(tag)] for frame in sent]


def test_only_quic_behind_its_handshake_is_cut(link):
    short, long = b"\x4f" + bytes(1_199), b"\xcf\0\0\0\x01" + bytes(1_195)
    sent = [udp(50_000, 443, short), udp(443, 50_000, short), udp(50_000, 443, long), udp(50_000, 53, short),
            udp(50_000, 443), udp(50_000, 443, b"\x4f"), udp(50_000, 443, b"\x0d" + short), frames(1, 1_000)[0]]  # fmt: skip
    with open_live(HERE, LiveOptions(snap="names", ring_bytes=1 << 20, block_bytes=1 << 16)) as capture:
        send(sent)
        found = collect(capture, len(sent))
    assert [wire for _, wire, _ in found] == list(map(len, sent))
    assert frames_of(found) == [frame[:128] if n < 2 else frame for n, frame in enumerate(sent)]
