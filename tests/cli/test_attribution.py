"""What is said of databases, and when; what pseudonyms leave out. Whole captures are in the tests of the commands."""

from datetime import UTC, datetime

import polars as pl
import pytest
from wiretally.cli.attribution import NamesOnly, open_attributor, told, with_warnings
from wiretally.core.schema import ATTRIBUTION, FLOWS, polars_schema
from wiretally.geo.databases import KINDS

LATER = datetime(2027, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def attributor():
    return open_attributor()


def flows(*rows):
    return pl.DataFrame(rows, schema=polars_schema(FLOWS), orient="row").drop([each.name for each in ATTRIBUTION])


def test_warnings_come_after_the_last_frame_by_the_latest_flow(attributor):
    frames = [("flows", flows({"last_seen": LATER})), ("dns", pl.DataFrame()), ("flows", flows({"last_seen": LATER.replace(year=2026)}))]
    said = []
    for number, _ in enumerate(with_warnings(iter(frames), attributor, said.append)):
        assert said == [], number
    assert said == told(attributor, LATER)
    assert len(said) == len(KINDS)


@pytest.mark.parametrize("frames", [[], [("flows", flows())], [("flows", flows({"last_seen": None}))]])
def test_without_a_flow_the_day_is_today(attributor, frames):
    said = []
    list(with_warnings(iter(frames), attributor, said.append))
    assert said == told(attributor)


def test_nothing_is_said_where_nothing_is_attributed():
    said = []
    list(with_warnings(iter([("flows", flows({"last_seen": LATER}))]), None, said.append))
    assert said == []


def test_lines_of_lists_are_counted_and_escaped(tmp_path):
    path = tmp_path / "\x1b[31mown.txt"
    path.write_text("||host.example^\nexample.com##.ad\n")
    (line,) = told(open_attributor(catalogue=[str(path)]), LATER.replace(year=2026))
    assert line == r"\u001b[31mown.txt: 1 lines are no rule for a host and were left out"


def test_of_pseudonyms_only_names_speak(attributor):
    rows = NamesOnly(attributor).join(flows({"remote_ip": "8.8.8.8"}, {"remote_ip": "8.8.8.8", "name": "sa.api.intl.miui.com"})).to_dicts()
    assert [row["country"] for row in rows] == [row["asn"] for row in rows] == [None, None]
    assert [row["owner"] for row in rows] == [None, "Xiaomi Corporation"]
    assert [row["attribution_source"] for row in rows] == [None, "catalogue"]
