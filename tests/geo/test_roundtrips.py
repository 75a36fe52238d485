import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.geo import roundtrips as module
from wiretally.geo.outlines import Outlines
from wiretally.geo.roundtrips import (
    ASKED,
    KM_PER_RTT_MS,
    MARGIN_KM,
    MOST_POSSIBLE,
    RoundTrips,
    possible,
    prefix,
    refuted,
)

SINGAPORE, BERLIN = (1.3, 103.8), (52.52, 13.405)


def frame(*rows):
    """(remote_ip, ms) of QUIC flows, or (remote_ip, transport, ms of the handshake, smallest ms)."""
    whole = [row if len(row) == 4 else (row[0], "udp", row[1], None) for row in rows]
    return pl.DataFrame(whole, schema=ASKED, orient="row")


def bounds(trips, *rows):
    return {row[0]: row[1:] for row in trips.bounds(frame(*rows)).iter_rows()}


@pytest.mark.parametrize(
    ("address", "of"),
    [
        ("192.0.2.77", "192.0.2."), ("2001:db8:1:2::3", "2001:db8:1:"), ("2001:db8::3", "2001:db8::"), ("2001::1", "2001:"),
        ("::1", "::1"), ("word", "word"),
    ],
)  # fmt: skip
def test_prefixes(address, of):
    assert frame((address, None)).select(prefix()).item() == of


def test_the_smallest_of_an_address_and_of_its_prefix():
    found = bounds(RoundTrips(), ("192.0.2.1", 30.0), ("192.0.2.1", 20.0), ("192.0.2.2", 5.0), ("192.0.2.3", None),
                   ("192.0.3.1", 9.0))  # fmt: skip
    assert found == {"192.0.2.1": (2000.0, 500.0), "192.0.2.2": (500.0, 500.0), "192.0.2.3": (None, 500.0),
                     "192.0.3.1": (900.0, 900.0)}  # fmt: skip


@pytest.mark.parametrize(("transport", "handshake", "least", "km"), [
    ("tcp", 30.0, 12.0, 1200.0),
    ("tcp", None, 12.0, 1200.0),  # the handshake was not captured
    ("tcp", 5.0, None, None),  # a SYN was repeated, or a reset answered it
    ("tcp", 5.0, 30.0, 3000.0),  # a SYN was repeated: what came later is certain
    ("udp", 30.0, None, 3000.0),
    ("udp", None, None, None),
])  # fmt: skip
def test_which_time_of_a_flow_counts(transport, handshake, least, km):
    assert bounds(RoundTrips(), ("192.0.2.1", transport, handshake, least)) == {"192.0.2.1": (km, km)}


def test_a_doubtful_handshake_does_not_hide_what_others_measured():
    found = bounds(RoundTrips(), ("192.0.2.1", "tcp", 1.0, None), ("192.0.2.1", "tcp", 90.0, 80.0), ("192.0.2.1", "udp", 70.0, None))
    assert found == {"192.0.2.1": (7000.0, 7000.0)}


@pytest.mark.parametrize("rtt", [None, -1.0, 0.0, float("nan"), float("inf")])
def test_what_is_no_time(rtt):
    assert bounds(RoundTrips(), ("192.0.2.1", rtt)) == {"192.0.2.1": (None, None)}


def test_frames_that_follow_know_those_before():
    trips = RoundTrips()
    bounds(trips, ("192.0.2.1", 3.0))
    assert bounds(trips, ("192.0.2.1", 9.0), ("192.0.2.9", None)) == {"192.0.2.1": (300.0, 300.0), "192.0.2.9": (None, 300.0)}


@given(
    st.lists(st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.none() | st.floats(0.001, 300)), max_size=12),
    st.integers(1, 5),
)
def test_any_split_into_frames_ends_at_the_same_bound(rows, size):
    trips = RoundTrips()
    for start in range(0, len(rows), size):
        bounds(trips, *rows[start : start + size])
    for address in {address for address, _ in rows}:
        least = min((rtt for other, rtt in rows if other == address and rtt is not None), default=None)
        assert bounds(trips, (address, None))[address][0] == (least if least is None else least * KM_PER_RTT_MS)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST_KNOWN", 5)
    trips = RoundTrips()
    for block in range(4):
        bounds(trips, *((f"192.0.{block}.{low}", 1.0) for low in range(4)))
        assert all(len(each) <= 5 for each in trips._least.values())
    assert bounds(trips, ("192.0.0.1", 8.0))["192.0.0.1"][0] == 800.0


@given(st.floats(0, 20_000), st.floats(0, 400))
def test_refuted_is_beyond_light_and_every_margin(away, rtt):
    assert refuted(away, rtt) == (away > rtt * KM_PER_RTT_MS + MARGIN_KM)


def test_countries_that_a_round_trip_leaves():
    outlines = Outlines()
    found = possible(SINGAPORE, 1.0, outlines)
    assert found.max_distance_km == 100.0
    assert found.countries[0] == "SG"
    assert {"MY", "ID"} <= set(found.countries) <= {"SG", "MY", "ID"}
    assert possible(BERLIN, 60.0, outlines).countries is None
    few = [rtt for rtt in range(20) if possible(BERLIN, float(rtt), outlines).countries]
    assert few
    assert all(len(possible(BERLIN, float(rtt), outlines).countries) <= MOST_POSSIBLE for rtt in few)
