"""What keeps memory small: the service's, which shares a small machine for months, and that of reading a large capture.

Theory: three things are resident that nothing needs. The C library keeps what was freed in as many heaps as there are
threads, and after the first large array no longer gives large ones back (mallopt(3): the threshold moves); Polars'
allocator keeps it for a time of its own. Pages of 2 MB fill a sparse table with air. And code that only the start ran
(LLVM's, when kernels are linked) stays until others need the room.

Rules: `prepare` comes before the libraries are loaded; its settings cost time, which the service has. Where the system is
another one nothing is done: it only costs room.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
LARGE = 1 << 18  # bytes: larger pieces go back to the system when they are freed
KEPT = 1 << 20  # bytes of free memory at the end of the heap that are kept
MADV_DONTNEED = 4  # asm-generic/mman-common.h
ONE_THREAD = {"POLARS_MAX_THREADS": "1"}  # rows come a few thousand at a time: more threads only wait in turns (sched_yield)
SETTINGS = ONE_THREAD | {
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "_RJEM_MALLOC_CONF": "narenas:1,dirty_decay_ms:2000,muzzy_decay_ms:0",  # jemalloc(3), as Polars is built with it
}
OWN = "Anonymous:", "Swap:"  # kB of pages of its own, in memory and out of it
MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-[x-][ps] \S+ \S+ [1-9]\d* +/\S")  # of a file, not to be written


def prepare() -> None:
    """Settings of the allocators; those that the user has made stay."""
    for setting, word in SETTINGS.items():
        os.environ.setdefault(setting, word)
    if set_option := _library("mallopt"):
        for option, value in ((M_ARENA_MAX, 2), (M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, KEPT)):
            set_option(option, value)


def one_thread() -> None:
    """Frames are made by one thread, beside the one that takes packets."""
    for setting, word in ONE_THREAD.items():
        os.environ.setdefault(setting, word)


def give_back() -> None:
    """What was freed goes back to the system, and so does code that has run since but may never again."""
    if trim := _library("malloc_trim"):
        trim(0)
    let_go_of_code()


_known: dict[str, bool] = {}  # mappings as they were last looked through


def let_go_of_code() -> None:
    """Code and constants of libraries, and databases, leave memory; what is needed again comes back from the files, page by page."""
    advise = _library("madvise")
    if advise is None or sys.platform != "linux":
        return
    now = [line for line in _told("maps").splitlines() if MAPPING.match(line)]
    if not _known.keys() >= set(now):  # what was there before cannot have been written since
        _known.clear()
        _known.update(unwritten(_told("smaps")))
    for head in (MAPPING.match(line) for line in now if _known.get(line)):
        if head is not None:
            start, end = int(head[1], 16), int(head[2], 16)
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED)


def _told(name: str) -> str:
    return Path("/proc/self", name).read_text(encoding="utf-8", errors="replace")


def unwritten(smaps: str) -> dict[str, bool]:
    """Mappings of files by their lines in proc_pid_maps(5): whether this process cannot have a page of its own in them.

    Those that a linker has written addresses into are not among those that can go: the addresses would be lost, also where
    nobody has needed them for so long that they are in the swap space.
    """
    found: dict[str, bool] = {}
    mapping = None
    for line in smaps.splitlines():
        if MAPPING.match(line):
            mapping = line
            found[mapping] = True
        elif line[:1].islower() or line[:1].isdigit():  # another mapping: fields begin with a capital
            mapping = None
        elif mapping is not None and line.startswith(OWN):
            found[mapping] &= line.split()[1] == "0"
    return found


def _library(name: str) -> Callable[..., int] | None:
    """A function of the C library that is in use, if that has it."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):
        return None
