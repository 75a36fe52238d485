"""`wiretally export`: a file per table, the same rows as `read`, from captures and from stores."""

import os
import stat
from pathlib import Path

import polars as pl
import pytest
import wiretally
from typer.testing import CliRunner
from wiretally.cli.main import app
from wiretally.core.schema import TABLES
from wiretally.store.database import Store

LEAKY = Path(wiretally.__file__).parent / "data" / "samples" / "leaky" / "capture.pcapng.zst"


@pytest.fixture(scope="module")
def seen():
    return wiretally.read(LEAKY)


def export(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)], catch_exceptions=True)


def test_every_table_is_a_file_that_holds_all_of_it(tmp_path, seen):
    old = os.umask(0)
    try:
        done = export(LEAKY, "-o", tmp_path / "out")
    finally:
        os.umask(old)
    assert done.exit_code == 0, done.output
    files = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert set(files) == {f"{name}.parquet" for name in TABLES}
    for name in TABLES:
        frame = pl.read_parquet(files[f"{name}.parquet"])
        assert frame.height == getattr(seen, name).height, name
        assert frame.columns == TABLES[name].names
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


def test_a_store_as_zeek_logs(tmp_path, seen):
    path = str(tmp_path / "home.db")
    with Store(path) as store:
        store.keep({name: getattr(seen, name) for name in ("flows", "exchanges", "tls", "dns", "http", "capture")})
    done = export(path, "-o", tmp_path, "--format", "zeek")
    assert done.exit_code == 0, done.output
    for log, table in (("conn", seen.flows), ("dns", seen.dns), ("ssl", seen.tls)):
        lines = [line for line in (tmp_path / f"{log}.log").read_text().splitlines() if not line.startswith("#")]
        assert len(lines) == table.height > 0
        assert {line.split("\t")[1] for line in lines} <= set(seen.flows["flow_id"]), log  # all join conn.log
    assert {line.split("\t")[6] for line in lines} == {"TLSv13"}


def test_one_table_only_and_faults(tmp_path):
    assert export(LEAKY, "-o", tmp_path, "--format", "csv", "--table", "tls", "-q").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["tls.csv"]
    wrong = export(LEAKY, "-o", tmp_path, "--format", "zeek", "--table", "tls")
    assert wrong.exit_code == 2
    assert "conn, dns, ssl" in wrong.output
    (tmp_path / "file").write_text("")
    assert "is no folder to write into" in str(export(LEAKY, "-o", tmp_path / "file").exception)
