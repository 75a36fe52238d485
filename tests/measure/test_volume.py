"""Every uploaded byte is in one session, outside of all, or stayed inside the network."""

import polars as pl
import pytest
from crafting.sessions import MINUTE, NS, PHONE, START, browsing, frame, moment
from hypothesis import given
from hypothesis import strategies as st
from wiretally.core.errors import InputError
from wiretally.measure import volume
from wiretally.measure.inputs import Session

uploads = st.dictionaries(st.sampled_from(["a.example", "b.example", "c.example"]),
                          st.lists(st.integers(0, 10_000), min_size=4, max_size=4), min_size=1)  # fmt: skip


@given(uploads, st.randoms(use_true_random=False))
def test_sums_over_destinations_are_the_exchanges_whatever_their_order(sizes, random):
    flows, exchanges, sessions = browsing(sizes)
    shuffled = exchanges[random.sample(range(len(exchanges)), len(exchanges))]
    table = volume.per_session(volume.assign(flows, shuffled, sessions), "key")
    assert {(row["session"], row["key"]): row["up_app_bytes"] for row in table.to_dicts()} == {
        (f"s{n}", name): size for name, values in sizes.items() for n, size in enumerate(values) if size
    }


def test_an_exchange_belongs_where_it_began_and_what_straddles_is_told():
    flows, _, sessions = browsing({"a.example": [0, 0]})
    late = {"flow_id": "flow-a.example", "start": moment(sessions[1].start - NS), "end": moment(sessions[1].start + NS),
            "up_app_bytes": 700}  # fmt: skip
    before = late | {"start": moment(START - MINUTE), "end": moment(START - MINUTE), "up_app_bytes": 40}
    found = volume.assign(flows, frame("exchanges", [late, before]), sessions)
    assert found.exchanges["session"].to_list() == ["s0"]
    assert (found.straddling, found.outside) == (700, 40)


@pytest.mark.parametrize(("remote", "inside"), [("10.1.2.3", True), ("172.31.0.1", True), ("172.32.0.1", False),
                                                ("100.64.0.1", True), ("100.128.0.1", False), ("ff02::fb", True),
                                                ("fe80::1", True), ("2001:db8::1", False), ("224.0.0.251", True)])  # fmt: skip
def test_what_stays_in_the_network_is_no_upload(remote, inside):
    flows, exchanges, sessions = browsing({"a.example": [5, 6]}, remote=remote)
    found = volume.assign(flows, exchanges, sessions)
    assert (found.inside_network, len(found.exchanges)) == ((11, 0) if inside else (0, 2))


def test_estimates_are_a_share_of_what_counts():
    flows, exchanges, sessions = browsing({"a.example": [30, 0], "b.example": [0, 70]})
    flows = flows.with_columns(app_exact=pl.col("name") == "a.example")
    assert volume.assign(flows, exchanges, sessions).inexact == pytest.approx(0.7)


def test_devices_by_address_and_by_mac_and_one_that_is_not_there():
    flows, exchanges, sessions = browsing({"a.example": [5, 6]})
    flows = flows.with_columns(local_mac=pl.lit("aa:bb:cc:00:11:22"))
    by_mac = [Session(s.session, "aa:bb:cc:00:11:22", s.mode, s.start, s.end) for s in sessions]
    assert len(volume.assign(flows, exchanges, by_mac).exchanges) == 2
    stranger = [Session(s.session, "10.9.9.9", s.mode, s.start, s.end) for s in sessions]
    with pytest.raises(InputError, match=r"'10\.9\.9\.9' is in no flow"):
        volume.check_devices(volume.assign(flows, exchanges, stranger), stranger)
    mixed = volume.assign(flows, exchanges, [*sessions, stranger[0]])
    assert mixed.unseen == ("10.9.9.9",)
    assert set(mixed.exchanges["device"]) == {PHONE}


def test_the_timeline_is_in_one_order_also_where_a_name_has_two_owners():
    flows, exchanges, sessions = browsing({"a.example": [900] * 4, "b.example": [900] * 4})
    flows = flows.with_columns(name=pl.lit("a.example"), owner=pl.Series(["Two", "One"]))
    there, back = (volume.timeline(volume.assign(flows, each, sessions), 1) for each in (exchanges, exchanges.reverse()))
    assert there.equals(back)
    assert there["owner"].to_list() == ["One", "Two"] * 4
