"""TCP payload the slow way: every byte by its offset in a dictionary; TLS records read from the whole stream."""

HEADER, APPLICATION, OVERHEAD = 5, 23, 17
FINISHED, ALERT = (53, 69), 19


class Stream:
    """What arrived: unique bytes are those whose offset was not there before."""

    def __init__(self):
        self.octets, self.arrived = {}, 0

    def add(self, offset, data):
        self.arrived += len(data)
        for place, octet in enumerate(data, offset):
            self.octets.setdefault(place, octet)

    @property
    def unique(self):
        return len(self.octets)

    @property
    def retransmitted(self):
        return self.arrived - self.unique

    def whole(self):
        """The bytes from offset 0 on, up to the first that is missing."""
        found = bytearray()
        while len(found) in self.octets:
            found.append(self.octets[len(found)])
        return bytes(found)


def client_app_bytes(stream):
    """Application data in a TLS 1.3 client's records: all of type 23, less Finished, alerts at the end, and overhead."""
    at, sizes = 0, []
    while at + HEADER <= len(stream):
        size = int.from_bytes(stream[at + 3 : at + 5], "big")
        if stream[at] == APPLICATION:
            sizes.append(size)
        at += HEADER + size
    first = next((place for place, size in enumerate(sizes) if size in FINISHED), None)
    if first is not None:
        del sizes[first]
    if sizes and sizes[-1] == ALERT:
        sizes.pop()
    return sum(size - OVERHEAD for size in sizes)
