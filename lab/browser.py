"""A real Chromium in the phone, driven over the DevTools pipe.

Rules: every session gets a new browser with an empty profile; a pipe instead of a debugging port, so that nothing
listens in the phone; the browser's own background services are off, QUIC too. `--incognito` makes the first tab an
incognito one, and what the profile's history holds afterwards shows whether that was so.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

from ..core.errors import EnvironmentFault
from .network import inside

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

START_TIMEOUT = 60.0
LOAD_TIMEOUT = 30.0
CLOSE_TIMEOUT = 15.0
DEVTOOLS_IN, DEVTOOLS_OUT = 3, 4  # fixed by --remote-debugging-pipe

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root in a network namespace of its own
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--password-store=basic",
    "--window-size=412,915",
    "--disable-features=OptimizationHints,MediaRouter,Translate,DialMediaRouteProvider,CertificateTransparencyComponentUpdater",
)


def executable() -> str | None:
    """Where Chromium is on this machine."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One run of Chromium with an empty profile; a context manager. Every wait has a limit."""

    def __init__(self, namespace: str, profile: Path, pin: str, log: Path, *, incognito: bool) -> None:
        """`namespace`: the phone's. `pin`: base64 SHA-256 of the public key of the issuer to trust."""
        self._namespace = namespace
        self._profile = profile
        self._log = log
        self._flags = [*FLAGS, f"--user-data-dir={profile}", f"--ignore-certificate-errors-spki-list={pin}"]
        if incognito:
            self._flags.append("--incognito")
        self._pending = b""
        self._count = 0
        self._page = ""
        self._loads = 0

    def __enter__(self) -> Self:
        """Start it and take hold of its first tab."""
        program = executable()
        if program is None:
            message = "lab: no Chromium on this machine: install the package chromium"
            raise EnvironmentFault(message)
        # Descriptors above the two fixed numbers, so that dup2 in the child cannot overwrite one with the other.
        theirs_in, self._to = (_high(descriptor) for descriptor in os.pipe())
        self._from, theirs_out = (_high(descriptor) for descriptor in os.pipe())

        def place_pipes() -> None:
            os.dup2(theirs_in, DEVTOOLS_IN)
            os.dup2(theirs_out, DEVTOOLS_OUT)

        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                inside(self._namespace, program, *self._flags, "about:blank"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=place_pipes,  # noqa: PLW1509  (the recorder has one thread)
                pass_fds=(DEVTOOLS_IN, DEVTOOLS_OUT),
                start_new_session=True,
            )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            self._attach()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @property
    def version(self) -> str:
        """Such as `Chrome/156.0.8078.79`."""
        return str(self._call("Browser.getVersion", START_TIMEOUT)["product"])

    def visit(self, url: str) -> None:
        """Navigate and return after the load event. Raises `EnvironmentFault` where the page does not load."""
        deadline = time.monotonic() + LOAD_TIMEOUT
        before = self._loads
        answer = self._call("Page.navigate", LOAD_TIMEOUT, session=self._page, url=url)
        if "errorText" in answer:
            message = f"lab: {url}: {answer['errorText']}"
            raise EnvironmentFault(message)
        while self._loads == before:
            self._read(deadline)

    def close(self) -> None:
        """Ask it to close so that it writes its profile; kill what is left after a while."""
        with contextlib.suppress(OSError):
            self._send({"id": 0, "method": "Browser.close"})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_TIMEOUT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(CLOSE_TIMEOUT)
        os.close(self._to)
        os.close(self._from)

    def history(self) -> int:
        """How many addresses the profile remembers: none after incognito. Only after `close`."""
        file = self._profile / "Default" / "History"
        if not file.exists():
            return 0
        with contextlib.closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM urls WHERE url LIKE 'https:%'").fetchone()[0])

    def _attach(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            targets = self._call("Target.getTargets", START_TIMEOUT)["targetInfos"]
            pages = [target["targetId"] for target in targets if target["type"] == "page"]
            if pages:
                break
            if time.monotonic() > deadline:
                self._fail("has no tab")
            time.sleep(0.1)
        attached = self._call("Target.attachToTarget", START_TIMEOUT, targetId=pages[0], flatten=True)
        self._page = attached["sessionId"]
        self._call("Page.enable", START_TIMEOUT, session=self._page)

    def _call(self, method: str, limit: float, session: str = "", **parameters: object) -> dict[str, Any]:
        """One DevTools command and its result; events that come in between are only counted."""
        deadline = time.monotonic() + limit
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters}
        self._send({**command, "sessionId": session} if session else command)
        while (message := self._read(deadline)).get("id") != self._count:
            pass
        if "error" in message:
            self._fail(f"{method}: {message['error'].get('message')}")
        result: dict[str, Any] = message["result"]
        return result

    def _send(self, message: dict[str, Any]) -> None:
        os.write(self._to, json.dumps(message).encode() + b"\0")

    def _read(self, deadline: float) -> dict[str, Any]:
        """The next message; messages end with a zero byte."""
        while b"\0" not in self._pending:
            readable, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                self._fail("does not answer")
            data = os.read(self._from, 1 << 20)
            if not data:
                self._fail("ended")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._loads += message.get("method") == "Page.loadEventFired"
        return message

    def _fail(self, what: str) -> None:
        message = f"lab: the browser {what}: see {self._log}"
        raise EnvironmentFault(message)


def _high(descriptor: int) -> int:
    """The same file under a number above ten."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return copy
