"""What a process cost, as the kernel says; and the yardstick that the others are measured against."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from wiretally.bench.mix import write
from wiretally.bench.pcap_loop import library, loop
from wiretally.bench.processes import machine, run

if TYPE_CHECKING:
    from pathlib import Path


def test_exit_code_output_and_time_are_the_childs(tmp_path: Path) -> None:
    done = run(
        [sys.executable, "-c", "import time; print('said'); time.sleep(0.2); raise SystemExit(3)"], tmp_path / "log"
    )
    assert done.code == 3
    assert done.seconds >= 0.2
    assert (tmp_path / "log").read_text() == "said\n"


def test_peak_is_the_childs_not_ours(tmp_path: Path) -> None:
    ballast = bytearray(200 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    small = run([sys.executable, "-I", "-S", "-c", ""], tmp_path / "log").peak
    large = run([sys.executable, "-I", "-S", "-c", "b = b'x' * (100 << 20)"], tmp_path / "log").peak
    assert small < 50
    assert 100 < large < 150


def test_machine_says_what_matters() -> None:
    assert {"processor", "cores", "memory", "python", "load at start"} <= machine().keys()


def test_libpcap_reads_what_mix_wrote(tmp_path: Path) -> None:
    if library() is None:
        pytest.skip("libpcap is not installed")
    write(tmp_path / "capture.pcap", "mix", 500)
    assert loop(str(tmp_path / "capture.pcap")) == ""
    (tmp_path / "cut.pcap").write_bytes((tmp_path / "capture.pcap").read_bytes()[:-1])
    assert "truncated" in loop(str(tmp_path / "cut.pcap"))
    assert loop(str(tmp_path / "nothing.pcap")) != ""
