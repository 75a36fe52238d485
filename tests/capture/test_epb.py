"""Recorded blocks are read back as the packets they were, by our reader and by Wireshark's format rules."""

import struct

import numpy as np
import pytest
from wiretally.capture.epb import ENHANCED_PACKET, OVERHEAD, write_blocks
from wiretally.core.packets import PACKET


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 60, 1514])
def test_a_block_per_packet_padded_to_four(length):
    chance = np.random.default_rng(length)
    octets = chance.integers(0, 256, 4000).astype(np.uint8)
    packets = np.zeros(3, PACKET)
    packets["at"], packets["captured"], packets["wire"] = (7, 1600, 2000), length, length + 9
    packets["ts_ns"], packets["interface"] = (1, (5 << 32) + 0xFFFFFFFF, 1_700_000_000_123_456_789), (0, 1, 2)
    out = np.full(3 * (length + OVERHEAD + 3) + 8, 0xEE, np.uint8)
    end = write_blocks(octets, packets, out, 8)
    at = 8
    for packet in packets:
        kind, total, interface, high, low, captured, wire = struct.unpack_from("<7I", out, at)
        assert (kind, interface, captured, wire) == (ENHANCED_PACKET, packet["interface"], length, length + 9)
        assert high << 32 | low == packet["ts_ns"]
        assert bytes(out[at + 28 : at + 28 + length]) == bytes(octets[packet["at"] : packet["at"] + length])
        assert total % 4 == 0
        assert not out[at + 28 + length : at + total - 4].any()
        assert struct.unpack_from("<I", out, at + total - 4)[0] == total
        at += total
    assert at == end
    assert (out[:8] == 0xEE).all()
