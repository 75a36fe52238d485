"""The telemetry agent: plays the browser vendor's native code in the phone.

Theory, as told of 2020: each page gives two events; the first event in an empty queue arms one timer of 15 s, which
later events do not move; when it fires, the queue leaves in POSTs of at most 50 events over one kept-alive HTTP/1.1
connection that outlives sessions. More than 100 queued events leave at once. Events go after success only: a failed
POST keeps them and arms the timer again. A heartbeat to another host runs in every mode.
Rules: times are passed in, so that tests need no clock; the process takes JSON lines on its standard input
(`mode`, `page`, `status`, `quit`) and answers `status` with one JSON line on its standard output.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import select
import ssl
import sys
import time
from typing import TYPE_CHECKING, Any

from . import sensors
from .hosts import MISTAT

if TYPE_CHECKING:
    from collections.abc import Callable

FLUSH_SECONDS = 15.0
SHORTEST_FLUSH_SECONDS = 5.0
BATCH = 50
LIMIT = 100
HEARTBEAT_SECONDS = 300.0
POST_TIMEOUT = 10.0
STDIN, STDOUT = 0, 1
USER_AGENT = "Dalvik/2.1.0 (Linux; U; Android 9; Redmi Note 8 MIUI/V11.0.3.0.PCOMIXM)"


class FlushQueue:
    """Events waiting for a one-shot timer; times are seconds of any one clock."""

    def __init__(self, flush_seconds: float = FLUSH_SECONDS, limit: int = LIMIT, batch: int = BATCH) -> None:
        """`limit`: more than so many leave at once. `batch`: the most that one POST carries."""
        self._flush_seconds = flush_seconds
        self._limit = limit
        self._batch = batch
        self._events: list[sensors.Event] = []
        self.due: float | None = None

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._events)

    def add(self, event: sensors.Event, now: float) -> None:
        """Queue an event: the first arms the timer, one too many makes it fire now."""
        self._events.append(event)
        if self.due is None:
            self.due = now + self._flush_seconds
        if len(self._events) > self._limit:
            self.due = min(self.due, now)

    def fired(self, now: float) -> bool:
        """Whether the timer has run out."""
        return self.due is not None and self.due <= now

    def batch(self) -> list[sensors.Event]:
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
        self._of: dict[str, Connection] = {}

    def post(self, host: str, path: str, body: bytes) -> bool:
        """Whether the host took it."""
        return self._of.setdefault(host, Connection(host, self._trust)).post(path, body)

    def close(self) -> None:
        """Close every one."""
        for connection in self._of.values():
            connection.close()


class Agent:
    """Mode, queues and heartbeat of one phone."""

    def __init__(self, options: argparse.Namespace, post: Callable[[str, str, bytes], bool], now: float) -> None:
        """`options` as `parse` gives them. `post` sends a body to a host and path; the first heartbeat is due `now`."""
        self._destinations: dict[str, str | None] = dict(options.to)
        self._flush_seconds: float = options.flush
        self._heartbeat_seconds: float = options.heartbeat
        self._post = post
        self._queues: dict[str, FlushQueue] = {}
        self._device = sensors.Device.made_up(options.seed)
        self._random = random.Random(options.seed)
        self._mode = "idle"
        self._beats = 0
        self._next_beat = now

    def wait(self, now: float) -> float:
        """Seconds until something is due."""
        due = [queue.due for queue in self._queues.values() if queue.due is not None]
        return max(0.0, min([*due, self._next_beat]) - now)

    def take(self, command: dict[str, Any], now: float) -> dict[str, Any] | None:
        """Act on a line from the browser; the answer to it, if there is one."""
        match command:
            case {"mode": str(mode)}:
                self._mode = mode
            case {"page": str(event), "url": str(url)}:
                host = self._destinations.get(self._mode)
                if host is not None:
                    queue = self._queues.setdefault(host, FlushQueue(self._flush_seconds))
                    track = self._random.randrange(-(1 << 31), 1 << 31)
                    queue.add(sensors.page_event(self._device, event, url, time.time_ns() // 1_000_000, track), now)
            case {"status": _}:
                return {"queued": sum(map(len, self._queues.values())), "beats": self._beats}
        return None

    def run_due(self, now: float) -> None:
        """Send what is due."""
        if now >= self._next_beat:
            self._post(MISTAT, sensors.HEARTBEAT_PATH, sensors.heartbeat(self._device, self._beats))
            self._beats += 1
            self._next_beat += self._heartbeat_seconds
        for host, queue in self._queues.items():
            while queue.fired(now):
                events = queue.batch()
                if self._post(host, sensors.PATH, sensors.encode(events, time.time_ns() // 1_000_000)):
                    queue.sent(len(events))
                else:
                    queue.failed(now)


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
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main() -> None:
    """Serve the browser until it says `quit` or goes away."""
    options = parse()
    trust = ssl.create_default_context(cafile=options.trust)
    trust.minimum_version = ssl.TLSVersion.TLSv1_3
    connections = Connections(trust)
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
