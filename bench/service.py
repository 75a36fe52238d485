"""The live service under what a months-long run meets: a flood, kills, a long reader, a full disk, an interface that goes.

Theory: each trial runs `wiretally live` as a process in a network namespace of its own, sends real frames at it, and then
compares what the store says with what was sent or with what `wiretally read` says of the same file. Trials print a line
per run and exit 1 where something does not hold, so they can be run again by anybody: `python -m wiretally.bench.service`.

Rules: totals are compared for every column that the clock does not move. What was stored is read as users read it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.errors import WiretallyError
from ..core.schema import COUNTERS
from ..store.reader import read_store
from .link import MTU, SENDER, TAP, enter_network
from .live_peers import begun, peak, used, written
from .mix import count, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..cli.observations import Observations

KEY = ["local_ip", "local_port", "remote_ip", "remote_port", "transport"]
NAMES = [column.name for column in COUNTERS]
PATIENCE = 600.0  # seconds: the first start compiles
LOST_SECONDS = 1.5  # that a kill may cost


class Live:
    """`wiretally live` on TAP."""

    def __init__(self, store: Path, *options: str, log: Path | None = None, wait: bool = True) -> None:
        """Begins, and waits for its first moment unless told not to."""
        self.store, said = store, log or store.with_suffix(".log")
        self.before = self._minutes()
        self.log = said.open("a+")
        command = [sys.executable, "-m", "wiretally.cli.main", "live", "-i", TAP, "--store", str(store), *options]
        self.process = subprocess.Popen(command, stderr=self.log)
        end = time.monotonic() + PATIENCE
        while wait and (not begun(store) or self._minutes() <= self.before):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"did not start: {said.read_text()}")
            time.sleep(0.05)

    def _minutes(self) -> int:
        try:
            with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
                return int(connection.execute("SELECT count(*) FROM capture").fetchone()[0])
        except sqlite3.OperationalError:
            return 0

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ends it; its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.log.close()
        return code


def replay(path: Path, *options: str) -> list[str]:
    """The command that sends a capture."""
    return ["tcpreplay", "--quiet", "--preload-pcap", f"--intf1={SENDER}", *options, str(path)]


def totals(found: dict[str, pl.DataFrame]) -> tuple[int, int, int]:
    """Packets by flows, by exchanges, by the account."""
    flows, exchanges = (int(found[name].select(pl.sum_horizontal("up_packets", "down_packets").sum()).item() or 0)
                        for name in ("flows", "exchanges"))  # fmt: skip
    return flows, exchanges, int(found["capture"]["counted"].sum())


def flood(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """As fast as the sender can: nothing dropped, and every flow and its exchanges as in the file."""
    import wiretally

    path = capture(arguments, folder)
    offline = wiretally.read(path)
    sent = int(offline.capture["packets"].sum())
    for number in range(arguments.runs):
        store = folder / f"flood-{number}.db"
        live = Live(store)
        said = subprocess.run(replay(path, "--topspeed"), capture_output=True, text=True, check=True).stdout
        link = counters()
        code = live.end()
        found = read_store(str(store), ("flows", "exchanges", "tls", "dns", "capture"))
        same = same_as(found, offline)
        dropped, packets = int(found["capture"]["dropped"].sum()), int(found["capture"]["packets"].sum())
        rate = re.search(r"([\d.]+) pps", said)
        yield {"run": number, "sent": sent, "pps": float(rate[1]) if rate else None, "stored": packets, "dropped": dropped,
               "interface": link, "same": same, "degraded": found["capture"]["degraded"].drop_nulls().unique().to_list(), "totals": totals(found),
               "holds": code == 0 and dropped == 0 and packets == sent == link and all(same.values()) and len({*totals(found)}) == 1}  # fmt: skip
        store.unlink()
        subprocess.run(["ip", "link", "set", TAP, "down"], check=True)  # the interface's counters begin anew with a new pair
        remake()


def same_as(found: dict[str, pl.DataFrame], offline: Observations) -> dict[str, bool]:
    """Whether a store says of a replayed capture what reading it says, in all that the clock does not move.

    Two connections of the same ends are one here: by packet time they are apart, by the replay's they may touch.
    """
    apart = of_flows({"flows": offline.flows, "exchanges": offline.exchanges})
    return {
        "flows": by_ends(found["flows"]).equals(by_ends(offline.flows)),
        "exchanges": by_ends(of_flows(found)).equals(by_ends(apart)),
        "tls": found["tls"].sort("sni", "ja4")["sni"].equals(offline.tls.sort("sni", "ja4")["sni"]),
        "dns": sorted(found["dns"]["qname"].drop_nulls()) == sorted(offline.dns["qname"].drop_nulls()),
    }


def by_ends(frame: pl.DataFrame) -> pl.DataFrame:
    """Every counter, by the ends of the flow."""
    return frame.group_by(KEY).agg(pl.col(NAMES).sum()).sort(KEY)


def of_flows(found: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Exchanges with the ends of their flows."""
    return found["exchanges"].join(found["flows"].select("flow_id", *KEY), on="flow_id")


