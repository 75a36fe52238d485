"""The comparison of kernels and batches: it agrees on what is there, and would say so if it did not."""

import struct
import tarfile
from pathlib import Path

import pytest
import wiretally
from crafting.packets import Connection, client_hello, udp
from wiretally.bench import agree

CORPUS = Path(wiretally.__file__).resolve().parent.parent / "shared" / "corpus" / "captures.tar.xz"


@pytest.fixture
def folder(tmp_path):
    """Two captures, one of them cut short, and something that is none."""
    call = Connection().open().send(client_hello()).send(b"\x17\x03\x03\x00\x20" + bytes(32), up=False).close()
    items = [*call.items, (call.now + 5, udp(b"x" * 30, remote_port=9_999))]
    octets = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, 1)
    for at, frame in items:
        octets += struct.pack("<IIII", at // 10**9, at % 10**9, len(frame), len(frame)) + frame
    (tmp_path / "whole.pcap").write_bytes(octets)
    (tmp_path / "short.pcap").write_bytes(octets[:-7])
    (tmp_path / "none.pcap").write_bytes(b"no capture at all")
    return tmp_path, len(items)


@pytest.mark.slow
def test_all_three_say_the_same(folder, capsys):
    place, count = folder
    assert agree.main([str(place), "--packets", "9"]) == 0
    assert f"3 captures, {9 + min(9, count - 1)} packets: 0 told differently" in capsys.readouterr().out


def test_a_difference_is_told(monkeypatch, tmp_path):
    class Stub:
        def __init__(self, _most, *, compiled, cut):
            self.flows, self.process = "a" if compiled and not cut else "b" if cut else "a", self
            self.stdin = self

        def ask(self, path):
            assert path == tmp_path

        def told(self):
            return {"packets": 5, "flows": self.flows, "dns": "c"}

        def close(self):
            pass

        wait = close

    monkeypatch.setattr(agree, "Worker", Stub)
    assert agree.compared([tmp_path], 5) == (5, [f"{tmp_path}: in batches: flows"])


def test_a_digest_depends_on_each_cell_and_not_on_the_order():
    import polars as pl

    frame = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "y"]})
    assert agree._digest(frame) == agree._digest(frame.reverse())
    assert agree._digest(frame) != agree._digest(frame.with_columns(a=pl.col("a") + 1))


@pytest.mark.slow
def test_a_part_of_the_corpus(tmp_path):
    if not CORPUS.exists():
        pytest.skip(f"no corpus at {CORPUS}")
    with tarfile.open(CORPUS) as tar:
        for number, member in enumerate(tar):
            if member.isfile() and number % 40 == 0 and member.size < 100_000:
                tar.extract(member, tmp_path, filter="data")
    assert agree.main([str(tmp_path), "--packets", "60"]) == 0
