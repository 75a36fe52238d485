"""One recording: build the network, start everything, let the phones play, sum up, write the files.

Rules: each step has a time limit; a child that dies ends the recording with one line, its last, and the logs stay
in `logs/` of the output; the capture runs from before the first session until after the last.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import signal
import ssl
import subprocess
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import zstandard

from . import network, truth
from .cell import SCRATCH, use_resolver
from .certificates import make_authority
from .children import STEP_TIMEOUT, Child, module, wait_for
from .hosts import HOSTS
from .plan import ARMS, IDLE, INCOGNITO, NORMAL, sessions
from .player import Options, Played, Player, play_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LEVEL = 19
SECOND_PREFIX = "second-"  # of the sessions' names of a second phone


def record(options: Options, say: Callable[[str], None]) -> None:
    """Record one arm into `options.output`; inside a cell. `say` gets a line of progress per session."""
    logs = options.output / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    raw = options.output / "capture.pcapng"
    ledger = SCRATCH / "ledger.jsonl"
    arm = ARMS[options.arm]
    phones = network.PHONES[: 2 if arm.second else 1]
    network.build(phones)
    use_resolver(network.AP_IP)
    authority = make_authority(SCRATCH, [host.name for host in HOSTS])
    children: list[Child] = []
    with contextlib.ExitStack() as stack:

        def start(name: str, command: list[str]) -> Child:
            child = stack.enter_context(Child(name, command, logs))
            children.append(child)
            return child

        def check() -> None:
            for child in children:
                child.check()

        start("distance", module("distance"))
        start("dns", network.inside(network.ACCESS_POINT, *module("dns")))
        servers = [*module("servers"), "--certificates", str(SCRATCH), "--ledger", str(ledger)]
        start("servers", network.inside(network.INTERNET, *servers, *(["--http3"] if arm.http3 else [])))
        capture = start("capture", network.inside(network.ACCESS_POINT, *_capture_command(raw)))
        wait_for("the capture", lambda: raw.exists() and raw.stat().st_size > 0, capture)
        wait_for("the servers", _servers_answer, capture)
        plans = [sessions(options.pairs, options.idle, options.visits, options.seed + number, options.pads)
                 for number in range(len(phones))]  # fmt: skip
        beside = None
        if arm.second:
            theirs = [session._replace(name=SECOND_PREFIX + session.name) for session in plans[1]]
            beside = play_beside(Player(phones[1], arm.second, options._replace(seed=options.seed + 1), authority), theirs, say)
        played = [Player(phones[0], options.arm, options, authority).play(plans[0], say, check)]
        if beside:
            played.append(beside())
        time.sleep(1.0)  # what is still on its way to the tap
        capture.stop(signal.SIGINT)
    spans, visits = _together(played)
    about = _about(options, played[0].product, truth.rfc3339(spans[0].start), phones)
    posts = [post for each in played for post in each.posts]
    _write(options.output, raw, truth.build(truth.read_ledger(ledger), spans, visits, about, posts), spans, visits)
    shutil.rmtree(logs)


def _together(played: Sequence[Played]) -> tuple[list[truth.Span], list[truth.Visit]]:
    """The sessions and visits of all phones in order of time."""
    spans = sorted((span for each in played for span in each.spans), key=lambda span: span.start)
    return spans, [visit for each in played for visit in each.visits]


def _capture_command(raw: Path) -> list[str]:
    return ["dumpcap", "-q", "-i", network.RADIO, "-s", "0", "-B", "32", "-w", str(raw)]


def _servers_answer() -> bool:
    """Whether the servers listen yet; asked inside their namespace, so the tap sees nothing of it."""
    probe = f"import socket; socket.create_connection(('{HOSTS[0].address}', 443), 1).close()"
    command = network.inside(network.INTERNET, sys.executable, "-c", probe)
    return subprocess.run(command, capture_output=True, check=False, timeout=STEP_TIMEOUT).returncode == 0


def _about(options: Options, product: str, created: str, phones: Sequence[network.Phone]) -> dict[str, Any]:
    """The part of the truth that describes the recording."""
    arm = ARMS[options.arm]
    stacks = ("h2", "aioquic") if arm.http3 else ("h2",)
    return {
        "arm": options.arm,
        "meaning": arm.meaning,
        "form": arm.form,
        "telemetry": {NORMAL: arm.normal, INCOGNITO: arm.incognito},
        "created": created,
        "command": _command(options),
        "seed": options.seed,
        "device": phones[0].address,
        "device_mac": phones[0].mac,
        "devices": [{"address": phone.address, "mac": phone.mac, "arm": name}
                    for phone, name in zip(phones, (options.arm, arm.second), strict=False)],
        "flush_seconds": options.flush,
        "heartbeat_seconds": options.heartbeat,
        "software": {
            "browser": product,
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
            **{name: version(name) for name in stacks},
            "kernel": platform.release(),
        },
        "hosts": [{**host._asdict(), "alpn": list(host.alpn), "chain": list(host.chain)} for host in HOSTS],
    }  # fmt: skip


def _command(options: Options) -> str:
    """What makes a recording like this one."""
    chosen = {"sessions": options.pairs, **options._asdict()}
    names = ["sessions", "idle", "visits", "dwell", "flush", "heartbeat", "gap", "seed"]
    names += ["pads"] if options.pads else []
    names += ["background"] if ARMS[options.arm].background else []
    return " ".join([f"python -m wiretally.lab {options.arm}", *(f"--{name} {chosen[name]:g}" for name in names)])


def _write(
    output: Path, raw: Path, document: dict[str, Any], spans: list[truth.Span], visits: list[truth.Visit]
) -> None:
    """All files beside one another; the capture compressed."""
    truth.write_sessions(output / "sessions.csv", spans)
    truth.write_visits(output / "visits.csv", visits)
    (output / "truth.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (output / "README.md").write_text(_readme(document), encoding="utf-8")
    with raw.open("rb") as plain, (output / "capture.pcapng.zst").open("wb") as packed:
        zstandard.ZstdCompressor(level=LEVEL).copy_stream(plain, packed, size=raw.stat().st_size)
    raw.unlink()


def _readme(document: dict[str, Any]) -> str:
    modes = [session["mode"] for session in document["sessions"]]
    counts = ", ".join(f"{modes.count(mode)} {mode}" for mode in (NORMAL, INCOGNITO, IDLE))
    devices = " and ".join(device["address"] for device in document["devices"])
    return f"""# Lab recording: {document["arm"]}

An emulated browser vendor that {document["meaning"]}.

- `capture.pcapng.zst`: what the access point's phone side carried, whole packets, from {document["created"]}.
- `sessions.csv`, `visits.csv`: {counts} sessions of {devices}.
- `truth.json`: the servers' own count of application bytes per session and host (`{document["schema"]}`).

Recorded by {document["software"]["browser"]} against servers in network namespaces of one machine with

    {document["command"]} --output DIR

No packet left the machine: none of the hosts or organisations named was contacted.
"""


__all__ = ["Options", "record"]
