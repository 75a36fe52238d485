"""How often coupling and the probe are wrong, and how often they find what is there; with `verdicts.py` a page.

Theory: the same code that users run is asked about simulated sessions of which the truth is known. Coupling: visits at
irregular times; under the null uploads come in bursts of their own, under an effect a share of visits is followed by an
upload after a one-shot timer. The probe: pads drawn as in a plan, uploads log-normal with or without a slope, and a
timer that puts several visits into one burst.

Rules: seeded. `python -m wiretally.bench.statistics --draws 300 --output docs/reference/statistics.md` writes the page.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..core.schema import EXCHANGES, FLOWS, polars_schema
from ..measure import coupling
from ..measure.inputs import Session, Visit
from ..measure.moments import Opened
from ..measure.probe import ProbeOptions, probe
from . import verdicts

NS = 1_000_000_000
LENGTH = 300
PAGES = 10
TIMER = 15
COUNTS = (6, 10, 20)
SHARES = (0.0, 0.25, 1.0)
SLOPES = (0.0, 1.0)
TESTED = 8  # destinations of one experiment under the null
ALPHA = 0.05


def _visits(random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Seconds since the session's start."""
    gaps = random.uniform(0.3, 1.7, PAGES)
    return np.asarray(8 + np.cumsum(gaps) * (LENGTH - 40) / (PAGES * 1.0) * 0.9)


def _bursts(random: np.random.Generator, mean: float) -> np.ndarray[Any, Any]:
    """Uploads in bursts, as programs make them."""
    starts = random.uniform(0, LENGTH, random.poisson(mean / 2))
    return np.sort(np.concatenate([starts, (starts + random.uniform(1, 6, len(starts))) % LENGTH]))


def coupled(sessions: int, share: float, draws: int, seed: int) -> dict[str, float]:
    """Shares of experiments: any false finding among the unrelated, and what is said of the destination that may follow."""
    print(f"coupling: {sessions} sessions, {share}", file=sys.stderr, flush=True)
    random = np.random.default_rng([seed, sessions, int(share * 100)])
    marks = [Session(f"s{n}", verdicts.PHONE, "normal", n * LENGTH * NS, (n + 1) * LENGTH * NS) for n in range(sessions)]
    told = dict.fromkeys(("false", "small", "tests", "locked", "not_locked", "inconclusive"), 0.0)
    for draw in range(draws):
        opened, rows = [], []
        for place, mark in enumerate(marks):
            visits = _visits(random)
            opened += [Opened(mark.session, int(at * NS), f"{place}.example") for at in visits]
            follows = visits[random.random(PAGES) < share] + TIMER
            for key in range(TESTED):
                times = np.concatenate([_bursts(random, 6), follows]) if key == 0 else _bursts(random, 8)
                rows += [(mark.session, f"d{key}", mark.start + int(at * NS), 500) for at in times if at < LENGTH]
        frame = pl.DataFrame(rows, schema={"session": pl.String, "key": pl.String, "began": pl.Int64, "up_app_bytes": pl.UInt64},
                             orient="row")  # fmt: skip
        setting = coupling.Setting(ALPHA, 0.5, 499, draw, "idle", "given")
        found = coupling.couple(frame, marks, opened, "key", setting)
        unrelated = [item for key, item in found.items() if share == 0 or key != "d0"]
        told["false"] += any(item["verdict"] == coupling.LOCKED for item in unrelated)
        _small(told, unrelated)
        told[found["d0"]["verdict"]] += 1
    return _shares(told, draws)


def _small(told: dict[str, float], unrelated: list[dict[str, Any]]) -> None:
    """Counts the tests of what is unrelated, and those of them that alone would be called a finding."""
    known = [item["p"] for item in unrelated if item["p"] is not None]
    told["tests"] += len(known)
    told["small"] += sum(p <= ALPHA for p in known)


def _shares(told: dict[str, float], draws: int) -> dict[str, float]:
    """Counts as shares: of tests, of defined intervals, else of experiments."""
    of = {"small": told["tests"], "tests": 1.0, "held": told.get("defined", 0.0)}
    return {word: count / max(of.get(word, draws), 1) for word, count in told.items()}


