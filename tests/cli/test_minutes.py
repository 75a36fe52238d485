"""The account of a live capture, a row a minute, for whoever looks on."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from wiretally.cli.minutes import Minutes
from wiretally.core.schema import CAPTURE, polars_schema

AT = 1_767_225_600_000_000_000


def row(**fields):
    counts = dict.fromkeys(("packets", "wire_bytes", "dropped", "truncated", "malformed", "unsupported", "counted"), 0)
    known = {"source": "wlan0", "linktype": "EN10MB", "cut_short": False, "first_seen": AT, "last_seen": AT, **counts, **fields}
    schema = polars_schema(CAPTURE)
    return pl.DataFrame([{name: known.get(name) for name in schema}], schema)


@pytest.fixture
def warnings():
    return []


def told(form, rows, tmp_path, warnings):
    target = tmp_path / f"minutes.{form}"
    with Minutes(form, str(target), warnings.append) as minutes:
        for each in rows:
            minutes.tell(each)
        found = target.read_text()  # it has no end to wait for
    assert target.read_text() == found
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    return found


def test_a_minute_is_a_line_that_says_what_is_not_well(tmp_path, warnings):
    quiet, loaded = row(packets=1200, wire_bytes=90_000), row(packets=5, wire_bytes=400, dropped=7, degraded="payload")
    assert told("text", [quiet, loaded], tmp_path, warnings).splitlines() == [
        "2026-01-01T00:00:00.000000000Z wlan0: 1,200 packets, 90,000 bytes",
        "2026-01-01T00:00:00.000000000Z wlan0: 5 packets, 400 bytes, 7 dropped, left out: payload",
    ]


def test_machines_get_the_rows_of_the_table(tmp_path, warnings):
    lines = told("jsonl", [row(packets=1), row(packets=2)], tmp_path, warnings).splitlines()
    assert [json.loads(line)["packets"] for line in lines] == [1, 2]
    head, _, second = told("csv", [row(packets=1), row(packets=2)], tmp_path, warnings).splitlines()
    assert dict(zip(head.split(","), second.split(","), strict=True))["packets"] == "2"
    assert told("csv", [row(packets=3)], tmp_path, warnings).count("packets") == 1  # another run goes on in the file


def test_nobody_who_has_gone_away_stops_the_capture():
    """In a process of its own, since it gives up its standard output."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_minutes import row; from wiretally.cli.minutes import Minutes\n"
        "with Minutes('jsonl', '-', lambda line: print(line, file=sys.stderr)) as minutes:\n"
        "    for _ in range(3): minutes.tell(row())\n"
        "print('went on', file=sys.stderr)"
    )
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines() == ["minutes are not told any more: nobody reads them; counting goes on", "went on"]
