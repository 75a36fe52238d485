"""The probe: who hears the URL is told from who hears only that there was a visit, through the real telemetry format."""

import json
from dataclasses import replace

import polars as pl
import pytest
from crafting.sessions import NS, frame, moment
from crafting.visiting import Phone
from wiretally.core.errors import InputError
from wiretally.measure.probe import ProbeOptions, probe

QUICK = ProbeOptions(resamples=299)


@pytest.fixture(scope="module")
def leaky():
    return probe(*Phone().tables(), options=QUICK)


def of(result, key):
    return next(each for each in result["destinations"] if each["key"] == key)


def test_the_telemetry_is_url_dependent_with_the_slope_of_its_encoding(leaky):
    told = of(leaky, "sa.vendor")
    assert told["verdict"] == "url_dependent"
    assert told["slope"]["estimate"] == pytest.approx(1.15, rel=0.15)
    assert told["slope"]["ci_low"] <= 1.15 <= told["slope"]["ci_high"]
    assert told["flushes"] < told["visits"]  # several visits in one flush
    assert {mode: each["verdict"] for mode, each in told["modes"].items()} == dict.fromkeys(("normal", "incognito"), "url_dependent")


def test_a_report_of_fixed_size_is_independent(leaky):
    assert of(leaky, "counted.vendor")["verdict"] == "independent"
    assert of(leaky, "counted.vendor")["slope"]["estimate"] == 0


def test_a_referrer_shows_in_the_lagged_slope_only(leaky):
    told = of(leaky, "referred.example")
    assert told["verdict"] == "independent"
    assert told["lagged"]["verdict"] == "url_dependent"
    assert told["lagged"]["slope"]["estimate"] == pytest.approx(1, abs=0.02)


def test_noise_is_not_called_dependent(leaky):
    assert of(leaky, "cdn.example")["verdict"] != "url_dependent"


def test_the_visited_site_is_the_control(leaky):
    assert leaky["control"]["keys"] == ["site.example"]
    assert leaky["control"]["ok"] is True
    assert leaky["control"]["slope"]["ci_low"] > 0
    assert of(leaky, "site.example")["control"]
    json.dumps(leaky, allow_nan=False)


def test_sites_that_are_visited_once_in_a_session_are_the_control_together():
    """By itself such a site has one pad per session, which has no other order."""
    flows, exchanges, sessions, visits = Phone().tables()
    sites = {session.session: 0 for session in sessions}
    renamed, names = [], {}
    for visit in visits:
        sites[visit.session] += 1
        name = f"site{sites[visit.session]}.example"
        names[visit.time] = name
        renamed.append(replace(visit, url=visit.url.replace("site.example", name)))
    times = sorted(names)
    own = exchanges["name"] == "site.example"
    latest = [names[max((time for time in times if time <= start), default=times[0])]
              for start in exchanges["start"].dt.epoch("ns")]  # fmt: skip
    exchanges = exchanges.with_columns(
        flow_id=pl.when(own).then(pl.Series(latest)).otherwise("flow_id"), name=pl.when(own).then(pl.Series(latest)).otherwise("name"))
    row = flows.filter(pl.col("name") == "site.example")
    flows = pl.concat([flows, *(row.with_columns(flow_id=pl.lit(name), name=pl.lit(name)) for name in sorted(set(names.values())))])
    result = probe(flows, exchanges, sessions, renamed, options=QUICK)
    assert len(result["control"]["keys"]) > 2
    assert result["control"]["ok"] is True
    assert of(result, "counted.vendor")["verdict"] == "independent"


def test_a_host_that_pages_load_from_too_is_asked_program_by_program():
    """A page's request stands between the visit and the report of it; hellos tell the two programs apart."""
    phone = Phone()
    phone.rows = [{**row, "name": "assets.example"} if row["name"] == "sa.vendor" else row for row in phone.rows]
    for number, visit in enumerate(phone.visits):
        if number % 3:
            phone.upload("assets.example", visit.time + NS, 440)
            phone.rows[-1]["flow_id"] = "page"
    flows, exchanges, sessions, visits = phone.tables()
    row = flows.filter(pl.col("name") == "assets.example")
    hellos = {"sa.vendor": "t13i1511h1_aaaaaaaaaaaa_111111111111", "page": "t13d1516h2_bbbbbbbbbbbb_222222222222"}
    mine = [row.with_columns(flow_id=pl.lit(name), ja4=pl.lit(ja4)) for name, ja4 in hellos.items()]
    flows = pl.concat([flows.filter(pl.col("name") != "assets.example"), *mine])
    told = of(probe(flows, exchanges, sessions, visits, options=QUICK), "assets.example")
    assert told["verdict"] == "url_dependent"
    assert told["program"] == "aaaaaaaaaaaa"
    assert told["slope"]["estimate"] == pytest.approx(1.15, rel=0.15)
    assert told["p"] == pytest.approx(3 / 300)  # the smallest that there is, times three that were asked
    together = of(probe(flows.with_columns(ja4=pl.lit(None, pl.String)), exchanges, sessions, visits, options=QUICK), "assets.example")
    assert together["program"] is None
    assert together["slope"]["estimate"] < 0.9  # diluted


