"""The account of a capture and the list of devices."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from wiretally.capture.report import SourceReport
from wiretally.cli.rows import Devices, capture_rows
from wiretally.core.packets import LINKTYPE_ETHERNET, LINKTYPE_IPV6, LINKTYPE_RAW
from wiretally.core.schema import CAPTURE, DEVICES, FLOWS, polars_schema


def counters(*rows):
    """seen, bytes, cut, malformed, unsupported, counted, earliest, latest."""
    return np.array(rows, np.int64).reshape(-1, 8)


def test_a_row_sums_the_interfaces_of_its_source():
    one = SourceReport("a.pcapng", [LINKTYPE_ETHERNET, LINKTYPE_RAW], interfaces=[0, 2], dropped=3)
    two = SourceReport("b.pcap", [LINKTYPE_IPV6], interfaces=[1], cut_short=True)
    table = capture_rows(
        [one, two], counters((10, 1000, 1, 2, 3, 5, 50, 90), (1, 60, 0, 0, 0, 1, 7, 7), (4, 400, 0, 0, 0, 4, 20, 60))
    )
    assert table.schema == pl.Schema(polars_schema(CAPTURE))
    first, second = table.with_columns(pl.col("first_seen", "last_seen").to_physical()).to_dicts()
    assert first == {
        "source": "a.pcapng", "linktype": "ETHERNET,RAW", "packets": 14, "wire_bytes": 1400, "dropped": 3, "truncated": 1,
        "malformed": 2, "unsupported": 3, "counted": 9, "cut_short": False, "first_seen": 20, "last_seen": 90,
    }  # fmt: skip
    assert (second["linktype"], second["dropped"], second["cut_short"], second["packets"]) == ("IPV6", None, True, 1)


def test_a_source_without_packets_has_no_times():
    (row,) = capture_rows([SourceReport("empty.pcap", [LINKTYPE_ETHERNET], interfaces=[5])], counters()).to_dicts()
    assert (row["packets"], row["first_seen"], row["last_seen"]) == (0, None, None)


def test_a_sum_that_does_not_close_is_refused():
    with pytest.raises(AssertionError, match=r"a\.pcap: 10 packets, 9 accounted for"):
        capture_rows([SourceReport("a.pcap", interfaces=[0])], counters((10, 1000, 0, 2, 2, 5, 50, 90)))


def flows(*ends):
    schema = polars_schema(FLOWS)
    names = ("local_mac", "local_ip", "first_seen", "last_seen")
    kinds = {name: pl.Int64() if name.endswith("seen") else schema[name] for name in names}
    return pl.DataFrame(ends, schema=kinds, orient="row").cast({name: schema[name] for name in names})


def test_devices_are_link_addresses_with_what_was_behind_them():
    phone, tablet = "da:a1:19:00:00:01", "3c:5a:b4:00:00:02"
    whole = flows(
        (phone, "192.168.4.20", 10, 20), (phone, "fe80::1", 5, 40), (tablet, "192.168.4.21", 30, 60),
        (phone, "192.168.4.20", 50, 90), (None, "10.0.0.9", 1, 2), (None, "10.0.0.8", 3, 4),
    )  # fmt: skip
    table = gathered(whole)
    assert table.schema == pl.Schema(polars_schema(DEVICES))
    assert table.select("mac", "addresses", "randomised").rows() == [
        (None, ["10.0.0.9"], None),
        (None, ["10.0.0.8"], None),
        (phone, ["fe80::1", "192.168.4.20"], True),
        (tablet, ["192.168.4.21"], False),
    ]
    assert table.select(pl.col("first_seen", "last_seen").to_physical()).rows() == [(1, 2), (3, 4), (5, 90), (30, 60)]
    assert_frame_equal(gathered(*whole.iter_slices(1)), table)


def gathered(*parts):
    devices = Devices()
    for part in parts:
        devices.add(part)
    return devices.rows()
