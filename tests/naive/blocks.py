"""A block of the packet ring, made and read by `struct`, field after field as linux/if_packet.h has them."""

from __future__ import annotations

import struct

BLOCK = struct.Struct("=IIIIIIQIIII")  # version, private, status, packets, first, length, number, two times
HEADER = struct.Struct("=IIIIIIHHIIHH8x")  # next, s, ns, captured, original, status, mac, net, hash, tci, tpid
ADDRESS = struct.Struct("=H2siHBB8s")  # family, protocol, index, hardware, packet type, address length, address


def make(items, private=0):
    """A block of dicts with the keys s, ns, data, original, status, tci, tpid, hardware, kind, address, protocol, gap."""
    first = BLOCK.size + private
    body = b""
    for number, item in enumerate(items):
        mac = (HEADER.size + ADDRESS.size + item["gap"] + 15) // 16 * 16 + 2
        size = (mac + len(item["data"]) + 15) // 16 * 16
        following = size if number + 1 < len(items) else 0
        head = HEADER.pack(following, item["s"], item["ns"], len(item["data"]), item["original"], item["status"], mac,
                           mac + 14, 7, item["tci"], item["tpid"], 0)  # fmt: skip
        head += ADDRESS.pack(17, item["protocol"], 3, item["hardware"], item["kind"], len(item["address"]), item["address"])
        body += (head.ljust(mac, b"\xee") + item["data"]).ljust(size, b"\xdd")
    return BLOCK.pack(2, 48, 1, len(items), first, first + len(body), 1, 0, 0, 0, 0) + b"\xcc" * private + body


def read(items, linktype):
    """What `walk_block` should find: (ts_ns, wire length, frame)."""
    found = []
    for item in items:
        frame, wire = item["data"], item["original"]
        if linktype == 1 and item["status"] & 0x10 and len(frame) >= 12:
            kind = item["tpid"] if item["status"] & 0x40 else 0x8100
            frame, wire = frame[:12] + struct.pack(">HH", kind, item["tci"]) + frame[12:], wire + 4
        if linktype == 113:
            address = item["address"]
            head = struct.pack(">HHH8s", item["kind"], item["hardware"], len(address), address)
            frame, wire = head + item["protocol"] + frame, wire + 16
        found.append((item["s"] * 10**9 + item["ns"], wire, frame))
    return found
