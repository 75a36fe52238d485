import ctypes
import os
import subprocess
import sys

import pytest
from wiretally.cli import memory

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is resident")
SMAPS = """\
7f0000000000-7f0000100000 r-xp 00001000 fe:00 101 /usr/lib/libclean.so
Rss:                1000 kB
Anonymous:             0 kB
7f0000200000-7f0000300000 r--p 00002000 fe:00 101 /usr/lib/libclean.so
Rss:                 900 kB
Anonymous:             0 kB
7f0000400000-7f0000500000 r--p 00003000 fe:00 101 /usr/lib/librelocated.so
Rss:                 800 kB
Anonymous:            16 kB
Swap:                  0 kB
7f0000500000-7f0000580000 r--p 00004000 fe:00 101 /usr/lib/libasleep.so
Rss:                   0 kB
Anonymous:             0 kB
Swap:                 12 kB
7f0000600000-7f0000700000 rw-p 00004000 fe:00 101 /usr/lib/libclean.so
Anonymous:             0 kB
7f0000800000-7f0000900000 r--s 00000000 fe:00 102 /home/a database
Anonymous:             0 kB
7f0000a00000-7f0000b00000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
7f0000c00000-7f0000d00000 r--p 00000000 00:00 0
Anonymous:             0 kB
"""


def test_only_what_comes_back_from_a_file_as_it_was_is_let_go():
    assert memory.unwritten(SMAPS) == {
        "7f0000000000-7f0000100000 r-xp 00001000 fe:00 101 /usr/lib/libclean.so": True,
        "7f0000200000-7f0000300000 r--p 00002000 fe:00 101 /usr/lib/libclean.so": True,
        "7f0000400000-7f0000500000 r--p 00003000 fe:00 101 /usr/lib/librelocated.so": False,
        "7f0000800000-7f0000900000 r--s 00000000 fe:00 102 /home/a database": True,
        "7f0000500000-7f0000580000 r--p 00004000 fe:00 101 /usr/lib/libasleep.so": False,
    }


@LINUX
def test_mappings_are_looked_through_again_when_there_are_others(monkeypatch):
    told, advised = [], []
    lines = [line for line in SMAPS.splitlines() if line.startswith("7f")]
    said = {"maps": "\n".join(lines[:2]), "smaps": SMAPS}
    monkeypatch.setattr(memory, "_known", {})
    monkeypatch.setattr(memory, "_told", lambda name: told.append(name) or said[name])
    monkeypatch.setattr(memory, "_library", lambda _: lambda start, size, advice: advised.append((start.value, size.value, advice)))
    memory.let_go_of_code()
    memory.let_go_of_code()
    assert told == ["maps", "smaps", "maps"]
    assert advised == 2 * [(0x7F0000000000, 0x100000, 4), (0x7F0000200000, 0x100000, 4)]
    said["maps"] = lines[0].replace("r-xp", "r--p")  # now another
    said["smaps"] = said["maps"] + "\nAnonymous:             4 kB\n"
    memory.let_go_of_code()
    assert told == ["maps", "smaps", "maps", "maps", "smaps"]
    assert len(advised) == 4


def in_a_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@LINUX
def test_code_that_is_let_go_runs_again():
    resident = "int(__import__('re').search(r'RssFile:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    said = in_a_process(f"""
import polars as pl
from wiretally.cli import memory
work = lambda: pl.DataFrame({{"a": [3, 1, 2]}}).sort("a")["a"].to_list()
first, before = work(), {resident}
memory.let_go_of_code()
after = {resident}
assert work() == first == [1, 2, 3]
print(before, after)
""")
    before, after = map(int, said.split())
    assert after < before / 2


def test_settings_of_the_user_stay(monkeypatch):
    for name in memory.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLARS_MAX_THREADS", "3")
    monkeypatch.setattr(memory, "_library", lambda name: None)  # this process keeps its allocator
    memory.prepare()
    assert os.environ["POLARS_MAX_THREADS"] == "3"
    assert os.environ["NUMPY_MADVISE_HUGEPAGE"] == "0"


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt") if sys.platform != "win32" else True, reason="not glibc")
def test_what_is_freed_goes_back():
    said = in_a_process(r"""
from wiretally.cli import memory
memory.prepare()
import re
import numpy as np
resident = lambda: int(re.search(r"RssAnon:\s+(\d+)", open("/proc/self/status").read())[1])
np.ones(6_000_000)  # freed at once; glibc's own threshold would move beyond it
before = resident()
many = [np.ones(100_000) for _ in range(50)]
del many
print(before, resident())
""")
    before, after = map(int, said.split())
    assert after - before < 4_000


def test_libraries_read_the_settings_only_when_they_are_loaded():
    """So nothing that the program imports before `live` runs may load them."""
    loaded = in_a_process("import sys, wiretally.cli.main; print(*sys.modules)").split()
    assert not {"numpy", "polars"} & set(loaded)
