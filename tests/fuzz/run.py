"""Seeded fuzzing: `python tests/fuzz/run.py --seconds 600 --seed 1 [--seeds FOLDER] [--workers 2]`.

Workers are processes with a limit on memory that read one case after another; the driver ends one that takes too long.
Each find is made smaller and saved in `regressions/` (`--save` elsewhere) as files that every test run replays. With
`--case N` one case is written to the current folder and read here, for a debugger.
"""

from __future__ import annotations

import argparse
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

LIMIT_SECONDS = 20.0
STARTING_SECONDS = 300.0  # a worker's first case may compile every kernel
LIMIT_BYTES = 3 << 30  # of address space beyond what the worker starts with
GROWTH_KIB = 700 << 10  # of resident memory, over all cases of a worker
CASES_PER_WORKER = 3_000
SHRINKS, SHRINKS_OF_HANGS = 200, 12  # runs spent on making one find smaller


def worker(folder: list[Path]) -> None:
    """Reads lines `case N` or `files A B…`; answers each with one line: `ok`, or what was found."""
    from fuzz import seeds, target

    seeds.crafted(), seeds.conversations()
    with tempfile.TemporaryDirectory() as scratch:
        _read_case(1, Path(scratch), folder)  # compiles, imports
        size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (size + LIMIT_BYTES,) * 2)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for line in sys.stdin:
            kind, *words = line.split()
            if kind == "case":
                found = _read_case(int(words[0]), Path(scratch), folder)
            else:
                found = target.find([Path(word) for word in words])
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            if found is None and grown > GROWTH_KIB:
                found = "memory grew"
            sys.stdout.write(("ok" if found is None else found.replace("\n", "\x1f")) + "\n")
            sys.stdout.flush()


def _read_case(number: int, scratch: Path, folder: list[Path]) -> str | None:
    from fuzz import mutate, target

    paths = []
    for index, data in enumerate(mutate.case(number, folder)):
        paths.append(scratch / f"{number}-{index}")
        paths[-1].write_bytes(data)
    found = target.find(paths)
    for path in paths:
        path.unlink()
    return found


class Worker:
    """One worker process and what it is doing."""

    def __init__(self, options: argparse.Namespace) -> None:
        command = [sys.executable, __file__, "--worker"]
        command += ["--seeds", str(options.seeds)] if options.seeds else []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.cases, self.number, self.since = 0, -1, 0.0

    def ask(self, text: str) -> None:
        assert self.process.stdin
        self.since = time.monotonic()
        self.process.stdin.write(text.encode() + b"\n")

    def answer(self, limit: float) -> str | None:
        """One line; `hang` or `crash` where none comes; None while it may still come."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        if not ready:
            return None if time.monotonic() - self.since < LIMIT_SECONDS + STARTING_SECONDS * (self.cases == 0) else "hang"
        line = self.process.stdout.readline().decode(errors="replace").strip()
        return line or f"crash: exit {self.process.wait()}"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def drive(options: argparse.Namespace) -> int:
    """Hands out cases until the time is over; the number of different finds."""
    workers = [Worker(options) for _ in range(options.workers)]
    finds: dict[str, int] = {}
    next_case, done, end = options.seed * 10_000_000, 0, time.monotonic() + options.seconds
    while time.monotonic() < end:
        for index, active in enumerate(workers):
            if active.number < 0:
                active.number, next_case = next_case, next_case + 1
                active.ask(f"case {active.number}")
            answer = active.answer(0.01 if len(workers) > 1 else 0.1)
            if answer is None:
                continue
            done += 1
            if answer != "ok":
                title = answer.partition("\x1f")[0]
                finds[title] = finds.get(title, 0) + 1
                if finds[title] == 1:
                    sys.stderr.write(f"case {active.number}: " + answer.replace("\x1f", "\n") + "\n")
                    _save(active.number, title, options)
            active.number, active.cases = -1, active.cases + 1
            if answer.startswith(("hang", "crash", "memory")) or active.cases >= CASES_PER_WORKER:
                active.end()
                workers[index] = Worker(options)
    for active in workers:
        active.end()
    sys.stderr.write(f"{done:,} cases, {len(finds)} different finds\n")
    for title, times in finds.items():
        sys.stderr.write(f"{times:>7,} x {title}\n")
    return len(finds)


def _save(number: int, title: str, options: argparse.Namespace) -> None:
    """Writes the find's files, made smaller as long as the same thing is found."""
    from fuzz import mutate

    files = mutate.case(number, _folder(options.seeds))
    with tempfile.TemporaryDirectory() as scratch:
        for index in range(len(files)):
            files[index] = _smaller(files, index, title, Path(scratch), options)
    for index, data in enumerate(files):
        name = f"case-{number}" + (f"-{index}of{len(files)}" if len(files) > 1 else "")
        (options.save / name).write_bytes(data)


def _smaller(files: list[bytes], index: int, title: str, scratch: Path, options: argparse.Namespace) -> bytes:
    """Leaves out ever smaller stretches of one file while the find stays: delta debugging."""
    active, data, tries = Worker(options), files[index], 0
    step, most = len(data) // 2, SHRINKS_OF_HANGS if title == "hang" else SHRINKS
    while step >= 1 and tries < most:
        at = 0
        while at < len(data) and tries < most:
            shorter = data[:at] + data[at + step :]
            paths = [scratch / str(i) for i in range(len(files))]
            for i, path in enumerate(paths):
                path.write_bytes(shorter if i == index else files[i])
            tries += 1
            active.ask("files " + " ".join(map(str, paths)))
            while (answer := active.answer(1.0)) is None:
                pass
            active.cases += 1
            if answer.partition("\x1f")[0] == title:
                data = shorter
            else:
                at += step
            if answer.startswith(("hang", "crash", "memory")):
                active.end()
                active = Worker(options)
        step //= 2
    active.end()
    return data


def _folder(seeds: Path | None) -> list[Path]:
    return sorted(path for path in seeds.rglob("*") if path.is_file()) if seeds else []


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1, help="cases seed*10,000,000 and following")
    parser.add_argument("--seeds", type=Path, help="a folder of captures that are mutated in half of the cases")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--save", type=Path, default=HERE / "regressions")
    parser.add_argument("--case", type=int, help="write this one case here and read it")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(_folder(options.seeds))
        return 0
    if options.case is not None:
        from fuzz import mutate, target

        paths = []
        for index, data in enumerate(mutate.case(options.case, _folder(options.seeds))):
            paths.append(Path(f"case-{options.case}-{index}"))
            paths[-1].write_bytes(data)
        sys.stdout.write(f"{[str(path) for path in paths]}: {target.find(paths) or 'ok'}\n")
        return 0
    return 1 if drive(options) else 0


if __name__ == "__main__":
    sys.exit(main())
