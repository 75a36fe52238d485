"""Blocks of the packet ring, walked by the kernel and by an obvious twin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from naive.blocks import make, read
from wiretally.capture.blocks import LEAST_RECORD, walk_block
from wiretally.core.packets import PACKET

packets = st.fixed_dictionaries(
    {
        "s": st.integers(0, 2**32 - 1),
        "ns": st.integers(0, 999_999_999),
        "data": st.binary(max_size=80),
        "original": st.integers(80, 2**31),
        "status": st.sampled_from([0x01, 0x11, 0x51, 0x41, 0x71, 0x89]),
        "tci": st.integers(0, 0xFFFF),
        "tpid": st.sampled_from([0, 0x8100, 0x88A8]),
        "hardware": st.sampled_from([1, 512, 0xFFFE]),
        "kind": st.integers(0, 4),
        "address": st.binary(max_size=8),
        "protocol": st.binary(min_size=2, max_size=2),
        "gap": st.integers(20, 60),
    }
)


@given(st.lists(packets, max_size=12), st.sampled_from([1, 101, 113]), st.sampled_from([0, 32]), st.sampled_from([0, 4096]),
       st.integers(80, 2**31))  # fmt: skip
def test_each_packet_is_found_where_it_lies(items, linktype, private, block_at, longest):
    block = make(items, private)
    octets = np.zeros(block_at + (len(block) + 15) // 16 * 16, np.uint8)
    octets[block_at : block_at + len(block)] = np.frombuffer(block, np.uint8)
    rows = np.zeros(len(block) // LEAST_RECORD + 1, PACKET)
    views = octets, octets.view(np.uint16), octets.view(np.uint32)
    count, joined, _ = walk_block(*views, block_at // 4, 5, linktype, longest, rows)
    found = [
        (int(row["ts_ns"]), int(row["wire"]), octets[row["at"] : row["at"] + row["captured"]].tobytes())
        for row in rows[:count]
    ]
    assert found == read(items, linktype)
    assert joined == sum(wire > longest for _, wire, _ in found)
    assert {(int(row["interface"]), int(row["linktype"])) for row in rows[:count]} <= {(5, linktype)}


def test_a_block_of_the_smallest_packets_has_no_more_rows_than_are_held():
    smallest = {"s": 1, "ns": 1, "data": b"", "original": 0, "status": 1, "tci": 0, "tpid": 0, "hardware": 1, "kind": 0,
                "address": b"", "protocol": b"\0\0", "gap": 0}  # fmt: skip
    block = make([smallest] * 500)
    assert len(block) // LEAST_RECORD >= 500
