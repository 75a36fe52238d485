"""Visits: those given, and those that a burst of hellos betrays."""

import numpy as np
import pytest
from crafting.sessions import NS, PHONE, START, frame, moment
from wiretally.measure import moments
from wiretally.measure.inputs import Session, Visit

SESSIONS = [Session("a", PHONE, "normal", START, START + 100 * NS), Session("b", PHONE, "idle", START + 100 * NS, START + 200 * NS)]


def hellos(*told):
    """flows from (second, name)."""
    return frame("flows", [
        {"flow_id": f"{at}{name}", "local_ip": PHONE, "remote_ip": "203.0.113.1", "service": "tls", "name": name,
         "first_seen": moment(START + at * NS)} for at, name in told
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("host", "site"),
    [("www.example.co.uk", "example.co.uk"), ("EXAMPLE.com.", "example.com"), ("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"),
     ("localhost", "localhost"), ("", ""), ("co.uk", "co.uk")],
)  # fmt: skip
def test_sites(host, site):
    assert moments.site(host) == site


@pytest.mark.parametrize(("url", "host"), [("https://a.example:8443/x?y", "a.example"), ("a.example/x", "a.example"), ("http://[::1", ""), ("", "")])
def test_hosts_of_urls(url, host):
    assert moments.host_of(url) == host


def test_visits_outside_their_session_are_counted_and_left_out():
    visits = [Visit(START + at, name, "https://x.example/") for at, name in
              ((0, "a"), (100 * NS - 1, "a"), (100 * NS, "a"), (-1, "a"), (5, "elsewhere"))]  # fmt: skip
    found, lost = moments.given(SESSIONS, visits)
    assert [visit.at for visit in found] == [0, 100 * NS - 1]
    assert lost == 3


def test_a_page_is_a_burst_of_hellos_and_a_heartbeat_is_not():
    flows = hellos((10, "www.news.example"), (10, "cdn.example"), (30, "beat.example"), (60, "shop.example"), (60, "cdn.example"),
                   (150, "www.news.example"), (150, "cdn.example"))  # fmt: skip
    found = moments.detected(flows, SESSIONS, "idle")
    assert [(visit.at // NS, visit.site) for visit in found] == [(10, "news.example"), (60, "shop.example")]


def test_a_name_greeted_again_at_once_begins_nothing():
    flows = hellos((10, "a.example"), (12, "a.example"), (12, "b.example"), (14, "b.example"))
    assert moments.detected(flows, SESSIONS, "idle") == []


def test_no_destination_makes_the_visits_that_it_is_tested_against():
    flows = hellos((10, "site.example"), (10, "beat.example"), (40, "site.example"), (40, "beat.example"), (40, "cdn.example"))
    table = moments.Table(moments.detected(flows, SESSIONS, "idle"), SESSIONS)
    assert table.enough("beat.example").tolist() == [False, True]
    assert table.enough("unseen.example").tolist() == [True, True]
    assert table.itself(frozenset({"site.example"})).tolist() == [True, True]
    assert not table.itself(frozenset({"cdn.example"})).any()


def test_without_the_users_visits_detected_ones_are_told_to_be_so():
    flows = hellos((10, "a.example"), (10, "b.example"))
    found, source, lost = moments.opened(flows, SESSIONS, None, "idle")
    assert (len(found), source, lost) == (1, "detected", 0)
    assert "detected from bursts" in moments.told(lost, source, len(found))[0]
    mine = [Visit(START + 5, "a", "https://a.example/")]
    found, source, lost = moments.opened(flows, SESSIONS, mine, "idle")
    assert (len(found), source, moments.told(lost, source, 1)) == (1, "given", [])
    assert np.array_equal(moments.Table(found, SESSIONS).at, [5])
