"""`wiretally read`: exit codes, one-line errors, streams, hostile names."""

import csv
import io
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
import wiretally
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap
from typer.testing import CliRunner
from wiretally.cli.main import app, main
from wiretally.geo.databases import KINDS

SAMPLE = str(Path(wiretally.__file__).parent / "data" / "samples" / "leaky" / "capture.pcapng.zst")
FILE_HEADER = 24  # bytes of a pcap file before its first packet
COMMAND = [sys.executable, "-m", "wiretally.cli.main", "read"]


class Shown(NamedTuple):
    """What a run left behind."""

    returncode: int
    stdout: bytes
    stderr: bytes


@pytest.fixture
def run(monkeypatch, capfdbinary):
    """The program in this process, as `wiretally read …`."""

    def run_program(*words):
        monkeypatch.setattr(sys, "argv", ["wiretally", "read", *map(str, words)])
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        return Shown(left.value.code or 0, *capfdbinary.readouterr())

    return run_program


@pytest.fixture
def capture(tmp_path):
    """A query, an answerless connection, a request with a hostile header."""
    head = Ether(src="da:a1:19:00:00:01", dst="02:00:00:00:00:02")
    request = b"GET /=1+1 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: \x1b[2Jevil\r\n\r\n"
    packets = [
        head / IP(src="192.168.4.20", dst="192.168.4.1") / UDP(sport=40000, dport=53) / DNS(id=7, qd=DNSQR(qname="a.example")),
        head / IP(src="192.168.4.20", dst="198.51.100.7") / TCP(sport=50000, dport=80, flags="S", seq=1),
        head / IP(src="192.168.4.20", dst="198.51.100.7") / TCP(sport=50000, dport=80, flags="PA", seq=2) / request,
    ]  # fmt: skip
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000 + number / 8
    path = tmp_path / "phone.pcap"
    wrpcap(str(path), packets)
    return path


def one_line(shown, *words):
    assert shown.returncode == 1
    assert shown.stdout == b""
    (line,) = shown.stderr.decode().splitlines()
    assert line.startswith("wiretally: ")
    for word in words:
        assert word in line


def test_formats_agree(run, capture, tmp_path):
    target = tmp_path / "flows.parquet"
    assert run(capture, "--format", "parquet", "-o", target).returncode == 0
    frame = pl.read_parquet(target)
    lines = [json.loads(line) for line in run(capture, "--format", "jsonl").stdout.splitlines()]
    cells = list(csv.DictReader(io.StringIO(run(capture, "--format", "csv").stdout.decode())))
    assert len(frame) == len(lines) == len(cells) == 2
    assert list(frame["flow_id"]) == [row["flow_id"] for row in lines] == [row["flow_id"] for row in cells]
    assert list(frame["up_wire_bytes"]) == [row["up_wire_bytes"] for row in lines]
    assert {row["transport"] for row in lines} == {"tcp", "udp"}
    assert frame["first_seen"].dtype == pl.Datetime("ns", "UTC")
    piped = run(capture, "--format", "parquet", "-o", "-")
    assert pl.read_parquet(io.BytesIO(piped.stdout)).equals(frame)


@pytest.mark.parametrize("table", ["flows", "exchanges", "tls", "dns", "http", "devices", "capture"])
def test_every_table_has_a_glance(run, table, capture):
    shown = run(capture, "--table", table)
    assert shown.returncode == 0
    assert shown.stderr == b""
    assert len(shown.stdout.splitlines()) >= 3


@pytest.mark.parametrize("form", ["text", "jsonl", "csv"])
def test_control_characters_of_the_network_never_reach_the_screen(run, form, capture):
    shown = run(capture, "--table", "http", "--format", form)
    assert b"evil" in shown.stdout
    assert b"\x1b" not in shown.stdout


@pytest.mark.parametrize(
    "option",
    [
        ("--local", "198.51.100.0/24"), ("--idle-gap", "0.05"), ("--flow-idle", "5"), ("--max-flows", "100"),
        ("--place", "52.52,13.40"), ("--strict",), ("--quiet",),
    ],
)  # fmt: skip
def test_every_option_reaches_its_room(run, option, capture):
    shown = run(capture, "--format", "jsonl", *option)
    assert shown.returncode == 0
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    ends = {row["local_ip"] for row in rows if row["transport"] == "tcp"}
    assert ends == ({"198.51.100.7"} if option[0] == "--local" else {"192.168.4.20"})


