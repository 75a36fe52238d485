"""MMDB files the slow, obvious way: a node per bit, any record size, and a look-up that is a search of all networks."""

import ipaddress

METADATA_START = b"\xab\xcd\xefMaxMind.com"


def control(kind, size):
    extended = kind > 7
    length, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return bytes([(0 if extended else kind) << 5 | length]) + (bytes([kind - 7]) if extended else b"") + more


def encoded(value):
    if isinstance(value, str):
        return control(2, len(value.encode())) + value.encode()
    if isinstance(value, float):
        raise TypeError("not needed")
    if isinstance(value, tuple):  # (bits, number)
        bits, number = value
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return control({16: 5, 32: 6, 64: 9}[bits], len(raw)) + raw
    if isinstance(value, int):
        return encoded((32, value))
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(encoded(item) for item in value)
    return control(7, len(value)) + b"".join(encoded(key) + encoded(item) for key, item in value.items())


def record(left, right, bits):
    if bits == 28:
        middle = (left >> 24) << 4 | right >> 24
        return (left & 0xFFFFFF).to_bytes(3, "big") + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3, "big")
    return left.to_bytes(bits // 8, "big") + right.to_bytes(bits // 8, "big")


def write(path, networks, *, bits=24, ip_version=6, database_type="test", padding=0):
    """`networks`: {CIDR: record}, none inside another. `padding`: data bytes before the first record."""
    nodes = [[None, None]]
    for text, value in networks.items():
        network = ipaddress.ip_network(text)
        number, length = int(network.network_address), network.prefixlen
        width = network.max_prefixlen
        if ip_version == 6 and network.version == 4:
            length, width = length + 96, 128
        at = 0
        for depth in range(length):
            side = number >> (width - 1 - depth) & 1
            if depth == length - 1:
                nodes[at][side] = value
            else:
                if nodes[at][side] is None:
                    nodes.append([None, None])
                    nodes[at][side] = len(nodes) - 1
                at = nodes[at][side]
    data, search = bytearray(padding), b""
    for node in nodes:
        sides = []
        for each in node:
            if each is None:
                sides.append(len(nodes))
            elif isinstance(each, int):
                sides.append(each)
            else:
                sides.append(len(nodes) + 16 + len(data))
                data += encoded(each)
        search += record(*sides, bits)
    metadata = encoded({
        "binary_format_major_version": (16, 2), "binary_format_minor_version": (16, 0), "build_epoch": (64, 1_700_000_000),
        "database_type": database_type, "description": {"en": "made by a test"}, "ip_version": (16, ip_version),
        "languages": ["en"], "node_count": (32, len(nodes)), "record_size": (16, bits),
    })  # fmt: skip
    path.write_bytes(search + bytes(16) + data + METADATA_START + metadata)
    return path


def look_up(networks, address):
    """The record of the network that holds an address, or None."""
    wanted = ipaddress.ip_address(address)
    for text, value in networks.items():
        network = ipaddress.ip_network(text)
        if network.version == wanted.version and wanted in network:
            return value
    return None
