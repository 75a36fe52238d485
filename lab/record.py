"""One recording: build the network, start everything, run the plan, sum up, write the files.

Rules: each step has a time limit; a child that dies ends the recording with one line, its last, and the logs stay
in `logs/` of the output; the agent and
the capture run from before the first session until after the last, so connections outlive sessions; a session ends
only when the agent has nothing left to send.
"""

from __future__ import annotations

import contextlib
import json
import platform
import select
import shutil
import signal
import ssl
import subprocess
import sys
import time
from importlib.metadata import version
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

import zstandard

from ..core.errors import EnvironmentFault
from . import network, truth
from .browser import Browser
from .cell import SCRATCH, use_resolver
from .certificates import Authority, make_authority
from .hosts import HOSTS
from .plan import ARMS, IDLE, INCOGNITO, NORMAL, Session, sessions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

STEP_TIMEOUT = 20.0
DRAIN_TIMEOUT = 60.0
MARGIN = 2.0
"""Seconds that a page and then its upload may take beyond the timer before the agent is asked whether it is done."""
LEVEL = 19


class Options(NamedTuple):
    """What to record; all times in seconds. `dwell`: from one page to the next. `gap`: between sessions."""

    arm: str
    output: Path
    pairs: int
    idle: int
    visits: int
    dwell: float
    flush: float
    heartbeat: float
    gap: float
    seed: int


