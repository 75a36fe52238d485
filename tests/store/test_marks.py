"""Sessions that are marked live: one open per device, by both clocks."""

from pathlib import Path

import pytest
from crafting.sessions import NS, START
from crafting.stores import minute
from wiretally.core.errors import EnvironmentFault, InputError
from wiretally.measure.inputs import Session
from wiretally.store import marks
from wiretally.store.database import Store
from wiretally.store.layout import is_store
from wiretally.store.reader import read_marks


@pytest.mark.parametrize("step", [3600 * NS, -3600 * NS])
def test_a_session_goes_on_by_the_new_clock_when_it_is_stepped(tmp_path, monkeypatch, step):
    path, clock, wall = str(tmp_path / "a.db"), 5 * NS, START
    monkeypatch.setattr(marks.time, "time_ns", lambda: wall)
    monkeypatch.setattr(marks.time, "monotonic_ns", lambda: clock)
    with Store(path) as store:
        assert marks.start(path, "normal", "phone", "at home") == "normal-1"
        wall, clock = wall + step + 10 * NS, clock + 10 * NS
        assert marks.start(path, "idle", "tablet") == "idle-1"  # before the service has noticed
        wall, clock = wall + NS, clock + NS
        store.note_step(wall, step, clock, marks.boot())
        assert read_marks(path) == sorted([
            ("normal-1", "phone", "normal", START, START + 11 * NS, "at home"),
            ("idle-1", "tablet", "idle", START + step + 10 * NS, None, ""),
            ("normal-2", "phone", "normal", START + step + 11 * NS, None, "at home"),
        ], key=lambda row: (row[3], row[0]))  # fmt: skip
        wall, clock = wall + NS, clock + NS
        assert sorted(marks.stop(path)) == ["idle-1", "normal-2"]
        store.note_step(wall, step, clock, marks.boot())  # nothing is open
        assert len(read_marks(path)) == 3
        assert all(ended > begun for _, _, _, begun, ended, _ in read_marks(path))


def test_marks_have_both_clocks_and_one_session_per_device_is_open(tmp_path):
    path = str(tmp_path / "a.db")
    with pytest.raises(EnvironmentFault, match="is not there; begin it"):
        marks.start(path, "normal", "10.0.0.2")
    with Store(path) as store:
        assert is_store(path)
        assert marks.start(path, "normal", "10.0.0.2") == "normal-1"
        assert marks.start(path, "Incognito", "10.0.0.2", "second") == "incognito-1"
        assert marks.start(path, "normal", "10.0.0.3") == "normal-2"
        store.keep({"capture": minute(1)})
        assert marks.stop(path, "10.0.0.3") == ["normal-2"]
        assert marks.stop(path) == ["incognito-1"]
        assert marks.stop(path) == []
        assert marks.add(path, [Session("x", "10.0.0.2", "idle", START, START + NS)]) == 1
        with pytest.raises(InputError, match="'x' is in"):
            marks.add(path, [Session("x", "10.0.0.2", "idle", START, START + NS)])
        clocks = store._connection.execute("SELECT start_monotonic_ns, end_monotonic_ns, boot FROM sessions WHERE session = 'normal-1'")
        begun, ended, boot = clocks.fetchone()
    assert 0 < begun <= ended
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    rows = read_marks(path)
    assert [(row[0], row[2]) for row in rows] == [("x", "idle"), ("normal-1", "normal"), ("incognito-1", "incognito"), ("normal-2", "normal")]
    assert all(row[3] < row[4] for row in rows)


def test_a_session_over_a_clock_stepped_back_lasts_as_long_as_it_did(tmp_path, monkeypatch):
    path = str(tmp_path / "a.db")
    wall, steady = [START + 3600 * NS], [5 * NS]
    monkeypatch.setattr("wiretally.store.marks.time.time_ns", lambda: wall[0])
    monkeypatch.setattr("wiretally.store.marks.time.monotonic_ns", lambda: steady[0])
    with Store(path):
        marks.start(path, "normal", "10.0.0.2")
        wall[0], steady[0] = START, 65 * NS
        marks.stop(path)
    ((_, _, _, began, ended, _),) = read_marks(path)
    assert (began, ended) == (START + 3600 * NS, START + 3660 * NS)


def test_a_session_that_was_written_down_has_no_other_clock_to_follow(tmp_path):
    path = str(tmp_path / "a.db")
    with Store(path) as store:
        marks.add(path, [Session("x", "10.0.0.2", "normal", START, None)])
        store.note_step(START, NS, 1, None)  # of a system that has no name for its run
    assert [row[0] for row in read_marks(path)] == ["x"]
