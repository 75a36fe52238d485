"""The map of the world."""

from xml.etree import ElementTree as ET

from wiretally.report import worldmap
from wiretally.report.worldmap import SHADES, drawn, paths, rows


def found(*places):
    """(country, status, bytes) each."""
    return rows({"places": [
        {"country": code, "status": status, "operator": "Fastly" if status == "shared" else None, "max_distance_km": 150.0,
         "up_app_bytes": amount} for code, status, amount in places
    ]})  # fmt: skip


def groups(svg):
    return {group.attrib["class"]: group for group in ET.fromstring(svg).iter("g")}  # noqa: S314  (ours)


def test_the_status_is_in_the_shading():
    svg = drawn(found(("SG", "agree", 90_000), ("RU", "disputed", 900), ("FR", "v6_low", 10), ("CN", "refuted", 8)))
    kinds = [group.split()[0] for group in groups(svg)]
    assert sorted(kinds) == ["agree", "refuted", "unsure", "unsure"]


def test_the_more_the_darker():
    svg = drawn(found(("SG", "agree", 1_000_000), ("RU", "agree", 1000), ("DE", "agree", 0)))
    assert [group.split()[1] for group in groups(svg)] == ["shade-1", "shade-3", f"shade-{SHADES}"]  # DE, RU, SG


def test_a_small_country_has_a_dot_and_a_large_one_none():
    svg = groups(drawn(found(("SG", "agree", 9), ("RU", "refuted", 5))))
    assert svg[f"agree shade-{SHADES}"].find("circle") is not None
    assert next(group for name, group in svg.items() if name.startswith("refuted")).find("circle") is None


def test_what_is_shared_or_nowhere_is_not_on_the_map():
    assert drawn(found(("US", "shared", 5))) == ""
    assert drawn(found((None, "shared", 5))) == ""
    assert drawn(found(("GI", "agree", 5))) == ""  # no outline at this scale
    assert drawn([]) == ""
    assert rows({}) == []


def test_a_part_of_another_country_is_drawn_with_it():
    assert "France 12 B" in drawn(found(("RE", "agree", 5), ("FR", "agree", 7)))


def test_it_is_read_out_and_stands_alone():
    svg = drawn(found(("SG", "agree", 1500), ("RU", "disputed", 900)))
    root = ET.fromstring(svg)  # noqa: S314  (ours)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"].endswith("Singapore 1.50 kB; Russia 900 B")
    assert "http" not in svg
    assert "script" not in svg
    assert len(svg) < 120_000
    assert svg == drawn(found(("SG", "agree", 1500), ("RU", "disputed", 900)))


def test_what_crosses_180_degrees_is_drawn_at_both_sides():
    starts = [int(part.partition(",")[0]) for part in paths()["RU"][0].split("M")[1:]]
    assert max(starts) - min(starts) > 180 / worldmap.STEP
