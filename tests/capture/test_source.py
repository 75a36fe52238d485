"""Every compression opens, also inside another; what cannot be opened is one line."""

import bz2
import gzip
import io
import lzma
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from wiretally.capture.source import WRAPPINGS, Counted, Source
from wiretally.core.errors import CaptureError

COMPRESSIONS = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
}
CONTENT = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + bytes(range(256)) * 64


def read_all(source):
    into = bytearray(7001)
    found = b""
    while size := source.readinto(memoryview(into)):
        found += into[:size]
    source.close()
    return found


def write(folder, content):
    path = folder / "capture"
    path.write_bytes(content)
    return str(path)


def test_every_wrapping_has_its_test():
    assert len(COMPRESSIONS) == len(WRAPPINGS)
    for magic, _ in WRAPPINGS:
        assert any(compress(CONTENT).startswith(magic) for compress in COMPRESSIONS.values())


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_compressed_file_is_read(tmp_path, name):
    source = Source(write(tmp_path, COMPRESSIONS[name](CONTENT)))
    assert read_all(source) == CONTENT
    assert source.damaged is None


@pytest.mark.parametrize("outer", COMPRESSIONS)
@pytest.mark.parametrize("inner", COMPRESSIONS)
def test_a_compressed_file_in_a_compressed_file_is_read(tmp_path, outer, inner):
    assert read_all(Source(write(tmp_path, COMPRESSIONS[outer](COMPRESSIONS[inner](CONTENT))))) == CONTENT


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2", "zstd"])
def test_two_frames_behind_each_other_are_one_file(tmp_path, name):
    half = len(CONTENT) // 2
    parts = COMPRESSIONS[name](CONTENT[:half]) + COMPRESSIONS[name](CONTENT[half:])
    assert read_all(Source(write(tmp_path, parts))) == CONTENT


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_cut_file_gives_what_came_before_the_cut(tmp_path, name):
    whole = COMPRESSIONS[name](CONTENT)
    source = Source(write(tmp_path, whole[: len(whole) - 9]))
    assert CONTENT.startswith(read_all(source))


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_damaged_file_ends_and_says_so(tmp_path, name):
    whole = bytearray(COMPRESSIONS[name](CONTENT))
    whole[len(whole) // 2 : len(whole) // 2 + 8] = b"\xff" * 8
    source = Source(write(tmp_path, bytes(whole)))
    found = read_all(source)
    assert source.damaged is not None or found != CONTENT
    assert read_all_again(source) == 0


def read_all_again(source):
    """A damaged stream is never asked again: 0 bytes, and no error."""
    return source.readinto(memoryview(bytearray(10))) if source.damaged else 0


@pytest.mark.parametrize(
    ("name", "words"), [("absent", "no such file"), (".", "is a directory"), ("a\x00b", "cannot be opened")]
)
def test_what_cannot_be_opened_is_one_line(tmp_path, name, words):
    with pytest.raises(CaptureError, match=words) as raised:
        Source(f"{tmp_path}/{name}")
    assert "\n" not in str(raised.value)
    assert "\x00" not in str(raised.value)


def test_an_address_is_opened(tmp_path):
    path = write(tmp_path, gzip.compress(CONTENT))
    assert read_all(Source(f"file://{path}")) == CONTENT
    with pytest.raises(CaptureError, match="cannot be opened"):
        Source(f"file://{tmp_path}/absent")
    with pytest.raises(CaptureError, match="cannot be opened"):
        Source("nonsense://somewhere")


@given(
    content=st.binary(max_size=200),
    reads=st.lists(st.tuples(st.booleans(), st.integers(1, 20)), max_size=30),
    at_once=st.integers(1, 9),
)
def test_looking_takes_nothing(content, reads, at_once):
    class Slow(io.BytesIO):
        """As a pipe: fewer bytes at a time than asked for."""

        def readinto(self, into):
            return super().readinto(memoryview(into)[:at_once])

        def read(self, size=-1):
            return super().read(min(size, at_once))

    counted, at = Counted(Slow(content)), 0
    for looks, size in reads:
        if looks:
            assert counted.look(size) == content[at : at + size]
        else:
            got = counted.read(size)
            assert content[at:].startswith(got)
            assert got or at == len(content)
            at += len(got)
        assert counted.count == at


def test_a_named_pipe_is_read(tmp_path):
    pipe = tmp_path / "capture"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(CONTENT,))
    writer.start()
    assert read_all(Source(str(pipe))) == CONTENT
    writer.join()


def test_an_interrupt_ends_a_read_that_the_kernel_would_go_on_with():
    code = (
        "import os, signal, sys\nfrom wiretally.capture.source import Source\nsignal.signal(signal.SIGINT, lambda *_: sys.exit(130))\n"
        "signal.siginterrupt(signal.SIGINT, False)\nprint('waits', flush=True)\nSource('-')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"waits\n"
        time.sleep(0.1)  # so that it most often is in the read
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
