import csv
import ipaddress

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.core.errors import DatabaseError
from wiretally.geo.addresses import pack
from wiretally.geo.shared import Shared

HEAD = "prefix,kind,operator,source,licence,date\n"


@pytest.fixture(scope="module")
def bundled():
    return Shared()


def operators(shared, addresses, networks=None):
    series = pl.Series(networks or [None] * len(addresses), dtype=pl.UInt32)
    return shared.operators(pack(addresses), series).to_list()


def folder(path, prefixes, networks="13335,anycast,Cloudflare,x,2026-01-01\n"):
    path.mkdir(exist_ok=True)
    rows = "".join(f"{prefix},cdn,{operator},x,MIT,2026-01-01\n" for prefix, operator in prefixes)
    (path / "shared.csv").write_text(HEAD + rows)
    (path / "networks.csv").write_text("asn,kind,operator,source,date\n" + networks)
    return Shared(path)


def test_ranges_networks_and_what_is_neither(bundled):
    addresses = ["34.117.188.166", "1.1.1.1", "205.251.192.1", "161.117.71.74", "10.0.0.1", "2606:4700::1", "word"]
    networks = [396982, 13335, 16509, 45102, None, None, None]
    assert operators(bundled, addresses, networks) == [
        "Google Cloud global", "Cloudflare", "Amazon Route 53", None, None, "Cloudflare", None,
    ]  # fmt: skip


def test_every_range_is_found_at_both_ends(bundled):
    with bundled.ranges.open(newline="", encoding="utf-8") as file:
        networks = [ipaddress.ip_network(row["prefix"]) for row in csv.DictReader(file)]
    ends = [str(network[at]) for network in networks for at in (0, -1)]
    assert None not in operators(bundled, ends)


def test_a_prefix_says_more_than_the_network(tmp_path):
    shared = folder(tmp_path / "x", [("104.16.0.0/24", "Inner")])
    assert operators(shared, ["104.16.0.1", "104.16.1.1"], [13335, 13335]) == ["Inner", "Cloudflare"]


PREFIXES = st.lists(
    st.tuples(st.integers(0, 0xFF), st.integers(24, 32), st.sampled_from("ABC")).map(
        lambda each: (str(ipaddress.ip_network((0x05000000 | each[0], each[1]), strict=False)), each[2])
    ),
    max_size=8, unique_by=lambda each: each[0],
)  # fmt: skip


@given(PREFIXES)
def test_of_networks_inside_one_another_the_longest(tmp_path_factory, prefixes):
    prefixes = prefixes or [("9.9.9.9/32", "A")]
    shared = folder(tmp_path_factory.mktemp("x"), prefixes)
    addresses = [f"5.0.{high}.{low}" for high, low in ((0, low) for low in range(256))] + ["4.255.255.255", "5.0.1.0"]
    found = operators(shared, addresses)
    for address, operator in zip(addresses, found, strict=True):
        around = [(ipaddress.ip_network(prefix).prefixlen, name) for prefix, name in prefixes
                  if ipaddress.ip_address(address) in ipaddress.ip_network(prefix)]  # fmt: skip
        assert operator == (max(around)[1] if around else None)


NO_NETWORKS = ("not-a-network", "1.2.3.0", "1.2.3.4/24", "1.2.3.0/33", "1.2.3.0/x", "2001:db8::/129", "2001:db8:0:1::/63")


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", HEAD, "\xff", "prefix\n1.2.3.0/24\n", HEAD + "1.2.3.0/24,cdn\n",
                                     *(HEAD + f"{prefix},cdn,A,x,MIT,2026-01-01\n" for prefix in NO_NETWORKS)])  # fmt: skip
def test_a_damaged_list_is_one_line(tmp_path, content):
    shared = folder(tmp_path / "x", [])
    shared.ranges.write_text(content, encoding="latin-1")
    with pytest.raises(DatabaseError) as caught:
        operators(shared, ["8.8.8.8"])
    assert "\n" not in str(caught.value)


def test_what_it_rests_on(bundled):
    assert [each["kind"] for each in bundled.info()] == ["shared", "shared"]
    assert all(all(each.values()) for each in bundled.info())
