"""The wiring: every table, always with every column, however the reading is cut."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import wiretally
from polars.testing import assert_frame_equal
from wiretally.cli import pipeline
from wiretally.core.schema import TABLES, polars_schema

SAMPLE = str(Path(wiretally.__file__).parent / "data" / "samples" / "leaky" / "capture.pcapng.zst")
EMPTY_PCAP = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
COUNTERS = [name for name in TABLES["exchanges"].names if name.startswith(("up_", "down_"))]


@pytest.fixture(scope="module")
def seen():
    return wiretally.read(SAMPLE)


def test_every_table_has_every_column_in_order(seen):
    for name, table in TABLES.items():
        assert getattr(seen, name).schema == pl.Schema(polars_schema(table))
    assert seen.flows.height > 100
    assert seen.tls.height > 50
    assert seen.dns.height > 10
    assert seen.warnings == ()


def test_a_capture_without_packets_gives_empty_tables(tmp_path):
    path = tmp_path / "empty.pcap"
    path.write_bytes(EMPTY_PCAP)
    seen = wiretally.read(path)
    for name, table in TABLES.items():
        frame = getattr(seen, name)
        assert frame.schema == pl.Schema(polars_schema(table))
        assert frame.height == (1 if name == "capture" else 0)


def test_exchanges_sum_to_their_flows(seen):
    sums = seen.exchanges.group_by("flow_id").agg(pl.col(COUNTERS).sum())
    both = seen.flows.join(sums, on="flow_id", suffix="_of_exchanges")
    assert both.height == seen.flows.height
    for name in COUNTERS:
        assert both[name].to_list() == both[f"{name}_of_exchanges"].to_list(), name


def test_every_packet_is_in_a_flow_or_accounted_for(seen):
    (account,) = seen.capture.to_dicts()
    in_flows = seen.flows.select(pl.col("up_packets").sum() + pl.col("down_packets").sum()).item()
    assert in_flows == account["counted"]
    assert account["packets"] == account["counted"] + account["malformed"] + account["unsupported"]


def test_ticks_change_nothing(seen, monkeypatch):
    monkeypatch.setattr(pipeline, "TICK_PACKETS", 1)
    again = wiretally.read(SAMPLE)
    for name in TABLES:
        order = [
            column for column in ("first_seen", "start", "time", "flow_id", "qname") if column in TABLES[name].names
        ]
        one, two = (getattr(result, name).sort(order, maintain_order=True) for result in (seen, again))
        assert_frame_equal(one, two)


def test_only_what_was_asked_for_is_computed():
    assert {name for name, _ in pipeline.frames(SAMPLE, ("dns", "devices"))} == {"dns", "devices"}


def test_the_phone_is_a_device(seen):
    (phone,) = [row for row in seen.devices.to_dicts() if "192.168.50.23" in row["addresses"]]
    assert phone["mac"] == "d2:6a:91:3c:0e:57"
    assert phone["randomised"]


def test_flows_say_who_and_where(seen):
    assert seen.flows["owner"].drop_nulls().len() > 0
    assert seen.flows["country"].drop_nulls().len() > 0


def test_bad_options_are_one_line():
    with pytest.raises(wiretally.WiretallyError, match="--local phone: not a network"):
        wiretally.read(SAMPLE, local=["phone"])


def test_reading_for_parquet_imports_no_statistics_and_no_drawing(tmp_path):
    code = f"""
import sys
sys.argv = ["wiretally", "read", {SAMPLE!r}, "--format", "parquet", "-o", {str(tmp_path / "f.parquet")!r}]
from wiretally.cli.main import main
main_error = None
try:
    main()
except SystemExit as done:
    main_error = done.code
print(main_error, sorted({{"scipy.stats", "matplotlib", "scapy", "dpkt", "jinja2", "rich", "fsspec"}} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "0 []"
