"""Pseudonyms: Crypto-PAn's published values, prefixes that stay prefixes, private that stays private, names of one length."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wiretally.core.errors import InputError
from wiretally.evidence.pseudonyms import Policy, Pseudonyms, checked, key_of

KEY = bytes(range(32))
ALL = Pseudonyms(KEY, Policy("all", "hash"))

# the key and a part of the trace that come with the authors' implementation, Crypto-PAn 1.0
SAMPLE_KEY = bytes([21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
                    216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2])  # fmt: skip
SAMPLE = {"128.11.68.132": "135.242.180.132", "129.118.74.4": "134.136.186.123", "130.132.252.244": "133.68.164.234",
          "141.223.7.43": "141.167.8.160", "141.233.145.108": "141.129.237.235", "152.163.225.39": "151.140.114.167"}  # fmt: skip


@pytest.mark.parametrize(("real", "pseudonym"), SAMPLE.items())
def test_the_library_gives_the_published_values(real, pseudonym):
    from yacryptopan import CryptoPAn

    assert CryptoPAn(SAMPLE_KEY).anonymize(real) == pseudonym


def common(one, other):
    bits = 8 * len(one)
    return bits - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


@settings(max_examples=30)
@given(st.sampled_from([4, 16]).flatmap(lambda n: st.tuples(st.binary(min_size=n, max_size=n), st.binary(min_size=n, max_size=n),
                                                            st.integers(0, 8 * n))))  # fmt: skip
def test_two_addresses_share_as_many_bits_as_before(drawn):
    one, other, shared = drawn
    bits = 8 * len(one)
    mask = (1 << (bits - shared)) - 1
    other = ((int.from_bytes(one, "big") & ~mask) | (int.from_bytes(other, "big") & mask)).to_bytes(len(one), "big")
    assert common(ALL._mapped(one), ALL._mapped(other)) == common(one, other)


@settings(max_examples=40)
@given(st.ip_addresses())
def test_what_an_address_means_stays(address):
    made = ipaddress.ip_address(ALL.address(address.packed))
    for word in ("is_private", "is_multicast", "is_link_local", "is_loopback", "is_unspecified"):
        if address.version == 4 or word != "is_private" or address in ipaddress.ip_network("fc00::/7"):
            if word == "is_private" and address.version == 4 and not in_a_block(address):
                assert not in_a_block(made)
                continue
            assert getattr(made, word) == getattr(address, word)


def in_a_block(address):
    blocks = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "0.0.0.0/8",
              "224.0.0.0/3")  # fmt: skip
    return any(address in ipaddress.ip_network(block) for block in blocks)


def test_servers_keep_their_addresses_unless_asked():
    local = Pseudonyms(KEY, Policy("local", "keep"), devices={"2a02:908::17", "192.168.4.20"})
    server, home, device = (ipaddress.ip_address(text).packed for text in ("161.117.71.74", "192.168.4.1", "2a02:908::17"))
    assert local.address(server) == server
    assert local.address(home) != home
    assert local.address(device) != device
    assert local.address(ipaddress.ip_address("2a02:908::18").packed) == ipaddress.ip_address("2a02:908::18").packed
    assert ALL.address(server) != server


def test_a_network_holds_its_addresses_afterwards():
    for text in ("192.168.4.0/24", "203.0.113.0/25", "2a02:908:10::/48", "10.0.0.0/8"):
        inside = ipaddress.ip_network(text)[5]
        assert ipaddress.ip_address(ALL.address(inside.packed)) in ipaddress.ip_network(ALL.network(text))


def test_link_addresses_say_nothing_of_a_vendor_and_groups_stay():
    made = ALL.mac(bytes.fromhex("b827eb4f12a0"))
    assert made != bytes.fromhex("b827eb4f12a0")
    assert made[0] & 3 == 2
    assert ALL.mac(b"\xff" * 6) == b"\xff" * 6
    assert ALL.mac(bytes.fromhex("01005e0000fb")) == bytes.fromhex("01005e0000fb")
    group = ALL.mac(bytes.fromhex("3333ff4f12a0"))
    assert group[:3] == b"\x33\x33\xff"
    assert group[3:] != bytes.fromhex("4f12a0")
    solicited = ALL.address(ipaddress.ip_address("ff02::1:ff4f:12a0").packed)
    assert solicited[13:] == group[3:]


@settings(max_examples=40)
@given(st.lists(st.text("abcdef0123-", min_size=1, max_size=5), min_size=1, max_size=4).map(".".join))
def test_a_name_keeps_its_shape_and_its_domain_is_a_domain(name):
    made = ALL.text(f"{name}.example.com")
    assert [len(label) for label in made.split(".")] == [len(label) for label in f"{name}.example.com".split(".")]
    assert made.endswith("." + ALL.text("example.com"))
    assert ALL.text(f"{name}.EXAMPLE.com") == made


def test_no_two_names_share_a_pseudonym():
    names = [f"{letter}.example.com" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]
    made = Pseudonyms(KEY, Policy("all", "hash"), names=names)
    assert len({made.text(name) for name in names}) == len(names)
    assert made.shared == 0


def test_what_a_policy_leaves_of_a_name():
    keep, domain = Pseudonyms(KEY, Policy("local", "keep")), Pseudonyms(KEY, Policy("local", "registrable"))
    assert keep.text("sa.api.intl.miui.com") == "sa.api.intl.miui.com"
    assert domain.text("sa.api.intl.miui.com").endswith(".miui.com")
    assert "intl" not in domain.text("sa.api.intl.miui.com")
    assert domain.text("www.bbc.co.uk").endswith(".bbc.co.uk")
    for home in ("annas-phone.local", "23.50.168.192.in-addr.arpa", "printer", "nas.fritz.box", "192.168.50.23"):
        for each in (keep, domain, ALL):
            assert each.text(home).split(".")[0] != home.split(".")[0]
    assert Pseudonyms(KEY, Policy("keep", "keep")).text("annas-phone.local") == "annas-phone.local"


def test_devices_as_users_write_them():
    assert ALL.device("192.168.50.23") == str(ipaddress.ip_address(ALL.address(bytes([192, 168, 50, 23]))))
    assert ALL.device("B8-27-EB-4F-12-A0") == ALL.mac(bytes.fromhex("b827eb4f12a0")).hex(":")
    assert ALL.device("phone") == "phone"


def test_keys():
    assert key_of([b"a", b"b"]) == key_of([b"ab"])
    assert len(key_of([b"a"])) == 32
    with pytest.raises(InputError, match="31 bytes"):
        Pseudonyms(bytes(31), Policy())
    for wrong in (("some", "keep"), ("all", "none")):
        with pytest.raises(InputError):
            checked(*wrong)
