"""Coupling: page reports are locked, heartbeats are not, and what cannot be told apart is not told apart."""

import numpy as np
import pytest
from crafting.sessions import NS, PHONE, START, frame, moment
from wiretally.measure import coupling, volume
from wiretally.measure.comparison import CompareOptions, compare
from wiretally.measure.inputs import Session, Visit

LENGTH = 240
QUICK = CompareOptions(resamples=499)
MODES = ("normal", "incognito") * 4


class Story:
    """Sessions with visits to three sites, and uploads as they are told."""

    def __init__(self, modes=MODES, idle=2, seed=1):
        self.random = np.random.default_rng(seed)
        every = [*modes, *["idle"] * idle]
        self.sessions = [Session(f"s{n}", PHONE, mode, START + n * LENGTH * NS, START + (n + 1) * LENGTH * NS)
                         for n, mode in enumerate(every)]  # fmt: skip
        self.visits, self.rows = [], []
        for session in self.sessions:
            if session.mode != "idle":
                for at in 10 + np.cumsum(self.random.integers(20, 45, 5)):
                    site = "abc"[self.random.integers(3)]
                    self.visits.append(Visit(session.start + int(at) * NS, session.session, f"https://www.{site}.example/"))

    def upload(self, name, time, size=900):
        self.rows.append({"flow_id": name, "start": moment(int(time)), "end": moment(int(time)), "name": name, "up_app_bytes": size})

    def after(self, name, lag, *, site=None, mode=None, every=1):
        modes = {session.session: session.mode for session in self.sessions}
        for number, visit in enumerate(self.visits):
            if (site is None or f".{site}.example" in visit.url) and mode in {None, modes[visit.session]} and number % every == 0:
                self.upload(name, visit.time + lag * NS)
        return self

    def beat(self, name, period, *, sizes=400):
        for at in range(7, LENGTH * len(self.sessions), period):
            self.upload(name, START + at * NS, sizes)
        return self

    def told(self, options=QUICK, **owners):
        flows = [{"flow_id": name, "local_ip": PHONE, "remote_ip": "203.0.113.9", "name": name, "app_exact": True,
                  "owner": owners.get(name.partition(".")[0], name)} for name in {row["name"] for row in self.rows}]  # fmt: skip
        result = compare(frame("flows", flows), frame("exchanges", self.rows), self.sessions, self.visits, options=options)
        return {item["key"]: item["coupling"] for item in result["destinations"] + result["owners"]}


def test_reports_are_locked_and_heartbeats_are_not():
    found = Story().after("report.vendor", 15).beat("beat.vendor", 37).told()
    report, beat = found["report.vendor"], found["beat.vendor"]
    assert report["verdict"] == "locked"
    assert (report["visits"], report["coupled"], report["uploads"], report["uploads_coupled"]) == (40, 40, 40, 40)
    assert report["median_lag_ms"] == pytest.approx(15_000, abs=1000)  # moments are whole seconds
    assert report["window_ms"][0] <= 15_000 <= report["window_ms"][1]
    assert sum(report["histogram"]["counts"][28:32]) >= 40
    assert beat["verdict"] == "not_locked"
    assert beat["q"] > 0.05


def test_modes_are_told_apart():
    modes = Story().after("report.vendor", 3, mode="normal").told()["report.vendor"]["modes"]
    assert modes["normal"]["verdict"] == "locked"
    assert modes["incognito"]["verdict"] == "not_locked"
    assert modes["incognito"]["uploads"] == 0
    assert "idle" not in modes


def test_what_only_one_sites_pages_contact_is_seen_to_be_so():
    found = Story().after("widget.example", 1, site="a").after("report.vendor", 1).told()
    assert found["widget.example"]["verdict"] == "locked"
    assert (found["widget.example"]["sites"], found["widget.example"]["sites_coupled"]) == (3, 1)
    assert found["widget.example"]["site_p"] <= 0.01
    assert found["report.vendor"]["sites_coupled"] == 3
    assert found["report.vendor"]["site_p"] is None  # nothing differs


