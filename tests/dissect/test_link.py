"""Link layers whose headers no library of the tests writes."""

import pytest
from crafting.packets import START, dissect, udp
from wiretally.core.packets import LINKTYPE_ARCNET_BSD, LINKTYPE_ARCNET_LINUX

PACKET = udp(b"hello")[14:]  # without Ethernet
OLD, NEW = b"\xf0", b"\xd4"  # IPv4 as RFC 1051 and as RFC 1201 have it
WHOLE, SECOND, FIRST, EXCEPTION = b"\0\0\1", b"\2\0\1", b"\1\0\1", b"\xff\xff\xff"


@pytest.mark.parametrize(
    ("linktype", "head", "counted"),
    [
        (LINKTYPE_ARCNET_BSD, b"\1\2" + OLD, "counted"),
        (LINKTYPE_ARCNET_BSD, b"\1\2" + NEW + WHOLE, "counted"),
        (LINKTYPE_ARCNET_BSD, b"\1\2" + NEW + FIRST, "counted"),
        (LINKTYPE_ARCNET_BSD, b"\1\2" + NEW + SECOND, "unsupported"),
        (LINKTYPE_ARCNET_BSD, b"\1\2" + NEW + EXCEPTION + NEW + WHOLE, "counted"),
        (LINKTYPE_ARCNET_BSD, b"\1\2\xd5" + WHOLE, "unsupported"),  # address resolution
        (LINKTYPE_ARCNET_LINUX, b"\1\2\0\0" + OLD, "counted"),
        (LINKTYPE_ARCNET_LINUX, b"\1\2\0\0" + NEW + WHOLE, "counted"),
    ],
)
def test_arcnet(linktype, head, counted):
    answer = dissect([(START, head + PACKET)], linktype=linktype)
    assert answer.counters[counted] == answer.counters["seen"] == 1
    if counted == "counted":
        flow = answer.one("flows")
        assert (flow["up_payload_bytes"], flow["up_wire_bytes"]) == (5, len(head) + len(PACKET))


@pytest.mark.parametrize("head", [b"\1\2" + OLD, b"\1\2" + NEW + WHOLE, b"\1\2" + NEW + EXCEPTION + NEW + WHOLE])
def test_arcnet_cut_anywhere_in_its_header_is_malformed(head):
    for length in range(1, len(head)):
        answer = dissect([(START, head[:length])], linktype=LINKTYPE_ARCNET_BSD)
        assert answer.counters["malformed"] == 1, length
