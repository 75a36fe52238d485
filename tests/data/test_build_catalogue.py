import pytest
from wiretally.data.build_catalogue import CATEGORIES, COLUMNS, rows
from wiretally.data.sources import Package
from wiretally.geo import catalogue


def entity(name, domains, category="ad", **more):
    return {"name": name, "domains": domains, "category": category, **more}


def test_patterns_become_rows_with_their_source():
    made = rows(
        [
            entity("Zed Ads", ["*.zed.example", "www.Zed.example"], company="Zed"),
            entity("Facebook", ["*.facebook.com"], "social"),
            entity("Some CMP", ["some.example"], "consent-provider"),
        ],
        "third-party-web 1.2.3",
        "2026-01-02",
    )
    end = ("", "third-party-web 1.2.3", "MIT", "2026-01-02")
    assert made == [
        ("Meta Platforms", "facebook.com", "suffix", "Facebook", "social", *end),
        ("Some", "some.example", "exact", "Some CMP", "service", *end),
        ("Zed", "www.zed.example", "exact", "Zed Ads", "ads", *end),
        ("Zed", "zed.example", "suffix", "Zed Ads", "ads", *end),
    ]


def test_a_category_that_the_package_adds_is_not_guessed():
    with pytest.raises(KeyError):
        rows([entity("New", ["new.example"], "something-new")], "third-party-web 9", "2027-01-01")


def test_the_columns_are_what_the_catalogue_reads_and_no_word_means_telemetry():
    assert COLUMNS == catalogue.COLUMNS
    assert "telemetry" not in CATEGORIES.values()  # what is listed there is of the web, not of devices


def test_the_date_stands_in_the_version(tmp_path):
    assert Package(tmp_path, "2.3.2026061719").date == "2026-06-17"
