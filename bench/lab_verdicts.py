"""Whether the verdicts on the lab's recordings are the true ones, again and again: some of the sessions drawn each time.

Theory: a recording has more pairs of sessions than a study needs. From each, `--pairs` of them are drawn many times, with
all idle sessions, and compare, coupling and probe are asked as if nothing else had been recorded. What is true is known
from the arm: where page reports went in which mode, in what form. The slope is held against the one that the server's
own count of each POST gives.

Rules: seeded; every destination with a known truth is asked, heartbeats and the idle phone's own traffic too. Tables are
read once per recording; the measuring code is the shipped one. `python -m wiretally.bench.lab_verdicts DIR…` wants
folders as the lab writes them; without any it takes the bundled ones that have pads. `--output docs/reference/lab.md` writes
the page.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..cli import attribution, pipeline
from ..lab.hosts import BACKGROUND, MISTAT, SENSORS
from ..lab.plan import ARMS, IDLE, INCOGNITO, NORMAL
from ..measure import comparison, inputs, probe

if TYPE_CHECKING:
    import polars as pl

    from ..measure.inputs import Session, Visit

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"
BUNDLED = ("probe", "reduced", "http3")
SEED = 20_261_127
RESAMPLES = 1999


class Recording(NamedTuple):
    """One device of one recording, ready to be asked; `arm` is what its phone played, `command` what recorded it."""

    label: str
    arm: str
    flows: pl.DataFrame
    exchanges: pl.DataFrame
    capture: pl.DataFrame
    sessions: list[Session]
    visits: list[Visit]
    slope: float | None
    command: str = ""


class Rows(NamedTuple):
    """Rows of the two tables: verdicts, slopes."""

    verdicts: list[str]
    slopes: list[str]


def read(folder: Path) -> list[Recording]:
    """A recording of the lab, once for each of its devices."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    tables = pipeline.read_tables(folder / "capture.pcapng.zst", pipeline.COMPARED)
    flows = attribution.open_attributor().join(tables["flows"])
    sessions = inputs.read_sessions(str(folder / "sessions.csv"))
    visits = inputs.read_visits(str(folder / "visits.csv"))
    found = []
    for device in truth["devices"]:
        mine = [session for session in sessions if session.device == device["address"]]
        names = {session.session for session in mine}
        label = truth["arm"] if len(truth["devices"]) == 1 else f"{truth['arm']}: {device['arm']}"
        found.append(Recording(label, device["arm"] if device["arm"] in ARMS else truth["arm"], flows, tables["exchanges"],
                               tables["capture"], mine, [visit for visit in visits if visit.session in names],
                               true_slope(truth, names), truth["command"]))  # fmt: skip
    return found


def true_slope(truth: dict[str, Any], sessions: set[str]) -> float | None:
    """Bytes of a POST per character of the pads of its visits, by the servers' own count; for events of one page each.

    Posts of one and of two pages differ by more than pads, so each kind has its own mean; what the page before adds has a slope of
    its own.
    """
    visits, kinds = truth["visits"], defaultdict(list)
    for post in truth["posts"]:
        if post["session"] in sessions and post["visits"]:
            pages = sorted(set(post["visits"]))
            ahead = visits[pages[0] - 1] if pages[0] else {}
            before = ahead.get("pad") or 0 if "session" in ahead and ahead["session"] == visits[pages[0]]["session"] else 0
            kinds[len(pages)].append((sum(visits[page]["pad"] or 0 for page in pages), before, post["up_app_bytes"]))
    centred = [np.array(points, float) - np.mean(points, axis=0) for points in kinds.values()]
    if not centred or not np.concatenate(centred)[:, 0].any():
        return None
    table = np.concatenate(centred)
    return float(np.linalg.lstsq(table[:, :2], table[:, 2], rcond=None)[0][0])


def expected(recording: Recording) -> dict[str, dict[str, set[str]]]:
    """For each question the verdicts that are true, by destination."""
    arm = ARMS[recording.arm]
    host = arm.normal or SENSORS
    same = arm.incognito == arm.normal
    truth: dict[str, dict[str, set[str]]] = {
        "compare": {host: {"continues"} if same else {"stops"}},
        "coupling": {host: {"locked"}, MISTAT: {"not_locked"}},
        "probe": {host: {"independent" if arm.form == "reduced" else "url_dependent"}, MISTAT: {"independent"}},
    }
    if arm.incognito and not same:
        truth["compare"][arm.incognito] = {"appears"}
    if arm.background:
        # random posts are neither, and few of them may leave it open; what they must never be is a page report
        truth["coupling"] |= {key: {"not_locked", "inconclusive"} for key in BACKGROUND}
        truth["probe"] |= {key: {"independent", "inconclusive"} for key in BACKGROUND}
    return truth


def drawn(recording: Recording, pairs: int, source: random.Random) -> tuple[list[Session], list[Visit]]:
    """Some pairs of sessions, all idle ones, and the visits of both."""
    named = {session.notes for session in recording.sessions if session.mode in {NORMAL, INCOGNITO}}
    kept = set(source.sample(sorted(named), min(pairs, len(named))))
    sessions = [session for session in recording.sessions if session.mode == IDLE or session.notes in kept]
    names = {session.session for session in sessions}
    return sessions, [visit for visit in recording.visits if visit.session in names]


