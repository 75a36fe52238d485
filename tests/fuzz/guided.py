"""Coverage-guided fuzzing of one entry: `python tests/fuzz/guided.py ENTRY [--seconds 600]`; of each in turn: `all`.

Theory: libFuzzer, driven by atheris, changes inputs and keeps those that reach code not reached before; `entries.py` says
how an input is read. Kernels run as plain Python here, so that their branches count. What `run.py` cannot see from outside
is found this way; what needs whole files and compiled kernels is found that way.

Rules: an input that raises, takes longer than LIMIT_SECONDS or makes the process grow beyond LIMIT_MB ends the run and is
saved in `regressions/` under the entry's name; every test run reads it again. What was learned is kept with `--corpus`.
Needs atheris, which has wheels for x86-64 only and is therefore no dependency: `pip install atheris`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ["NUMBA_DISABLE_JIT"] = "1"

LIMIT_SECONDS, LIMIT_MB = 20, 2048
LONGEST = 1 << 13  # bytes of an input


def fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Does not return: libFuzzer ends the process, with 0 where nothing was found."""
    import atheris

    with atheris.instrument_imports(include=["wiretally"]):
        from fuzz import entries

    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(entries.ENTRIES[name].begin()):
        (corpus / f"seed-{number}").write_bytes(data)
    options = {
        "max_total_time": seconds, "timeout": LIMIT_SECONDS, "rss_limit_mb": LIMIT_MB, "max_len": LONGEST,
        "artifact_prefix": HERE / "regressions" / f"{name}-", "print_final_stats": 1,
    }  # fmt: skip
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)],
                  lambda data: entries.check(name, data))  # fmt: skip
    atheris.Fuzz()


def main() -> int:
    """The command line: each entry in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("entry", help="one of entries.ENTRIES, or all")
    parser.add_argument("--seconds", type=int, default=600, help="of each entry")
    parser.add_argument("--corpus", type=Path, help="a folder in which each entry keeps what it learned")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        fuzz(asked.entry, asked.seconds, asked.corpus)
    try:
        import atheris  # noqa: F401
    except ImportError:
        sys.exit("coverage-guided fuzzing needs atheris: pip install atheris (x86-64; elsewhere tests/fuzz/run.py is what there is)")
    from fuzz import entries

    names = list(entries.ENTRIES) if asked.entry == "all" else [asked.entry]
    if unknown := set(names) - set(entries.ENTRIES):
        sys.exit(f"{unknown.pop()}: no entry; there are {', '.join(entries.ENTRIES)}")
    found = []
    with tempfile.TemporaryDirectory(prefix="wiretally-fuzz-") as scratch:
        for name in names:
            corpus = (asked.corpus or Path(scratch)) / name
            command = [sys.executable, __file__, name, "--here", "--seconds", str(asked.seconds), "--corpus", str(corpus)]
            if subprocess.run(command, check=False).returncode:
                found.append(name)
    print(f"{len(names)} entries, {asked.seconds} s each; finds in {', '.join(found) or 'none'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
