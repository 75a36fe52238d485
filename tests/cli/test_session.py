"""Marks of sessions, as somebody at the access point makes them."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner
from wiretally.cli.main import app
from wiretally.core.schema import ANNOUNCED, FLOWS, polars_schema
from wiretally.store.database import Store

MAC, ADDRESS, AT = "da:a1:19:00:00:01", "192.168.7.20", 1_767_225_600_000_000_000


@pytest.fixture
def store(tmp_path):
    """A store in which one device has said its name, and another has a name that would move a cursor."""
    flows, claims = polars_schema(FLOWS), polars_schema(ANNOUNCED)

    def seen(mac, ip, name):
        flow = {"flow_id": mac, "local_mac": mac, "local_ip": ip, "first_seen": AT, "last_seen": AT, "end": "eof"}
        claim = {"time": AT, "mac": mac, "ip": ip, "name": name, "source": "dhcp"}
        return ({key: flow.get(key) for key in flows}, {key: claim.get(key) for key in claims})

    rows = [seen(MAC, ADDRESS, "Pixel-7"), seen("da:a1:19:00:00:02", "192.168.7.21", "tab\x1b[2Jlet")]
    path = str(tmp_path / "home.db")
    with Store(path) as kept:
        kept.keep({"flows": pl.DataFrame([flow for flow, _ in rows], flows), "announced": pl.DataFrame([said for _, said in rows], claims)})
    return path


def session(*words):
    return CliRunner().invoke(app, ["session", *words])


def test_devices_are_offered_by_name_and_address(store):
    refused = session("start", "normal", "--store", store)
    assert refused.exit_code
    assert f"Pixel-7 {ADDRESS} ({MAC})" in str(refused.exception)
    assert r"tab\u001b[2Jlet 192.168.7.21" in str(refused.exception)
    assert "\x1b" not in str(refused.exception)


def test_a_device_may_be_marked_by_its_name(store):
    assert session("start", "incognito", "--device", "Pixel-7", "--store", store).output == "session incognito-1 of Pixel-7 has begun\n"
    assert session("start", "normal", "--device", "Pixel-7", "--store", store).exit_code == 0  # ends the one before
    assert session("stop", "--device", "pixel-8", "--store", store).output == "no session was open\n"
    assert session("stop", "--store", store, "-q").output == ""
    head, first, second = session("list", "--store", store).output.splitlines()
    assert head == "session,device,mode,start,end,notes"
    assert first.startswith("incognito-1,Pixel-7,incognito,20")
    assert second.startswith("normal-1,Pixel-7,normal,20")
    assert "" not in [*first.split(",")[3:5], *second.split(",")[3:5]]


def test_what_was_written_down_is_taken_over_as_it_is(store, tmp_path):
    notes = tmp_path / "sessions.csv"
    notes.write_text(f"session,device,mode,start,end,notes\na,{ADDRESS},normal,2026-01-01T00:00:00Z,2026-01-01T00:05:00.000000001Z,rainy\n")
    assert session("import", str(notes), "--store", store).output == "1 sessions\n"
    assert session("list", "--store", store).output.splitlines()[1] == (
        f"a,{ADDRESS},normal,2026-01-01T00:00:00.000000000Z,2026-01-01T00:05:00.000000001Z,rainy")


def test_what_was_done_can_be_had_as_rows(store, tmp_path):
    begun = json.loads(session("start", "Normal", "--device", "Pixel-7", "--store", store, "--format", "jsonl").output)
    assert begun == {"session": "normal-1", "device": "Pixel-7", "mode": "normal", "start": begun["start"], "end": None, "notes": ""}
    file = tmp_path / "ended.csv"
    assert session("stop", "--store", store, "--format", "csv", "-o", str(file)).output == ""
    head, row = file.read_text().splitlines()
    assert head == "session,device,mode,start,end,notes"
    assert row.startswith(f"normal-1,Pixel-7,normal,{begun['start']},20")
    assert session("stop", "--store", store, "--format", "jsonl").output == ""  # none was open
    assert session("list", "--store", store, "--format", "jsonl").output.count("\n") == 1