def counters() -> int:
    """Packets that the interface has received: proc_pid_net(5)."""
    found = re.search(rf"{TAP}:\s*\d+\s+(\d+)", Path("/proc/net/dev").read_text(encoding="ascii"))
    return int(found[1]) if found else 0


def remake() -> None:
    """Deletes the pair of interfaces and makes it again, as hostapd does."""
    subprocess.run(["ip", "link", "del", TAP], check=True)
    mtu = ["mtu", str(MTU)]
    for words in (["link", "add", TAP, *mtu, "type", "veth", "peer", "name", SENDER, *mtu], ["link", "set", TAP, "up"],
                  ["link", "set", SENDER, "up"]):  # fmt: skip
        subprocess.run(["ip", *words], check=True)


def kill(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """SIGKILL at random moments under load, on one store: sound, at most LOST_SECONDS lost, nothing counted twice."""
    path = capture(arguments, folder)
    store, chance, before = folder / "kill.db", random.Random(arguments.seed), 0
    for number in range(arguments.runs):
        live, base = Live(store), counters()
        sender = subprocess.Popen(replay(path, "--pps=10000"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while counters() == base:
            time.sleep(0.01)
        came: list[tuple[float, int]] = []  # when, how many packets of this run the interface had received by then
        until = time.monotonic() + chance.uniform(0.5, 4.0)
        while time.monotonic() < until:
            came.append((time.monotonic(), counters() - base))
            time.sleep(0.01)
        live.process.kill()
        killed = time.monotonic()
        live.process.wait()
        live.log.close()
        sender.kill()
        sender.wait()
        with sqlite3.connect(store) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        flows, exchanges, counted = totals(read_store(str(store), ("flows", "exchanges", "capture")))
        gained = counted - before
        lost = killed - missing_since(came, gained, killed)
        yield {"run": number, "came": came[-1][1], "gained": gained, "lost_seconds": round(lost, 2), "sound": sound,
               "holds": sound and flows == exchanges == counted and 0 <= gained <= counters() - base and lost <= LOST_SECONDS}  # fmt: skip
        before = counted


def missing_since(came: list[tuple[float, int]], gained: int, killed: float) -> float:
    """When the first packet that is missing had come, by (when, packets by then); `killed` where none is missing."""
    return next((when for when, packets in came if packets > gained), killed)


def reader(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """A reader that holds a query open for a minute delays no transaction."""
    path = capture(arguments, folder)
    store = folder / "reader.db"
    live = Live(store)
    sender = subprocess.Popen(replay(path, "--pps=20000", "--loop=100"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(3)
    held = sqlite3.connect(f"file:{store}?mode=ro", uri=True, isolation_level=None)
    held.execute("BEGIN")
    held.execute("SELECT * FROM capture").fetchone()
    moments: list[float] = []
    seen, until = -1, time.monotonic() + arguments.seconds
    while time.monotonic() < until:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as looking:
            packets = looking.execute("SELECT sum(packets) FROM capture").fetchone()[0]
        if packets != seen:
            seen = packets
            moments.append(time.monotonic())
        time.sleep(0.02)
    held.close()
    sender.kill()
    sender.wait()
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    yield {"transactions": len(moments), "longest_gap": round(max(gaps), 2), "mean_gap": round(sum(gaps) / len(gaps), 3),
           "exit": live.end(), "holds": max(gaps) < 2.0}  # fmt: skip


def disk(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """A file system that runs full: counting goes on, and everything is written once there is room."""
    path, place = capture(arguments, folder), folder / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={arguments.megabytes}m", "none", str(place)], check=True)
    try:
        store = place / "home.db"
        live = Live(store, log=folder / "log")
        sender = subprocess.Popen(replay(path, "--pps=20000"), stdout=subprocess.DEVNULL)
        time.sleep(2)
        with (place / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(1 << 16))
            except OSError:
                pass
        sender.wait()
        time.sleep(3)
        (place / "filler").unlink()
        time.sleep(3)
        code = live.end()
        said = (folder / "log").read_text()
        found = read_store(str(store), ("flows", "exchanges", "capture"))
        sent = counters()
        yield {"sent": sent, "totals": totals(found), "dropped": int(found["capture"]["dropped"].sum()), "exit": code, "said": said.splitlines(),
               "holds": code == 0 and len({*totals(found)}) == 1 and int(found["capture"]["packets"].sum()) == sent
               and "cannot be written" in said and "written again" in said}  # fmt: skip
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def interface(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The interface is deleted and made again, several times, under load: what it received is what is stored."""
    path = capture(arguments, folder)
    store = folder / "interface.db"
    live, received = Live(store), 0
    for _ in range(arguments.runs):
        subprocess.run(replay(path, "--pps=20000", "--limit=40000"), capture_output=True, check=True)
        received += counters()
        remake()
        time.sleep(2.0)
    code = live.end()
    found = read_store(str(store), ("flows", "exchanges", "capture"))
    packets = int(found["capture"]["packets"].sum())
    yield {"received": received, "stored": packets, "totals": totals(found),
           "holds": code == 0 and packets == received and len({*totals(found)}) == 1}  # fmt: skip


def soak(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """Many flows that go on, for a long time: resident memory each minute, bytes written per hour."""
    store = folder / "soak.db"
    live = Live(store)
    pid, began = live.process.pid, time.monotonic()
    stop = threading.Event()
    sender = threading.Thread(target=turn, args=(arguments.flows, arguments.pps, stop))
    sender.start()
    base, cpu = written(pid), used(pid)
    try:
        for minute in range(1, int(arguments.seconds // 60) + 1):
            time.sleep(max(began + 60 * minute - time.monotonic(), 0))
            seconds = time.monotonic() - began
            resident = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024  # type: ignore[index]
            with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
                packets, dropped = connection.execute("SELECT sum(packets), sum(dropped) FROM capture").fetchone()
            yield {"minute": minute, "rss_mib": round(resident, 1), "peak_mib": round(peak(pid), 1), "packets": packets, "dropped": dropped,
                   "cpu_share": round(sum(used(pid).since(cpu)) / seconds, 3), "store_mib": round(store.stat().st_size / (1 << 20), 1),
                   "written_mib_per_hour": round((written(pid) - base) / (1 << 20) / seconds * 3600, 1), "holds": dropped == 0}  # fmt: skip
    finally:
        stop.set()
        sender.join()
        live.end()


def turn(flows: int, pps: int, stop: threading.Event) -> None:
    """Sends datagrams of `flows` flows in turn, `pps` a second, some of them answers."""
    import socket
    import struct

    frames = []
    for n in range(flows):
        source, target = struct.pack(">I", 0x0A000002 + n % 200), struct.pack(">I", 0xCB007100 + n % 251)
        ports, macs = (20_000 + n // 200, 9000 + n % 7), (bytes([2, 0, 0, 0, 0, n % 200]), bytes([2, 0, 0, 0, 1, 0]))
        ends = ((macs[1], macs[0], source, target, ports), (macs[0], macs[1], target, source, ports[::-1]))
        for to, by, here, there, (near, far) in ends:
            payload = bytes(100 + n % 800)
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0) + here + there
            frames.append(to + by + b"\x08\0" + ip + struct.pack(">HHHH", near, far, 8 + len(payload), 0) + payload)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((SENDER, 0))
        at, began, sent = 0, time.monotonic(), 0
        while not stop.is_set():
            due = int((time.monotonic() - began) * pps) - sent
            for _ in range(min(due, 2000)):
                sock.send(frames[at])
                at = (at + 1) % len(frames)
            sent += min(due, 2000)
            if due < 100:
                time.sleep(0.005)


def capture(arguments: argparse.Namespace, folder: Path) -> Path:
    """The capture to send: given, or generated."""
    if arguments.capture is not None:
        return Path(arguments.capture)
    path = folder / "mix.pcap"
    write(path, "mix", arguments.packets)
    return path


TRIALS = {"flood": flood, "kill": kill, "reader": reader, "disk": disk, "interface": interface, "soak": soak}


def main(words: list[str] | None = None) -> int:
    """`python -m wiretally.bench.service flood --runs 10 --packets 2M`; as root, with tcpreplay."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.service", description=__doc__.partition("\n")[0])
    parser.add_argument("trial", choices=TRIALS)
    parser.add_argument("--capture", help="what is sent (default: a generated mix)")
    parser.add_argument("--packets", type=count, default=200_000, help="size of the generated mix, such as 2M")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="of reader and soak")
    parser.add_argument("--megabytes", type=int, default=8, help="of the small file system")
    parser.add_argument("--flows", type=int, default=50_000, help="of the soak, at one time")
    parser.add_argument("--pps", type=int, default=20_000, help="of the soak")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(words)
    return tried(TRIALS[arguments.trial], arguments, enter_network)


def tried(trial: Callable[[argparse.Namespace, Path], Iterator[dict[str, Any]]], arguments: argparse.Namespace, *prepare: Callable[[], object]) -> int:
    """Runs a trial in a folder of its own, a line of JSON for each result; the exit code: 1 where one does not hold, or a fault is the operator's."""
    held = True
    try:
        for each in prepare:
            each()
        with tempfile.TemporaryDirectory(prefix="wiretally-bench-") as folder:
            for result in trial(arguments, Path(folder)):
                held &= bool(result["holds"])
                print(json.dumps(result), flush=True)
    except WiretallyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