def test_a_timer_blames_no_site_for_being_the_first():
    story = Story(idle=0)
    story.visits = []
    for session in story.sessions:
        for begin in 10 + np.cumsum(story.random.integers(35, 55, 4)) - 35:
            for site, after in (("a", 0), ("b", story.random.uniform(2, 7)), ("c", story.random.uniform(8, 14))):
                story.visits.append(Visit(session.start + int((begin + after) * NS), session.session, f"https://www.{site}.example/"))
            story.upload("late.vendor", session.start + int(begin + 15) * NS)  # armed by a, tells of all three
            story.upload("widget.example", story.visits[-2].time + NS)
    found = story.told()
    late, widget = found["late.vendor"], found["widget.example"]
    assert late["verdict"] == widget["verdict"] == "locked"
    assert (late["coupled"], late["visits"]) == (32, 96)
    assert (late["sites_coupled"], late["site_p"]) == (3, None)
    assert (widget["sites_coupled"], widget["site_p"]) == (1, pytest.approx(0.002, abs=0.001))


def test_a_visit_to_the_destination_itself_proves_nothing():
    own = Story().after("www.a.example", 0, site="a").after("img.a.example", 2, site="a").told()
    for name in ("www.a.example", "img.a.example"):
        assert own[name]["verdict"] == "not_locked"
        assert own[name]["uploads"] == 0
        assert own[name]["visits"] < 40


def test_an_owner_is_told_by_all_its_hosts():
    story = Story().after("one.vendor", 4, mode="normal").after("two.vendor", 4, mode="incognito")
    found = story.told(one="Vendor", two="Vendor")
    assert found["Vendor"]["verdict"] == "locked"
    assert found["Vendor"]["coupled"] == 40


class Resonant(Story):
    """Sessions as long as a whole number of beats, pages opened at much the same moments of each."""

    def __init__(self, spread, idle=0):
        super().__init__(idle=idle)
        random = np.random.default_rng(9)
        self.visits = [Visit(session.start + int((30 + 20 * number + random.uniform(-spread, spread)) * NS), session.session, "https://www.a.example/")
                       for session in self.sessions if session.mode != "idle" for number in range(8)]  # fmt: skip


def test_a_clock_that_stands_alike_in_all_sessions_is_no_lock():
    found = Resonant(spread=4).beat("beat.vendor", 20).after("report.vendor", 15).told()
    assert found["beat.vendor"]["p"] <= 0.01  # by itself this looks locked
    assert found["beat.vendor"]["verdict"] == "not_locked"
    assert "every 20 s" in found["beat.vendor"]["note"]
    assert found["report.vendor"]["verdict"] == "locked"


def test_visits_as_regular_as_a_clock_cannot_be_told_from_one():
    assert Resonant(spread=0).after("report.vendor", 15).told()["report.vendor"]["verdict"] == "locked"


def test_a_clock_that_beats_on_in_idle_sessions_is_told_from_visits_as_regular_as_it_is():
    found = Resonant(spread=0, idle=1).beat("beat.vendor", 20).after("report.vendor", 15).told()
    assert found["beat.vendor"]["p"] <= 0.05
    assert found["beat.vendor"]["verdict"] == "not_locked"
    assert "in idle sessions too" in found["beat.vendor"]["note"]
    assert found["report.vendor"]["verdict"] == "locked"
    assert Resonant(spread=0).beat("beat.vendor", 20).told()["beat.vendor"]["verdict"] == "locked"  # nothing tells them apart


def test_a_timer_that_visits_arm_again_is_no_clock_however_long_it_is():
    story, due = Story(idle=0), 0
    story.visits = [Visit(session.start + int(at * NS), session.session, "https://www.a.example/")
                    for session in story.sessions for at in np.cumsum(story.random.uniform(1.5, 4.5, 70))]  # fmt: skip
    for visit in story.visits:
        if visit.time > due:
            due = visit.time + 25 * NS
            story.upload("late.vendor", due)
    assert story.told()["late.vendor"]["note"] is None


