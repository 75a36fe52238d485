"""The plug is pulled: `wiretally live` on a disk that forgets what was not flushed, again and again.

Theory: what a machine without power leaves is what its disk had on the medium. So the service runs on ext4 on a loop
device on a `disk.Disk`, which is cut at random moments under load; then the process is killed and the file system let go
of, and nothing of either reaches the medium. With the disk back, the kernel replays the file system's journal, and what
is in it then is looked at as it is, on a copy, before the next start of the service goes on with it.

Rules: a disk is new each CUTS runs, and its first cut comes at any moment of the service's first start. What the store,
the recording and the sessions have lost is told by the interface's own count and by what had been acknowledged. A copy is
read without the store's -shm file half of the time: it may be lost too.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from shutil import which
from typing import TYPE_CHECKING, Any, NamedTuple

from ..capture.record import SUMS
from ..core.errors import EnvironmentFault
from ..store import marks
from ..store.layout import is_store
from ..store.reader import read_marks, read_store
from .disk import Disk
from .link import enter_network, size
from .mix import count
from .service import LOST_SECONDS, Live, capture, counters, missing_since, replay, totals, tried

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLONE_NEWNS = 0x20000  # linux/sched.h
CUTS = 5  # of one disk
SHARES = (0.0, 0.5, 1.0)  # of what was not flushed that is on the medium all the same
PATIENCE = 10.0  # seconds until a file system is let go of
MARK_EVERY = 0.4  # seconds between sessions
RECORD = ("--record-file-mb", "4")


class Found(NamedTuple):
    """What a cut has left: packets of the store and of each recording, sessions, and whether all of it is sound."""

    sound: bool
    packets: int
    recorded: dict[str, int]
    sessions: set[str]
    wrong: list[str]


BLANK = Found(sound=True, packets=0, recorded={}, sessions=set(), wrong=[])


@contextmanager
def plugged(medium: Path, place: Path, share: float, seed: int) -> Iterator[Disk]:
    """The disk with its file system at `place`; both are let go of, however the disk has fared."""
    with Disk(medium, share, seed) as disk:
        subprocess.run(["mount", "-o", "loop,noatime", str(disk.path), str(place)], check=True)
        try:
            yield disk
        finally:
            leave(place)


def enter_mounts() -> None:
    """Whatever is mounted from now on goes when this process and those that it has started have gone."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise EnvironmentFault("bench power: needs mounts of its own: run as root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def leave(place: Path) -> None:
    """Unmounts, as soon as nobody who has been killed holds it any more."""
    end = time.monotonic() + PATIENCE
    while subprocess.run(["umount", str(place)], check=False, stderr=subprocess.DEVNULL).returncode:
        if time.monotonic() > end:
            subprocess.run(["umount", "-l", str(place)], check=False)
            raise EnvironmentFault(f"bench power: {place} cannot be unmounted")
        time.sleep(0.05)


def blank(medium: Path, megabytes: int) -> None:
    """A new disk with an empty file system."""
    medium.unlink(missing_ok=True)
    medium.touch()
    os.truncate(medium, megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(medium)], check=True)


def look(place: Path) -> Found:
    """A store and a recording as they lie there, looked at as users do."""
    store, wrong, sessions = place / "home.db", list[str](), set[str]()
    sound, packets = True, 0
    if is_store(str(store)):
        with closing(sqlite3.connect(store)) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            laid = connection.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('capture', 'journal', 'sessions')").fetchone()[0] == 3
        if laid:
            found = read_store(str(store), ("flows", "exchanges", "capture"))
            packets = totals(found)[2]
            if len({*totals(found)}) > 1:
                wrong.append(f"flows, exchanges, account: {totals(found)}")
            sessions = {row[0] for row in read_marks(str(store))}
    elif store.exists() and store.stat().st_size:
        wrong.append("the store has no header")
    folder = place / "recorded"
    files = {path.name.removesuffix(".zst"): path for path in sorted(folder.glob("*.pcapng")) + sorted(folder.glob("*.pcapng.zst"))}
    recorded = {name: size(path)[0] if path.stat().st_size else 0 for name, path in files.items()}
    return Found(sound, packets, recorded, sessions, wrong + listed(folder))


def listed(folder: Path) -> list[str]:
    """What is wrong with a recording's list: each line a file with that digest; what is compressed stands in it or is about to."""
    sums, wrong, names = folder / SUMS, list[str](), set[str]()
    for line in sums.read_text(encoding="utf-8").splitlines(keepends=True) if sums.exists() else ():
        whole = re.fullmatch(r"([0-9a-f]{64})  (\S+)\n", line)
        if whole is None:
            wrong.append(f"{SUMS}: {line!r}")
        elif whole[2] in names:
            wrong.append(f"{whole[2]}: listed twice")
        elif not (folder / whole[2]).exists() or hashlib.sha256((folder / whole[2]).read_bytes()).hexdigest() != whole[1]:
            wrong.append(f"{whole[2]}: is not what {SUMS} says")
        if whole:
            names.add(whole[2])
    alone = {path.name for path in folder.glob("*.zst") if not path.with_suffix("").exists()}
    return wrong + [f"{name}: is in no list" for name in sorted(alone - names)]


