"""Classic BPF, one instruction at a time: what the kernel does with the programs of capture/filters.py."""

from __future__ import annotations

WORD = 0xFFFFFFFF
SIZES = {0x00: 4, 0x08: 2, 0x10: 1}
LINK_HEADER, ANCILLARY = 0xFFE00000, 0xFFFFF000


def run(program, packet, *, length=None, packet_type=0, protocol=0):
    """Bytes to keep of `packet`; a load behind its end keeps none, as in the kernel."""
    a = x = at = 0
    length = len(packet) if length is None else length

    def load(k, size):
        if k == ANCILLARY + 4:
            return packet_type
        if k == ANCILLARY:
            return protocol
        k = k - LINK_HEADER if LINK_HEADER <= k < ANCILLARY else k
        return int.from_bytes(packet[k : k + size], "big") if k + size <= len(packet) else None

    while True:
        code, if_true, if_false, k = program[at]
        at += 1
        kind, size, mode = code & 7, SIZES.get(code & 0x18), code & 0xE0
        if kind in {0, 1}:
            value = {
                0x00: lambda k=k: k,
                0x20: lambda k=k, size=size: load(k, size),
                0x40: lambda k=k, size=size, x=x: load((x + k) & WORD, size),
                0x80: lambda: length,
                0xA0: lambda k=k: None if k >= len(packet) else 4 * (packet[k] & 15),
            }[mode]()
            if value is None:
                return 0
            a, x = (value, x) if kind == 0 else (a, value)
        elif kind == 4:
            other = x if code & 8 else k
            a = {
                0x00: lambda a=a, o=other: a + o, 0x10: lambda a=a, o=other: a - o, 0x20: lambda a=a, o=other: a * o,
                0x50: lambda a=a, o=other: a & o, 0x40: lambda a=a, o=other: a | o, 0x70: lambda a=a, o=other: a >> o,
                0x60: lambda a=a, o=other: a << o, 0xA0: lambda a=a, o=other: a ^ o,
            }[code & 0xF0]() & WORD  # fmt: skip
        elif kind == 5:
            if code & 0xF0 == 0:
                at += k
            else:
                other = x if code & 8 else k
                holds = {0x10: a == other, 0x20: a > other, 0x30: a >= other, 0x40: bool(a & other)}[code & 0xF0]
                at += if_true if holds else if_false
        elif kind == 6:
            return a if code & 0x18 == 0x10 else k
        else:
            a, x = (a, a) if code & 0xF8 == 0 else (x, x)
