"""The telemetry agent: plays the browser vendor's native code in the phone.

Theory, as told of 2020: each page gives two events; the first event in an empty queue arms one timer of 15 s, which
later events do not move; when it fires, the queue leaves in POSTs of at most 50 events over one kept-alive HTTP/1.1
connection that outlives sessions. More than 100 queued events leave at once. Events go after success only: a failed
POST keeps them and arms the timer again. A heartbeat to another host runs in every mode, and where it is asked for
also what an idle phone sends by itself, at random times.
Rules: times are passed in, so that tests need no clock; the process takes JSON lines on its standard input
(`mode`, `page`, `status`, `quit`) and answers `status` with one JSON line on its standard output. `--log` gets a line
per delivered POST with the visits that its events are of: the truth that no server can know of reports without addresses.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import random
import select
import ssl
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol, get_args

from . import sensors
from .hosts import BACKGROUND, MISTAT
from .plan import ALPHABET, Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FLUSH_SECONDS = 15.0
SHORTEST_FLUSH_SECONDS = 5.0
BATCH = 50
LIMIT = 100
HEARTBEAT_SECONDS = 300.0
POST_TIMEOUT = 10.0
BACKGROUND_PATH = "/log/batch"
BACKGROUND_BYTES = (200, 6000)  # of a post of the phone's own, by its logarithm
NOISE_CHARACTERS = 300  # of a noisy report, at most
STDIN, STDOUT = 0, 1
USER_AGENT = "Dalvik/2.1.0 (Linux; U; Android 9; Redmi Note 8 MIUI/V11.0.3.0.PCOMIXM)"


class Waiting(NamedTuple):
    """An event and the number of the visit that it is of."""

    event: sensors.Event
    visit: int | None


class FlushQueue:
    """Events waiting for a one-shot timer; times are seconds of any one clock."""

    def __init__(self, flush_seconds: float = FLUSH_SECONDS, limit: int = LIMIT, batch: int = BATCH) -> None:
        """`limit`: more than so many leave at once. `batch`: the most that one POST carries."""
        self._flush_seconds = flush_seconds
        self._limit = limit
        self._batch = batch
        self._events: list[Waiting] = []
        self.due: float | None = None

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._events)

    def add(self, event: sensors.Event, now: float, visit: int | None = None) -> None:
        """Queue an event: the first arms the timer, one too many makes it fire now."""
        self._events.append(Waiting(event, visit))
        if self.due is None:
            self.due = now + self._flush_seconds
        if len(self._events) > self._limit:
            self.due = min(self.due, now)

    def fired(self, now: float) -> bool:
        """Whether the timer has run out."""
        return self.due is not None and self.due <= now

    def batch(self) -> list[Waiting]:
        """What the next POST carries; stays queued until `sent`."""
        return self._events[: self._batch]

    def sent(self, count: int) -> None:
        """Forget the first `count` events; an empty queue has no timer."""
        del self._events[:count]
        if not self._events:
            self.due = None

    def failed(self, now: float) -> None:
        """Keep everything and try again one timer later."""
        self.due = now + self._flush_seconds


class Posts(Protocol):
    """A connection that forms can be posted over."""

    def post(self, path: str, body: bytes) -> bool:
        """Whether the server took it."""

    def close(self) -> None:
        """Say goodbye."""


class Connection:
    """One kept-alive HTTPS connection that posts forms as Android's HttpURLConnection does."""

    def __init__(self, host: str, trust: ssl.SSLContext) -> None:
        """Connects at the first post."""
        self._host = host
        self._http = http.client.HTTPSConnection(host, timeout=POST_TIMEOUT, context=trust)

    def post(self, path: str, body: bytes) -> bool:
        """Whether the server took it. A connection that died is made anew, once."""
        for _ in range(2):
            try:
                return self._post(path, body)
            except (OSError, http.client.HTTPException):
                self._http.close()
        return False

    def close(self) -> None:
        """Say goodbye."""
        self._http.close()

    def _post(self, path: str, body: bytes) -> bool:
        self._http.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
        self._http.putheader("Cookie", "")
        self._http.putheader("Content-Type", "application/x-www-form-urlencoded")
        self._http.putheader("User-Agent", USER_AGENT)
        self._http.putheader("Host", self._host)
        self._http.putheader("Connection", "Keep-Alive")
        self._http.putheader("Accept-Encoding", "gzip")
        self._http.putheader("Content-Length", str(len(body)))
        self._http.endheaders(body)
        response = self._http.getresponse()
        response.read()
        return response.status == http.HTTPStatus.OK


