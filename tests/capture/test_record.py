"""A recording is what was captured, in whole files that are listed; its losses are counted, a full disk ends nothing."""

import hashlib
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from crafting.packets import SECOND, START, batch, udp
from crafting.rights import small_disk
from wiretally.capture import record
from wiretally.capture.record import SUMS, Recorder
from wiretally.capture.stream import open_captures
from wiretally.core.errors import EnvironmentFault
from wiretally.core.packets import Interface

HERE = Interface("test0", 1, "test0")


def frames(count, size=400, first=0):
    return [(START + (first + n) * SECOND + n, udp(bytes([n % 256]) * size, port=30_000 + n)) for n in range(count)]


def read(paths):
    found = []
    with open_captures([str(path) for path in paths]) as stream:
        for each in stream:
            found += [(int(p["ts_ns"]), bytes(each.buffer[p["at"] : p["at"] + p["captured"]])) for p in each.packets]
        assert stream.warnings == []
        return found, [source.dropped for source in stream.sources]


def files(folder):
    return sorted(Path(folder).glob("*.pcapng.zst"))


def listed(folder):
    return dict(reversed(line.split("  ")) for line in (Path(folder) / SUMS).read_text().splitlines())


def test_files_hold_every_packet_once_and_are_listed(tmp_path):
    folder = tmp_path / "evidence"
    old = os.umask(0)
    try:
        with Recorder(str(folder), [HERE], file_bytes=20_000, comments=lambda: ["session a,10.0.0.2,normal,1,2,"]) as recorder:
            for first in range(0, 200, 20):
                recorder.take(batch(frames(20, first=first)))
    finally:
        os.umask(old)
    assert (recorder.recorded, recorder.lost) == (200, 0)
    assert len(files(folder)) == 4
    found, dropped = read(files(folder))
    assert found == [item for first in range(0, 200, 20) for item in frames(20, first=first)]
    assert dropped == [0] * 4
    assert listed(folder) == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files(folder)}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert {path.name for path in folder.iterdir()} == {SUMS, *(path.name for path in files(folder))}
    import zstandard

    assert b"session a,10.0.0.2,normal" in zstandard.ZstdDecompressor().decompressobj().decompress(files(folder)[0].read_bytes())


def test_the_oldest_go_and_leave_the_list(tmp_path):
    with Recorder(str(tmp_path), [HERE], file_bytes=10_000, most_bytes=4_000) as recorder:
        for first in range(0, 400, 20):
            noise = np.random.default_rng(first)
            recorder.take(batch([(START, udp(noise.bytes(400))) for _ in range(20)]))
    left = files(tmp_path)
    assert 1 <= len(left) < 20
    assert set(listed(tmp_path)) == {path.name for path in left}


def test_what_is_old_is_said_by_the_list_not_by_the_clock(tmp_path):
    """After a step back the newest file has the earliest name; a file that is in no list is somebody else's."""
    with Recorder(str(tmp_path), [HERE], file_bytes=1 << 20) as recorder:
        recorder.take(batch(frames(5)))
    (path,) = files(tmp_path)
    kept = path.rename(path.with_name("29990101T000000Z-000.pcapng.zst"))
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(path.name, kept.name))
    theirs = tmp_path / "19700101T000000Z-000.pcapng.zst"
    theirs.write_bytes(b"not ours")
    with Recorder(str(tmp_path), [HERE], file_bytes=1 << 20, most_bytes=1) as recorder:
        recorder.take(batch(frames(5)))
    assert theirs.exists()
    assert not kept.exists()
    assert len(listed(tmp_path)) == 1


def test_a_list_that_a_bad_card_has_spoilt_stops_nothing(tmp_path):
    (tmp_path / "SHA256SUMS").write_bytes(b"\xff\xfe spoilt\n")
    with Recorder(str(tmp_path), [HERE], file_bytes=1 << 20, most_bytes=1) as recorder:
        recorder.take(batch(frames(5)))
    (path,) = files(tmp_path)
    lines = (tmp_path / "SHA256SUMS").read_bytes().splitlines()
    assert lines[0] == b"\xff\xfe spoilt"  # not ours to lose
    assert lines[1].endswith(path.name.encode())
    assert list(tmp_path.glob("*.pcapng")) == []


