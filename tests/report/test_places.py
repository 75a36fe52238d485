"""Countries by name and flag."""

from __future__ import annotations

from wiretally.geo.evidence import STATUSES
from wiretally.report.places import BELIEFS, Place, country, flag, place, places, reach


def test_a_country():
    assert country("SG") == "Singapore"
    assert flag("SG") == "\U0001f1f8\U0001f1ec"


def test_what_is_no_country_stays_harmless():
    assert country("\u202eSG") == "\\u202eSG"
    assert flag("<b") == flag("") == flag("sg") == flag("ZZ") == ""


def entry(**given):
    return {"country": "SG", "status": "agree", "operator": None, "max_distance_km": None, "up_app_bytes": 5} | given


def test_a_country_stands_as_strongly_as_it_is_known():
    assert place(entry()) == Place("SG", "Singapore", "", struck=False, status="agree", uploaded=5)
    assert place(entry(status="disputed")).note == "disputed"
    assert place(entry(status="v6_low")).note == "uncertain"
    shared = place(entry(status="shared", operator="Fastly"))
    assert (shared.code, shared.flag, shared.name, shared.note) == (None, "", "Fastly network", "place not known")
    refuted = place(entry(status="refuted", max_distance_km=150.0))
    assert refuted.struck
    assert refuted.note == "refuted: within 200 km of the access point"


def test_every_status_has_words():
    assert set(BELIEFS) == set(STATUSES)
    assert len({each.long for each in BELIEFS.values()}) == len(BELIEFS)


def test_a_hostile_operator_stays_harmless():
    assert place(entry(status="shared", operator="\u202e<b>")).name == "\\u202e<b> network"


def test_results_without_evidence_have_bare_countries():
    item = {"countries": ["SG"], "geo_check": "impossible"}
    assert places(item) == [Place("SG", "Singapore", "refuted by the round-trip time", struck=True)]
    assert [each.name for each in places({"places": [entry()], "countries": ["SG"]})] == ["Singapore"]


def test_a_bound_is_rounded_up():
    assert [reach(km) for km in (None, 0.0, 99.0, 100.0, 100.1, 1234.0)] == [
        "an unknown distance", "100 km", "100 km", "100 km", "200 km", "1,300 km",
    ]  # fmt: skip
