"""Vectors are those of the RFCs that the forms name, where they have any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.dissect.dns.presentation import FORMS, parameter, rdata_text

FOO_COM, FOO_ORG = b"\x03foo\x07example\x03com\0", b"\x03foo\x07example\x03org\0"
# RFC 9460 Appendix D.1 and D.2
SVCB = [
    ("0000" + FOO_COM.hex(), "0 foo.example.com"),
    ("000100", "1 ."),
    ("0010" + FOO_COM.hex() + "000300020035", "16 foo.example.com port=53"),
    ("0001" + FOO_COM.hex() + "029b000568656c6c6f", '1 foo.example.com key667="hello"'),
    ("0001" + FOO_COM.hex() + "029b000968656c6c6fd2716f6f", r'1 foo.example.com key667="hello\210qoo"'),
    ("0001" + FOO_COM.hex() + "00060020" + "20010db8000000000000000000000001" + "20010db8000000000000000000530001",
     "1 foo.example.com ipv6hint=2001:db8::1,2001:db8::53:1"),
    ("0001" + FOO_COM[4:].hex() + "00060010" + "20010db8012203440000000" + "0c0000221",
     "1 example.com ipv6hint=2001:db8:122:344::c000:221"),
    ("0010" + FOO_ORG.hex() + "0000000400010004" + "00010009" + "0268320568332d3139" + "00040004c0000201",
     "16 foo.example.org mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1"),
    ("0010" + FOO_ORG.hex() + "0001000c08665c6f6f2c626172026832", '16 foo.example.org alpn="f\\\\\\\\oo\\\\,bar,h2"'),
]  # fmt: skip


@pytest.mark.parametrize(("data", "text"), SVCB)
@pytest.mark.parametrize("number", [64, 65])
def test_service_bindings_as_their_standard_shows_them(number, data, text):
    assert rdata_text(number, bytes.fromhex(data)) == text


PARAMETERS = [
    (2, "", "no-default-alpn"), (5, "fe0d0001ff", "ech=/g0AAf8="), (7, b"/dns-query{?dns}".hex(), 'dohpath="/dns-query{?dns}"'),
    (8, "", "ohttp"), (9, "", "key9"), (0, "00010009", "mandatory=alpn,key9"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "text"), PARAMETERS)
def test_parameters(key, value, text):
    assert parameter(key, bytes.fromhex(value)) == text


@pytest.mark.parametrize(("key", "value"), [(0, "00"), (1, "0568"), (1, "00"), (2, "00"), (3, "35"), (3, "00350035"),
                                            (4, "c00002"), (6, "20"), (1, "")])  # fmt: skip
def test_a_value_that_does_not_fit_its_key_is_shown_as_octets(key, value):
    data = b"\0\1\0" + key.to_bytes(2, "big") + (len(value) // 2).to_bytes(2, "big") + bytes.fromhex(value)
    assert rdata_text(65, data) == rf"\# {len(data)} {data.hex()}"


FORM_VECTORS = [
    (6, b"\1a\0\1b\0" + bytes(range(20)).hex().encode(), None),
    (6, b"\1a\0\0" + (1).to_bytes(4, "big") * 5, "a . 1 1 1 1 1"),
    (13, b"\3PDP\4UNIX", '"PDP" "UNIX"'),
    (15, b"\0\x0a\2mx\0", "10 mx"),
    (16, b'\3a"b\0\2\xc3\xa4', '"a\\"b" "" "\\195\\164"'),
    (16, b"\3a\\b", '"a\\\\b"'),
    (16, b"\4abc", None),
    (29, bytes.fromhex("0033161389 17 2d d0 70 be 15 f0 00 98 8d 20".replace(" ", "")), "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"),
    (33, b"\0\0\0\5\x1f\x90\3a b\0", r"0 5 8080 a\032b"),
    (35, b"\0\x64\0\x32\1u\7E2U+sip\x16!^.*$!sip:info@a.test!\0", '100 50 "u" "E2U+sip" "!^.*$!sip:info@a.test!" .'),
    (42, bytes.fromhex("00010f02c0a80001001c83fe0a0b"), None),
    (42, bytes.fromhex("00011802c0a800011c81e0"), "1:192.168.0.0/24 !1:224.0.0.0/28"),
    (43, bytes.fromhex("ec45 05 01 2bb183af5f22588179a53b0a98631fad1a292118".replace(" ", "")),
     "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),  # RFC 4034 §5.4
    (44, bytes.fromhex("0201123456789abcdef67890123456789abcdef67890"), "2 1 123456789ABCDEF67890123456789ABCDEF67890"),
    (47, b"\4host\7example\3com\0" + bytes.fromhex("0006400100000003041b" + "00" * 26 + "20"),
     "host.example.com A MX RRSIG NSEC TYPE1234"),  # RFC 4034 §4.3
    (48, b"\1\0\3\5\1\2\3", "256 3 5 AQID"),
    (50, bytes.fromhex("01010014" + "08aabbccdd00112233" + "02ff80" + "000222"), None),
    (50, bytes.fromhex("0101000c" + "04aabbccdd" + "14" + "174eb2409fe28bcb4887a1836f957f0a8425e27b" + "0007220100000002 90".replace(" ", "")),
     "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA MX RRSIG DNSKEY NSEC3PARAM"),
    (51, bytes.fromhex("0100000000"), "1 0 0 -"),
    (52, bytes.fromhex("030101" + "ab" * 4), "3 1 1 ABABABAB"),
    (256, b"\0\x0a\0\1ftp://a.test/", '10 1 "ftp://a.test/"'),
    (257, b"\0\5issueca.example.net", '0 issue "ca.example.net"'),
    (257, b"\0\5iss", None),
    (257, b"\0\2\xff\xffx", None),
    (108, bytes.fromhex("00005e00532a"), "00-00-5e-00-53-2a"),
    (65280, b"\x0a\0\0\1", r"\# 4 0a000001"),
    (1, b"\x0a\0\0", r"\# 3 0a0000"),
    (16, b"", r"\# 0"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "data", "text"), FORM_VECTORS)
def test_forms(number, data, text):
    assert rdata_text(number, data) == (text or rf"\# {len(data)} {data.hex()}")


def test_signatures_say_what_they_cover_and_when():
    data = (b"\0\1\5\3" + (86400).to_bytes(4, "big") + bytes.fromhex("3e80f9b73e596cb7") + (2642).to_bytes(2, "big")
            + b"\7example\3com\0" + b"\xa0\x90")  # fmt: skip
    assert rdata_text(46, data) == "A 5 3 86400 20030326005207 20030224005207 2642 example.com oJA="


@given(st.sampled_from([*FORMS, 1, 999]), st.binary(max_size=60))
def test_any_octets_of_any_type_have_a_printable_form(number, data):
    text = rdata_text(number, data)
    assert text.isascii()
    assert text.isprintable()
