"""What `measure` really gives goes through both reports: the two rooms agree about the dictionary between them."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import polars as pl
import pytest
from rich.console import Console
from wiretally.core.schema import CAPTURE, EXCHANGES, FLOWS, polars_schema
from wiretally.measure.comparison import CompareOptions, compare
from wiretally.measure.inputs import Session
from wiretally.report import findings, terminal
from wiretally.report.html import render

ARMS = {
    "leaky": ("Uploads to Xiaomi continued in incognito mode", {"continues"}),
    "honest": ("Uploads to Xiaomi stopped, or nearly so, in incognito mode", {"stops"}),
    "swap": ("Uploads to Xiaomi continued in incognito mode", {"appears", "stops"}),
}


def table(schema, rows: list[dict]) -> pl.DataFrame:
    """Rows with every column of a table; counters that are not given are 0, all else is null."""
    types = polars_schema(schema)
    blank = {name: 0 if kind == pl.UInt64() else None for name, kind in types.items()}
    return pl.DataFrame([{**blank, **row} for row in rows], schema=types)


def measured(built: dict, dropped: int = 0, **options) -> dict:
    """The real comparison of the fixture's sessions and volumes: a flow per destination, an exchange per bin."""
    hosts = {item["key"]: item for item in built["destinations"]}
    flows = [
        {"flow_id": key, "local_ip": "192.168.4.20", "remote_ip": f"203.0.113.{at}", "name": key, "owner": item["owner"],
         "category": item["category"], "country": next(iter(item["countries"]), None), "app_exact": True}
        for at, (key, item) in enumerate(hosts.items(), 1)
    ]  # fmt: skip
    flows.append({"flow_id": "silent", "local_ip": "192.168.4.20", "remote_ip": "203.0.113.250"})
    exchanges = []
    for each in built["timeline"]["bins"]:
        start = datetime.fromisoformat(each["time"])
        exchanges.append({"flow_id": each["key"], "start": start, "end": start + timedelta(seconds=0.5), "name": each["key"],
                          "up_app_bytes": each["up_app_bytes"], "up_wire_bytes": each["up_app_bytes"] + 90})  # fmt: skip
    marks = [
        Session(each["session"], each["device"], each["mode"], *(nanoseconds(each[at]) for at in ("start", "end")))
        for each in built["sessions"]
    ]
    capture = table(CAPTURE, [{"source": "phone.pcap", "packets": 9, "dropped": dropped, "cut_short": False}])
    result = compare(table(FLOWS, flows), table(EXCHANGES, exchanges), marks, None, capture, CompareOptions(**options))
    result["capture"] = [row | {"sha256": "ab" * 32} for row in built["capture"]]
    return result


def nanoseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1e9)


def shown(result: dict) -> str:
    with io.StringIO() as page:
        Console(file=page, width=100).print(terminal.comparison(result))
        return page.getvalue()


@pytest.mark.parametrize("arm", ARMS)
def test_the_three_arms(make, arm):
    result = measured(make(arm))
    title, words = ARMS[arm]
    assert findings.headline(result).title == title
    sensors = {
        item["verdict"] for item in findings.of_owner(result, "Xiaomi") if item["key"] != "data.mistat.intl.xiaomi.com"
    }
    assert sensors == words
    assert title in " ".join(shown(result).split())
    assert title in render(result)


def test_drops_forbid_stops_and_are_said(make):
    result = measured(make("honest"), dropped=12)
    assert findings.headline(result).item["verdict"] == "reduced"
    assert "12 packets were lost" in shown(result)
    assert "12 packets were lost" in render(result)


@pytest.mark.parametrize("case", ["empty", "hostile", "many"])
def test_other_cases_of_the_real_thing(make, case):
    result = measured(make(case))
    assert shown(result)
    assert len(render(result)) < 1_000_000


@pytest.mark.parametrize(("pairs", "idle"), [(1, 0), (2, 1)])
def test_few_sessions(make, pairs, idle):
    result = measured(make("leaky", pairs=pairs, idle=idle))
    assert findings.headline(result).item["verdict"] == "inconclusive"
    assert "is not settled" in shown(result)
    assert "is not settled" in render(result)


def test_per_minute_dots_and_mean_agree(make):
    from wiretally.report.html import strips_of

    result = measured(make("leaky"), per="minute")
    for strip in strips_of(result, "total", result["total"]):
        assert sum(strip.values) / len(strip.values) == pytest.approx(strip.mean)


def test_idle_sessions_of_another_length_are_scaled_as_the_mean_is(make):
    from wiretally.report.html import strips_of

    built = make("leaky")
    for session in built["sessions"]:
        if session["mode"] == "idle":
            session["end"] = session["start"][:16] + ":59.000000000Z"
    result = measured(built, per="session")
    for strip in strips_of(result, "total", result["total"]):
        assert sum(strip.values) / len(strip.values) == pytest.approx(strip.mean)
