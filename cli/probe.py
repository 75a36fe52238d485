"""`wiretally probe`: the length probe, and the plan of visits that it needs.

Rules: `wiretally probe plan …` writes a plan; anything else is captures to measure, a file called `plan` as `./plan`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from . import blocks, results
from . import options as cli

MEASURE = "FILE"  # the command that stands for captures; no user needs to type it


class Group(TyperGroup):
    """Takes what is no command of its own for captures."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (typer keeps its own Click)
        """Puts the measuring command in front where no other is named."""
        return super().parse_args(ctx, args if args and args[0] in self.commands else [MEASURE, *args])


app = typer.Typer(cls=Group, help="The length probe: does what is uploaded grow with the URL visited?",
                  context_settings={"help_option_names": ["-h", "--help"]})  # fmt: skip


@app.command(MEASURE)
@blocks.takes_blocks
def probe(
    files: cli.Files,
    visits: Annotated[str, typer.Option(metavar="CSV", help="Which pages were visited when, and how long the pad was: time,session,url,pad.")],
    sessions: results.Sessions = None,
    form: results.Form = "text",
    output: cli.Output = "-",
    *,
    testing: blocks.Testing,
    probing: blocks.Probing,
    reading: blocks.Reading,
    databases: blocks.Databases,
    place: cli.Place = None,
    strict: cli.Strict = False,
    quiet: cli.Quiet = False,
) -> None:
    """The length probe: whether what is uploaded grows with the length of the URL that is visited.

    Visits with pads of random length are needed; `wiretally probe plan --help` says how to make them.

    Example: wiretally probe phone.pcapng --sessions sessions.csv --visits visits.csv --format html -o probe.html
    """
    from . import pipeline, progress

    results.refuse_without_sessions(files, sessions)
    settings = blocks.settings(reading, databases, place=place, strict=strict)
    with progress.bar(quiet=quiet) as look:
        watching: Any = cli.given(progress=look, warn=progress.warner(quiet=quiet))
        result = pipeline.probe(files, sessions, visits, statistics=blocks.statistics(testing, probing), **settings, **watching)
    results.write(result, form, output)


@app.command("plan")
def plan(
    urls: Annotated[list[str], typer.Argument(metavar="URL…", help="Pages to visit; best your own, which embed nothing.")],
    mode: Annotated[list[str] | None, typer.Option("--mode", metavar="WORD", help="Repeatable. Default: normal and incognito.")] = None,
    form: Annotated[
        Literal["csv", "html", "webdriver", "adb"],
        typer.Option("--format", help="A table, a page of links for a phone, or a script that visits and notes the times."),
    ] = "csv",
    output: cli.Output = "-",
    slope: Annotated[float, typer.Option(metavar="BYTES", help="Bytes per added character that are to be found.")] = 0.5,
    noise: Annotated[float, typer.Option(metavar="BYTES", help="How much an upload varies for other reasons (standard deviation).")] = 200.0,
    power: Annotated[float, typer.Option(metavar="SHARE", help="Chance to find that slope.")] = 0.9,
    alpha: Annotated[float, typer.Option(metavar="P", help="Share of false findings allowed.")] = 0.05,
    destinations: Annotated[int, typer.Option(metavar="N", help="Destinations that will be tested: q is over all of them.")] = 20,
    longest: Annotated[int, typer.Option(metavar="N", min=1, max=8000, help="Most characters added to a URL.")] = 1000,
    per_session: Annotated[int, typer.Option(metavar="N", help="Visits in a session.")] = 12,
    per_flush: Annotated[int, typer.Option(metavar="N", min=1, help="Visits that a late reporter may send together.")] = 3,
    dwell: Annotated[tuple[float, float], typer.Option(metavar="LEAST MOST", help="Seconds on a page, drawn between these.")] = (12.0, 30.0),
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Same seed, same plan.")] = 1,
    quiet: cli.Quiet = False,
) -> None:
    """A randomised plan of visits for the length probe: pages, added characters, modes in mixed order.

    Example: wiretally probe plan https://pages.example/ --format html -o plan.html
    """
    from ..measure.visit_plan import PlanOptions
    from ..measure.visit_plan import plan as planned
    from ..report import plan_files
    from ..store.output import Output

    options = PlanOptions(slope, noise, power, alpha, longest, per_session, per_flush, dwell, seed, destinations)
    visits = planned(urls, mode or ["normal", "incognito"], options)
    page = {"csv": plan_files.as_csv, "html": plan_files.as_html}.get(form)
    text = page(visits, seed) if page else plan_files.as_script(visits, seed, form)
    with Output(output) as target:
        target.write(text.encode())
    if quiet:
        return
    minutes = (sum(each.dwell for each in visits) + 45 * len({each.session for each in visits})) / 60
    typer.echo(f"wiretally: {len(visits)} visits in {len({each.session for each in visits})} sessions, about {minutes:.0f} minutes, find a slope of "
               f"{slope:g} bytes per character with power {power:g} at q = {alpha:g} over {destinations} destination(s) if uploads otherwise vary by {noise:g} bytes; seed {seed}", err=True)  # fmt: skip
