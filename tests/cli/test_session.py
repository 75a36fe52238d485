"""Marks of sessions, as somebody at the access point makes them."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner
from wiretally.cli.main import app
from wiretally.core.schema import ANNOUNCED, FLOWS, polars_schema
from wiretally.measure.inputs import read_sessions
from wiretally.store.database import Store
from wiretally.store.marks import told
from wiretally.store.reader import read_marks

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


def opened(store):
    """The sessions that are open."""
    return [row.split(",")[:2] for row in session("list", "--store", store).output.splitlines()[1:] if row.split(",")[4] == ""]


def test_a_device_has_one_open_session_however_it_is_written(store):
    for word in (ADDRESS, MAC, MAC.upper().replace(":", "-"), "pixel-7.local"):
        assert session("start", "normal", "--device", word, "--store", store).exit_code == 0
    assert opened(store) == [["normal-4", "pixel-7.local"]]
    assert session("start", "idle", "--device", "192.168.7.21", "--store", store).exit_code == 0
    assert session("stop", "--device", ADDRESS, "--store", store).output == "ended: normal-4\n"
    assert opened(store) == [["idle-1", "192.168.7.21"]]
    assert {row.split(",")[1] for row in session("list", "--store", store).output.splitlines()[2:4]} == {MAC}  # as tables write it


def test_an_unknown_device_is_marked_with_a_warning(store):
    done = session("start", "normal", "--device", "10.9.9.9", "--store", store)
    assert done.exit_code == 0
    assert "device 10.9.9.9 has not been seen in the last 7 days; seen were Pixel-7 192.168.7.20" in done.stderr.replace("\n", " ")
    assert session("start", "normal", "--device", ADDRESS, "--store", store).stderr == ""
    assert session("start", "normal", "--device", "10.9.9.8", "--store", store, "-q").stderr == ""


def test_sessions_can_be_taken_out(store):
    session("start", "normal", "--device", MAC, "--store", store)
    session("start", "idle", "--device", "ghost", "--store", store)
    rows = session("remove", "idle-1", "--store", store, "--format", "jsonl").output
    assert json.loads(rows)["session"] == "idle-1"
    assert session("remove", "idle-1", "--store", store).exit_code
    assert [name for name, _ in opened(store)] == ["normal-1"]
    assert session("remove", "normal-1", "--store", store).output == "removed: normal-1\n"
    assert session("list", "--store", store).output == "session,device,mode,start,end,notes\n"


def test_imported_sessions_end_at_the_next_of_the_same_device(store, tmp_path):
    notes = tmp_path / "sessions.csv"
    notes.write_text(f"session,device,mode,start\na,{ADDRESS},normal,2026-01-01T00:00:00Z\nb,{MAC},idle,2026-01-01T00:05:00Z\n"
                     f"c,{ADDRESS},normal,2026-01-01T00:10:00Z\n")  # fmt: skip
    assert session("import", str(notes), "--store", store).exit_code == 0
    ends = [row.split(",")[4][11:16] for row in session("list", "--store", store).output.splitlines()[1:]]
    assert ends == ["00:05", "00:10", ""]


def test_a_store_that_is_not_there_says_what_to_do(tmp_path):
    for words in (("start", "normal", "-d", MAC), ("start", "normal"), ("list",), ("stop",)):
        refused = session(*words, "--store", str(tmp_path / "no.db"))
        assert "no.db: is not there; begin it with `wiretally live" in str(refused.exception), words


def test_comments_of_a_recording_are_the_lines_that_compare_reads(store, tmp_path):
    session("start", "normal", "--device", MAC, "--notes", 'said "no", twice', "--store", store)
    session("stop", "--store", store)
    (line,) = told(store)
    file = tmp_path / "sessions.csv"
    file.write_text("session,device,mode,start,end,notes\n" + line.removeprefix("session ") + "\n")
    (read,) = read_sessions(str(file))
    assert (read.device, read.notes, read.start, read.end) == (MAC, 'said "no", twice', *read_marks(store)[0][3:5])
