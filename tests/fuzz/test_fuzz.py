"""A short stretch of the fuzzing in every test run, and every find that it ever made."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from random import Random

import polars as pl
import pytest
from fuzz import containers, entries, mutate, seeds, target
from wiretally.cli import pipeline
from wiretally.core.errors import CaptureError

REGRESSIONS = defaultdict(list)
for saved in sorted((Path(__file__).parent / "regressions").glob("case-*")):
    REGRESSIONS[saved.name.split("-")[1]].append(saved)
CASES, PER_TEST = 320, 40
INPUTS = 24  # of each entry


@pytest.mark.parametrize("first", range(0, CASES, PER_TEST))
def test_any_file_gives_counters_or_one_line(first: int, tmp_path: Path) -> None:
    for number in range(first, first + PER_TEST):
        paths = []
        for index, data in enumerate(mutate.case(number)):
            paths.append(tmp_path / f"{number}-{index}")
            paths[-1].write_bytes(data)
        found = target.find(paths)
        assert found is None, f"python tests/fuzz/run.py --case {number}\n{found}"


@pytest.mark.parametrize("number", REGRESSIONS)
def test_finds_stay_fixed(number: str) -> None:
    assert target.find(REGRESSIONS[number]) is None


@pytest.mark.parametrize("name", entries.ENTRIES)
def test_every_entry_takes_any_bytes(name: str) -> None:
    begin, rng = entries.ENTRIES[name].begin(), Random(name)
    assert begin
    for data in rng.sample(begin, min(len(begin), INPUTS // 2)):
        entries.check(name, data)
    for _ in range(INPUTS // 2):
        entries.check(name, mutate.damage(rng.choice(begin), rng, rng.choice((1, 2, 4))))


def test_guided_finds_stay_fixed() -> None:
    for name in entries.ENTRIES:
        for saved in (Path(__file__).parent / "regressions").glob(f"{name}-*-*"):
            entries.check(name, saved.read_bytes())


def test_the_guided_fuzzer_runs(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="coverage-guided fuzzing needs atheris, which has wheels for x86-64 only")
    command = [sys.executable, Path(__file__).with_name("guided.py"), "rdata", "--seconds", "1", "--corpus", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(tmp_path.rglob("*"))) > len(entries.ENTRIES["rdata"].begin())


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (IndexError("past the end"), "IndexError at test_fuzz.py:check"),
        (MemoryError(), "out of memory"),
        (CaptureError("two\nlines"), "an error of more than one line"),
        (CaptureError("a.pcap: not a capture: give it another file"), None),
    ],
)
def test_what_counts_as_a_find(error: Exception, title: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_: list[Path]) -> None:
        raise error

    monkeypatch.setattr(target, "check", check)
    assert (target.find([]) or "").partition("\n")[0] == (title or "")


def test_a_case_is_its_number() -> None:
    assert [mutate.case(number) for number in range(20)] == [mutate.case(number) for number in range(20)]


def read(path: Path, table: str) -> pl.DataFrame:
    """One table, without places and owners: those are not fuzzed."""
    return pl.concat(frame for _, frame in pipeline.frames(path, (table,)))


def test_undamaged_conversations_are_read_whole(tmp_path: Path) -> None:
    """Without this the fuzzing could go on and on about files that die at their first bytes."""
    for unit in (1, 1_000):
        for order in "<>":
            frames = [
                containers.Frame(1, mutate.START + i * 10**6, data, len(data))
                for i, data in enumerate(seeds.conversations())
            ]
            path = tmp_path / "whole.pcap"
            path.write_bytes(containers.pcap(frames, order, unit))
            assert read(path, "capture")["counted"].sum() == len(frames)
            assert sorted(read(path, "tls").filter(transport="tcp")["sni"]) == sorted(seeds.tls_names())


@pytest.mark.parametrize("linktype", sorted(seeds.LINKS - {228, 229}))
def test_every_link_layer_is_built_right(linktype: int, tmp_path: Path) -> None:
    data = [wrapped for frame in seeds.conversations()[:200] if (wrapped := seeds.rewrap(frame, linktype))]
    frames = [containers.Frame(linktype, mutate.START + i * 10**6, frame, len(frame)) for i, frame in enumerate(data)]
    (tmp_path / "a.pcap").write_bytes(containers.pcap(frames, "<", 1_000))
    (tmp_path / "b.pcapng").write_bytes(containers.pcapng(frames, ">", Random(1)))
    for name in ("a.pcap", "b.pcapng"):
        table = read(tmp_path / name, "capture")
        assert table["packets"].sum() == len(frames)
        assert table["malformed"].sum() == 0
