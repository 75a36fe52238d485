"""How often `compare` is wrong, and how often it finds what is there: sessions drawn by simulation, its own code asked.

Theory: uploads of a session are log-normal, as those of real browsing are skewed; destinations differ in size and in
noise, and a session's mood moves all of them together, so their tests are not independent. Under the null both modes
are the same; under an effect one destination uploads `ratio` times as much in the second mode. False findings are
counted over destinations that do not change, coverage by whether an interval holds what is true.

Rules: seeded; the figures are those of `measure.comparison.compare` from tables, nothing is copied from it.
`python -m wiretally.bench.verdicts --output docs/reference/statistics.md` writes the page.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.schema import EXCHANGES, FLOWS, polars_schema
from ..measure.comparison import CompareOptions, compare
from ..measure.inputs import Session

if TYPE_CHECKING:
    from collections.abc import Callable

NS = 1_000_000_000
START = 1_700_000_000 * NS
LENGTH = 300 * NS
PHONE = "192.168.7.20"
DESTINATIONS = 8
CHANGED = "d0.example"  # the one that the effect is on
SIZES = (6.0, 7.0, 8.0, 9.0, 7.5, 6.5, 8.5, 7.0)  # mean of the logarithm of a session's bytes
NOISE = 0.35  # standard deviation of the logarithm: a session's bytes vary by a third
MOOD = 0.2  # of what moves all destinations of a session
SESSIONS = (6, 10, 20)
NULL_TIMES = 4  # experiments where nothing changes, as a multiple: errors are rarer than findings
RATIOS = (0.0, 0.2, 0.5, 0.8, 1.0)
SEED = 20_261_124
BELOW = ("Where nothing changes at all, Benjamini and Hochberg hold the share of experiments with a false finding at 5 % if destinations are "
         "independent, and below it if what moves one moves others too (Sarkar 1998; Benjamini and Yekutieli 2001): their small p come together, in "
         "fewer experiments. What resampling cannot resolve is rounded towards no finding.")  # fmt: skip


@dataclass
class Tally:
    """What came out of many draws at one number of sessions and one ratio."""

    draws: int = 0
    unchanged: int = 0  # tests of destinations that do not change
    small: int = 0  # of those, with p <= 0.05
    false: int = 0  # of those, with q <= 0.05
    any_false: int = 0  # draws with one of those
    ratio_covered: int = 0
    ratio_defined: int = 0
    shift_covered: int = 0
    mean_covered: int = 0  # of the baseline mode's mean, all destinations
    verdicts: dict[str, int] = field(default_factory=Counter)


def draw(random: np.random.Generator, sessions: int, ratio: float) -> tuple[pl.DataFrame, pl.DataFrame, list[Session]]:
    """Tables of one experiment: `sessions` of each mode, in random order."""
    modes = ["normal", "incognito"] * sessions
    random.shuffle(modes)
    marks = [Session(f"s{n}", PHONE, mode, START + n * LENGTH, START + (n + 1) * LENGTH) for n, mode in enumerate(modes)]
    mood = random.normal(0, MOOD, len(marks))
    flows, exchanges = [], []
    for place in range(DESTINATIONS):
        name = f"d{place}.example"
        flows.append({"flow_id": name, "local_ip": PHONE, "remote_ip": "203.0.113.9", "name": name, "owner": name,
                      "app_exact": True})  # fmt: skip
        bytes_ = np.exp(random.normal(SIZES[place], NOISE, len(marks)) + mood)
        for mark, size in zip(marks, bytes_, strict=True):
            share = ratio if place == 0 and mark.mode == "incognito" else 1.0
            if round(size * share):
                at = datetime.fromtimestamp(mark.start // NS + 60, UTC)
                exchanges.append({"flow_id": name, "start": at, "end": at, "name": name, "up_app_bytes": round(size * share)})
    return _frame(FLOWS, flows), _frame(EXCHANGES, exchanges), marks


def _frame(table: Any, rows: list[dict[str, Any]]) -> pl.DataFrame:  # noqa: ANN401  (a Table of core/schema.py)
    schema = polars_schema(table)
    kinds = {name: schema[name] for name in rows[0]}
    return pl.DataFrame(rows, schema=kinds).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in kinds
    ).select(list(schema))  # fmt: skip


def tally(sessions: int, ratio: float, draws: int, seed: int) -> Tally:
    """Many experiments of one kind."""
    random = np.random.default_rng([seed, sessions, int(ratio * 1000)])
    found = Tally()
    shift = (ratio - 1) * np.exp(SIZES[0])  # of medians, which is what Hodges-Lehmann estimates for one that only scales
    for _ in range(draws):
        flows, exchanges, marks = draw(random, sessions, ratio)
        options = CompareOptions(resamples=999, seed=int(random.integers(1 << 30)))
        items = {item["key"]: item for item in compare(flows, exchanges, marks, options=options)["destinations"]}
        changed = items[CHANGED]
        others = [item for key, item in items.items() if key != CHANGED or ratio == 1]
        wrong = sum(item["q"] is not None and item["q"] <= options.alpha for item in others)
        found.small += sum(item["p"] is not None and item["p"] <= options.alpha for item in others)
        found.draws += 1
        found.unchanged += len(others)
        found.false += wrong
        found.any_false += wrong > 0
        found.verdicts[changed["verdict"]] += 1
        for place in range(DESTINATIONS):
            of = items[f"d{place}.example"]["modes"]["normal"]
            found.mean_covered += of["ci_low"] <= np.exp(SIZES[place] + (NOISE**2 + MOOD**2) / 2) <= of["ci_high"]
        interval, moved = changed["ratio"], changed["difference"]
        if interval["ci_low"] is not None:
            found.ratio_defined += 1
            high = interval["ci_high"]
            found.ratio_covered += interval["ci_low"] <= ratio <= (np.inf if high is None else high)
        if ratio == 1:
            found.shift_covered += moved["ci_low"] <= shift <= moved["ci_high"]
    return found


class Kept:
    """Answers by row in a file of JSON lines, so that a long run that was ended goes on where it was; without a path nowhere."""

    def __init__(self, path: Path | None) -> None:
        """Takes what is there."""
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self._known = {json.dumps(each["asked"]): each["told"] for each in map(json.loads, lines)}

    def ask(self, ask: Callable[..., dict[str, Any]], rows: list[tuple[Any, ...]], jobs: int) -> list[dict[str, Any]]:
        """What `ask` says of each row, in so many processes; rows have seeds of their own, so the number changes nothing."""
        names = [json.dumps([ask.__name__, *row]) for row in rows]
        missing = [(name, row) for name, row in zip(names, rows, strict=True) if name not in self._known]
        if jobs == 1 or not missing:
            for name, row in missing:
                self._keep(name, ask(*row))
        else:
            with multiprocessing.get_context("spawn").Pool(jobs) as pool:
                for name, told in pool.imap_unordered(_asked, [(name, ask, row) for name, row in missing]):
                    self._keep(name, told)
        return [self._known[name] for name in names]

    def _keep(self, name: str, told: dict[str, Any]) -> None:
        self._known[name] = told
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"asked": json.loads(name), "told": told}, default=float) + "\n")


def _asked(job: tuple[str, Callable[..., dict[str, Any]], tuple[Any, ...]]) -> tuple[str, dict[str, Any]]:
    name, ask, row = job
    return name, ask(*row)


def told(sessions: int, ratio: float, draws: int, seed: int) -> dict[str, Any]:
    """A tally as JSON holds it."""
    print(f"compare: {sessions} sessions, ratio {ratio}, {draws} experiments", file=sys.stderr, flush=True)
    found = tally(sessions, ratio, draws, seed)
    return vars(found) | {"verdicts": dict(found.verdicts)}


def precision(draws: int) -> str:
    """How far a share of so many experiments can be believed."""
    near, middle = (100 * np.sqrt(share * (1 - share) / draws) for share in (0.05, 0.5))
    return (f"With {draws} experiments the standard error of a share near 5 % or 95 % is {near:.1f} percentage points, of one near half "
            f"{middle:.1f}: a row that is off by less than two of these is not shown to be off. More `--draws` make it smaller.")  # fmt: skip


def page(draws: int, seed: int, jobs: int = 1, keep: Path | None = None) -> str:
    """The page of the reference, measured now, in so many processes."""
    parts = [
        "# How often the verdicts are wrong",
        f"<!-- Made by `python -m wiretally.bench.statistics --draws {draws} --seed {seed} --output docs/reference/statistics.md`. -->",
        (f"Simulated sessions, {draws} experiments for each row, {NULL_TIMES * draws} where nothing changes, seed {seed}: {DESTINATIONS} destinations with log-normal uploads "
        f"(standard deviation of the logarithm {NOISE}, and {MOOD} that a session's destinations share), modes in random order. "
        "The first destination uploads `ratio` times as much in incognito mode, the others do not change."),
        precision(draws),
        "## Nothing changes",
        ("Size: tests with p ≤ 0.05. False findings: destinations with q ≤ 0.05, and experiments with at least one. " + BELOW +
        " With 6 sessions per mode there are 462 arrangements, so that p goes in steps of 1/462 and the smallest of 8 destinations can be "
        "found at 2/462, which is less than 0.05/8. Coverage: 95 % intervals that hold what is true. Verdicts rest on the intervals of the ratio and of "
        "the difference."),
        "| sessions per mode | size | false destinations | experiments with one | interval of the ratio | interval of the difference | interval of a mode's mean |",
    ]
    rows = ["|---|---|---|---|---|---|---|"]
    power = ["| sessions per mode | ratio | " + " | ".join(WORDS) + " | interval of the ratio |", "|---|---|" + "---|" * (len(WORDS) + 1)]
    asked = [(sessions, ratio, draws * (NULL_TIMES if ratio == 1 else 1), seed) for sessions in SESSIONS for ratio in RATIOS]
    asked.sort(key=lambda row: row[1] != 1)  # where nothing changes first: it says most
    tallies = {row[:2]: Tally(**of) for row, of in zip(asked, Kept(keep).ask(told, asked, jobs), strict=True)}
    for sessions in SESSIONS:
        for ratio in RATIOS:
            t = tallies[sessions, ratio]
            covered = f"{t.ratio_covered / t.ratio_defined:.1%}" if t.ratio_defined else "–"
            if ratio == 1:
                rows.append(f"| {sessions} | {t.small / t.unchanged:.1%} | {t.false / t.unchanged:.2%} | {t.any_false / t.draws:.1%} | {covered} | "
                            f"{t.shift_covered / t.draws:.1%} | {t.mean_covered / (t.draws * DESTINATIONS):.1%} |")  # fmt: skip
            shares = " | ".join(f"{t.verdicts.get(word, 0) / t.draws:.0%}" for word in WORDS)
            power.append(f"| {sessions} | {ratio} | {shares} | {covered} |")
    parts[-1] += "\n" + "\n".join(rows)
    parts += ["## One destination changes", "What is said of it, as a share of the experiments.", "\n".join(power)]
    return "\n\n".join(parts) + "\n"


WORDS = ("stops", "reduced", "inconclusive", "continues", "increases")


def main() -> int:
    """Prints the page, or writes it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--draws", type=int, default=500, help="experiments per row (default 500)")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="where rows are kept, so that a run that was ended goes on")
    parser.add_argument("--output", help="where to write the page")
    asked = parser.parse_args()
    text = page(asked.draws, asked.seed, asked.jobs, asked.keep)
    if asked.output:
        Path(asked.output).write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
