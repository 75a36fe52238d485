"""A domain name out of a message, the obvious way: a list of labels, pointers only backwards."""


def labels_at(message, at):
    """(labels, where the name ends), or None where it breaks."""
    labels, after, lowest = [], None, at
    while True:
        if at >= len(message):
            return None
        length = message[at]
        if length >= 0xC0:
            if at + 2 > len(message):
                return None
            target = int.from_bytes(message[at : at + 2], "big") & 0x3FFF
            after = at + 2 if after is None else after
            if target >= lowest:
                return None
            at = lowest = target
        elif length >= 0x40:
            return None
        elif length == 0:
            return labels, at + 1 if after is None else after
        else:
            label = message[at + 1 : at + 1 + length]
            labels.append(label)
            if len(label) < length or sum(len(each) + 1 for each in labels) >= 255:
                return None
            at += 1 + length


def text_of(labels):
    r"""Lower case, dots between, `\DDD` for what does not print, for dots and for backslashes."""
    return ".".join(
        "".join(chr(c) if 0x20 <= c <= 0x7E and c not in b".\\" else f"\\{c:03d}" for c in label.lower())
        for label in labels
    )


def wire_of(labels):
    """The name without compression, in lower case."""
    return b"".join(bytes([len(label)]) + label.lower() for label in labels) + b"\0"
