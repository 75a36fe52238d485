"""Flows that ask for names inside encryption, recognised by the name or the protocol that their hello asks for."""

import pytest
from crafting.packets import START, Connection, client_hello, dissect, server_hello, udp
from crafting.records import designation
from wiretally.bench import hello
from wiretally.dissect.dissector import DissectOptions
from wiretally.dissect.state import RESOLVERS

KNOWN = DissectOptions(resolvers=("dns.google",))


def connection(name, port=40_000):
    return Connection(START + port, port=port).open().send(client_hello(name)).send(server_hello(), up=False).items


def service(items, options=KNOWN):
    return [row["service"] for row in dissect(items, options).tables["flows"].to_dicts() if row["sni"] is not None]


def test_a_resolver_that_is_known_by_name():
    assert service(connection("dns.google")) == ["doh"]
    assert service(connection("www.google")) == ["tls"]
    assert service(connection("dns.google"), DissectOptions()) == ["tls"]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (designation(b"\3doh\4test\0"), "doh"),
        (designation(b"\3DOH\4test\0"), "doh"),
        (designation(b"\3doh\4test\0", path=False), "tls"),
        (designation(b"\3doh\4test\0", b"\3www\4evil\4test\0"), "tls"),
        (designation(b"\0"), "tls"),
        (designation(b"\x03doh")[:-3], "tls"),
    ],
)
def test_a_resolver_that_the_network_designates(answer, found):
    assert service([(START, udp(answer, up=False)), *connection("doh.test")]) == [found]


def test_only_flows_after_the_designation_are_known():
    later = connection("doh.test", 41_000)
    items = [*connection("doh.test"), (later[0][0] - 1, udp(designation(b"\3doh\4test\0"), up=False)), *later]
    assert sorted(service(items)) == ["doh", "tls"]


def test_designations_beyond_the_limit_are_counted():
    items = [(START + n, udp(designation(b"\3doh\4test\0"), up=False)) for n in range(2)]
    for known, full in ((RESOLVERS - 1, 0), (RESOLVERS, 2)):
        names = tuple(f"r{n}.test" for n in range(known))
        assert dissect(items, DissectOptions(resolvers=names)).given_up["resolvers_full"] == full


@pytest.mark.parametrize(("protocol", "found"), [(b"dot", "dot"), (b"h2", "tls")])
def test_dns_over_tls_on_any_port_by_its_protocol(protocol, found):
    alpn = hello.vector(2, hello.vector(1, protocol))
    assert service(with_extension(16, alpn)) == [found]


def with_extension(number, value):
    name = b"a.test"
    server = b"\0\0" + hello.vector(2, hello.vector(2, b"\0" + hello.vector(2, name)))
    extensions = server + number.to_bytes(2, "big") + hello.vector(2, value)
    body = b"\3\3" + bytes(32) + b"\0" + hello.vector(2, b"\x13\x01") + b"\1\0" + hello.vector(2, extensions)
    record = hello.record(hello.HANDSHAKE, hello.message(hello.CLIENT_HELLO, body))
    return Connection(remote_port=8443).open().send(record).items