class Connections:
    """A connection per host, made at its first post and kept."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        """`trust`: whose certificates to accept."""
        self._trust = trust
        self._of: dict[str, Posts] = {}

    def speak_instead(self, host: str, connection: Posts) -> None:
        """Reach `host` through this one."""
        self._of[host] = connection

    def post(self, host: str, path: str, body: bytes) -> bool:
        """Whether the host took it."""
        if host not in self._of:
            self._of[host] = Connection(host, self._trust)
        return self._of[host].post(path, body)

    def close(self) -> None:
        """Close every one."""
        for connection in self._of.values():
            connection.close()


class Agent:
    """Mode, queues, heartbeat and background of one phone."""

    def __init__(self, options: argparse.Namespace, post: Callable[[str, str, bytes], bool], now: float) -> None:
        """`options` as `parse` gives them. `post` sends a body to a host and path; the first heartbeat is due `now`."""
        self._destinations: dict[str, str | None] = dict(options.to)
        self._flush_seconds: float = options.flush
        self._heartbeat_seconds: float = options.heartbeat
        self._background_seconds: float = options.background
        self._form: str = options.form
        self._log: IO[str] | None = options.log.open("w", encoding="utf-8", buffering=1) if options.log else None
        self._post = post
        self._queues: dict[str, FlushQueue] = {}
        self._device = sensors.Device.made_up(options.seed)
        self._random = random.Random(options.seed)
        self._mode = "idle"
        self._before = ""
        self._beats = 0
        self._next_beat = now
        self._next_background = now + self._pause() if self._background_seconds else float("inf")

    def wait(self, now: float) -> float:
        """Seconds until something is due."""
        due = [queue.due for queue in self._queues.values() if queue.due is not None]
        return max(0.0, min([*due, self._next_beat, self._next_background]) - now)

    def take(self, command: dict[str, Any], now: float) -> dict[str, Any] | None:
        """Act on a line from the browser; the answer to it, if there is one."""
        match command:
            case {"mode": str(mode)}:
                self._mode = mode
                self._before = ""  # another browser: it comes from nowhere
            case {"page": str(name), "url": str(url)}:
                host = self._destinations.get(self._mode)
                if host is not None:
                    queue = self._queues.setdefault(host, FlushQueue(self._flush_seconds))
                    for event in self._events(name, url):
                        queue.add(event, now, command.get("visit"))
                if name.endswith("finish"):
                    self._before = url
            case {"status": _}:
                return {"queued": sum(map(len, self._queues.values())), "beats": self._beats}
        return None

    def _events(self, name: str, url: str) -> Iterable[sensors.Event]:
        """What the form makes of a page's start or finish: one event, or none."""
        track = self._random.randrange(-(1 << 31), 1 << 31)
        now_ms = time.time_ns() // 1_000_000
        if self._form in {"events", "referrer"}:
            referrer = self._before if self._form == "referrer" else ""
            yield sensors.page_event(self._device, name, url, now_ms, track, referrer)
        elif name.endswith("finish") and self._form == "noisy":
            noise = "".join(self._random.choices(ALPHABET, k=self._random.randint(0, NOISE_CHARACTERS)))
            yield sensors.noisy_event(self._device, url, now_ms, track, noise)
        elif name.endswith("finish"):
            yield sensors.reduced_event(self._device, now_ms, track)

    def _body(self, events: list[sensors.Event]) -> bytes:
        if self._form == "reduced":
            return sensors.encode_plain(events)
        return sensors.encode(events, time.time_ns() // 1_000_000)

    def run_due(self, now: float) -> None:
        """Send what is due."""
        if now >= self._next_beat:
            self._post(MISTAT, sensors.HEARTBEAT_PATH, sensors.heartbeat(self._device, self._beats))
            self._beats += 1
            self._next_beat += self._heartbeat_seconds
        if now >= self._next_background:
            low, high = map(math.log, BACKGROUND_BYTES)
            size = round(math.exp(self._random.uniform(low, high)))
            self._post(self._random.choice(BACKGROUND), BACKGROUND_PATH, self._random.randbytes(size))
            self._next_background = now + self._pause()
        for host, queue in self._queues.items():
            while queue.fired(now):
                batch = queue.batch()
                if self._post(host, sensors.PATH, self._body([waiting.event for waiting in batch])):
                    queue.sent(len(batch))
                    self._note(host, batch)
                else:
                    queue.failed(now)

    def _pause(self) -> float:
        """Until the phone does something by itself again: nobody knows when (a Poisson process)."""
        return self._random.expovariate(1 / self._background_seconds)

    def _note(self, host: str, batch: list[Waiting]) -> None:
        if self._log is not None:
            self._log.write(json.dumps({"host": host, "visits": [waiting.visit for waiting in batch]}) + "\n")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """`--to MODE=HOST` may be repeated; a mode without one is silent."""

    def destination(text: str) -> tuple[str, str | None]:
        mode, _, host = text.partition("=")
        return mode, host or None

    parser = argparse.ArgumentParser(prog="wiretally.lab.agent")
    parser.add_argument("--to", type=destination, action="append", default=[], metavar="MODE=HOST")
    parser.add_argument("--trust", required=True, metavar="PEM")
    parser.add_argument("--flush", type=float, default=FLUSH_SECONDS, metavar="SECONDS")
    parser.add_argument("--heartbeat", type=float, default=HEARTBEAT_SECONDS, metavar="SECONDS")
    parser.add_argument("--background", type=float, default=0.0, metavar="SECONDS", help="mean time between two posts")
    parser.add_argument("--form", choices=get_args(Form), default="events")
    parser.add_argument("--http3", metavar="HOST", help="the host that is spoken to over QUIC")
    parser.add_argument("--log", type=Path, metavar="FILE")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main() -> None:
    """Serve the browser until it says `quit` or goes away."""
    options = parse()
    trust = ssl.create_default_context(cafile=options.trust)
    trust.minimum_version = ssl.TLSVersion.TLSv1_3
    connections = Connections(trust)
    if options.http3:
        from .http3 import Http3Client  # needs aioquic, which only this arm asks for

        connections.speak_instead(options.http3, Http3Client(options.http3, options.trust))
    agent = Agent(options, connections.post, time.monotonic())
    pending = b""
    while True:
        readable, _, _ = select.select([STDIN], [], [], agent.wait(time.monotonic()))
        if readable:
            read = os.read(STDIN, 65536)
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                reply = agent.take(json.loads(line), time.monotonic())
                if reply is not None:
                    os.write(STDOUT, json.dumps(reply).encode("ascii") + b"\n")
            if not read or b'{"quit": true}' in lines:
                break
        agent.run_due(time.monotonic())
    connections.close()
    sys.exit(0)


if __name__ == "__main__":
    main()