class Child:
    """A process of the lab with its log; killed at the end if it does not stop by itself."""

    def __init__(self, name: str, command: list[str], logs: Path, *, talks: bool = False) -> None:
        """`talks`: its standard input and output are pipes."""
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        """Started already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def check(self) -> None:
        """Raise `EnvironmentFault` if it ended."""
        if self.process.poll() is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"]
            message = f"lab: {self.name} ended with status {self.process.returncode}: {lines[-1]}"
            raise EnvironmentFault(message)

    def say(self, message: dict[str, Any]) -> None:
        """Write one JSON line to it."""
        self.check()
        pipe: IO[bytes] = self.process.stdin  # type: ignore[assignment]  # talks
        pipe.write(json.dumps(message).encode("ascii") + b"\n")
        pipe.flush()

    def hear(self) -> dict[str, Any]:
        """Read one JSON line from it."""
        pipe: IO[bytes] = self.process.stdout  # type: ignore[assignment]  # talks
        if not select.select([pipe], [], [], STEP_TIMEOUT)[0]:
            self.check()
            message = f"lab: {self.name} does not answer within {STEP_TIMEOUT:.0f} s"
            raise EnvironmentFault(message)
        line = pipe.readline()
        if not line:
            self.process.wait(STEP_TIMEOUT)
            self.check()
        heard: dict[str, Any] = json.loads(line)
        return heard

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask, then insist."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(STEP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def record(options: Options, say: Callable[[str], None]) -> None:
    """Record one arm into `options.output`; inside a cell. `say` gets a line of progress per session."""
    logs = options.output / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    raw = options.output / "capture.pcapng"
    ledger = SCRATCH / "ledger.jsonl"
    arm = ARMS[options.arm]
    network.build()
    use_resolver(network.AP_IP)
    authority = make_authority(SCRATCH, [host.name for host in HOSTS])
    spans: list[truth.Span] = []
    visits: list[truth.Visit] = []
    children: list[Child] = []
    with contextlib.ExitStack() as stack:

        def start(name: str, command: list[str], *, talks: bool = False) -> Child:
            child = stack.enter_context(Child(name, command, logs, talks=talks))
            children.append(child)
            return child

        start("distance", _module("distance"))
        start("dns", network.inside(network.ACCESS_POINT, *_module("dns")))
        folders = ("--certificates", str(SCRATCH), "--ledger", str(ledger))
        start("servers", network.inside(network.INTERNET, *_module("servers"), *folders))
        capture = start("capture", network.inside(network.ACCESS_POINT, *_capture_command(raw)))
        _wait_for("the capture", lambda: raw.exists() and raw.stat().st_size > 0, capture)
        _wait_for("the servers", _servers_answer, capture)
        destinations = [f"--to={NORMAL}={arm.normal or ''}", f"--to={INCOGNITO}={arm.incognito or ''}"]
        times = [f"--flush={options.flush}", f"--heartbeat={options.heartbeat}", f"--seed={options.seed}"]
        trust = f"--trust={authority.certificate}"
        command = network.inside(network.PHONE, *_module("agent"), *destinations, *times, trust)
        agent = start("agent", command, talks=True)
        product = ""
        time.sleep(options.gap)  # the agent's first heartbeat is before every session
        plan = sessions(options.pairs, options.idle, options.visits, options.seed)
        for number, session in enumerate(plan, 1):
            say(f"{options.arm}: session {number} of {len(plan)}, {session.name}")
            for child in children:
                child.check()
            product = _run_session(session, options, authority, agent, spans, visits)
            time.sleep(options.gap)
        agent.say({"quit": True})
        agent.process.wait(STEP_TIMEOUT)
        time.sleep(1.0)  # what is still on its way to the tap
        capture.stop(signal.SIGINT)
    about = _about(options, product, truth.rfc3339(spans[0].start))
    document = truth.build(truth.read_ledger(ledger), spans, visits, about)
    _write(options.output, raw, document, spans, visits)
    shutil.rmtree(logs)


def _run_session(
    session: Session,
    options: Options,
    authority: Authority,
    agent: Child,
    spans: list[truth.Span],
    visits: list[truth.Visit],
) -> str:
    """One session with a browser of its own; which browser it was."""
    profile = SCRATCH / "profile"
    browser = Browser(
        profile, authority.pin, options.output / "logs" / "browser.log", incognito=session.mode == INCOGNITO
    )
    agent.say({"mode": session.mode})
    started = time.time_ns()
    with browser:
        product = browser.version
        first = time.monotonic()
        for number, url in enumerate(session.pages):
            _sleep_until(first + number * options.dwell)
            visits.append(truth.Visit(time.time_ns(), session.name, url))
            agent.say({"page": "page_load_event_start", "url": url})
            browser.visit(url)
            agent.say({"page": "page_load_event_finish", "url": url})
        # Idle sessions last as long as the others: a rate per minute needs comparable spans.
        _sleep_until(first + (options.visits - 1) * options.dwell + options.flush + MARGIN)
        _drain(agent)
    agent.say({"mode": IDLE})
    time.sleep(0.3)  # the last segments of closing connections belong to the session
    spans.append(truth.Span(session.name, session.mode, started, time.time_ns(), browser.history(), session.notes))
    shutil.rmtree(profile, ignore_errors=True)
    return product


def _drain(agent: Child) -> None:
    """Wait until the agent has sent everything."""
    deadline = time.monotonic() + DRAIN_TIMEOUT
    while True:
        agent.say({"status": True})
        if agent.hear()["queued"] == 0:
            return
        if time.monotonic() > deadline:
            message = f"lab: the agent's uploads do not get through: see {agent.log}"
            raise EnvironmentFault(message)
        time.sleep(0.2)


def _capture_command(raw: Path) -> list[str]:
    return ["dumpcap", "-q", "-i", network.RADIO, "-s", "0", "-B", "32", "-w", str(raw)]


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", f"{__package__}.{name}"]


def _servers_answer() -> bool:
    """Whether the servers listen yet; asked inside their namespace, so the tap sees nothing of it."""
    probe = f"import socket; socket.create_connection(('{HOSTS[0].address}', 443), 1).close()"
    command = network.inside(network.INTERNET, sys.executable, "-c", probe)
    return subprocess.run(command, capture_output=True, check=False, timeout=STEP_TIMEOUT).returncode == 0


def _wait_for(what: str, ready: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + STEP_TIMEOUT
    while not ready():
        child.check()
        if time.monotonic() > deadline:
            message = f"lab: {what} did not start within {STEP_TIMEOUT:.0f} s"
            raise EnvironmentFault(message)
        time.sleep(0.1)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _about(options: Options, product: str, created: str) -> dict[str, Any]:
    """The part of the truth that describes the recording."""
    return {
        "arm": options.arm,
        "meaning": ARMS[options.arm].meaning,
        "created": created,
        "command": _command(options),
        "seed": options.seed,
        "device": network.PHONE_IP,
        "device_mac": network.PHONE_MAC,
        "flush_seconds": options.flush,
        "heartbeat_seconds": options.heartbeat,
        "software": {
            "browser": product,
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
            "h2": version("h2"),
            "kernel": platform.release(),
        },
        "hosts": [{**host._asdict(), "alpn": list(host.alpn), "chain": list(host.chain)} for host in HOSTS],
    }


def _command(options: Options) -> str:
    """What makes a recording like this one."""
    chosen = {"sessions": options.pairs, **options._asdict()}
    names = ("sessions", "idle", "visits", "dwell", "flush", "heartbeat", "gap", "seed")
    return " ".join([f"python -m wiretally.lab {options.arm}", *(f"--{name} {chosen[name]:g}" for name in names)])


def _write(
    output: Path, raw: Path, document: dict[str, Any], spans: list[truth.Span], visits: list[truth.Visit]
) -> None:
    """All files beside one another; the capture compressed."""
    truth.write_sessions(output / "sessions.csv", network.PHONE_IP, spans)
    truth.write_visits(output / "visits.csv", visits)
    (output / "truth.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (output / "README.md").write_text(_readme(document), encoding="utf-8")
    with raw.open("rb") as plain, (output / "capture.pcapng.zst").open("wb") as packed:
        zstandard.ZstdCompressor(level=LEVEL).copy_stream(plain, packed, size=raw.stat().st_size)
    raw.unlink()


def _readme(document: dict[str, Any]) -> str:
    modes = [session["mode"] for session in document["sessions"]]
    counts = ", ".join(f"{modes.count(mode)} {mode}" for mode in (NORMAL, INCOGNITO, IDLE))
    return f"""# Lab recording: {document["arm"]}

An emulated browser vendor that {document["meaning"]}.

- `capture.pcapng.zst`: what the access point's phone side carried, whole packets, from {document["created"]}.
- `sessions.csv`, `visits.csv`: {counts} sessions of the device {document["device"]}.
- `truth.json`: the servers' own count of application bytes per session and host (`{document["schema"]}`).

Recorded by {document["software"]["browser"]} against servers in network namespaces of one machine with

    {document["command"]} --output DIR

No packet left the machine: none of the hosts or organisations named was contacted.
"""
