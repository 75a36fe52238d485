"""IPv4 behind IPv6, octet by octet (RFC 6052 §2.2)."""

import ipaddress

LENGTHS = (32, 40, 48, 56, 64, 96)


def made(prefix, length, inside):
    """The address of `inside` behind a prefix: its octets one after the other, the ninth of the whole left out."""
    octets = bytearray(ipaddress.IPv6Address(prefix).packed[: length // 8].ljust(16, b"\0"))
    places = [at for at in range(length // 8, 16) if at != 8][:4]
    for at, octet in zip(places, ipaddress.IPv4Address(inside).packed, strict=True):
        octets[at] = octet
    return ipaddress.IPv6Address(bytes(octets))


def behind(address, prefixes):
    """What an address stands for, by the last prefix that it has; prefixes: (address, length)."""
    octets = ipaddress.IPv6Address(address).packed
    for prefix, length in reversed(prefixes):
        size = length // 8
        if octets[:size] != ipaddress.IPv6Address(prefix).packed[:size]:
            continue
        places = [at for at in range(size, 16) if at != 8][:4]
        left = [octets[at] for at in range(size, 16) if at not in places]
        if not any(left):
            return ipaddress.IPv4Address(bytes(octets[at] for at in places))
    return None
