"""The lab with the live service at its access point: what the store says against what its own recording says offline.

Theory: `wiretally live --record` runs in the access point's namespace while real Chromium plays sessions behind it, and
each session is marked by `wiretally session` as a person would do it. Then `compare` is asked twice: about the store, and
about the recorded packets with the sessions that `session list` gives. Both have seen the same packets, so both must say
the same: each verdict, and each number under it.

Rules: as root, with what the lab needs. Prints a line of JSON; exits 1 where anything differs, or where the verdict on
the arm's own telemetry is not the true one.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cli import pipeline
from ..core.errors import WiretallyError
from ..lab import network
from ..lab import record as recording
from ..lab.cell import run_in_cell
from ..lab.children import Child, wait_for
from ..lab.hosts import SENSORS, SHARED
from ..lab.needs import missing
from ..lab.plan import ARMS
from ..lab.player import Options, Played, Player
from .live_peers import begun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..lab.plan import Session



class Marking(Player):
    """A player beside whom the service runs, and whose sessions somebody marks."""

    def play(self, plan: Sequence[Session], say: Callable[[str], None], check: Callable[[], None]) -> Played:
        """As `Player.play`, inside the life of the service."""
        store, recorded = self.options.output / "live.db", self.options.output / "recorded"
        command = _wiretally("live", "-i", network.RADIO, "--store", str(store), "--record", str(recorded), "--quiet")
        with Child("live", network.inside(network.ACCESS_POINT, *command), self.logs) as live:
            wait_for("the service", lambda: begun(store), live)
            played = super().play(plan, say, check)
            live.check()
            live.stop(signal.SIGTERM)
        return played

    def _session(self, session: Session, agent: Child) -> str:
        store = str(self.options.output / "live.db")
        _mark("start", session.mode, "--device", self.phone.address, "--store", store)
        product = super()._session(session, agent)
        _mark("stop", "--device", self.phone.address, "--store", store)
        return product


def _wiretally(*words: str) -> list[str]:
    return [sys.executable, "-m", "wiretally.cli.main", *words]


def _mark(*words: str) -> None:
    subprocess.run(_wiretally("session", *words), check=True, capture_output=True)


def asked(store: Path, files: Sequence[Path], marks: Path) -> dict[str, Any]:
    """What both say, and whether it is the same."""
    marks.write_bytes(subprocess.run(_wiretally("session", "list", "--store", str(store)), check=True, capture_output=True).stdout)
    live, offline = pipeline.compare([store]), pipeline.compare(list(files), str(marks))
    differs = sorted(name for name in live.keys() | offline.keys() if _plain(name, live.get(name)) != _plain(name, offline.get(name)))
    return {"sessions": len(marks.read_text(encoding="utf-8").splitlines()) - 1, "files": len(files), "differs": differs,
            "live": _verdicts(live), "offline": _verdicts(offline)}  # fmt: skip


def _plain(name: str, part: Any) -> Any:  # noqa: ANN401  (a part of compare's JSON)
    """Without what names the files that were read."""
    return None if name == "capture" else part


def _verdicts(result: dict[str, Any]) -> dict[str, str]:
    return {f"{kind} {row['key']}": row["verdict"] for kind in ("destinations", "owners") for row in result.get(kind, [])}


def main(words: list[str] | None = None) -> int:
    """`python -m wiretally.bench.live_lab leaky --sessions 6`."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.live_lab", description=__doc__.partition("\n")[0])
    parser.add_argument("arm", choices=[name for name, arm in ARMS.items() if not arm.second])
    parser.add_argument("--sessions", type=int, default=6, help="of each mode")
    parser.add_argument("--idle", type=int, default=2)
    parser.add_argument("--visits", type=int, default=2)
    parser.add_argument("--dwell", type=float, default=4.0)
    parser.add_argument("--flush", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="where everything is kept (default: nowhere)")
    options = parser.parse_args(words)
    if lacks := missing(options.arm):
        sys.stderr.write(f"lab: this machine lacks {', '.join(lacks)}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="wiretally-bench-") as folder:
        output = options.output or Path(folder)
        chosen = Options(options.arm, output, options.sessions, options.idle, options.visits, options.dwell, options.flush,
                         20.0, 1.5, options.seed)  # fmt: skip

        def work() -> int:
            setattr(recording, "Player", Marking)  # noqa: B010  (in this process only, which ends with the recording)
            recording.record(chosen, lambda line: print(line, file=sys.stderr, flush=True))
            return judge(options.arm, output)

        try:
            return run_in_cell(work)
        except WiretallyError as error:
            sys.stderr.write(f"{error}\n")
            return 1


def judge(arm: str, output: Path) -> int:
    """Asks both, and says whether it is as it should be; 0 where it is."""
    found = asked(output / "live.db", sorted((output / "recorded").glob("*.pcapng*")), output / "marks.csv")
    host = SHARED if arm == "shared" else SENSORS
    true = "stops" if arm in {"honest", "swap"} else "continues"
    said = found["live"].get(f"destinations {host}")
    holds = not found["differs"] and found["live"] == found["offline"] and said == true
    print(json.dumps({"arm": arm, **found, "telemetry": host, "true": true, "said": said, "holds": holds}))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
