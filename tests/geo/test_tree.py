import ipaddress

import maxminddb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import mmdb
from wiretally.geo import tree as module
from wiretally.geo.addresses import pack
from wiretally.geo.databases import BUNDLED
from wiretally.geo.tree import TOGETHER, Tree

NETWORKS = {
    "8.8.8.0/24": {"at": "a"}, "8.8.9.0/24": {"at": "b"}, "128.0.0.0/1": {"at": "c"}, "1.2.3.4/32": {"at": "d"},
    "2a00::/16": {"at": "e"}, "2a01:1:2:3::/64": {"at": "f"}, "2a02::7/128": {"at": "g"},
}  # fmt: skip
NEAR = ["8.8.8.8", "8.8.9.255", "8.8.10.0", "200.1.1.1", "1.2.3.4", "1.2.3.5", "2a00::", "2a01:1:2:3::9", "2a01:1:2:4::",
        "2a02::7", "2a02::6", "ff::"]  # fmt: skip
ADDRESSES = st.lists(st.one_of(st.ip_addresses().map(str), st.sampled_from(NEAR)), max_size=40)


def opened(path):
    with maxminddb.open_database(path) as reader:
        found = reader.metadata()
    return Tree(path, found.node_count, found.record_size, found.ip_version)


def reached(tree, addresses):
    """The leaf of each address, -1 for none."""
    leaves = np.full(len(addresses), -1, np.int64)
    for packed in pack(addresses):
        leaves[packed.rows] = tree.leaves(packed.octets)
    return leaves.tolist()


@pytest.fixture(scope="module", params=[(24, 0), (28, 0), (28, 3 << 24), (32, 0)], ids=str)
def file(request, tmp_path_factory):
    """A file of each record size; with 50 MB before the data, the upper four bits of 28 are in use."""
    bits, padding = request.param
    return mmdb.write(tmp_path_factory.mktemp("tree") / "x.mmdb", NETWORKS, bits=bits, padding=padding)


@given(ADDRESSES)
def test_addresses_share_a_leaf_exactly_if_they_share_a_network(file, addresses):
    leaves = reached(opened(file), addresses)
    held = [mmdb.look_up(NETWORKS, address) for address in addresses]
    assert [leaf < 0 for leaf in leaves] == [record is None for record in held]
    by_leaf = {leaf: record["at"] for leaf, record in zip(leaves, held, strict=True) if record}
    assert len(set(by_leaf.values())) == len(by_leaf)
    assert all(record is None or by_leaf[leaf] == record["at"] for leaf, record in zip(leaves, held, strict=True))


def test_the_naive_file_is_one_that_readers_read(file):
    for mode in (maxminddb.MODE_MMAP_EXT, maxminddb.MODE_MMAP):
        with maxminddb.open_database(file, mode) as reader:
            assert [reader.get(address) for address in NEAR] == [mmdb.look_up(NETWORKS, address) for address in NEAR]


def test_a_file_of_ipv4_alone(tmp_path):
    networks = {text: record for text, record in NETWORKS.items() if ":" not in text}
    tree = opened(mmdb.write(tmp_path / "x.mmdb", networks, ip_version=4))
    leaves = reached(tree, ["8.8.8.8", "8.8.8.9", "8.8.9.1", "9.9.9.9", "2a00::", "::808:808"])
    assert leaves[0] == leaves[1] != leaves[2] > 0
    assert leaves[3:] == [-1, -1, -1]


def test_a_file_of_ipv6_alone(tmp_path):
    tree = opened(mmdb.write(tmp_path / "x.mmdb", {"2a00::/16": {"at": "e"}}))
    assert [leaf >= 0 for leaf in reached(tree, ["8.8.8.8", "2a00::1"])] == [False, True]


def test_more_addresses_than_descend_together():
    tree = opened(BUNDLED / "country.mmdb")
    addresses = [str(ipaddress.IPv4Address(number * 65521 % (1 << 32))) for number in range(TOGETHER + 10)]
    some = addresses[:: TOGETHER // 50]
    assert reached(tree, addresses)[:: TOGETHER // 50] == reached(tree, some)


def test_a_tree_that_the_file_cannot_hold_is_refused(tmp_path):
    path = mmdb.write(tmp_path / "x.mmdb", NETWORKS)
    with pytest.raises(ValueError, match="cut short"):
        Tree(path, 1 << 20, 24, 6)
    with pytest.raises(ValueError, match="20 bits"):
        Tree(path, 10, 20, 6)


def test_a_tree_that_runs_in_a_circle_ends(tmp_path):
    path = tmp_path / "x.mmdb"
    path.write_bytes(bytes(6 * 4) + bytes(16) + b"data")  # every record leads back to the root
    assert reached(Tree(path, 4, 24, 6), ["8.8.8.8", "2a00::1"]) == [-1, -1]


@given(st.lists(st.integers(-1, 60), max_size=40), st.sampled_from([1, 8, 1 << 14]))
def test_distinct_leaves_by_counting_are_those_by_sorting(leaves, worth):
    given_leaves = np.array(leaves, np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WORTH_A_TABLE", worth)
        counted = module.distinct(given_leaves)
    for mine, theirs in zip(counted, np.unique(given_leaves, return_index=True, return_inverse=True), strict=True):
        assert mine.tolist() == theirs.tolist()


def test_leaves_far_from_one_another_are_sorted_and_take_no_memory():
    far = np.array([0, 1 << 60] * module.WORTH_A_TABLE)
    assert [each.tolist() for each in module.distinct(far)][:2] == [[0, 1 << 60], [0, 1]]
