"""The resolver's answers, read by two other implementations."""

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from wiretally.lab import dns
from wiretally.lab.hosts import HOSTS, SENSORS


def ask(name, kind):
    return dns.answer(bytes(DNS(id=4711, rd=1, qd=DNSQR(qname=name, qtype=kind))))


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_host_resolves_through_its_chain(host):
    message = dpkt.dns.DNS(ask(host.name, "A"))
    assert (message.id, message.rcode, message.qr) == (4711, dpkt.dns.DNS_RCODE_NOERR, 1)
    *chain, last = message.an
    assert [record.cname for record in chain] == list(host.chain)
    assert [record.name for record in message.an] == [host.name, *host.chain]
    assert ".".join(map(str, last.ip)) == host.address


def test_scapy_reads_the_same():
    message = DNS(ask("WWW.Google-Analytics.com", "A"))
    assert [record.rdata for record in message.an] == [b"www-alv.google-analytics.com.", "142.250.185.78"]


def test_https_names_the_protocols():
    (record,) = DNS(ask("www.quiet-travel.example", "HTTPS")).an
    assert (record.type, record.svc_priority, record.target_name) == (dns.TYPE_HTTPS, 1, b".")
    assert [(parameter.key, parameter.value) for parameter in record.svc_params] == [(dns.KEY_ALPN, [b"h2"])]


def test_other_types_of_a_known_name_are_empty():
    for kind in ("AAAA", "TXT", "HTTPS"):
        message = dpkt.dns.DNS(ask(SENSORS, kind))
        assert message.rcode == dpkt.dns.DNS_RCODE_NOERR
        assert [record.type for record in message.an] == [dpkt.dns.DNS_CNAME]


def test_an_unknown_name_does_not_exist():
    message = dpkt.dns.DNS(ask("accounts.google.com", "A"))
    assert (message.rcode, message.an) == (dpkt.dns.DNS_RCODE_NXDOMAIN, [])


@given(st.binary(max_size=80))
def test_any_bytes_get_an_answer_or_silence(message):
    answer = dns.answer(message)
    assert answer[:2] == message[:2] if len(message) >= 2 else answer == b""
