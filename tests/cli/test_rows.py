"""The account of a capture."""

import numpy as np
import polars as pl
import pytest
from wiretally.capture.report import SourceReport
from wiretally.cli.rows import capture_rows
from wiretally.core.packets import LINKTYPE_ETHERNET, LINKTYPE_IPV6, LINKTYPE_RAW
from wiretally.core.schema import CAPTURE, polars_schema


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
        "malformed": 2, "unsupported": 3, "counted": 9, "cut_short": False, "degraded": None, "first_seen": 20, "last_seen": 90,
    }  # fmt: skip
    assert (second["linktype"], second["dropped"], second["cut_short"], second["packets"]) == ("IPV6", None, True, 1)


def test_a_source_without_packets_has_no_times():
    (row,) = capture_rows([SourceReport("empty.pcap", [LINKTYPE_ETHERNET], interfaces=[5])], counters()).to_dicts()
    assert (row["packets"], row["first_seen"], row["last_seen"]) == (0, None, None)


def test_a_sum_that_does_not_close_is_refused():
    with pytest.raises(AssertionError, match=r"a\.pcap: 10 packets, 9 accounted for"):
        capture_rows([SourceReport("a.pcap", interfaces=[0])], counters((10, 1000, 0, 2, 2, 5, 50, 90)))