def test_standard_input_and_several_files(run, capture):
    piped = subprocess.run(
        [*COMMAND, "-", "--table", "capture", "--format", "jsonl"],
        input=capture.read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    (row,) = map(json.loads, piped.stdout.splitlines())
    assert (row["source"], row["packets"]) == ("-", 3)
    both = run(capture, SAMPLE, "--table", "capture", "--format", "jsonl")
    assert [json.loads(line)["source"] for line in both.stdout.splitlines()] == [str(capture), SAMPLE]


def test_a_capture_cut_short_is_read_to_its_last_whole_packet(run, capture):
    capture.write_bytes(capture.read_bytes()[:-5])
    shown = run(capture, "--table", "capture", "--format", "jsonl")
    assert shown.returncode == 0
    row = json.loads(shown.stdout)
    assert (row["packets"], row["cut_short"]) == (2, True)
    (warning,) = shown.stderr.decode().splitlines()
    assert warning.startswith("wiretally: warning: ")
    assert "phone.pcap" in warning
    assert run(capture, "-q").stderr == b""
    one_line(run(capture, "--strict"), "phone.pcap")


def test_what_cannot_be_read_is_one_line(run, tmp_path):
    one_line(run(tmp_path / "nowhere.pcap"), "nowhere.pcap")
    one_line(run(tmp_path), str(tmp_path))
    noise = tmp_path / "noise.pcap"
    noise.write_bytes(b"this is not a capture at all")
    one_line(run(noise), "noise.pcap")
    one_line(run(noise, "-o", tmp_path / "out.csv", "--format", "csv"), "noise.pcap")
    assert [path.name for path in tmp_path.iterdir()] == ["noise.pcap"]
    hostile = tmp_path / "a\nb\x1b[2J.pcap"
    one_line(run(hostile))


def test_what_cannot_be_written_is_one_line(run, capture, tmp_path):
    one_line(run(capture, "-o", tmp_path / "no" / "place.csv"), "place.csv")
    one_line(run(capture, "--country-db", tmp_path / "no.mmdb"), "no.mmdb")


def test_a_reader_that_has_had_enough_is_no_error():
    command = subprocess.Popen(
        [*COMMAND, SAMPLE, "--table", "exchanges", "--format", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    command.stdout.read(1)
    command.stdout.close()
    assert command.stderr.read() == b""
    assert command.wait() == 0


def test_an_interrupt_leaves_nothing(tmp_path, capture):
    command = subprocess.Popen(
        [*COMMAND, "-", "-o", str(tmp_path / "out.csv"), "--format", "csv"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    packets = capture.read_bytes()[FILE_HEADER:]
    command.stdin.write(capture.read_bytes() + packets * (1_000_000 // len(packets)))  # far more than a pipe holds
    command.stdin.flush()
    assert list(tmp_path.glob(".out.csv.*"))
    command.send_signal(signal.SIGINT)
    command.wait(timeout=60)
    assert command.returncode == 130
    assert b"Traceback" not in command.stderr.read()
    assert [path.name for path in tmp_path.iterdir()] == ["phone.pcap"]


def test_the_first_packets_are_told_where_they_are_asked_for(run, capture):
    done = run(capture, "--packets", 1, "--format", "jsonl", "-q")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(row["first_packets"]) for row in rows] == [1, 1]
    assert rows[1]["first_packets"][0]["direction"] == "up"
    assert rows[1]["first_packets"][0]["gap_ms"] is None
    assert json.loads(run(capture, "--format", "jsonl", "-q").stdout.splitlines()[0])["first_packets"] is None
    assert run(capture, "--packets", 65).returncode == 2


def test_databases_that_were_old_on_the_day_of_the_capture_are_said_once(run, tmp_path):
    path = tmp_path / "later.pcap"
    packets = [Ether() / IP(src="192.168.4.20", dst="198.51.100.7") / TCP(sport=50000 + at, dport=80, flags="S") for at in range(3)]
    for packet in packets:
        packet.time = datetime(2027, 6, 1, tzinfo=UTC).timestamp()
    wrpcap(str(path), packets)
    lines = run(path, "--format", "csv", "-o", tmp_path / "flows.csv").stderr.decode().splitlines()
    assert len(lines) == len(KINDS)
    assert all(line.startswith("wiretally: warning: ") and "more than six months before the capture" in line for line in lines)
    assert list(wiretally.read(path).warnings) == [line.removeprefix("wiretally: warning: ") for line in lines]
    assert run(path, "--format", "csv", "-o", tmp_path / "flows.csv", "-q").stderr == b""
    assert run(path, "--table", "exchanges", "--format", "csv", "-o", tmp_path / "x.csv").stderr == b""  # nothing was attributed
    exported = CliRunner().invoke(app, ["export", str(path), "-o", str(tmp_path / "logs")])
    assert [line for line in exported.stderr.splitlines() if "warning" in line] == lines
