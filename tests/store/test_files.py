"""Sinks: what goes in comes out, in every format, complete or not at all."""

import csv
import json
import stat
import subprocess
import sys

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from wiretally.core.errors import EnvironmentFault
from wiretally.core.schema import DNS, FLOWS, TABLES, polars_schema
from wiretally.store.files import TEXT_ROWS, open_sink

SCHEMA = polars_schema(DNS)
BASE = {"time": 1_700_000_000_123_456_789, "local_ip": "192.0.2.1", "local_port": 5353, "qname": "example.org", "id": 7}
ANSWER = {"name": "example.org", "type": "A", "data": "192.0.2.9", "ttl": 60}


def dns(*rows, schema=SCHEMA):
    full = [{name: row.get(name) for name in schema} for row in rows]
    return pl.DataFrame(
        full, schema={name: pl.Int64() if name == "time" else kind for name, kind in schema.items()}
    ).cast(schema)


def written(form, frames, path, schema=SCHEMA, **options):
    with open_sink(schema, form, str(path), **options) as sink:
        for frame in frames:
            sink.write(frame)
    return path


def test_parquet_gives_back_the_same_frames(tmp_path):
    frames = [dns(*[BASE | {"id": n, "answers": [ANSWER]} for n in range(k, k + 500)]) for k in range(0, 3000, 500)]
    path = written("parquet", frames, tmp_path / "dns.parquet")
    assert_frame_equal(pl.read_parquet(path), pl.concat(frames))


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_keeps_its_columns(name, tmp_path):
    schema = polars_schema(TABLES[name])
    assert pl.read_parquet(written("parquet", [], tmp_path / "t", schema)).schema == pl.Schema(schema)
    assert written("csv", [], tmp_path / "c", schema).read_text() == ",".join(schema) + "\n"
    assert written("jsonl", [], tmp_path / "j", schema).read_text() == ""


def test_jsonl_keeps_types_times_and_nulls(tmp_path):
    path = written("jsonl", [dns(BASE | {"answers": [ANSWER]}), dns({"time": 0})], tmp_path / "dns.jsonl")
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["time"] == "2023-11-14T22:13:20.123456789Z"
    assert first["answers"] == [ANSWER]
    assert first["local_port"] == 5353
    assert second["time"] == "1970-01-01T00:00:00.000000000Z"
    assert second["local_port"] is None
    assert list(first) == DNS.names


def test_csv_has_one_header_and_lists_as_json(tmp_path):
    path = written("csv", [dns(BASE | {"answers": [ANSWER]}), dns(BASE)], tmp_path / "dns.csv")
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert json.loads(first["answers"]) == [ANSWER]
    assert second["answers"] == ""
    assert second["latency_ms"] == ""
    assert first["time"] == "2023-11-14T22:13:20.123456789Z"


HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "a\nb",
    "\x1b[2J",
    "\u202egnp.exe",
    "a\x9bb",
    "\t=1",
    '"quoted"',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_harmless_in_every_text_format(text, tmp_path):
    rows = [dns(BASE | {"qname": text, "answers": [ANSWER | {"data": text}]})]
    with written("csv", rows, tmp_path / "c").open(newline="") as file:
        (cells,) = csv.DictReader(file)
    assert cells["qname"][0] not in "=+-@\t\r"
    assert cells["qname"].isprintable()
    assert json.loads(cells["answers"])[0]["data"] == text
    line = written("jsonl", rows, tmp_path / "j").read_text().removesuffix("\n")
    assert line.isprintable()
    assert json.loads(line)["qname"] == text
    shown = written("text", rows, tmp_path / "t", glance=["qname"]).read_text()
    assert all(line.isprintable() for line in shown.split("\n"))


def test_text_is_capped_and_says_so(tmp_path):
    frames = [dns(*[BASE | {"qname": f"host{n}.example"} for n in range(k, k + 40)]) for k in (0, 40, 80)]
    text = written("text", frames, tmp_path / "t", glance=["qname", "id"]).read_text()
    assert f"host{TEXT_ROWS - 1}.example" in text
    assert f"host{TEXT_ROWS}.example" not in text
    assert f"{TEXT_ROWS} of 120 rows, 2 of {len(SCHEMA)} columns" in text


def test_markup_in_a_name_is_shown_as_it_is(tmp_path):
    text = written("text", [dns(BASE | {"qname": "[red]x[/red]"})], tmp_path / "t", glance=["qname"]).read_text()
    assert "[red]x[/red]" in text


@pytest.mark.parametrize("form", ["text", "jsonl", "csv", "parquet"])
def test_a_run_that_fails_leaves_nothing(form, tmp_path):
    def fails():
        with open_sink(SCHEMA, form, str(tmp_path / "out")) as sink:
            sink.write(dns(BASE))
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fails()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["text", "jsonl", "csv", "parquet"])
def test_only_the_owner_can_read_it(form, tmp_path):
    target = tmp_path / "out"
    target.write_text("what was there before")
    target.chmod(0o644)
    assert stat.S_IMODE(written(form, [dns(BASE)], target).stat().st_mode) == 0o600
    assert "before" not in target.read_bytes().decode(errors="replace")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("form", ["text", "jsonl", "csv", "parquet"])
def test_a_place_that_is_not_there_is_one_line(form, tmp_path):
    with pytest.raises(EnvironmentFault) as caught:
        open_sink(SCHEMA, form, str(tmp_path / "no" / "such" / "place"))
    assert "place" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(EnvironmentFault, match="is a folder"):
        open_sink(SCHEMA, form, str(tmp_path))


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_full_disk_is_one_line(form):
    frame = dns(*[BASE | {"qname": f"host{n}.example"} for n in range(20_000)])
    with pytest.raises(EnvironmentFault, match=r"/dev/full: cannot be written: .*: choose another place"):
        written(form, [frame], "/dev/full")


def test_a_device_is_written_to_not_replaced(tmp_path):
    written("csv", [dns(BASE)], "/dev/null")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    written("csv", [dns(BASE)], link)
    assert link.is_symlink()
    assert (tmp_path / "real").exists()


def test_many_frames_take_no_more_memory_than_few():
    """The queue holds one frame: whoever is faster waits."""
    with open_sink(polars_schema(FLOWS), "parquet", "/dev/null") as sink:
        for _ in range(50):
            sink.write(pl.DataFrame({"flow_id": ["x"]}).select(
                pl.col("flow_id") if name == "flow_id" else pl.lit(None).cast(kind).alias(name)
                for name, kind in polars_schema(FLOWS).items()
            ))  # fmt: skip
            assert sink._frames.qsize() <= 1


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_disk_that_fills_on_the_way_is_one_line_and_leaves_nothing(form, tmp_path):
    code = f"""
import resource
import polars as pl
from wiretally.core.errors import EnvironmentFault
from wiretally.store.files import open_sink
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with open_sink({{"name": pl.String()}}, {form!r}, {str(tmp_path / "out")!r}) as sink:
        for tick in range(200):
            sink.write(pl.DataFrame({{"name": [str(hash((tick, row))) for row in range(5000)]}}))
except EnvironmentFault as fault:
    print(fault)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = run.stdout.splitlines()
    assert "out: cannot be written: " in line
    assert run.stderr == ""
    assert list(tmp_path.iterdir()) == []
