"""The comparison as a whole: the right word for each story, and nothing claimed that was not tested."""

import json
from dataclasses import replace

import polars as pl
import pytest
from crafting.sessions import MINUTE, NS, PHONE, browsing, frame, moment
from hypothesis import given, settings
from hypothesis import strategies as st
from wiretally.core.errors import InputError
from wiretally.measure import spans
from wiretally.measure.comparison import CompareOptions, compare
from wiretally.measure.inputs import Visit

QUICK = CompareOptions(resamples=499)
MODES = ["normal", "incognito"] * 6
STEADY = [1000, 1010, 990, 1000, 1020, 980, 1005, 995, 1000, 1000, 990, 1010]
ONLY_NORMAL = [size if mode == "normal" else 0 for size, mode in zip(STEADY, MODES, strict=True)]
ONLY_INCOGNITO = [size if mode == "incognito" else 0 for size, mode in zip(STEADY, MODES, strict=True)]
HALF = [size if mode == "normal" else size // 2 for size, mode in zip(STEADY, MODES, strict=True)]


def words(result):
    return {item["key"]: item["verdict"] for item in result["destinations"]}


def test_each_story_gets_its_word():
    flows, exchanges, sessions = browsing({"same.example": STEADY, "gone.example": ONLY_NORMAL, "new.example": ONLY_INCOGNITO,
                                           "half.example": HALF, "more.example": [*HALF[1:], 500]})  # fmt: skip
    result = compare(flows, exchanges, sessions, options=QUICK)
    assert words(result) == {"same.example": "continues", "gone.example": "stops", "new.example": "appears",
                             "half.example": "reduced", "more.example": "increases"}  # fmt: skip
    json.dumps(result, allow_nan=False)


def test_data_that_move_to_another_host_of_the_owner_do_not_read_as_stops():
    flows, exchanges, sessions = browsing({"one.vendor": ONLY_NORMAL, "two.vendor": ONLY_INCOGNITO},
                                          owners={"one.vendor": "Vendor", "two.vendor": "Vendor"})  # fmt: skip
    result = compare(flows, exchanges, sessions, options=QUICK)
    assert words(result) == {"one.vendor": "stops", "two.vendor": "appears"}
    assert [(item["key"], item["verdict"]) for item in result["owners"]] == [("Vendor", "continues")]
    assert result["total"]["verdict"] == "continues"


def test_drops_forbid_stops():
    flows, exchanges, sessions = browsing({"gone.example": ONLY_NORMAL})
    capture = frame("capture", [{"source": "x", "packets": 5, "dropped": 1, "cut_short": False}])
    result = compare(flows, exchanges, sessions, capture=capture, options=QUICK)
    assert words(result) == {"gone.example": "reduced"}
    assert any("1 packets were lost" in line for line in result["basis"]["warnings"])


def lean(sessions, number, what="payload"):
    """The account of a minute in which packets came too fast, in this session."""
    first = sessions[number].start + 40 * NS
    return frame("capture", [{"source": "wlan0", "packets": 5, "dropped": 0, "cut_short": False, "degraded": what,
                              "first_seen": moment(first), "last_seen": moment(first + 30 * NS)}])  # fmt: skip


def test_where_names_are_missing_nothing_is_said_to_stop_or_to_appear():
    flows, exchanges, sessions = browsing({"gone.example": ONLY_NORMAL, "203.0.113.77": ONLY_INCOGNITO, "same.example": STEADY})
    result = compare(flows, exchanges, sessions, capture=lean(sessions, 3), options=QUICK)
    assert words(result) == {"gone.example": "inconclusive", "203.0.113.77": "inconclusive", "same.example": "continues"}
    assert result["total"]["verdict"] == "continues"  # bytes are counted whatever is left out
    assert {item["needed_sessions"] for item in result["destinations"]} == {None}
    assert any("session(s) s3: names are missing" in line for line in result["basis"]["warnings"])
    for capture in (lean(sessions, 3, "columns"), lean([replace(sessions[-1], start=sessions[-1].end + MINUTE)], 0)):
        told = compare(flows, exchanges, sessions, capture=capture, options=QUICK)
        assert words(told)["gone.example"] == "stops"
        assert not any("names are missing" in line for line in told["basis"]["warnings"])


def test_a_flow_that_began_without_its_name_has_none_in_the_sessions_after():
    flows, _, sessions = browsing({"gone.example": ONLY_NORMAL})
    began = {"flow_id": "late", "local_ip": PHONE, "remote_ip": "203.0.113.8", "first_seen": moment(sessions[1].start + 50 * NS),
             "last_seen": moment(sessions[4].start + NS)}  # fmt: skip
    for changed, which in (({}, ["s1", "s2", "s3", "s4"]), ({"name": "known.example"}, ["s1"]), ({"remote_ip": "224.0.0.251"}, ["s1"]),
                           ({"first_seen": moment(sessions[0].start)}, ["s1"])):  # fmt: skip
        assert spans.nameless(pl.concat([flows, frame("flows", [began | changed])]), lean(sessions, 1), sessions) == which


def test_a_third_mode_does_not_vanish():
    modes = ["normal", "incognito", "enhanced"] * 4 + ["idle"]
    flows, exchanges, sessions = browsing({"a.example": [900] * 13}, modes=modes)
    told = compare(flows, exchanges, sessions, options=QUICK)["basis"]["warnings"]
    assert [line for line in told if "not compared" in line] == ["mode enhanced (4 session(s)): not compared; name it with --compared"]
    told = compare(flows, exchanges, sessions, options=CompareOptions(resamples=99, compared="enhanced"))["basis"]["warnings"]
    assert [line[:14] for line in told if "not compared" in line] == ["mode incognito"]


def test_visits_that_name_no_session_count_in_the_one_around_them():
    flows, exchanges, sessions = browsing({"a.example": STEADY})
    visits = [Visit(session.start + NS, "", "https://b.example/") for session in sessions]
    result = compare(flows, exchanges, sessions, visits, options=QUICK)
    assert {row["visits"] for row in result["sessions"]} == {1}
    assert result["basis"]["visits"] == {"source": "given", "count": 12, "outside": 0}


def test_what_an_idle_device_uploads_too_is_subtracted():
    modes = [*MODES, "idle", "idle", "idle"]
    heartbeat = [500] * 15
    flows, exchanges, sessions = browsing(
        {"heartbeat.example": heartbeat, "gone.example": [a + 500 for a in ONLY_NORMAL] + [500] * 3}, modes=modes
    )
    result = compare(flows, exchanges, sessions, options=QUICK)
    assert words(result) == {"heartbeat.example": "absent", "gone.example": "stops"}


def test_two_sessions_of_a_mode_say_nothing_and_say_so():
    flows, exchanges, sessions = browsing({"gone.example": ONLY_NORMAL[:4]})
    result = compare(flows, exchanges, sessions, options=QUICK)
    assert words(result) == {"gone.example": "inconclusive"}
    assert result["destinations"][0]["needed_sessions"] >= 4
    assert any("only 2 session(s)" in line for line in result["basis"]["warnings"])
    assert any("smallest possible p" in line for line in result["basis"]["warnings"])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=12, max_size=12))
