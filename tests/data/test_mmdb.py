import ipaddress

import geoip2.database
import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.data.mmdb import Range, joined, write

META = {"database_type": "test-Country", "description": "made by a test", "build_epoch": 1_700_000_000}
READERS = [maxminddb.MODE_MMAP_EXT, maxminddb.MODE_MEMORY]  # the C library and plain Python
FIRST_V6 = 0x2400 << 112  # 2400::, clear of what holds IPv4


def ranges(bits, base=0):
    """Sorted ranges without overlaps; many share borders, some values repeat."""
    borders = st.lists(st.integers(0, (1 << bits) - 1), min_size=2, max_size=24, unique=True).map(sorted)
    values = st.sampled_from(["AA", "BB", "CC", None])

    def made(drawn):
        edges, kinds = drawn
        return [
            Range(base + first, base + last - 1, kind)
            for first, last, kind in zip(edges, edges[1:], kinds, strict=False)
            if kind is not None
        ]

    return st.tuples(borders, st.lists(values, min_size=23, max_size=23)).map(made)


def naive(given_ranges, number):
    return next((each.value for each in given_ranges if each.first <= number <= each.last), None)


@pytest.mark.parametrize("mode", READERS)
@given(ipv4=ranges(32), ipv6=ranges(124 - 8, FIRST_V6), more=st.lists(st.integers(0, (1 << 32) - 1), max_size=5))
def test_every_address_has_the_record_of_its_range(tmp_path_factory, mode, ipv4, ipv6, more):
    if not ipv4 and not ipv6:
        return
    path = tmp_path_factory.mktemp("mmdb") / "x.mmdb"
    write(path, joined(ipv4), joined(ipv6), {kind: {"kind": kind} for kind in ("AA", "BB", "CC")}, **META)
    with maxminddb.open_database(path, mode) as reader:
        for family, kind in ((ipv4, ipaddress.IPv4Address), (ipv6, ipaddress.IPv6Address)):
            edges = {edge for each in family for edge in (each.first, each.last, each.last + 1, max(each.first - 1, 0))}
            for number in [*edges, *(more if kind is ipaddress.IPv4Address else ())]:
                if number < 1 << kind(0).max_prefixlen:
                    want = naive(family, number)
                    assert reader.get(kind(number)) == (None if want is None else {"kind": want})


@pytest.mark.parametrize("mode", READERS)
def test_ipv4_is_found_where_ipv6_holds_it(tmp_path, mode):
    path = tmp_path / "x.mmdb"
    held = [Range(0x08080800, 0x080808FF, "US")]
    write(path, held, [Range(0x2002 << 112, (0x2003 << 112) - 1, "ZZ")], {"US": {"kind": "US"}, "ZZ": {}}, **META)
    with maxminddb.open_database(path, mode) as reader:
        for text in ("8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"):
            assert reader.get(text) == {"kind": "US"}
        for text in ("8.8.9.8", "::ffff:8.8.9.8", "64:ff9b::8.8.9.8", "64:ff9b:1::8.8.8.8", "2002:808:908::1"):
            assert reader.get(text) is None


def test_long_texts_and_large_numbers_survive(tmp_path):
    path = tmp_path / "x.mmdb"
    records = {
        size: {"number": (1 << 32) - size, "text": "é" * size, "list": ["a" * size, {"deep": size}]}
        for size in (1, 14, 15, 142, 143, 300)
    }
    held = [Range(number << 24, (number << 24) + 5, size) for number, size in enumerate(records, 1)]
    write(path, held, [], records, **META)
    for mode in READERS:
        with maxminddb.open_database(path, mode) as reader:
            assert [reader.get(f"{number}.0.0.3") for number, _ in enumerate(records, 1)] == list(records.values())


def test_geoip2_reads_it_and_the_metadata(tmp_path):
    path = tmp_path / "x.mmdb"
    write(path, [Range(0x08080800, 0x080808FF, "US")], [], {"US": {"country": {"iso_code": "US"}}}, **META)
    with geoip2.database.Reader(path) as reader:
        assert reader.country("8.8.8.8").country.iso_code == "US"
        metadata = reader.metadata()
        assert (metadata.build_epoch, metadata.ip_version, metadata.record_size) == (1_700_000_000, 6, 24)
        assert metadata.description == {"en": "made by a test"}


def test_equal_subtrees_are_stored_once(tmp_path):
    path = tmp_path / "x.mmdb"
    held = [Range(number << 8, (number << 8) + 127, "AA") for number in range(0, 1 << 12, 2)]
    write(path, held, [], {"AA": {}}, **META)
    with maxminddb.open_database(path) as reader:
        assert reader.metadata().node_count < 4 * 128


def test_nothing_to_write_and_values_without_a_form_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no ranges"):
        write(tmp_path / "x", [], [], {}, **META)
    with pytest.raises(TypeError, match="float"):
        write(tmp_path / "x", [Range(0, 0, "AA")], [], {"AA": {"x": 1.5}}, **META)


def test_joining_keeps_the_earlier_of_two_that_overlap():
    given_ranges = [Range(0, 9, "a"), Range(5, 14, "b"), Range(6, 8, "c"), Range(15, 20, "b"), Range(22, 23, "b")]
    assert joined(given_ranges) == [Range(0, 9, "a"), Range(10, 20, "b"), Range(22, 23, "b")]
