"""STUN is told apart by its content alone; scapy makes the messages."""

import random

import numpy as np
import pytest
from crafting.packets import MS, START, dissect, udp
from wiretally.core.jit import kernel
from wiretally.dissect.stun import looks_like_stun

stun = pytest.importorskip("scapy.contrib.stun")
BINDING = bytes(stun.STUN(transaction_id=7, attributes=[stun.STUNUsername(length=4, username=b"abcd")]))


@kernel
def asked(b, at, end):
    return 1 if looks_like_stun(b, at, end) else 0  # kernels give integers


def naive(octets):
    """RFC 8489 §5 word by word."""
    if len(octets) < 20:
        return False
    length = int.from_bytes(octets[2:4], "big")
    return octets[0] < 64 and octets[4:8] == bytes.fromhex("2112a442") and length % 4 == 0 and 20 + length >= len(octets)


def test_against_the_twin():
    rng = random.Random(1)
    for _ in range(500):
        octets = bytearray(BINDING)
        for _ in range(rng.randrange(3)):
            octets[rng.randrange(10)] = rng.randrange(256)
        piece = bytes(octets[: rng.randrange(len(octets) + 1)])
        assert asked(np.frombuffer(b"\0" + piece, np.uint8), 1, 1 + len(piece)) == naive(piece), piece.hex()
    assert naive(BINDING)


@pytest.mark.parametrize(("data", "service"), [(BINDING, "stun"), (BINDING[:-1] + b"\0\0", None), (bytes(28), None)])
def test_a_flow_on_any_port(data, service):
    row = dissect([(START, udp(data, remote_port=19_302)), (START + MS, udp(b"later", remote_port=19_302))]).one("flows")
    assert row["service"] == service


def test_a_port_that_is_known_for_something_else_stands():
    assert dissect([(START, udp(BINDING, remote_port=123))]).one("flows")["service"] == "ntp"
