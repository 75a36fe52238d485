"""A disk that forgets what it was not told to keep: what a cache inside an SD card does when the plug is pulled.

Theory: a drive may answer a write long before it is on the medium, in any order; only a flush promises anything. Here a
process of its own serves one file by FUSE, over which a loop device or a virtual machine lies. What is written goes to
the medium at once by a coin, sector by sector, else waits in the process for a flush (FUSE_FSYNC, which is what the
kernel's loop driver and QEMU make of one). SIGKILL to the process is the cut: what waits is gone, what had luck is there,
and whoever still writes gets an error.

Rules: a sector that has been read, or that a flush has passed, is never older than that. The file is as large as the
medium, always; holes and discards are refused, so that every sector is somebody's.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

from ..core.errors import EnvironmentFault

if TYPE_CHECKING:
    from pathlib import Path

SECTOR = 512
MOST = 1 << 20  # bytes of one write
HEAD = struct.Struct("<IIQQIIII")  # linux/fuse.h: fuse_in_header
ANSWER = struct.Struct("<IiQ")  # fuse_out_header
ATTRIBUTES = struct.Struct("<QII QQQQQQ III IIIIIII")  # fuse_attr_out, its fuse_attr from the second line on
INITIAL = struct.Struct("<IIIIHHIIHHI28x")  # fuse_init_out
FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, RELEASE, FSYNC, FLUSH, INIT, INTERRUPT, DESTROY, BATCH = 2, 3, 4, 14, 15, 16, 18, 20, 25, 26, 36, 38, 42
BIG_WRITES, MAX_PAGES = 1 << 5, 1 << 22  # FUSE_INIT flags
DIRECT_IO = 1  # FOPEN_DIRECT_IO: the host keeps no copy
VERSION = (7, 31)
PATIENCE = 10.0  # seconds until it is there


class Medium:
    """The sectors: those of the file, and over them those that wait."""

    def __init__(self, path: str, share: float, chance: random.Random) -> None:
        """`share` of what is written reaches the medium without a flush."""
        self.file = os.open(path, os.O_RDWR)
        self.size = os.fstat(self.file).st_size
        self.share, self.chance = share, chance
        self.waiting: dict[int, bytes] = {}

    def read(self, offset: int, length: int) -> bytes:
        """What was written last; whole sectors."""
        data = bytearray(os.pread(self.file, length, offset))
        if self.waiting:
            for at in range(0, len(data), SECTOR):
                newer = self.waiting.get((offset + at) // SECTOR)
                if newer is not None:
                    data[at : at + SECTOR] = newer
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        """Whole sectors, some of which wait."""
        for at in range(0, len(data), SECTOR):
            number, piece = (offset + at) // SECTOR, data[at : at + SECTOR]
            self.waiting.pop(number, None)
            if self.chance.random() < self.share:
                os.pwrite(self.file, piece, offset + at)
            else:
                self.waiting[number] = piece

    def flush(self) -> None:
        """Nothing waits any more."""
        for number, piece in self.waiting.items():
            os.pwrite(self.file, piece, number * SECTOR)
        self.waiting.clear()


def serve(medium: Medium, place: str) -> None:
    """Mounts the medium over the file `place` and answers the kernel until that is unmounted."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode={stat.S_IFREG:o},user_id=0,group_id=0,max_read={MOST}".encode()
    if ctypes.CDLL(None, use_errno=True).mount(b"forgetful", place.encode(), b"fuse", 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    while True:
        try:
            asked = os.read(device, MOST + 4096)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ECONNABORTED):
                return
            if error.errno in (errno.ENOENT, errno.EINTR):  # whoever asked has gone
                continue
            raise
        _, kind, unique, *_ = HEAD.unpack_from(asked)
        if kind in (FORGET, BATCH, INTERRUPT):
            continue
        number, said = answer(medium, kind, asked[HEAD.size :])
        os.write(device, ANSWER.pack(ANSWER.size + len(said), -number, unique) + said)
        if kind == DESTROY:
            return


def answer(medium: Medium, kind: int, body: bytes) -> tuple[int, bytes]:
    """An error number, or 0 and what is answered."""
    if kind == INIT:
        return 0, INITIAL.pack(*VERSION, MOST, BIG_WRITES | MAX_PAGES, 16, 12, MOST, 1, MOST // 4096, 0, 0)
    if kind in (GETATTR, SETATTR):
        return 0, ATTRIBUTES.pack(1, 0, 0, 1, medium.size, medium.size // SECTOR, 0, 0, 0, 0, 0, 0, stat.S_IFREG | 0o600, 1, 0, 0, 0, 4096, 0)
    if kind == OPEN:
        return 0, struct.pack("<QII", 1, DIRECT_IO, 0)
    if kind == READ:
        _, offset, length = struct.unpack_from("<QQI", body)
        return 0, medium.read(offset, length)
    if kind == WRITE:
        _, offset, length = struct.unpack_from("<QQI", body)
        medium.write(offset, body[40 : 40 + length])  # fuse_write_in
        return 0, struct.pack("<II", length, 0)
    if kind == FSYNC:
        medium.flush()
        return 0, b""
    return (0 if kind in (FLUSH, RELEASE, DESTROY) else errno.ENOSYS), b""


class Disk:
    """One that runs; a context manager. `path` is what a loop device or QEMU takes."""

    def __init__(self, medium: Path, share: float, seed: int) -> None:
        """Serves `medium`, a file, at `medium` + ".disk"."""
        self.path = medium.with_name(f"{medium.name}.disk")
        self.path.touch()
        before = self.path.stat().st_dev
        command = [sys.executable, "-m", __spec__.name, str(medium), str(self.path), str(share), str(seed)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        end = time.monotonic() + PATIENCE
        while self.path.stat().st_dev == before:
            if self.process.poll() is not None or time.monotonic() > end:
                self.cut()
                why = self.process.stderr.read().decode(errors="replace").split() if self.process.stderr else []
                raise EnvironmentFault(f"bench power: no disk by FUSE: {' '.join(why[-12:])}; needs root and /dev/fuse")
            time.sleep(0.01)

    def cut(self) -> None:
        """The plug is pulled."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        """The disk itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Gone, with what waits."""
        self.cut()
        subprocess.run(["umount", "-l", str(self.path)], check=False, stderr=subprocess.DEVNULL)
        if self.process.stderr:
            self.process.stderr.close()


def main(words: list[str] | None = None) -> int:
    """The disk's process."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.disk", description=__doc__.partition("\n")[0])
    parser.add_argument("medium", help="a file of whole sectors")
    parser.add_argument("place", help="the file over which it is served")
    parser.add_argument("share", type=float, help="of what is written that reaches the medium without a flush")
    parser.add_argument("seed", type=int)
    arguments = parser.parse_args(words)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever made it
    serve(Medium(arguments.medium, arguments.share, random.Random(arguments.seed)), arguments.place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