def probed(sessions: int, slope: float, draws: int, seed: int) -> dict[str, float]:
    """The same of the probe, and how often the interval of the slope holds the truth."""
    print(f"probe: {sessions} sessions, {slope}", file=sys.stderr, flush=True)
    random = np.random.default_rng([seed, sessions, int(slope * 100), 7])
    told = dict.fromkeys(("false", "small", "tests", "held", "defined", "url_dependent", "independent", "inconclusive"), 0.0)
    flows = verdicts._frame(FLOWS, [  # noqa: SLF001  (a helper of the same bench)
        {"flow_id": f"d{key}", "local_ip": verdicts.PHONE, "remote_ip": "203.0.113.9", "name": f"d{key}", "app_exact": True}
        for key in range(TESTED)])  # fmt: skip
    for draw in range(draws):
        marks, visits, rows = [], [], []
        for place in range(sessions):
            start = verdicts.START + place * LENGTH * NS
            marks.append(Session(f"s{place}", verdicts.PHONE, "normal", start, start + LENGTH * NS))
            at, pads = _visits(random), random.integers(0, 1001, PAGES)
            visits += [Visit(start + int(t * NS), f"s{place}", "https://x.invalid/", int(pad)) for t, pad in zip(at, pads, strict=True)]
            burst, due = np.zeros(PAGES, int), -1.0
            for number, moment in enumerate(at):  # a one-shot timer: several visits may share a burst
                if moment > due:
                    due, burst[number:] = moment + TIMER, burst[number] + 1
            for key in range(TESTED):
                for number in np.unique(burst):
                    mine = burst == number
                    size = random.lognormal(6, 0.4) + (slope if key == 0 else 0.0) * pads[mine].sum()
                    when = start + int((at[mine][0] + TIMER) * NS)
                    rows.append((f"d{key}", when, round(size)))
        exchanges = pl.DataFrame(rows, schema={"flow_id": pl.String, "ns": pl.Int64, "up_app_bytes": pl.UInt64}, orient="row")
        exchanges = exchanges.with_columns(start=pl.from_epoch("ns", "ns").dt.replace_time_zone("UTC")).with_columns(end="start").drop("ns")
        schema = polars_schema(EXCHANGES)
        exchanges = exchanges.select(pl.col(name).cast(kind) if name in exchanges.columns else pl.lit(None, kind).alias(name)
                                     for name, kind in schema.items())  # fmt: skip
        found = {each["key"]: each for each in probe(flows, exchanges, marks, visits, options=ProbeOptions(resamples=499, seed=draw))["destinations"]}
        item = found["d0"]
        unrelated = [each for key, each in found.items() if slope == 0 or key != "d0"]
        told["false"] += any(each["q"] is not None and each["q"] <= ALPHA for each in unrelated)
        _small(told, unrelated)
        told[item["verdict"]] += 1
        if item["slope"]["ci_low"] is not None:
            told["defined"] += 1
            told["held"] += item["slope"]["ci_low"] <= slope <= item["slope"]["ci_high"]
    return _shares(told, draws)


def page(draws: int, seed: int, jobs: int = 1, keep: Path | None = None) -> str:
    """What the two experiments add to the page of `verdicts.py`."""
    rows = ["| sessions | follows visits | locked | not locked | inconclusive | size | experiments with a false finding |", "|---|---|---|---|---|---|---|"]
    asked = [(sessions, share, draws * (verdicts.NULL_TIMES if not share else 1), seed) for sessions in COUNTS for share in SHARES]
    for (sessions, share, *_), t in zip(asked, verdicts.Kept(keep).ask(coupled, asked, jobs), strict=True):
        rows.append(f"| {sessions} | {share:.0%} | {t['locked']:.0%} | {t['not_locked']:.0%} | {t['inconclusive']:.0%} | {t['small']:.1%} | {t['false']:.1%} |")
    slopes = ["| sessions | bytes per character | url_dependent | independent | inconclusive | interval of the slope | size | experiments with a false finding |",
              "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    asked = [(sessions, slope, draws * verdicts.NULL_TIMES, seed) for sessions in COUNTS for slope in SLOPES]
    for (sessions, slope, *_), t in zip(asked, verdicts.Kept(keep).ask(probed, asked, jobs), strict=True):
        slopes.append(f"| {sessions} | {slope:g} | {t['url_dependent']:.0%} | {t['independent']:.0%} | {t['inconclusive']:.0%} | "
                      f"{t['held']:.1%} | {t['small']:.1%} | {t['false']:.1%} |")  # fmt: skip
    return "\n\n".join([
        "## Coupling", (f"{draws} experiments a row, {verdicts.NULL_TIMES * draws} where nothing follows visits: sessions of {LENGTH} s with {PAGES} visits at irregular times, {TESTED} destinations that "
        f"upload in bursts; the first also uploads {TIMER} s after the stated share of visits. A false finding is an unrelated destination "
        "called locked (q ≤ 0.05); size: its tests with p ≤ 0.05. " + verdicts.BELOW), verdicts.precision(draws), "\n".join(rows),
        "## The length probe", (f"{verdicts.NULL_TIMES * draws} experiments a row: {PAGES} visits a session with 0 to 1000 added characters, {TESTED} destinations with "
        f"log-normal uploads (about 400 bytes, standard deviation of the logarithm 0.4), a timer of {TIMER} s that puts several visits into one "
        "burst; the first grows with the URL. Tests are one-sided: only a slope above 0 is ever a finding. A false finding is an unrelated destination with q ≤ 0.05; size: its tests with p ≤ 0.05. Where one destination is rightly found, q ≤ 0.05 allows one "
        "false among twenty findings, and so more experiments with one."), "\n".join(slopes),
    ]) + "\n"  # fmt: skip


def main() -> int:
    """Writes the whole page, or prints it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--draws", type=int, default=300, help="experiments per row (default 300)")
    parser.add_argument("--seed", type=int, default=verdicts.SEED)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="where rows are kept, so that a run that was ended goes on")
    parser.add_argument("--output", help="where to write the page")
    parser.add_argument("--experiments-only", action="store_true", help="leave compare out")
    asked = parser.parse_args()
    text = ("" if asked.experiments_only else verdicts.page(asked.draws, asked.seed, asked.jobs, asked.keep) + "\n") + page(asked.draws, asked.seed, asked.jobs, asked.keep)
    if asked.output:
        Path(asked.output).write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
