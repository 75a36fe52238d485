"""The generated captures say what they claim: tshark finds every name, and nothing malformed."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from wiretally.bench.mix import generate

if TYPE_CHECKING:
    from pathlib import Path

    from wiretally.bench.flows import Truth

FIELDS = ("tls.handshake.extensions_server_name", "quic.version", "_ws.malformed", "dns.qry.name", "dns.flags.response")
CHECKS = ("ip.check_checksum:TRUE", "tcp.reassemble_out_of_order:TRUE")


def tshark(path: Path) -> list[list[str]]:
    """One list of FIELDS per packet."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: no oracle for the generated captures")
    command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
    for check in CHECKS:
        command += ["-o", check]
    for name in (*FIELDS, "ip.checksum.status"):
        command += ["-e", name]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in output.splitlines()]


@pytest.mark.parametrize("kind", ["mix", "short"])
def test_tshark_finds_every_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    with path.open("wb") as out:
        truth = generate(out, kind, 6_000, seed=3, keep_names=True)
    rows = tshark(path)
    assert len(rows) == truth.packets
    assert not [row for row in rows if row[2]]
    assert not [row for row in rows if row[5] == "0"]
    assert Counter(row[0] for row in rows if row[0] and not row[1]) == Counter(truth.tls_names)
    assert Counter(row[0] for row in rows if row[0] and row[1]) == Counter(truth.quic_names)
    assert Counter(row[3] for row in rows if row[3] and row[4] == "0") == Counter(truth.dns_names)
    assert truth.split_hellos > (truth.tls_flows + truth.quic_flows) // 4


def write(kind: str, seed: int) -> tuple[bytes, Truth]:
    """A small capture in memory."""
    out = io.BytesIO()
    truth = generate(out, kind, 2_000, seed=seed)
    return out.getvalue(), truth


@pytest.mark.parametrize("kind", ["mix", "short", "small64"])
def test_same_seed_same_bytes(kind: str) -> None:
    assert write(kind, 5) == write(kind, 5)
    assert write(kind, 5)[0] != write(kind, 6)[0]


def test_packets_are_in_time_order_and_sized_as_told() -> None:
    data, truth = write("mix", 1)
    at, previous, packets, total = 24, 0, 0, 0
    while at < len(data):
        seconds, micros, captured, wire = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4, 8, 12))
        assert captured == wire
        assert seconds * 10**6 + micros >= previous
        previous, packets, total, at = seconds * 10**6 + micros, packets + 1, total + wire, at + 16 + captured
    assert (packets, total) == (truth.packets, truth.frame_bytes)


def test_small_frames_are_64_bytes() -> None:
    data, truth = write("small64", 1)
    assert len(data) == 24 + 2_000 * (16 + 64)
    assert truth.packets == 2_000