def test_modes_are_told_apart():
    told = of(probe(*Phone(url_in=("normal",)).tables(), options=QUICK), "sa.vendor")
    assert told["modes"]["normal"]["verdict"] == "url_dependent"
    assert told["modes"]["incognito"]["verdict"] == "independent"


def test_pads_that_do_not_belong_to_the_visits_fail_the_control_and_nothing_is_called_independent():
    flows, exchanges, sessions, visits = Phone().tables()
    pads = [visit.pad for visit in visits]
    wrong = [replace(visit, pad=pad) for visit, pad in zip(visits, pads[3:] + pads[:3], strict=True)]
    result = probe(flows, exchanges, sessions, wrong, options=QUICK)
    assert result["control"]["ok"] is False
    assert "independent" not in {each["verdict"] for each in result["destinations"]}
    assert any("control failed" in line for line in result["basis"]["warnings"])


def test_where_names_are_missing_nothing_is_called_independent_and_losses_are_told():
    flows, exchanges, sessions, visits = Phone().tables()
    first = sessions[2].start + NS
    row = {"source": "wlan0", "packets": 5, "dropped": 7, "cut_short": False, "first_seen": moment(first), "last_seen": moment(first + NS)}
    for degraded, words in (("payload", {"inconclusive", "url_dependent"}), ("columns", {"independent", "inconclusive", "url_dependent"})):
        result = probe(flows, exchanges, sessions, visits, frame("capture", [row | {"degraded": degraded}]), QUICK)
        assert {each["verdict"] for each in result["destinations"]} == words
        told = " ".join(result["basis"]["warnings"])
        assert ("session(s) s2: names are missing" in told) == (degraded == "payload")
        assert "7 packets were lost" in told


def test_nothing_uploaded_in_a_mode_is_independent_there():
    phone = Phone()
    spans = [(s.start, s.end) for s in phone.sessions if s.mode == "incognito"]
    phone.rows = [row for row in phone.rows if row["name"] != "sa.vendor"
                  or not any(a <= row["start"].timestamp() * NS < b for a, b in spans)]  # fmt: skip
    told = of(probe(*phone.tables(), options=QUICK), "sa.vendor")
    assert told["modes"]["incognito"]["verdict"] == "independent"
    assert told["modes"]["incognito"]["uploaded"] == 0
    assert told["modes"]["normal"]["verdict"] == "url_dependent"


def test_a_visit_that_names_no_session_is_in_the_one_that_lies_around_it(leaky):
    flows, exchanges, sessions, visits = Phone().tables()
    bare = [replace(visit, session="") for visit in visits]
    assert probe(flows, exchanges, sessions, bare, options=QUICK) == leaky
    other = [replace(session, session=f"other {session.session}", device="192.0.2.99") for session in sessions]
    with pytest.raises(InputError, match=f"none of the {len(bare)} visits lies in a session.* {len(bare)} name no session"):
        probe(flows, exchanges, [*sessions, *other], bare, options=QUICK)  # two devices at once: it may be in either
    with pytest.raises(InputError, match="check the sessions' names, and the clock"):
        probe(flows, exchanges, sessions, [replace(visit, session="else") for visit in visits], options=QUICK)


def test_visits_without_pads_are_refused_and_few_are_told():
    flows, exchanges, sessions, visits = Phone(visits=3, modes=("normal",) * 2).tables()
    with pytest.raises(InputError, match="no pads"):
        probe(flows, exchanges, sessions, [replace(visit, pad=None) for visit in visits], options=QUICK)
    with pytest.raises(InputError, match="no pads, or all the same"):
        probe(flows, exchanges, sessions, [replace(visit, pad=5) for visit in visits], options=QUICK)
    result = probe(flows, exchanges, sessions, visits, options=QUICK)
    assert {each["verdict"] for each in result["destinations"]} == {"inconclusive"}
    assert any("only 6 visit(s)" in line for line in result["basis"]["warnings"])
    assert any("no control" in line for line in result["basis"]["warnings"])


def test_a_seed_makes_it_repeatable():
    tables = Phone(visits=6).tables()
    assert probe(*tables, options=QUICK) == probe(*tables, options=QUICK)