def asked(recording: Recording, sessions: list[Session], visits: list[Visit], seed: int) -> tuple[dict[str, dict[str, str]], dict[str, float]]:
    """Every verdict by question and destination, and the slopes."""
    tables = recording.flows, recording.exchanges, sessions, visits, recording.capture
    compared = comparison.compare(*tables, comparison.CompareOptions(resamples=RESAMPLES, seed=seed))
    words = {"compare": {item["key"]: item["verdict"] for item in compared["destinations"]},
             "coupling": {item["key"]: item["coupling"]["verdict"] for item in compared["destinations"] if item["coupling"]},
             "probe": {}}  # fmt: skip
    slopes = {}
    if any(visit.pad is not None for visit in visits):
        probed = probe.probe(*tables, probe.ProbeOptions(resamples=RESAMPLES, seed=seed))
        words["probe"] = {item["key"]: item["verdict"] for item in probed["destinations"]}
        slopes = {item["key"]: item["slope"]["estimate"] for item in probed["destinations"] if item["slope"]["estimate"] is not None}
    return words, slopes


def repeated(recording: Recording, pairs: int, times: int) -> Rows:
    """One recording: question, destination, the true verdict, how often it came, what else did; and the slopes."""
    source = random.Random(f"{SEED} {recording.label}")
    came: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    estimates: list[float] = []
    truth = expected(recording)
    host = ARMS[recording.arm].normal or SENSORS
    for number in range(times):
        words, slopes = asked(recording, *drawn(recording, pairs, source), seed=number + 1)
        for question, destinations in truth.items():
            for key in destinations:
                came[question, key][words[question].get(key, "nothing")] += 1
        if host in slopes:
            estimates.append(slopes[host])
    rows = Rows([], [])
    for (question, key), counter in came.items():
        wanted = truth[question][key]
        right = sum(counter[word] for word in wanted)
        rest = ", ".join(f"{count} {word}" for word, count in counter.most_common() if word not in wanted) or "–"
        rows.verdicts.append(f"| {recording.label} | {question} | {key} | {' or '.join(sorted(wanted))} | {right} of {times} | {rest} |")
    if estimates and recording.slope:
        middle = statistics.median(estimates)
        off = max(abs(each / recording.slope - 1) for each in estimates)
        rows.slopes.append(f"| {recording.label} | {host} | {recording.slope:.3f} | {middle:.3f} ({middle / recording.slope - 1:+.1%}) | {off:.1%} |")
    return rows


def page(recordings: list[Recording], pairs: int, times: int, command: str) -> str:
    """The page of the reference, measured now."""
    told = ["| arm | recorded with | sessions | visits |\n|---|---|---|---|"]
    found = Rows([], [])
    for recording in recordings:
        print(f"lab: {recording.label}", file=sys.stderr, flush=True)
        rows = repeated(recording, pairs, times)
        found.verdicts.extend(rows.verdicts)
        found.slopes.extend(rows.slopes)
        modes = Counter(session.mode for session in recording.sessions)
        sessions = ", ".join(f"{count} {mode}" for mode, count in modes.items())
        told.append(f"| {recording.label} | `{recording.command}` | {sessions} | {len(recording.visits)} |")
    right = sum(row.split(" | ")[4] == f"{times} of {times}" for row in found.verdicts)
    return "\n\n".join([
        "# Whether the verdicts on the lab's recordings are true",
        f"<!-- Made by `{command}`. -->",
        (f"Real browsers were recorded with an emulated vendor that reports pages, or does not (the `lab`). From each recording {pairs} pairs of sessions were "
        f"drawn {times} times, with all idle ones, and asked as if nothing else had been recorded. The truth is the servers' own account. {right} of "
        f"{len(found.verdicts)} rows have the true verdict every time. Draws of one recording share most of their sessions: a row that chance has misled "
        f"once it will mislead in many of its draws. {RESAMPLES} resamples, seed {SEED}."),
        "\n".join(told),
        "## Verdicts",
        "Where two verdicts are true, few random uploads may leave the question open; what they must never be is a page report.",
        "\n".join(["| arm | question | destination | true | came out | else |\n|---|---|---|---|---|---|", *found.verdicts]),
        "## Slopes",
        ("Bytes uploaded per character of the visited address: as the servers counted each upload, over all sessions, and as the length probe estimates it from "
        "the encrypted traffic of those that were drawn: the median, and the estimate that is furthest off."),
        "\n".join(["| arm | destination | true | median | furthest |\n|---|---|---|---|---|", *found.slopes]),
    ]) + "\n"  # fmt: skip


def main() -> int:
    """Prints the page, or writes it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="recordings of the lab (default: the bundled ones)")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of sessions drawn each time (default 10)")
    parser.add_argument("--times", type=int, default=20, help="how often (default 20)")
    parser.add_argument("--output", type=Path, help="where to write the page")
    options = parser.parse_args()
    folders = options.folders or [SAMPLES / name for name in BUNDLED]
    command = " ".join(["python -m wiretally.bench.lab_verdicts", *(folder.name for folder in options.folders),
                        f"--pairs {options.pairs} --times {options.times} --output docs/reference/lab.md"])  # fmt: skip
    text = page([recording for folder in folders for recording in read(folder)], options.pairs, options.times, command)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
