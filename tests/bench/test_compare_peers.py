"""The comparison runs what is there, says what is not, and pairs each run with the loop of its repetition."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner
from wiretally.bench import compare_peers
from wiretally.bench.compare_peers import Line, _fill, measure, verdicts
from wiretally.bench.pcap_loop import library
from wiretally.bench.peers import Peer
from wiretally.bench.processes import Run
from wiretally.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path


def test_ratios_are_medians_of_pairs() -> None:
    line = Line("tool", "")
    _fill(line, [Run(2, 1, 10, 0), Run(40, 1, 30, 0), Run(9, 1, 20, 0)], [1.0, 10.0, 3.0], packets=900)
    assert line.times_loop == 3.0
    assert (line.seconds, line.fastest, line.slowest, line.peak_mib) == (9, 2, 40, 30)
    assert line.packets_per_second == 100


def test_missing_and_failing_tools_are_told(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(b"")
    tools = [
        Peer("libpcap", "", lambda *_: ["true"]),
        Peer("absent", "", lambda *_: ["true"], missing="not installed"),
        Peer("slow", "", lambda *_: ["true"], limit=5),
        Peer("broken", "", lambda *_: ["sh", "-c", "echo went wrong; exit 4"]),
        Peer(
            "counting",
            "",
            lambda _, output: ["cp", "/dev/null", str(output)],
            named=lambda output: 7 + output.stat().st_size,
        ),
    ]
    said: list[str] = []
    lines = {line.tool: line for line in measure(path, {"packets": 10}, tools, 2, said.append)}
    assert lines["absent"].note == "not installed"
    assert "minutes" in lines["slow"].note
    assert lines["broken"].note == "exit 4: went wrong"
    assert lines["counting"].named == 7
    assert lines["counting"].times_loop
    assert said == [f"capture: {name} of 2" for name in ("libpcap, 1", "broken, 1", "counting, 1", "libpcap, 2", "counting, 2")]


def test_figures_compare_like_with_like() -> None:
    mix = [Line("libpcap, empty loop", "", seconds=1.0, times_loop=1.0), Line("NFStream 6", "", seconds=20.0)]
    mix += [
        Line("ndpiReader 4", "", seconds=8.0, note="exit 1"),
        Line("wiretally read", "", seconds=2.0, times_loop=2.0, peak_mib=200),
    ]
    figures = verdicts(mix, [Line("wiretally read", "", peak_mib=190)], 0.5)
    assert figures["times NFStream on the mix"] == 10
    assert "times ndpiReader on the mix" not in figures
    assert figures["peak on the mix against a fifth of it"] == pytest.approx(200 / 190)
    assert figures.keys() <= compare_peers.AIMS.keys()


def test_the_whole_of_it_with_the_loop_alone(tmp_path: Path) -> None:
    if library() is None:
        pytest.skip("libpcap is not installed")
    words = ["bench", "peers", "--packets", "2k", "--repeat", "1", "--only", "read in", "--work", str(tmp_path)]
    text = CliRunner().invoke(app, words)
    assert (text.exit_code, text.stderr) == (0, "")
    assert "not measured: times NFStream" in text.stdout
    assert text.stdout.count("page cache: warm") == 5
    figures = tmp_path / "figures.json"
    told = CliRunner().invoke(app, [*words, "--format", "json", "--output", str(figures), "--quiet"])
    assert (told.exit_code, told.output) == (0, "")
    result = json.loads(figures.read_text())
    assert result == json.loads((tmp_path / "bench.json").read_text())
    assert set(result["works"]) == {"mix", "fifth", "short", "small64", "start"}
    assert [line["tool"] for line in result["works"]["mix"]["lines"]] == ["libpcap, empty loop", "read in 1 MiB blocks"]
