"""JA4: the specification's own example, piece by piece, and what it says of empty lists, odd protocols and DTLS."""

import struct

import pytest
from wiretally.dissect.tls.ja4 import describe

CIPHERS = "002f 0035 009c 009d 1301 1302 1303 c013 c014 c02b c02c c02f c030 cca8 cca9"
EXTENSIONS = "0000 0005 000a 000b 000d 0010 0012 0015 0017 001b 0023 002b 002d 0033 4469 ff01"
SIGNATURES = "0403 0804 0401 0503 0805 0501 0806 0601"


def shape(letter="t", named=1, legacy=0x0303, versions="0304 0303", ciphers=CIPHERS, extensions=EXTENSIONS,
          signatures=SIGNATURES, alpn=(b"h2", b"http/1.1")):  # fmt: skip
    lists = [[int(number, 16) for number in text.split()] for text in (versions, ciphers, extensions, signatures)]
    head = struct.pack(">BBHHHHH", ord(letter), named, legacy, *map(len, lists))
    body = b"".join(struct.pack(f">{len(numbers)}H", *numbers) for numbers in lists)
    return head + body + b"".join(bytes([len(name)]) + name for name in alpn)


def test_the_example_of_the_specification():
    assert describe(shape()).ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_without_signature_algorithms_there_is_no_underscore():
    assert describe(shape(signatures="")).ja4 == "t13d1516h2_8daaf6152771_6d807ffa2a79"


def test_empty_lists():
    assert describe(shape(ciphers="", extensions="", alpn=(), named=0, versions="")).ja4 == "t12i000000_000000000000_000000000000"


@pytest.mark.parametrize(
    ("alpn", "mark"),
    [((), "00"), ((b"h2",), "h2"), ((b"h",), "hh"), ((b"http/1.1",), "h1"), ((b"\xab",), "ab"), ((b"\xab\xcd",), "ad"),
     ((b"0\xab",), "3b"), ((b"01\xab\xcd",), "3d"), ((b"0\xab\xcd1",), "01")],
)  # fmt: skip
def test_first_and_last_character_of_the_first_protocol(alpn, mark):
    assert describe(shape(alpn=alpn)).ja4[8:10] == mark


@pytest.mark.parametrize(
    ("legacy", "versions", "mark"),
    [(0x0303, "", "12"), (0x0301, "", "10"), (0x0300, "", "s3"), (0x0002, "", "s2"), (0x0303, "0303 0304", "13"),
     (0xFEFF, "", "d1"), (0xFEFD, "", "d2"), (0xFEFD, "fefc fefd", "d3"), (0x7777, "", "00")],
)  # fmt: skip
def test_versions(legacy, versions, mark):
    assert describe(shape(letter="d", legacy=legacy, versions=versions)).ja4[:3] == f"d{mark}"


@pytest.mark.parametrize("count", [99, 100])
def test_counts_stop_at_99(count):
    assert describe(shape(ciphers="1301 " * count)).ja4[4:6] == "99"
