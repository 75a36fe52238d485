"""A plan of sessions for `compare`: how many per mode, in which order, how long each, for the effect that is to be found.

Theory: sessions are the replicates, their order is drawn at random in blocks of one session per mode, so that the time
of day meets every mode alike. The number follows from the spread between sessions (coefficient of variation) as in
`statistics.needed`: for a ratio r of means, (z(1 - a/2) + z(power))² · cv² · (1 + r²) / (1 - r)², and never so few that
the permutation test cannot reach a. The verdict asks for q over all destinations, which for the only one of them that differs
is a = alpha by their number. The spread is that of the pilot's middle destination, or
of the one that is named; without a pilot it is an assumption, and said to be one.

Rules: everything follows from the seed. Idle sessions are the control for what has nothing to do with browsing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from scipy import stats

from ..core.errors import InputError
from . import statistics
from .verdict import MIN_SESSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_SESSIONS = 200  # of one mode; more is no plan that anybody carries out
LEAST_SPREAD = 0.05  # pilot sessions that differ less say nothing of those to come
PILOT = 3  # sessions of a mode from which a spread can be told


@dataclass(frozen=True)
class SessionPlanOptions:
    """ratio: of means, second mode to first, that is to be found. cv: spread of sessions, as a share of their mean, where no
    pilot tells it. tests: destinations. minutes: length of a session. power, alpha: of the test. idle: sessions without
    browsing, None for one per three of a mode.
    """  # noqa: D205  (a list of fields)

    ratio: float = 0.5
    cv: float = 0.5
    tests: int = 20
    minutes: float = 10.0
    power: float = 0.8
    alpha: float = 0.05
    idle: int | None = None
    seed: int = 1


class PlannedSession(NamedTuple):
    """A session to make, `minutes` long, in this order."""

    position: int
    session: str
    mode: str
    minutes: float


class SessionPlan(NamedTuple):
    """The sessions; `per_mode` of each mode; `cv` and `tests` they were reckoned with; `warnings` in plain words."""

    sessions: list[PlannedSession]
    per_mode: int
    cv: float
    tests: int
    warnings: list[str]


def plan(modes: Sequence[str], options: SessionPlanOptions, pilot: dict[str, Any] | None = None, only: str | None = None) -> SessionPlan:
    """The plan; pilot: a result of `compare`, of which `only` names one destination. Raises InputError where none answers."""
    _check(modes, options)
    told = []
    cv, tests = options.cv, options.tests
    if pilot is not None:
        cv, tests = spread(pilot, only)
    else:
        told.append(f"no pilot sessions: it is assumed that sessions vary by {cv:.0%} of their mean, over {tests} destinations")
    count = needed(cv, tests, options)
    idle = ceil(count / 3) if options.idle is None else options.idle
    if not idle:
        told.append("no idle session: uploads that have nothing to do with browsing cannot be subtracted")
    if options.minutes < 2:
        told.append("sessions below 2 minutes: what reporters send later falls into the next session")
    source = random.Random(options.seed)  # noqa: S311  (a design, no secret)
    at = sorted(source.sample(range(count), min(idle, count)))
    extra = {block: 1 + (idle - len(at)) // max(len(at), 1) for block in at}
    for block in at[: (idle - len(at)) % max(len(at), 1)]:
        extra[block] += 1
    numbers: dict[str, int] = {}
    rows: list[PlannedSession] = []
    for block in range(count):
        here = [*modes, *["idle"] * extra.get(block, 0)]
        for mode in source.sample(here, len(here)):
            numbers[mode] = numbers.get(mode, 0) + 1
            rows.append(PlannedSession(len(rows) + 1, f"{mode}-{numbers[mode]:02d}", mode, options.minutes))
    return SessionPlan(rows, count, cv, tests, told)


def needed(cv: float, tests: int, options: SessionPlanOptions) -> int:
    """Sessions per mode for the stated power."""
    level = options.alpha / tests
    strict, sure = float(stats.norm.ppf(1 - level / 2)), float(stats.norm.ppf(options.power))
    count = (strict + sure) ** 2 * cv**2 * (1 + options.ratio**2) / (1 - options.ratio) ** 2
    count = ceil(count + strict**2 / 4)  # normal quantiles are a little short: Guenther 1981
    least = next((n for n in range(2, MOST_SESSIONS) if statistics.smallest_p(n, n) <= level), MOST_SESSIONS)
    count = max(count, least, MIN_SESSIONS)
    if count > MOST_SESSIONS:
        raise InputError(f"plan: {count} sessions per mode would be needed, more than {MOST_SESSIONS}: look for a larger difference "
                         "(--ratio further from 1), or make sessions longer and more alike")  # fmt: skip
    return count


def spread(pilot: dict[str, Any], only: str | None) -> tuple[float, int]:
    """(coefficient of variation of a session's uploads, number of destinations) of a result of `compare`."""
    try:
        options = pilot["basis"]["options"]
        mode = {row["session"]: row["mode"] for row in pilot["sessions"]}
        table: dict[str, dict[str, float]] = {}
        for row in pilot["volumes"]:
            table.setdefault(row["key"], {})[row["session"]] = float(row["up_app_bytes"])
        baseline = [session for session in mode if mode[session] == options["baseline"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError("plan: the pilot is no result of `wiretally compare --format json`") from None
    if only is not None and only not in table:
        raise InputError(f"plan: {only!r} is no destination of the pilot")
    if len(baseline) < PILOT:
        raise InputError(f"plan: the pilot has {len(baseline)} session(s) in mode {options['baseline']}; a spread takes {PILOT} at least")
    found = []
    for key in [only] if only is not None else list(table):
        sizes = [table[key].get(session, 0.0) for session in baseline]
        mean = sum(sizes) / len(sizes)
        if mean > 0:
            found.append(sqrt(sum((size - mean) ** 2 for size in sizes) / (len(sizes) - 1)) / mean)
    if not found or not all(map(isfinite, found)):
        raise InputError("plan: nothing was uploaded in the pilot's sessions of the first mode: there is no spread to plan with")
    found.sort()
    return max(found[len(found) // 2], LEAST_SPREAD), len(table)  # the middle destination; name one for its own


def _check(modes: Sequence[str], o: SessionPlanOptions) -> None:
    if len(set(modes)) < 2 or len(set(modes)) != len(modes) or "idle" in modes:
        raise InputError("plan: one mode answers nothing: name two or more different ones; idle sessions are added by themselves")
    if any(not mode.strip() or not mode.isprintable() or "," in mode for mode in modes):
        raise InputError("plan: a mode is a printable word without commas")
    if not (o.ratio >= 0 and isfinite(o.ratio)) or abs(o.ratio - 1) < 0.01:
        raise InputError("plan: --ratio is the ratio of uploads that is to be found: 0.5 for half, 0 for nothing at all, never 1")
    if not (0.5 <= o.power < 1 and 0 < o.alpha < 0.5 and 0 < o.cv <= 10 and 1 <= o.tests <= 5000 and 0 < o.minutes <= 1440):
        raise InputError("plan: power from 0.5 to below 1, alpha between 0 and 0.5, spread above 0 to 10, 1 to 5000 destinations, minutes up to 1440")
    if o.idle is not None and not 0 <= o.idle <= MOST_SESSIONS:
        raise InputError(f"plan: from 0 to {MOST_SESSIONS} idle sessions")
