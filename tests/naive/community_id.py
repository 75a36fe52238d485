"""Community ID v1 word for word from its specification: https://github.com/corelight/community-id-spec."""

import base64
import hashlib
import ipaddress
import struct

ICMP = {8: 0, 0: 8, 9: 10, 10: 9, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}
ICMP6 = {128: 129, 129: 128, 130: 131, 131: 130, 133: 134, 134: 133, 135: 136, 136: 135, 139: 140, 140: 139, 144: 145,
         145: 144}  # fmt: skip


def community_id(protocol, source, destination, source_port=None, destination_port=None, seed=0):
    """Ports are type and code for ICMP, as the packet has them; None for a protocol without ports."""
    one_way = False
    pairs = {1: ICMP, 58: ICMP6}.get(protocol)
    if pairs is not None:
        if source_port in pairs:
            destination_port = pairs[source_port]
        else:
            one_way = True
    first, second = (ipaddress.ip_address(end).packed for end in (source, destination))
    if not one_way and (second, destination_port or 0) < (first, source_port or 0):
        first, second, source_port, destination_port = second, first, destination_port, source_port
    data = struct.pack(">H", seed) + first + second + struct.pack(">BB", protocol, 0)
    if source_port is not None:
        data += struct.pack(">HH", source_port, destination_port)
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()  # noqa: S324  (what the specification asks for)
