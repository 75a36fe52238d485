"""How fast, on the same work, in the same minutes, as whole processes.

Theory: machines differ and are noisy, ratios to a neighbour on the same file much less so. So every repetition runs all
tools one after another, libpcap's empty loop first, and what is reported is the median of each repetition's ratio to
that loop. Captures are made by `mix` once and kept; every file is read once before, so that the page cache is warm.

The figures to hold (against the mix): 8 times NFStream, 3.5 times ndpiReader, within 3 times of the loop; start-up on a
hundred packets at most 0.7 s; peak memory below 300 MB and the same within 10 % for a fifth of the packets.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ..core.errors import EnvironmentFault
from ..store.cells import escaped
from . import mix
from .peers import Peer, peers
from .processes import Run, machine, run, warm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

START = 300  # nominal packets of the smallest capture: three connections
LOOP, OURS, NFSTREAM, NDPI = "libpcap", "wiretally", "NFStream", "ndpiReader"
AIMS = {  # bound, and whether the figure has to stay below it
    "times NFStream on the mix": (8.0, False),
    "times ndpiReader on the mix": (3.5, False),
    "times the libpcap loop's time on the mix": (3.0, True),
    "start-up on a hundred packets, s": (0.7, True),
    "peak on the mix, MB": (300.0, True),
    "peak on the mix against a fifth of it": (1.1, True),
}


@dataclass(frozen=True)
class Options:
    """packets: of the mix, nominally; the other captures are parts of it. repeat: times that each tool runs on each.

    work: the folder where captures and results lie. only: how the names of tools begin; the loop always runs. None: all.
    """

    packets: int
    repeat: int
    work: Path
    only: tuple[str, ...] | None


@dataclass
class Line:
    """One tool on one capture; medians over the repetitions, ratios paired inside each."""

    tool: str
    does: str
    packets_per_second: float = 0.0
    seconds: float = 0.0
    fastest: float = 0.0
    slowest: float = 0.0
    cpu_seconds: float = 0.0
    times_loop: float | None = None
    peak_mib: float = 0.0
    named: int | None = None
    note: str = ""


def capture(work: Path, kind: str, packets: int, say: Callable[[str], None]) -> tuple[Path, dict[str, Any]]:
    """A generated capture and its truth; made if it is not there yet."""
    path = work / f"{kind}-{packets}.pcap"
    truth = Path(f"{path}.json")
    if not (path.exists() and truth.exists()):
        say(f"making {path}")
        mix.write(path, kind, packets)
    return path, json.loads(truth.read_text(encoding="utf-8"))


def measure(
    path: Path, truth: dict[str, Any], tools: list[Peer], repeat: int, say: Callable[[str], None]
) -> list[Line]:
    """Every tool on one capture, `repeat` times, interleaved."""
    lines = {tool.name: Line(tool.name, tool.does, note=_left_out(tool, truth["packets"])) for tool in tools}
    runs: dict[str, list[Run]] = {tool.name: [] for tool in tools if not lines[tool.name].note}
    work = path.parent
    for turn in range(repeat):
        for tool in tools:
            if tool.name in runs and tool.command:
                say(f"{path.name}: {tool.name}, {turn + 1} of {repeat}")
                output = work / "output"
                output.unlink(missing_ok=True)
                done = run(tool.command(path, output), work / "log")
                if done.code:
                    lines[tool.name].note = f"exit {done.code}: {_last_line(work / 'log')}"
                    del runs[tool.name]
                    continue
                runs[tool.name].append(done)
                if tool.named and len(runs[tool.name]) == 1:
                    lines[tool.name].named = tool.named(output)
    yardstick = [done.seconds for name, all_runs in runs.items() if name.startswith(LOOP) for done in all_runs]
    for name, all_runs in runs.items():
        _fill(lines[name], all_runs, yardstick, truth["packets"])
    return list(lines.values())


def _left_out(tool: Peer, packets: int) -> str:
    return tool.missing or ("left out: it would take minutes" if packets > tool.limit else "")


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1][:120]


def _fill(line: Line, runs: list[Run], yardstick: list[float], packets: int) -> None:
    seconds = [done.seconds for done in runs]
    line.seconds, line.fastest, line.slowest = median(seconds), min(seconds), max(seconds)
    line.cpu_seconds = median(done.cpu for done in runs)
    line.packets_per_second = packets / line.seconds
    line.peak_mib = max(done.peak for done in runs)
    if yardstick:
        line.times_loop = median(mine / loop for mine, loop in zip(seconds, yardstick, strict=True))


def shown(title: str, truth: dict[str, Any], lines: list[Line], cache: str) -> Table:
    """One capture's table."""
    flows = truth["tls_flows"] + truth["quic_flows"]
    size = truth["frame_bytes"] / 1e9
    table = Table(
        title=f"{title}: {truth['packets']:,} packets, {size:.2f} GB, page cache: {cache}", title_justify="left"
    )
    for head in ("tool", "packets/s", "s", "min to max", "x loop", "peak MiB", f"named of {flows:,}", "did"):
        table.add_column(head, justify="left" if head in {"tool", "did"} else "right")
    for line in lines:
        if line.note:
            table.add_row(line.tool, *[""] * 6, Text(escaped(line.note)))
            continue
        ratio = "" if line.times_loop is None else f"{line.times_loop:.2f}"
        named = "" if line.named is None else f"{line.named:,}"
        span = f"{line.fastest:.2f} to {line.slowest:.2f}"
        speed = f"{line.packets_per_second / 1e6:.3f} M"
        table.add_row(line.tool, speed, f"{line.seconds:.2f}", span, ratio, f"{line.peak_mib:.0f}", named, line.does)
    return table


