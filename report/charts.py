"""The report's charts: uploads per session by mode, and the sessions on a line of time.

Theory: every session is a dot, for a mean alone hides whether two sessions or ten behave alike; the mean and its
interval stand behind the dots. Axes start at 0. Each mode has a colour, a row or letter of its own and its name beside
it, so that nothing depends on colour. Each chart is drawn twice, for a wide and for a narrow page, because text in a
shrunken drawing cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .svg import COLOURS, INK, MUTED, RULE, drawn
from .words import DASH, counted, interval, shortened, size, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = 680, 340  # CSS pixels
ROW, AXIS = 58, 46  # height of a mode's row and of the axis below, in CSS pixels
LANE, STRIP = 46, 20  # height of a destination's lane and of a device's strip of sessions
LETTERS = {"idle": DASH}  # in a session's block; of other modes the first letter: incognito has the I
SPREAD = (0.0, 0.13, -0.13, 0.06, -0.06)  # dots of nearly the same value, one above another


class Strip(NamedTuple):
    """One mode's sessions: `values` in bytes, with the mean and the ends of its interval; `role` names its colour."""

    mode: str
    role: str
    values: list[float]
    mean: float
    low: float | None
    high: float | None


class Span(NamedTuple):
    """A session on the line of time, in seconds since the epoch."""

    device: str
    mode: str
    role: str
    start: float
    end: float


class Upload(NamedTuple):
    """What went to one lane in one bin of time, from `time` on for `length` seconds."""

    lane: str
    device: str
    time: float
    length: float
    amount: float


def colour(role: str) -> str:
    """The stand-in colour of a mode's role: normal, incognito, idle, other."""
    return COLOURS[f"--{role}"]


def tick(amount: float) -> str:
    """An amount beside an axis: 0, 2.5 kB."""
    number, _, unit = size(amount).partition(" ")
    return f"{float(number):g} {unit}" if amount else "0"


def described(strips: Sequence[Strip], per: str, level: str) -> str:
    """A chart of strips in words."""
    told = []
    for strip in strips:
        ends = {"ci_low": strip.low, "ci_high": strip.high}
        between = f", {level} {size(strip.low)} to {size(strip.high)}" if interval(ends) else ""
        told.append(
            f"{visible(strip.mode)}: mean {size(strip.mean)} per {per}{between}, {counted(len(strip.values), 'session')}"
        )
    return "; ".join(told)


