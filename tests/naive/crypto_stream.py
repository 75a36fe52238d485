"""The first handshake messages of a CRYPTO stream, byte by byte."""


def messages(pieces):
    """All whole messages of pieces (offset, data) whose overlaps agree."""
    known = {offset + n: byte for offset, data in pieces for n, byte in enumerate(data)}
    stream, found = bytearray(), []
    while len(stream) in known:
        stream.append(known[len(stream)])
    while len(stream) >= 4 and len(stream) >= 4 + int.from_bytes(stream[1:4], "big"):
        size = 4 + int.from_bytes(stream[1:4], "big")
        found.append(bytes(stream[:size]))
        del stream[:size]
    return found