def verdicts(lines: list[Line], fifth: list[Line], startup: float | None) -> dict[str, float]:
    """The figures that AIMS bounds; what could not be measured is left out."""
    by_name = {line.tool.split()[0].rstrip(","): line for line in lines if not line.note}
    figures: dict[str, float] = {}
    ours = by_name.get(OURS)
    if ours:
        for peer in (NFSTREAM, NDPI):
            if peer in by_name:
                figures[f"times {peer} on the mix"] = by_name[peer].seconds / ours.seconds
        if ours.times_loop is not None:
            figures["times the libpcap loop's time on the mix"] = ours.times_loop
        figures["peak on the mix, MB"] = ours.peak_mib * 2**20 / 1e6
        small = next((line.peak_mib for line in fifth if line.tool.startswith(OURS) and not line.note), None)
        if small:
            figures["peak on the mix against a fifth of it"] = ours.peak_mib / small
    if startup is not None:
        figures["start-up on a hundred packets, s"] = startup
    return figures


def told(figures: dict[str, float]) -> Iterator[str]:
    """Each of AIMS, held or not."""
    for name, (bound, below) in AIMS.items():
        if name in figures:
            held = figures[name] <= bound if below else figures[name] >= bound
            wanted = f"{'at most' if below else 'at least'} {bound:g}"
            yield f"{'held' if held else 'MISSED'}: {name}: {figures[name]:.2f} ({wanted})"
        else:
            yield f"not measured: {name}"


def bench(options: Options, say: Callable[[str], None], show: Callable[[RenderableType], None]) -> dict[str, Any]:
    """Makes the captures and measures; also kept as `bench.json` where they lie.

    `say` is told what is being done, `show` gets each table and sentence as it is known.
    """
    work = options.work
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"--work {escaped(str(work))}: is no folder to work in: {error.strerror}; name another") from error
    say("looking who is here")
    tools = peers(work, options.only and (LOOP, *options.only))
    result: dict[str, Any] = {
        "schema": "wiretally.bench/1",
        "machine": machine(),
        "repeat": options.repeat,
        "works": {},
    }
    show(", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    tiny, _ = capture(work, "mix", START, say)
    ours = next((tool for tool in tools if tool.name.startswith(OURS) and tool.command and not tool.missing), None)
    if ours and ours.command:  # kernels may have to be compiled: told apart, and over before anything is compared
        say("first start")
        result["first start, s"] = run(ours.command(tiny, work / "output"), work / "log").seconds
    measured: dict[str, list[Line]] = {}
    works = {
        "mix": ("mix", options.packets),
        "fifth": ("mix", options.packets // 5),
        "short": ("short", options.packets // 5),
        "small64": ("small64", options.packets * 2 // 5),
        "start": ("mix", START),
    }
    for title, (kind, packets) in works.items():
        path, truth = capture(work, kind, packets, say)
        cache = warm(path)
        lines = measured[title] = measure(path, truth, tools, options.repeat, say)
        show(shown(title, truth, lines, cache))
        result["works"][title] = {"truth": truth, "page_cache": cache, "lines": [asdict(line) for line in lines]}
    startup = next((line.seconds for line in measured["start"] if line.tool.startswith(OURS) and not line.note), None)
    result["figures"] = verdicts(measured["mix"], measured["fifth"], startup)
    for line in told(result["figures"]):
        show(line)
    (work / "bench.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result
