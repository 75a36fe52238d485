"""DTLS handshake messages out of fragments, the slow and obvious way: one dictionary of bytes for each message."""


def messages(fragments):
    """(type, message_seq, whole length, offset, bytes) in order of arrival: the messages that become whole, each once."""
    seen, found = {}, []
    for kind, number, whole, offset, data in fragments:
        have = seen.setdefault((kind, number, whole), {})
        for at, octet in enumerate(data):
            have.setdefault(offset + at, octet)
        if (number, kind) not in [(n, k) for n, k, _ in found] and len(have) == whole:
            found.append((number, kind, bytes(have[at] for at in range(whole))))
    return found