def test_what_the_start_of_a_session_does_is_no_lock():
    story = Story(idle=4)
    story.visits = [Visit(session.start + at * NS, session.session, "https://www.a.example/")
                    for session in story.sessions if session.mode != "idle" for at in (10, 20)]  # fmt: skip
    for session in story.sessions:
        story.upload("start.vendor", session.start + 12 * NS)
        story.upload("start.vendor", session.start + 22 * NS)
    found = story.told()["start.vendor"]
    assert found["verdict"] == "inconclusive"
    assert "idle sessions" in found["note"]


def test_what_comes_before_visits_does_not_follow_them():
    story = Story(idle=0)
    story.visits = [Visit(session.start + at * NS, session.session, "https://www.a.example/")
                    for session in story.sessions for at in (LENGTH - 20, LENGTH - 15)]  # fmt: skip
    for session in story.sessions:
        story.upload("early.vendor", session.start + 3 * NS)  # a lag of 23 s only where time goes in a circle
    found = story.told()["early.vendor"]
    assert found["p"] <= 0.05
    assert (found["coupled"], found["verdict"]) == (0, "inconclusive")


def test_too_few_visits_say_nothing():
    story = Story(modes=("normal", "incognito") * 2)
    story.visits = story.visits[:7]
    found = story.after("report.vendor", 1).told()["report.vendor"]
    assert (found["verdict"], found["p"], found["coupled"]) == ("inconclusive", None, 0)


def test_control_frames_are_no_uploads_and_bursts_are_one():
    story = Story()
    for visit in story.visits:
        story.upload("ping.example", visit.time + NS, coupling.LEAST_BYTES - 1)
        story.upload("burst.example", visit.time + NS, coupling.LEAST_BYTES)
        story.upload("burst.example", visit.time + NS, coupling.LEAST_BYTES)
    found = story.told()
    assert found["ping.example"]["uploads"] == 0
    assert found["burst.example"]["uploads"] == 40


def test_without_visits_there_is_no_coupling():
    story = Story().beat("beat.vendor", 30)
    story.visits = []
    assert story.told()["beat.vendor"] is None


def test_where_names_are_missing_nothing_is_said_not_to_follow_visits():
    story = Story().beat("beat.vendor", 37).after("report.vendor", 15, mode="normal")
    flows = frame("flows", [{"flow_id": name, "local_ip": PHONE, "remote_ip": "203.0.113.9", "name": name, "app_exact": True}
                            for name in ("beat.vendor", "report.vendor")])  # fmt: skip
    lean = {"source": "wlan0", "degraded": "payload", "first_seen": moment(START), "last_seen": moment(START + NS), "cut_short": False}
    result = compare(flows, frame("exchanges", story.rows), story.sessions, story.visits, frame("capture", [lean]), QUICK)
    found = {item["key"]: item["coupling"] for item in result["destinations"]}
    assert (found["beat.vendor"]["verdict"], found["report.vendor"]["verdict"]) == ("inconclusive", "locked")
    assert found["report.vendor"]["modes"]["incognito"]["verdict"] == "inconclusive"


def test_uploads_are_put_into_their_sessions():
    sessions = [Session("x", PHONE, "normal", START, START + 50 * NS), Session("y", PHONE, "normal", START + 50 * NS, START + 99 * NS)]
    rows = [{"flow_id": "f", "start": moment(START + at * NS), "end": moment(START + at * NS), "up_app_bytes": 99} for at in (3, 49, 50)]
    flows = frame("flows", [{"flow_id": "f", "local_ip": PHONE, "remote_ip": "203.0.113.9", "name": "f", "app_exact": True}])
    found = coupling.uploads(volume.assign(flows, frame("exchanges", rows), sessions).exchanges, "key", sessions)
    assert found.select("session", "at").rows() == [(0, 3 * NS), (0, 49 * NS), (1, 0)]
