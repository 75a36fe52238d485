"""Names of certificates: as `cryptography` reads them; hostile ones end in a counter; every limit."""

import numpy as np
import pytest
from crafting import handshakes
from crafting.packets import Connection, client_hello, dissect, hello, server_hello
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from wiretally.core.status import MALFORMED, OK
from wiretally.dissect import state
from wiretally.dissect.intern import NAMES, prepare, raw
from wiretally.dissect.tls import certificate
from wiretally.dissect.tls.names import names_of

LABELS = st.lists(st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True), min_size=1, max_size=4).map(".".join)


def der(common, others, **more):
    return handshakes.certificate(common, others, **more)[0].public_bytes(serialization.Encoding.DER)


SMALL = der("small.example", ("small.example", "www.small.example"))


def read(octets):
    """(status, names, left out) by the code under test."""
    names = np.zeros(1, NAMES)[0]
    prepare(names, 1)
    status, number, left_out = certificate.certificate_names(
        np.frombuffer(octets, np.uint8), 0, len(octets), names, np.zeros(1 << 15, np.uint8))  # fmt: skip
    return status, names_of(raw(names, number)), left_out


@given(st.none() | LABELS, st.lists(LABELS, max_size=6, unique=True))
@settings(max_examples=25)
def test_names_as_somebody_else_reads_them(common, others):
    octets = der(common, others)
    theirs = x509.load_der_x509_certificate(octets)
    expected = [a.value for a in theirs.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    if others:
        found = theirs.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        expected += found.value.get_values_for_type(x509.DNSName)
    assert read(octets) == (OK, list(dict.fromkeys(expected)), 0)


@given(st.data())
@settings(max_examples=60)
def test_damage_is_survived(data):
    octets = bytearray(SMALL[: data.draw(st.integers(0, len(SMALL)))])
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, max(len(octets) - 1, 0)), st.integers(0, 255)), max_size=4)):
        if at < len(octets):
            octets[at] = value
    status, names, _ = read(bytes(octets))
    assert status in (OK, MALFORMED)
    assert len(names) <= certificate.MAX_CERTIFICATE_NAMES + 1


@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_names_and_no_more(beyond):
    others = [f"n{number}.example" for number in range(certificate.MAX_CERTIFICATE_NAMES + beyond)]
    status, names, left_out = read(der(None, others))
    assert (status, names, left_out) == (OK, others[: certificate.MAX_CERTIFICATE_NAMES], beyond)


@pytest.mark.parametrize("beyond", [0, 1])
def test_names_so_long_and_no_longer(beyond):
    long = "a" * (certificate.MAX_CERTIFICATE_NAME + beyond)
    status, names, left_out = read(der(None, ["short.example", long]))
    assert (status, left_out) == (OK, beyond)
    assert names == ["short.example", long][: 2 - beyond]


def shown(octets, cuts=(), sizes=()):
    """A TLS 1.2 connection whose server shows this certificate, in records and segments as given."""
    list_ = hello.vector(3, hello.vector(3, octets) + hello.vector(3, bytes(300)))
    flight = server_hello(version=0x0303, cipher=0xC02F)[5:] + hello.message(11, list_) + hello.message(14, b"")
    edges = sorted({edge for edge in sizes if 0 < edge < len(flight)})
    stream = b"".join(hello.record(22, flight[low:high]) for low, high in zip([0, *edges], [*edges, len(flight)], strict=True))
    c = Connection().open().send(client_hello(chromium=False))
    places = sorted({cut for cut in cuts if 0 < cut < len(stream)})
    for low, high in zip([0, *places], [*places, len(stream)], strict=True):
        c.send(stream[low:high], up=False)
    return c


@given(st.lists(st.integers(1, 1200), max_size=4), st.lists(st.integers(1, 1200), max_size=4))
@settings(max_examples=25)
def test_in_any_records_and_segments(cuts, sizes):
    flow = dissect(shown(SMALL, cuts, sizes).items).one("flows")
    assert flow["certificate_names"] == ["small.example", "www.small.example"]
    assert flow["tls_resumed"] is False
    assert flow["tls_cipher"] == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_certificate_as_long_as_can_be_collected_and_one_byte_more(beyond):
    room = state.COLLECT_BYTES - 10 + beyond
    unknown = lambda size: x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(size))  # noqa: E731
    size = room - len(SMALL) - 30
    octets = der("big.example", ("big.example",), extensions=[unknown(size)])
    while len(octets) != room:  # the signature's length varies
        size += room - len(octets)
        octets = der("big.example", ("big.example",), extensions=[unknown(size)])
    answer = dissect(shown(octets, cuts=range(0, 20_000, 1400), sizes=(8000, 16_000)).items)
    assert answer.one("flows")["certificate_names"] == (["big.example"] if not beyond else None)
    assert answer.given_up["collect_long"] == beyond


def test_what_is_no_certificate_is_counted():
    answer = dissect(shown(b"no certificate").items)
    assert answer.one("flows")["certificate_names"] is None
    assert answer.given_up["certificate_malformed"] == 1
