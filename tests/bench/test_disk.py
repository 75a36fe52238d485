"""A disk that forgets has what was flushed, what the coin let through, and always reads what was written last."""

import os
import random
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.bench import disk
from wiretally.bench.disk import SECTOR, Disk, Medium, answer

SECTORS = 16
WRITE_HEAD = struct.Struct("<QQIIQII")  # linux/fuse.h: fuse_write_in


def medium(folder, share, seed=1):
    path = folder / "medium"
    path.write_bytes(bytes(SECTORS * SECTOR))
    return Medium(str(path), share, random.Random(seed))


def on_it(folder):
    return (folder / "medium").read_bytes()


writes = st.tuples(st.integers(0, SECTORS - 1), st.integers(1, 255), st.integers(1, 4))


@given(st.lists(st.one_of(writes, st.none()), max_size=20), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 9))
def test_reads_are_as_of_an_honest_disk_and_a_cut_leaves_each_sector_as_flushed_or_as_written_since(tmp_path_factory, doings, share, seed):
    folder = tmp_path_factory.mktemp("disk")
    forgetful, honest = medium(folder, share, seed), bytearray(SECTORS * SECTOR)
    since = {n: {bytes(SECTOR)} for n in range(SECTORS)}  # what each sector may be after a cut
    for doing in doings:
        if doing is None:
            forgetful.flush()
            since = {n: {bytes(honest[n * SECTOR : (n + 1) * SECTOR])} for n in range(SECTORS)}
            continue
        first, value, many = doing
        many = min(many, SECTORS - first)
        honest[first * SECTOR : (first + many) * SECTOR] = bytes([value]) * many * SECTOR
        forgetful.write(first * SECTOR, bytes([value]) * many * SECTOR)
        for n in range(first, first + many):
            since[n].add(bytes([value]) * SECTOR)
        assert forgetful.read(0, SECTORS * SECTOR) == bytes(honest)
    left = on_it(folder)
    assert all(left[n * SECTOR : (n + 1) * SECTOR] in since[n] for n in range(SECTORS))
    if share == 1.0:
        assert left == bytes(honest)
    os.close(forgetful.file)


def test_nothing_is_on_the_medium_before_the_flush_that_the_kernel_asks_for(tmp_path):
    held = medium(tmp_path, 0.0)
    data = b"\x07" * SECTOR
    assert answer(held, disk.WRITE, WRITE_HEAD.pack(1, SECTOR, SECTOR, 0, 0, 0, 0) + data) == (0, struct.pack("<II", SECTOR, 0))
    assert answer(held, disk.READ, struct.pack("<QQIIQII", 1, SECTOR, SECTOR, 0, 0, 0, 0)) == (0, data)
    assert on_it(tmp_path) == bytes(SECTORS * SECTOR)
    assert answer(held, disk.FSYNC, b"") == (0, b"")
    assert on_it(tmp_path)[SECTOR : 2 * SECTOR] == data


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and FUSE")
def test_a_cut_costs_what_was_not_flushed_and_nothing_else(tmp_path):
    path = tmp_path / "medium"
    path.write_bytes(bytes(SECTORS * SECTOR))
    with Disk(path, 0.0, 1) as served:
        handle = os.open(served.path, os.O_RDWR)
        os.pwrite(handle, b"k" * SECTOR, 0)
        os.fsync(handle)
        os.pwrite(handle, b"l" * SECTOR, SECTOR)
        assert os.pread(handle, 2 * SECTOR, 0) == b"k" * SECTOR + b"l" * SECTOR
        served.cut()
        for error_of in (lambda: os.pwrite(handle, b"n" * SECTOR, 0), lambda: os.close(handle)):
            with pytest.raises(OSError, match=r"not connected|Input/output"):
                error_of()
    assert on_it(tmp_path) == b"k" * SECTOR + bytes((SECTORS - 1) * SECTOR)
    assert subprocess.run(["mountpoint", "-q", str(served.path)], check=False).returncode
