import polars as pl
from wiretally.measure.places import EVIDENCE, places, with_evidence

ROWS = [  # owner, country, geo_status, shared, max_distance_km, up_app_bytes
    ("A", "SG", "agree", None, 900.0, 10), ("A", "SG", "agree", None, 300.0, 20), ("A", "SG", "refuted", None, 100.0, 5),
    ("A", "US", "shared", "Fastly", None, 40), ("A", None, None, None, None, 99), ("B", None, "shared", "Quad9", None, 1),
]  # fmt: skip
SCHEMA = {"owner": pl.String, "country": pl.String, "geo_status": pl.String, "shared": pl.String,
          "max_distance_km": pl.Float64, "up_app_bytes": pl.UInt64}  # fmt: skip


def test_places_are_kept_apart_by_status_and_the_nearest_bound_counts():
    found = places(pl.DataFrame(ROWS, schema=SCHEMA, orient="row"), "owner")
    assert [tuple(row.values()) for row in found["A"]] == [
        ("US", "shared", "Fastly", None, 40), ("SG", "agree", None, 300.0, 30), ("SG", "refuted", None, 100.0, 5),
    ]  # fmt: skip
    assert tuple(found["A"][0]) == ("country", "status", "operator", "max_distance_km", "up_app_bytes")
    assert [row["operator"] for row in found["B"]] == ["Quad9"]


def test_no_places():
    assert places(pl.DataFrame(schema=SCHEMA), "owner") == {}


def test_flows_of_an_older_attribution_have_no_evidence():
    frame = with_evidence(pl.DataFrame({"flow_id": ["x"], "shared": ["Fastly"]}))
    assert set(frame.columns) == {"flow_id", *EVIDENCE}
    assert frame["shared"].to_list() == ["Fastly"]
    assert frame["geo_status"].to_list() == [None]
