import ipaddress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.geo.addresses import SPECIAL_IPV4, SPECIAL_IPV6, beyond_nat64, pack, placeable

TEXTS = st.one_of(
    st.ip_addresses().map(str), st.text(max_size=20), st.sampled_from(["", "1.2.3", "::1%eth0", "1.2.3.4\0", "[::1]"])
)


def is_address(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


@given(st.lists(TEXTS, max_size=20))
def test_every_address_is_packed_where_it_stood_and_nothing_else(texts):
    ipv4, ipv6 = pack(texts)
    found = {}
    for packed in (ipv4, ipv6):
        for octets, row in zip(packed.octets, packed.rows.tolist(), strict=True):
            found[row] = ipaddress.ip_address(octets.tobytes())
    assert found == {row: ipaddress.ip_address(text) for row, text in enumerate(texts) if is_address(text)}


def placed(text):
    return any(len(placeable(packed).rows) for packed in pack([text]))


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=50))
def test_ipv4_is_placeable_as_the_registry_says(texts):
    packed = placeable(pack(texts)[0])
    # two blocks that the registry calls global, and that the standard library does not, or the other way round
    odd = [ipaddress.ip_network(text) for text in ("192.0.0.0/24", "224.0.0.0/4")]
    for row, text in enumerate(texts):
        address = ipaddress.ip_address(text)
        if not any(address in network for network in odd):
            assert (row in packed.rows) == address.is_global


@pytest.mark.parametrize(("network", "length"), SPECIAL_IPV4)
def test_both_ends_of_each_special_network_and_what_lies_beyond(network, length):
    last = network + (1 << (32 - length)) - 1
    assert not placed(str(ipaddress.IPv4Address(network)))
    assert not placed(str(ipaddress.IPv4Address(last)))
    for beyond in (network - 1, last + 1):
        if 0 <= beyond < 1 << 32:
            assert placed(str(ipaddress.IPv4Address(beyond)))


@pytest.mark.parametrize(("half", "length"), SPECIAL_IPV6)
def test_the_same_for_ipv6(half, length):
    first = ipaddress.IPv6Address(half << 64)
    last = first + (1 << (128 - length)) - 1
    assert not placed(str(first))
    assert not placed(str(last))
    assert placed(str(first - 1))


@pytest.mark.parametrize(
    "text", ["::", "::1", "fe80::1", "fd12::1", "ff02::fb", "4000::1", "64:ff9b:1::1", "2001:db8::9"]
)
def test_ipv6_without_a_place(text):
    assert not placed(text)


@pytest.mark.parametrize("text", ["2001:4860::1", "2a00::1", "64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1"])
def test_ipv6_with_a_place(text):
    assert placed(text)


def test_nothing_packs_to_nothing():
    for packed in pack([]):
        assert placeable(packed).octets.shape[0] == 0
        assert packed.rows.dtype == np.int64


@given(st.ip_addresses(v=4))
def test_a_nat64_address_stands_for_the_one_inside(inside):
    outside = ipaddress.IPv6Address(int(ipaddress.ip_address("64:ff9b::")) | int(inside))
    assert beyond_nat64(str(outside)) == str(inside)


@pytest.mark.parametrize("text", ["64:ff9b:1::c000:201", "64:ff9b:0:0:0:1::", "64:ff9b::zz", "192.0.2.1", "", "64:ff9b::1:192.0.2.1"])
def test_other_texts_stand_for_themselves(text):
    assert beyond_nat64(text) == text
