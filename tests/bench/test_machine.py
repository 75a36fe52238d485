"""The machine runs what it is told, in places that it may write; its trials see lengths that nothing had; it says what it lacks."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from wiretally.bench import machine
from wiretally.bench.machine import find_kernel, first_script, lengths
from wiretally.core.errors import EnvironmentFault
from wiretally.core.schema import TABLES, polars_schema

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def test_without_a_kernel_it_says_what_to_get(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"no kernel in .*user-mode-linux.*--kernel"):
        find_kernel(tmp_path)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/linux.uml").touch()
    assert find_kernel(tmp_path) == tmp_path / "usr/bin/linux.uml"


def test_a_missing_kernel_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    assert machine.main(["clock", "--kernel", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_script_hands_the_command_over_as_it_is(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/a b/c")
    command = ["python", "-c", "print('$HOME; {x}')"]
    text = first_script(command, Path("/w/it's"), Path("/cache"))
    assert f"\n{shlex.join(command)} >" in text
    exported = next(line for line in text.splitlines() if line.startswith("export"))
    assert "PYTHONPATH=/a b/c" in shlex.split(exported)
    mounts = [shlex.split(line) for line in text.splitlines() if "hostfs" in line]
    assert [words[-1] for words in mounts] == ["/w/it's", "/cache"]


def table(name, **values):
    return pl.DataFrame([values], schema=polars_schema(TABLES[name]))


def tables(seconds, **flow):
    end = BEGIN + timedelta(seconds=seconds)
    return {
        "flows": table("flows", first_seen=BEGIN, last_seen=end, **flow),
        "exchanges": table("exchanges", start=BEGIN, end=end),
        "capture": table("capture", first_seen=BEGIN, last_seen=end),
        "tls": table("tls"),
        "dns": table("dns", latency_ms=1.0),
    }


def test_a_length_that_was_never_there_is_seen():
    assert lengths(tables(10.0, rtt_remote_ms=9.0), 10.0) == {}
    assert set(lengths(tables(10.1), 10.0)) == {"flows", "exchanges", "capture"}
    assert set(lengths(tables(-1.0), 10.0)) == {"flows", "exchanges", "capture"}
    assert set(lengths(tables(1.0, rtt_remote_ms=-0.1, up_gap_mean_ms=10_001.0), 10.0)) == {
        "flows.rtt_remote_ms", "flows.up_gap_mean_ms",
    }  # fmt: skip