def test_totals_add_up_and_the_same_seed_gives_the_same_result(sizes):
    flows, exchanges, sessions = browsing({"a.example": sizes, "b.example": STEADY})
    result = compare(flows, exchanges, sessions, options=QUICK)
    assert sum(row["up_app_bytes"] for row in result["sessions"]) == sum(sizes) + sum(STEADY)
    assert sum(row["up_app_bytes"] for row in result["volumes"]) == sum(sizes) + sum(STEADY)
    shuffled = compare(flows.reverse(), exchanges.reverse(), sessions, options=QUICK)
    assert words(shuffled) == words(result)
    assert shuffled["total"] == result["total"]


def test_sessions_of_uneven_length_are_compared_per_minute():
    flows, exchanges, sessions = browsing({"a.example": STEADY})
    longer = [type(s)(s.session, s.device, s.mode, s.start, s.end - (n % 3) * 30 * 10**9) for n, s in enumerate(sessions)]
    assert compare(flows, exchanges, longer, options=QUICK)["per"] == "minute"
    assert compare(flows, exchanges, sessions, options=QUICK)["per"] == "session"


def test_as_many_visits_are_as_much_browsing_however_long_they_took():
    flows, exchanges, sessions = browsing({"a.example": STEADY})
    slow = [type(s)(s.session, s.device, s.mode, s.start, s.end - (30 * 10**9 if n in {2, 5, 6, 7} else 0)) for n, s in enumerate(sessions)]
    visits = [Visit(s.start + 10**9, s.session, "https://b.example/") for s in slow]
    assert compare(flows, exchanges, slow, visits, options=QUICK)["per"] == "session"
    assert compare(flows, exchanges, slow, visits[1:], options=QUICK)["per"] == "minute"
    longer = [type(s)(s.session, s.device, s.mode, s.start, s.end - (15 * 10**9 if s.mode == "normal" else 0)) for s in sessions]
    assert compare(flows, exchanges, longer, visits, options=QUICK)["per"] == "minute"


@pytest.mark.parametrize(("options", "said"), [
    (CompareOptions(baseline="work"), "no session in mode 'work'"),
    (CompareOptions(compared="normal"), "two different"),
    (CompareOptions(alpha=2), "--alpha 2"),
    (CompareOptions(per="hour"), "--per hour"),
    (CompareOptions(per="visit"), "has no visits"),
])  # fmt: skip
def test_questions_that_cannot_be_asked(options, said):
    flows, exchanges, sessions = browsing({"a.example": STEADY})
    with pytest.raises(InputError, match=said):
        compare(flows, exchanges, sessions, options=options)


def test_one_mode_after_the_other_is_warned_of():
    ordered = sorted(MODES)
    flows, exchanges, sessions = browsing({"a.example": STEADY}, modes=ordered)
    warnings = compare(flows, exchanges, sessions, options=QUICK)["basis"]["warnings"]
    assert any("came before" in line for line in warnings)
    assert any("no idle session" in line for line in warnings)


@pytest.mark.parametrize(("order", "said"), [
    ("nini" * 3, "took turns"),
    ("nnniiiiiinnn", "came in one run"),
    ("nini" * 2, None),  # so few that chance often has it
    ("nininiinnini", None),
])  # fmt: skip
def test_orders_that_no_chance_drew_are_warned_of(order, said):
    modes = [{"n": "normal", "i": "incognito"}[letter] for letter in order]
    warnings = compare(*browsing({"a.example": [900 + n for n in range(len(modes))]}, modes=modes), options=QUICK)["basis"]["warnings"]
    found = [line for line in warnings if "chance drew that order" in line]
    assert len(found) == (said is not None)
    assert all(said in line for line in found)


def test_nothing_uploaded_at_all_is_absent():
    flows, exchanges, sessions = browsing({"a.example": STEADY})
    result = compare(flows, exchanges.with_columns(up_app_bytes=pl.lit(0, pl.UInt64)), sessions, options=QUICK)
    assert result["total"]["verdict"] == "absent"
