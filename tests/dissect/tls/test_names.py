"""Interned names of a certificate as text."""

from wiretally.dissect.tls.names import names_of


def listed(*entries):
    return b"".join(bytes([tag]) + len(value).to_bytes(2, "big") + value for tag, value in entries)


def test_each_once_in_their_order():
    assert names_of(listed((0x0C, b"b"), (0x82, b"a"), (0x82, b"b"))) == ["b", "a"]


def test_encodings():
    assert names_of(listed((0x1E, "é.x".encode("utf-16-be")), (0x0C, "ü".encode()), (0x13, b"\xff"))) == ["é.x", "ü", "ÿ"]
    assert names_of(listed((0x1E, b"abc"))) == ["abc"]  # an odd number of bytes


def test_nothing():
    assert names_of(b"") == []
