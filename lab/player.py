"""One phone plays its sessions: a browser for each, and the vendor's agent beside them all.

Theory: the agent runs from before the first session until after the last, so its connections outlive sessions; a
session ends only when the agent has nothing left to send. Two phones play at the same time, each in a process of its
own, because a browser is driven by blocking calls.
Rules: times are this machine's clock, the one of the tap and of the servers.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import EnvironmentFault
from . import network, truth
from .browser import Browser
from .cell import SCRATCH
from .children import STEP_TIMEOUT, Child, module
from .plan import ARMS, IDLE, INCOGNITO, NORMAL, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from .certificates import Authority
    from .network import Phone

DRAIN_TIMEOUT = 60.0
MARGIN = 2.0
"""Seconds that a page and then its upload may take beyond the timer before the agent is asked whether it is done."""


class Options(NamedTuple):
    """What to record; all times in seconds. `dwell`: from one page to the next. `gap`: between sessions.

    `pads`: the most characters that are added to an address. `background`: mean time between two posts of an idle phone.
    """

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
    pads: int = 0
    background: float = 4.0


MOST_WAIT = 4.5  # seconds that chance adds to the gap between two sessions


class Played(NamedTuple):
    """What became of one phone's plan; `product` is the browser."""

    product: str
    spans: list[truth.Span]
    visits: list[truth.Visit]
    posts: list[truth.AgentPost]


class Player:
    """One phone with its arm, its plan and its agent."""

    def __init__(self, phone: Phone, arm: str, options: Options, authority: Authority) -> None:
        """`arm`: by name."""
        self.phone, self.name, self.options, self.authority = phone, arm, options, authority
        self.logs = options.output / "logs"
        self._log = SCRATCH / f"agent-{phone.namespace}.jsonl"
        self._random = random.Random(f"{options.seed} {phone.namespace}")
        self._spans: list[truth.Span] = []
        self._visits: list[truth.Visit] = []

    def play(self, plan: Sequence[Session], say: Callable[[str], None], check: Callable[[], None]) -> Played:
        """All sessions in order; `say` gets a line for each, `check` raises where another part of the lab has died."""
        product = ""
        with Child(f"agent-{self.phone.namespace}", self._agent_command(), self.logs, talks=True) as agent:
            time.sleep(self.options.gap)  # the agent's first heartbeat is before every session
            for number, session in enumerate(plan, 1):
                say(f"{self.name}: session {number} of {len(plan)}, {session.name}")
                check()
                product = self._session(session, agent)
                time.sleep(self.options.gap + self._random.uniform(0, MOST_WAIT))  # else clocks meet every session at one moment
            agent.say({"quit": True})
            agent.process.wait(STEP_TIMEOUT)
        return Played(product, self._spans, self._visits, truth.read_agent(self._log, self.phone.address))

    def _agent_command(self) -> list[str]:
        arm, o = ARMS[self.name], self.options
        command = [*module("agent"), f"--to={NORMAL}={arm.normal or ''}", f"--to={INCOGNITO}={arm.incognito or ''}",
                   f"--flush={o.flush}", f"--heartbeat={o.heartbeat}", f"--seed={o.seed}", f"--form={arm.form}",
                   f"--trust={self.authority.certificate}", f"--log={self._log}"]  # fmt: skip
        if arm.http3:
            command.append(f"--http3={arm.normal}")
        if arm.background:
            command.append(f"--background={o.background}")
        return network.inside(self.phone.namespace, *command)

    def _moments(self, pages: int) -> list[float]:
        """Seconds since the first page: people stay for as long as they like, but the last page of a session comes when it did before."""
        gaps = [self._random.uniform(0.5, 1.5) for _ in range(pages - 1)]
        whole = sum(gaps) or 1.0
        return [0.0, *(sum(gaps[: number + 1]) / whole * (pages - 1) * self.options.dwell for number in range(pages - 1))][:pages]

    def _session(self, session: Session, agent: Child) -> str:
        """One session with a browser of its own; which browser it was."""
        profile = SCRATCH / f"profile-{self.phone.namespace}"
        log = self.logs / f"browser-{self.phone.namespace}.log"
        browser = Browser(self.phone.namespace, profile, self.authority.pin, log, incognito=session.mode == INCOGNITO)
        agent.say({"mode": session.mode})
        started = time.time_ns()
        with browser:
            product = browser.version
            first = time.monotonic()
            for moment, page in zip(self._moments(len(session.pages)), session.pages, strict=True):
                _sleep_until(first + moment)
                visit = len(self._visits)
                self._visits.append(truth.Visit(time.time_ns(), session.name, page.url, page.pad, self.phone.address))
                agent.say({"page": "page_load_event_start", "url": page.url, "visit": visit})
                browser.visit(page.url)
                agent.say({"page": "page_load_event_finish", "url": page.url, "visit": visit})
            # Idle sessions last as long as the others: a rate per minute needs comparable spans.
            _sleep_until(first + (self.options.visits - 1) * self.options.dwell + self.options.flush + MARGIN)
            _drain(agent)
        agent.say({"mode": IDLE})
        time.sleep(0.3)  # the last segments of closing connections belong to the session
        span = truth.Span(session.name, session.mode, started, time.time_ns(), browser.history(), session.notes,
                          self.phone.address)  # fmt: skip
        self._spans.append(span)
        shutil.rmtree(profile, ignore_errors=True)
        return product


def play_beside(player: Player, plan: Sequence[Session], say: Callable[[str], None]) -> Callable[[], Played]:
    """Starts a player in a process of its own; call what is returned for what it played."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_in_process, args=(player, plan, say, theirs), daemon=False)
    process.start()
    theirs.close()

    def result() -> Played:
        try:
            found: Played | str = ours.recv()
        except EOFError:
            found = "lab: the second phone's process died"
        process.join(STEP_TIMEOUT)
        if isinstance(found, str):
            raise EnvironmentFault(found)
        return found

    return result


def _in_process(player: Player, plan: Sequence[Session], say: Callable[[str], None], to: Connection) -> None:
    try:
        to.send(player.play(plan, say, lambda: None))
    except EnvironmentFault as fault:
        to.send(str(fault))


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


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