def left(medium: Path, place: Path, copy: Path, chance: random.Random) -> Found:
    """The power is back: what is on the medium, on a copy."""
    shutil.rmtree(copy, ignore_errors=True)
    with plugged(medium, place, 1.0, 0):
        shutil.copytree(place, copy, ignore=shutil.ignore_patterns("lost+found"))
    if chance.random() < 0.5:
        (copy / "home.db-shm").unlink(missing_ok=True)
    return look(copy)


def power(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """Each run a cut; after the last of a disk the service starts and ends once more, and the file system is checked."""
    path, chance = capture(arguments, folder), random.Random(arguments.seed)
    medium, place, copy, log = folder / "medium", folder / "place", folder / "copy", folder / "log"
    place.mkdir()
    before = BLANK
    options = (*RECORD, "--record", str(place / "recorded"))
    for number in range(arguments.runs):
        early = number % CUTS == 0
        if early:
            blank(medium, arguments.megabytes)
            before = BLANK
        share, log_before = chance.choice(SHARES), log.stat().st_size if log.exists() else 0
        with plugged(medium, place, share, chance.getrandbits(32)) as disk:
            live = Live(place / "home.db", *options, log=log, wait=not early)
            came, told, killed = load(live, path, disk, chance.uniform(0.5, 4.0))
        now = left(medium, place, copy, chance)
        gained, kept = now.packets - before.packets, sum(now.recorded.values()) - sum(before.recorded.values())
        lost, unrecorded = (killed - missing_since(came, each, killed) for each in (gained, kept))
        said = log.read_text()[log_before:].splitlines()
        wrong = now.wrong + [f"no session {name}" for name in sorted((before.sessions | told) - now.sessions)]
        wrong += [f"{name}: {held} packets, before {before.recorded[name]}" for name, held in now.recorded.items()
                  if held != before.recorded.get(name, held)]  # fmt: skip
        wrong += [line for line in said if "damaged" in line or "Traceback" in line]
        yield {"run": number, "early": early, "kept_unflushed": share, "came": came[-1][1], "gained": gained, "recorded": kept,
               "lost_seconds": round(lost, 2), "unrecorded_seconds": round(unrecorded, 2), "sessions": len(told), "sound": now.sound, "wrong": wrong,
               "holds": now.sound and not wrong and 0 <= gained <= came[-1][1] and 0 <= kept <= came[-1][1]
               and (early or max(lost, unrecorded) <= LOST_SECONDS)}  # fmt: skip
        before = now
        if number % CUTS == CUTS - 1 or number == arguments.runs - 1:
            yield settled(medium, place, before, options, log)


def load(live: Live, path: Path, disk: Disk, seconds: float) -> tuple[list[tuple[float, int]], set[str], float]:
    """Packets and sessions until the cut: (when, packets that had come), sessions that were acknowledged, when it was."""
    base, told = counters(), set[str]()
    sender = subprocess.Popen(replay(path, "--pps=10000"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while counters() == base:
        time.sleep(0.01)
    began = time.monotonic()
    came, marked = [(began, counters() - base)], began
    while time.monotonic() < began + seconds:
        came.append((time.monotonic(), counters() - base))
        if time.monotonic() - marked > MARK_EVERY and is_store(str(live.store)):
            marked = time.monotonic()
            try:
                told.add(marks.start(str(live.store), "incognito", "phone"))
            except EnvironmentFault:  # not laid out yet
                continue
        time.sleep(0.01)
    disk.cut()
    killed = time.monotonic()
    for process in (live.process, sender):
        process.kill()
        process.wait()
    live.log.close()
    return came, told, killed


def settled(medium: Path, place: Path, before: Found, options: tuple[str, ...], log: Path) -> dict[str, Any]:
    """A start and an end with the power on: everything is there, in its place, and the file system is sound."""
    with plugged(medium, place, 0.0, 0):
        code = Live(place / "home.db", *options, log=log).end()
        now = look(place)
        plain = [path.name for path in (place / "recorded").glob("*") if path.suffix not in {".zst", ""}]
    checked = subprocess.run(["e2fsck", "-f", "-n", str(medium)], capture_output=True, text=True, check=False)
    same = now.packets == before.packets and all(now.recorded.get(name) == held for name, held in before.recorded.items() if held)
    return {"settled": True, "exit": code, "same": same, "plain": plain, "wrong": now.wrong, "e2fsck": checked.returncode,
            "holds": code == 0 and now.sound and same and not plain and not now.wrong and checked.returncode == 0}  # fmt: skip


def main(words: list[str] | None = None) -> int:
    """`python -m wiretally.bench.power --runs 100`; as root, with tcpreplay and e2fsprogs."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.power", description=__doc__.partition("\n")[0])
    parser.add_argument("--capture", help="what is sent (default: a generated mix)")
    parser.add_argument("--packets", type=count, default=60_000, help="size of the generated mix, such as 2M")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=512, help="of the disk")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(words)
    return tried(power, arguments, find_tools, enter_network, enter_mounts)


def find_tools() -> None:
    """Raises EnvironmentFault where a program is missing."""
    for tool, package in (("tcpreplay", "tcpreplay"), ("mkfs.ext4", "e2fsprogs")):
        if which(tool) is None:
            raise EnvironmentFault(f"bench power: needs {tool}: apt-get install {package}")


if __name__ == "__main__":
    sys.exit(main())
