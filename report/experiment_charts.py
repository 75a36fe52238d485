"""Charts of the two experiments: uploads around visits, and uploads over the length that was added to URLs.

Theory: the raster shows every visit as a row and every upload after it as a stroke, so that a lock is a line that the
eye finds by itself; the histogram below counts them. The scatter has a dot for each burst of uploads and the slope
through their middle. As in `charts.py`, each is drawn for a wide and for a narrow page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .charts import AXIS, NARROW, WIDE, colour, tick
from .experiments import ratio_or, spoken
from .svg import INK, MUTED, RULE, drawn
from .words import counted, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SECONDS = 30
ROW = 4  # CSS pixels of a visit's row
HISTOGRAM = 90
SCATTER = 260


def around(item: dict[str, Any], name: str, width: int = WIDE) -> str:
    """Raster and histogram of uploads in the 30 s after visits; item: an ITEM with its coupling."""
    of = item["coupling"]
    rows, counts = of["raster"], of["histogram"]["counts"]
    tall = max(len(rows), 1) * ROW
    height = tall + HISTOGRAM + AXIS

    def draw(figure: Figure) -> None:
        left, span = 7 / width, 1 - 21 / width
        upper = figure.add_axes((left, (HISTOGRAM + AXIS) / height, span, tall / height))
        upper.set_xlim(0, SECONDS)
        upper.set_ylim(len(rows), -1)
        upper.axis("off")
        places = [(lag / 1000, row) for row, lags in enumerate(rows) for lag in lags]
        upper.vlines([lag for lag, _ in places], [row - 0.45 for _, row in places], [row + 0.45 for _, row in places],
                     color=colour("incognito"), linewidth=2)  # fmt: skip
        lower = figure.add_axes((left, AXIS / height, span, (HISTOGRAM - 8) / height))
        lower.set_xlim(0, SECONDS)
        lower.set_ylim(0, max([*counts, 1]))
        step = of["histogram"]["bin_ms"] / 1000
        lower.bar([at * step for at in range(len(counts))], counts, step * 0.9, align="edge", color=colour("incognito"), alpha=0.75)
        if of["window_ms"] and of["verdict"] == "locked":
            low, high = (edge / 1000 for edge in of["window_ms"])
            lower.axvspan(low, high, color=INK, alpha=0.08, linewidth=0)
        lower.tick_params(axis="x", length=0, pad=6, labelsize=11)
        lower.set_xlabel("seconds after the visit", loc="left", fontsize=11)
        lower.text(0.998, 0.97, f"up to {max([*counts, 0])} uploads", fontsize=10, color=MUTED, ha="right", va="top",
                   transform=lower.transAxes)  # fmt: skip

    typical = f", typically {spoken(of['median_lag_ms'])} after it" if of["median_lag_ms"] is not None else ""
    label = f"Uploads in the {SECONDS} seconds after {counted(of['visits'], 'visit')}{typical}"
    return drawn(width, height, name, label, draw)


def scatter(item: dict[str, Any], modes: dict[str, str], name: str, width: int = WIDE) -> str:
    """Uploaded bytes over added characters, a dot per burst; modes: their roles, for colours."""
    points, slope = item["points"], item["slope"]

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((60 / width, AXIS / SCATTER, 1 - 74 / width, 1 - (AXIS + 12) / SCATTER))
        axes.set_axisbelow(True)
        axes.tick_params(axis="both", length=0, pad=6, labelsize=11, labelleft=True, labelcolor=MUTED)
        axes.yaxis.set_major_formatter(lambda value, _: tick(value) if value >= 0 else "")
        axes.grid(color=RULE, linewidth=0.75)
        across = [each["pad"] for each in points]
        up = [each["bytes"] for each in points]
        axes.set_xlim(0, max([*across, 1]) * 1.03)
        axes.set_ylim(0, max([*up, 1]) * 1.08)
        for mode, role in modes.items():
            mine = [each for each in points if each["mode"] == mode]
            axes.scatter([each["pad"] for each in mine], [each["bytes"] for each in mine], s=20, color=colour(role), alpha=0.6, linewidth=0)
        if slope["estimate"] is not None and points:
            middle = sorted(y - slope["estimate"] * x for x, y in zip(across, up, strict=True))[len(points) // 2]
            ends = [min(across), max(across)]
            axes.plot(ends, [middle + slope["estimate"] * x for x in ends], color=INK, linewidth=1.75)
        axes.set_xlabel("characters added to the visited URLs", loc="left", fontsize=11)

    told = "; ".join(f"{visible(mode)}: {counted(sum(each['mode'] == mode for each in points), 'burst')}" for mode in modes)
    label = f"Uploaded bytes over added characters; {told}; slope {ratio_or(slope['estimate'])}"
    return drawn(width, SCATTER, name, label, draw)


def pair(draw: Any, *given: Any, name: str) -> dict[str, str]:  # noqa: ANN401  (a chart of this file and what it takes)
    """The same chart for a wide and for a narrow page."""
    return {form: draw(*given, f"{name}-{form}", width) for form, width in (("wide", WIDE), ("narrow", NARROW))}