def volume(strips: Sequence[Strip], per: str, level: str, name: str, width: int = WIDE) -> str:
    """Uploads per session: a row per mode with a dot per session, the mean and its interval of a `level`."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure, width, height, AXIS)
        axes.set_ylim(len(strips) - 0.5, -0.5)
        ends = [value for strip in strips for value in (*strip.values, strip.mean, strip.high or 0.0)]
        axes.set_xlim(0, max(max(ends, default=0) * 1.06, 1))
        axes.xaxis.set_major_locator(MaxNLocator(6 if width > NARROW else 4, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(lambda value, _: tick(value))
        axes.grid(axis="x", color=RULE, linewidth=0.75)
        axes.set_xlabel(f"uploaded per {per}", loc="left", fontsize=11)
        for row, strip in enumerate(strips):
            _strip(axes, row, strip)

    from matplotlib.ticker import MaxNLocator

    height = ROW * len(strips) + AXIS
    return drawn(width, height, name, described(strips, per, level), draw)


def _axes(figure: Figure, width: float, height: float, below: float) -> Axes:
    """Axes over the whole figure, but for `below` pixels and half a dot at the sides."""
    axes = figure.add_axes((7 / width, below / height, 1 - 21 / width, 1 - below / height))
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0, pad=6, labelsize=11)
    return axes


def _strip(axes: Axes, row: int, strip: Strip) -> None:
    """The name above, the dots below, the interval as a bar behind the dots and the mean as a stroke through it."""
    tone, line = colour(strip.role), row + 0.16
    axes.text(0, row - 0.27, visible(strip.mode).capitalize(), fontsize=12, fontweight="bold", color=tone, va="center",
              transform=axes.get_yaxis_transform())  # fmt: skip
    if strip.low is not None and strip.high is not None:
        axes.barh(line, strip.high - strip.low, 0.44, strip.low, color=tone, alpha=0.2, linewidth=0)
    axes.vlines(strip.mean, line - 0.28, line + 0.28, color=tone, linewidth=2.5)
    values = sorted(strip.values)
    heights = [line + SPREAD[at % len(SPREAD)] for at in range(len(values))]
    axes.scatter(values, heights, s=30, color=tone, alpha=0.75, linewidth=0, clip_on=False)


class Clock:
    """Time to place: gaps between sessions are shortened, or a night would be most of the line."""

    def __init__(self, spans: Sequence[Span]) -> None:
        """`spans`: at least one session."""
        blocks: list[list[float]] = []
        for span in sorted(spans, key=lambda each: each.start):
            if blocks and span.start <= blocks[-1][1]:
                blocks[-1][1] = max(blocks[-1][1], span.end)
            else:
                blocks.append([span.start, span.end])
        longest = max(sum(end - start for start, end in blocks) * 0.02, 1e-9)
        self.times, self.places, self.starts = [], [], [block[0] for block in blocks]
        place, before = 0.0, blocks[0][0]
        for start, end in blocks:
            place += min(start - before, longest)
            self.times += [start, end]
            self.places += [place, place := place + end - start]
            before = end
        self.end = max(place, 1e-9)

    def place(self, time: float) -> float:
        """Where `time` lies, 0 to 1."""
        import numpy as np

        return float(np.interp(time, self.times, self.places)) / self.end


def timeline(
    spans: Sequence[Span], uploads: Sequence[Upload], lanes: Sequence[tuple[str, str]], name: str, width: int = WIDE
) -> str:
    """Sessions by mode and what was uploaded when; `lanes` are the key and the name of each row, top down."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure, width, height, 30)
        axes.set_xlim(0, 1)
        axes.set_ylim(height - 30, 0)
        for at, device in enumerate(devices):
            _sessions(axes, [span for span in spans if span.device == device], clock, STRIP * at, height - 30)
        for at, (key, label) in enumerate(lanes):
            bottom = STRIP * len(devices) + LANE * (at + 1)
            strokes = _strokes([upload for upload in uploads if upload.lane == key], spans, clock, width // 3)
            _lane(axes, strokes, shortened(label, (width - 110) // 7), bottom)
        _ticks(axes, clock, 6 if width > NARROW else 3)

    devices = sorted({span.device for span in spans})
    clock = Clock(spans)
    height = STRIP * len(devices) + LANE * len(lanes) + 34
    modes = [span.mode for span in spans]
    told = ", ".join(f"{modes.count(mode)} {visible(mode)}" for mode in dict.fromkeys(modes))
    label = f"Line of time of {counted(len(spans), 'session')} ({told}) with uploads to {counted(len(lanes), 'destination')}"
    return drawn(width, height, name, label, draw)


def _sessions(axes: Axes, spans: Sequence[Span], clock: Clock, top: float, bottom: float) -> None:
    """A block per session, its mode's letter in it, and its shade down through the lanes."""
    for span in spans:
        left, right = clock.place(span.start), clock.place(span.end)
        axes.fill_between([left, right], top + 3, top + STRIP - 4, color=colour(span.role), linewidth=0)
        axes.fill_between([left, right], top + STRIP - 4, bottom, color=colour(span.role), alpha=0.07, linewidth=0)
        if right - left > 0.02:
            axes.text((left + right) / 2, top + STRIP / 2, LETTERS.get(span.role, visible(span.mode)[:1].upper()), fontsize=9, fontweight="bold",
                      color=COLOURS["--paper"], ha="center", va="center")  # fmt: skip


def _strokes(
    uploads: Sequence[Upload], spans: Sequence[Span], clock: Clock, number: int
) -> dict[str, list[tuple[float, float]]]:
    """By role, places and bytes: uploads that fall into the same one of `number` columns are one stroke.

    A bin may begin before its session or end after it: it belongs to the session that most of it lies in.
    """
    columns: dict[str, dict[int, float]] = {}
    for upload in uploads:
        own = max(spans, key=lambda span: (_shared(span, upload), span.device == upload.device))
        if upload.amount and _shared(own, upload) > 0:
            middle = min(max(upload.time + upload.length / 2, own.start), own.end)
            column = min(int(clock.place(middle) * number), number - 1)
            counts = columns.setdefault(own.role, {})
            counts[column] = counts.get(column, 0.0) + upload.amount
    return {
        role: [((column + 0.5) / number, amount) for column, amount in sorted(counts.items())]
        for role, counts in columns.items()
    }


def _shared(span: Span, upload: Upload) -> float:
    """Seconds that a session and a bin have in common."""
    return min(span.end, upload.time + upload.length) - max(span.start, upload.time)


def _lane(axes: Axes, strokes: dict[str, list[tuple[float, float]]], label: str, bottom: float) -> None:
    """One destination: strokes as high as what was uploaded, the tallest with its size."""
    from matplotlib.collections import LineCollection

    tallest = max((amount for each in strokes.values() for _, amount in each), default=0.0)
    axes.plot([0, 1], [bottom, bottom], color=RULE, linewidth=0.75)
    axes.text(0.004, bottom - LANE + 12, label, fontsize=11, color=INK, va="center")
    axes.text(0.996, bottom - LANE + 12, f"up to {size(tallest)}", fontsize=10, color=MUTED, va="center", ha="right")
    for role, each in strokes.items():
        lines = [[(place, bottom), (place, bottom - (LANE - 20) * amount / tallest)] for place, amount in each]
        axes.add_collection(LineCollection(lines, colors=colour(role), linewidths=1.6))


def _ticks(axes: Axes, clock: Clock, most: int) -> None:
    """Times of day under the starts of some sessions, the date with the first of each day."""
    from datetime import UTC, datetime

    step = -(-len(clock.starts) // most)
    shown, day = [], ""
    for start in clock.starts[::step]:
        time = datetime.fromtimestamp(start, UTC)
        date = f"{time.day} {time:%b}"
        shown.append(f"{time:%H:%M}" if date == day else f"{time:%H:%M}\n{date}")
        day = date
    axes.set_xticks([clock.place(start) for start in clock.starts[::step]], shown, ha="left", fontsize=10)
    axes.spines["bottom"].set_visible(False)
