"""What comes first, and by which rule."""

from __future__ import annotations

import pytest
from wiretally.report import findings
from wiretally.report.words import Terms


@pytest.mark.parametrize(
    ("case", "title"),
    [
        ("leaky", "Uploads to Xiaomi continued in incognito mode"),
        ("honest", "Uploads to Xiaomi stopped, or nearly so, in incognito mode"),
        ("swap", "Uploads to Xiaomi continued in incognito mode"),
        ("empty", "No uploads to any destination were seen, or none beyond those of an idle device"),
    ],
)
def test_the_headline_is_about_the_telemetry_owner(make, case, title):
    assert findings.headline(make(case)).title == title


def test_the_headline_is_chosen_by_volume_not_by_result(make):
    result = make("leaky")
    before = findings.subject(result)
    for item in [*result["owners"], *result["destinations"]]:
        item["verdict"] = "inconclusive"
    assert findings.subject(result) == before


def test_background_upload_does_not_take_the_headline(make):
    result = make("leaky")
    google = next(item for item in result["destinations"] if item["owner"] == "Google")
    google["category"] = "telemetry"
    for summary in google["modes"].values():
        summary["mean"] = 1e6  # as much while idle as while browsing
    assert findings.subject(result)[1]["key"] == "Xiaomi"


def test_without_a_catalogue_the_headline_is_the_total(make):
    result = make("leaky")
    for item in result["destinations"]:
        item["category"] = None
    kind, item = findings.subject(result)
    assert (kind, item) == ("total", result["total"])


def test_a_telemetry_host_without_an_owner(make):
    result = make("leaky")
    result["owners"] = []
    for item in result["destinations"]:
        item["owner"] = None
    kind, item = findings.subject(result)
    assert (kind, item["key"]) == ("destination", "sa.api.intl.miui.com")


def test_data_that_moved_to_another_host_is_said(make):
    details = findings.details(make("swap"))
    assert details[0].startswith("Within Xiaomi the upload moved: sa.api.intl.miui.com received less or nothing")
    assert "tracking.intl.miui.com" in details[0]
    assert not any("moved" in line for line in findings.details(make("leaky")))


def test_losses_and_old_databases_are_cautions(make):
    assert findings.cautions(make("leaky")) == []
    result = make("honest", dropped=12)
    result["basis"]["databases"][0]["build_date"] = "2026-03-01"
    told = "\n".join(findings.cautions(result))
    assert "12 packets were lost" in told
    assert "built on 2026-03-01" in told


def test_destinations_without_an_upload_are_in_no_table(make):
    result = make("leaky")
    for mode in result["destinations"][2]["modes"].values():
        mode["mean"] = 0.0
    assert result["destinations"][2] not in findings.rows(result)
    assert len(findings.rows(result)) == len(result["destinations"]) - 1


def test_what_nobody_is_known_to_own_is_no_owner(make):
    result = make("leaky")
    alone = next(item for item in result["destinations"] if item["key"] == "145.239.5.80")
    alone["owner"] = alone["key"]
    result["owners"].append({**alone})
    assert [item["key"] for item in findings.owners(result)] == ["Xiaomi", "Google"]
    assert findings.owner(alone) == ""


def test_charts_show_the_owner_and_the_largest(make):
    result = make("many")
    chosen = findings.selection(result, 6)
    assert len({item["key"] for item in chosen}) == 6
    assert {item["owner"] for item in chosen[:3]} == {findings.subject(result)[1]["key"]}
    assert chosen[3] is findings.by_volume(result["destinations"], Terms())[0]


def test_folders_do_not_get_out():
    assert findings.base_name("/home/somebody/phone.pcap") == "phone.pcap"
    assert findings.base_name("C:\\Users\\me\\phone.pcap") == "phone.pcap"
    assert findings.base_name("-") == "-"
