"""`python -m wiretally.lab ARM --output DIR`: record one arm of the lab.

Exits 0 when the recording is complete, 1 with one line where this machine lacks something or a step failed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..core.errors import EnvironmentFault
from .agent import FLUSH_SECONDS, SHORTEST_FLUSH_SECONDS
from .cell import run_in_cell
from .needs import missing
from .plan import ARMS


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    arms = "; ".join(f"{name}: {arm.meaning}" for name, arm in ARMS.items())
    parser = argparse.ArgumentParser(
        prog="python -m wiretally.lab",
        description="Record a browser and its telemetry in network namespaces, with the servers' own byte counts.",
        epilog=f"Arms: {arms}. Example: python -m wiretally.lab leaky --sessions 6 --output recordings/leaky",
    )
    parser.add_argument("arm", choices=ARMS)
    parser.add_argument("--output", "-o", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sessions", type=int, default=6, metavar="N", help="sessions of each mode (default 6)")
    parser.add_argument("--idle", type=int, default=2, metavar="N", help="idle sessions (default 2)")
    parser.add_argument("--visits", type=int, default=3, metavar="N", help="pages per session (default 3)")
    parser.add_argument("--dwell", type=float, default=6.0, metavar="S", help="mean seconds from page to page (default 6)")
    parser.add_argument("--flush", type=float, default=FLUSH_SECONDS, metavar="S", help="telemetry timer (default 15)")
    parser.add_argument("--heartbeat", type=float, default=20.0, metavar="S", help="heartbeat period (default 20)")
    parser.add_argument("--gap", type=float, default=1.5, metavar="S", help="least seconds between sessions (default 1.5)")
    parser.add_argument("--pads", type=int, default=0, metavar="N", help="random characters in an address, at most")
    parser.add_argument("--background", type=float, default=4.0, metavar="S", help="between an idle phone's posts (default 4)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of order, pages and identity (default 1)")
    options = parser.parse_args(arguments)
    if options.flush < SHORTEST_FLUSH_SECONDS:
        parser.error(f"--flush: the format's client allows no less than {SHORTEST_FLUSH_SECONDS:g} seconds")
    if options.sessions < 1 or options.idle < 0 or options.visits < 1 or options.pads < 0 or options.background <= 0:
        parser.error("at least one session of each mode with at least one page; no negative lengths or times")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Check, enter a cell, record."""
    options = parse(arguments)
    lacks = missing(options.arm)
    if lacks:
        sys.stderr.write(f"lab: this machine lacks {', '.join(lacks)}\n")
        return 1

    def work() -> int:
        from .record import Options, record  # needs h2, which `missing` has looked for

        chosen = Options(
            arm=options.arm,
            output=options.output,
            pairs=options.sessions,
            idle=options.idle,
            visits=options.visits,
            dwell=options.dwell,
            flush=options.flush,
            heartbeat=options.heartbeat,
            gap=options.gap,
            seed=options.seed,
            pads=options.pads,
            background=options.background,
        )
        try:
            record(chosen, lambda line: print(line, file=sys.stderr, flush=True))
        except EnvironmentFault as fault:
            sys.stderr.write(f"{fault}\n")
            return 1
        return 0

    try:
        return run_in_cell(work)
    except EnvironmentFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