def test_what_a_vanished_process_left_is_ended(tmp_path):
    first = Recorder(str(tmp_path), [HERE], file_bytes=1 << 20)
    first.take(batch(frames(5)))
    while first._waiting:
        pass
    first._finish = lambda: None  # gone without a word
    first.close()
    with Recorder(str(tmp_path), [HERE], file_bytes=1 << 20) as second:
        second.take(batch(frames(3)))
    assert list(tmp_path.glob("*.pcapng")) == []
    assert len(read(files(tmp_path))[0]) == 8
    assert len(listed(tmp_path)) == 2


def leave(folder, *, compressed, listed_too):
    """A file as a process leaves it that the power went away from between two steps."""
    with Recorder(str(folder), [HERE], file_bytes=1 << 20) as recorder:
        recorder.take(batch(frames(5)))
    (whole,) = files(folder)
    import zstandard

    whole.with_suffix("").write_bytes(zstandard.ZstdDecompressor().decompressobj().decompress(whole.read_bytes()))
    if not compressed:
        whole.unlink()
    if not listed_too:
        (folder / SUMS).unlink()


@pytest.mark.parametrize(("compressed", "listed_too"), [(False, False), (True, False), (True, True)])
def test_wherever_the_power_went_the_next_start_ends_the_file_and_lists_it_once(tmp_path, compressed, listed_too):
    leave(tmp_path, compressed=compressed, listed_too=listed_too)
    Recorder(str(tmp_path), [HERE], file_bytes=1 << 20).close()
    assert list(tmp_path.glob("*.pcapng")) == []
    assert len(read(files(tmp_path))[0]) == 5
    assert (tmp_path / SUMS).read_text().splitlines() == [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files(tmp_path)
    ]


def test_a_file_that_had_only_its_name_when_the_power_went_is_no_recording(tmp_path):
    (tmp_path / "20260101T000000Z-000.pcapng").touch()
    (tmp_path / SUMS).write_text("0" * 64 + "  20251231T")  # half a line
    with Recorder(str(tmp_path), [HERE], file_bytes=1 << 20) as recorder:
        recorder.take(batch(frames(1)))
    assert len(files(tmp_path)) == 1
    assert set(listed(tmp_path)) == {files(tmp_path)[0].name}


def test_the_medium_gets_what_came_though_nothing_follows(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "SYNC_EVERY", 0.01)
    synced, real = [], os.fsync

    def fsync(handle):
        synced.append(os.fstat(handle).st_size)
        real(handle)

    with Recorder(str(tmp_path), [HERE], file_bytes=1 << 20) as recorder:
        while recorder._queue.qsize() or recorder._waiting:
            pass
        monkeypatch.setattr(record.os, "fsync", fsync)
        recorder.take(batch(frames(3)))
        while not synced:
            pass
        (plain,) = tmp_path.glob("*.pcapng")
        assert synced[0] == plain.stat().st_size > 3 * 400


def test_a_disk_that_is_too_slow_costs_packets_of_the_recording_which_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "QUEUED_BYTES", 1000)
    said = []
    with Recorder(str(tmp_path), [HERE], file_bytes=1 << 20, warn=said.append) as recorder:
        recorder.take(batch(frames(10)))
        recorder.take(batch(frames(10)))
        recorder.take(batch(frames(1)))
    assert (recorder.recorded, recorder.lost) == (1, 20)
    assert len(said) == 1
    assert read(files(tmp_path))[1] == [20]


def test_a_full_disk_is_said_counted_and_survived(tmp_path):
    with small_disk(tmp_path, "512k"):
        said = []
        with Recorder(str(tmp_path), [HERE], file_bytes=1 << 30, warn=said.append) as recorder:
            for first in range(0, 3000, 100):
                recorder.take(batch(frames(100, first=first)))
                while recorder._waiting:
                    pass
            assert recorder.lost > 0
            assert recorder.recorded + recorder.lost == 3000
        assert any("cannot be recorded into: No space left" in line for line in said)
        whole = sum(len(read([path])[0]) for path in tmp_path.glob("*.pcapng*"))
        assert whole == recorder.recorded


def test_a_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be recorded into"):
        Recorder(str(tmp_path / "file"), [HERE], file_bytes=1)
