"""Sentences of the two experiments claim what was tested, and hostile names stay names."""

import pytest
from crafting.visiting import Phone
from rich.console import Console
from wiretally.measure.comparison import CompareOptions, compare
from wiretally.measure.probe import ProbeOptions, probe
from wiretally.report import experiment_charts, experiments, html, probe_html, terminal
from wiretally.report.probe_terminal import Probe

EVIL = "<script>alert(1)</script>\x1b[2J\u202eevil"


@pytest.fixture(scope="module")
def probed():
    phone = Phone()
    for row in phone.rows:
        if row["name"] == "cdn.example":
            row["name"] = row["flow_id"] = EVIL
    return probe(*phone.tables(), options=ProbeOptions(resamples=199))


@pytest.fixture(scope="module")
def compared():
    flows, exchanges, sessions, visits = Phone().tables()
    return compare(flows, exchanges, sessions, visits, options=CompareOptions(resamples=199))


def told(result, key):
    return next(each for each in result["destinations"] if each["key"] == key)


def test_sentences_of_the_probe(probed):
    assert experiments.headline(probed) == "The length of visited URLs shows in what sa.vendor receives"
    assert experiments.control(probed).startswith("Control passed")
    assert "grows with the URL:" in experiments.probed(told(probed, "sa.vendor"), 0.25)
    assert "as a referrer would" in experiments.probed(told(probed, "referred.example"), 0.25)
    assert "growth of 0.25 or more is excluded" in experiments.probed(told(probed, "counted.vendor"), 0.25)


def test_sentences_of_coupling_name_who_else_it_may_be(compared):
    told_of = experiments.coupling(told(compared, "counted.vendor"))
    assert "follow visits: 80 of 80 visits" in told_of
    assert "One site was visited, so its pages may have made them" in told_of


@pytest.mark.parametrize(("sites", "p", "words", "never"), [
    ((8, 8), 0.003, "all 8 sites, after some more often", "Sites differ"), ((8, 8), None, "all 8 sites: the browser", "more often"),
    ((3, 8), 0.003, "Sites differ: uploads came after visits to 3 of 8", "all"), ((7, 8), 0.4, "7 of 8 sites; pages may", "differ"),
])  # fmt: skip
def test_pages_are_blamed_only_where_some_sites_had_no_upload(compared, sites, p, words, never):
    item = told(compared, "counted.vendor")
    said = experiments.coupling({**item, "coupling": item["coupling"] | {"sites_coupled": sites[0], "sites": sites[1], "site_p": p}})
    assert words in said
    assert never not in said.partition(". ")[2]


def test_every_verdict_has_a_sentence(compared):
    item = told(compared, "counted.vendor")
    for verdict, words in (("not_locked", "are not locked"), ("inconclusive", "is not settled")):
        assert words in experiments.coupling({**item, "coupling": item["coupling"] | {"verdict": verdict, "share_bound": 0.3}})
    note = {**item, "coupling": item["coupling"] | {"verdict": "inconclusive", "note": "as often in idle sessions"}}
    assert "but as often in idle" in experiments.coupling(note)


def test_a_heartbeat_is_said_to_be_no_page_report_only_where_coupling_says_so(compared):
    beat = {"device": "192.0.2.1", "key": "counted.vendor", "owner": None, "uploads": 30, "period_s": 37.0, "jitter_ms": 100.0,
            "sharpness": 1.0, "size": 90.0, "size_spread": 0.0, "same_size": True, "p": 0.001, "q": 0.01, "verdict": "heartbeat", "note": None}  # fmt: skip
    item = told(compared, "counted.vendor")
    for verdict, words in (("not_locked", "not page reports."), ("inconclusive", "is not settled.")):
        result = {"beacons": [beat], "destinations": [{**item, "coupling": item["coupling"] | {"verdict": verdict}}]}
        assert experiments.heartbeats(result)[0].endswith(words)
    assert experiments.heartbeats({"beacons": [beat], "destinations": [{**item, "coupling": None}]})[0].endswith("is not settled.")
    assert not experiments.heartbeats(compared)


def test_heartbeats_are_named_where_no_visit_is_known(compared):
    beat = {"device": "192.0.2.1", "key": "beat.vendor", "owner": None, "uploads": 30, "period_s": 37.0, "jitter_ms": 100.0,
            "sharpness": 1.0, "size": 90.0, "size_spread": 0.0, "same_size": True, "p": 0.001, "q": 0.01, "verdict": "heartbeat", "note": None}  # fmt: skip
    bare = {**compared, "beacons": [beat], "destinations": [{**item, "coupling": None} for item in compared["destinations"]]}
    screen = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    screen.print(terminal.comparison(bare))
    for text in (screen.export_text(), html.render(bare)):
        assert "Uploads to beat.vendor come every 37 s" in " ".join(text.split())
        assert "Do uploads follow visits?" not in text


def test_a_mode_without_uploads_is_named_only_where_that_was_tested(compared):
    item = told(compared, "counted.vendor")
    for verdict, words in (("not_locked", "; none in normal sessions"), ("inconclusive", "(q")):
        modes = item["coupling"]["modes"] | {"normal": item["coupling"]["modes"]["normal"] | {"uploads": 0, "verdict": verdict}}
        said = experiments.coupling({**item, "coupling": item["coupling"] | {"modes": modes}})
        assert ("none in normal" in said) == (verdict == "not_locked")
        assert words in said


def test_the_page_and_the_table_of_the_probe_hold_no_markup_of_others(probed):
    page = probe_html.render(probed)
    assert "<script>" not in page.replace("&lt;script&gt;", "")
    assert "\u202e" not in page
    assert page == probe_html.render(probed)
    screen = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    screen.print(Probe(probed))
    text = screen.export_text()
    assert "\x1b[2J" not in text
    assert "sa.vendor" in text


def test_charts_are_drawn_and_described(compared, probed):
    svg = experiment_charts.around(told(compared, "counted.vendor"), "x")
    assert "Uploads in the 30 seconds after 80 visits" in svg
    both = experiment_charts.pair(experiment_charts.scatter, told(probed, "sa.vendor"), {"normal": "normal"}, name="s")
    assert set(both) == {"wide", "narrow"}
    assert "slope" in both["wide"]
