"""The first handshake message of a TLS stream, the slow and obvious way: records joined, then the message cut off."""

import dpkt

RECORD_HEADER, MESSAGE_HEADER, HANDSHAKE = 5, 4, 22


def message(stream):
    """The message with its header, out of a stream of whole records."""
    joined, at = b"", 0
    while at < len(stream) and stream[at] == HANDSHAKE:
        size = int.from_bytes(stream[at + 3 : at + 5], "big")
        joined += stream[at + RECORD_HEADER : at + RECORD_HEADER + size]
        at += RECORD_HEADER + size
    return joined[: MESSAGE_HEADER + int.from_bytes(joined[1:4], "big")]


def says(stream):
    """(server name, cipher suites without GREASE, length of the message) as dpkt reads the hello."""
    whole = message(stream)
    hello = dpkt.ssl.TLSClientHello(whole[MESSAGE_HEADER:])
    names = [body[5:].decode() for kind, body in hello.extensions if kind == 0]
    suites = [s for s in hello.ciphersuites if not (s.code & 0x0F0F == 0x0A0A and s.code >> 8 == s.code & 0xFF)]
    return names[0], len(suites), len(whole)
