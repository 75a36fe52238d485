"""`wiretally compare`: one mode against the other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from . import blocks, results
from . import options as cli


@blocks.takes_blocks
def compare(
    files: cli.Files,
    sessions: results.Sessions = None,
    visits: Annotated[
        str | None, typer.Option(metavar="CSV", help="Which pages were visited when: time,session,url,pad.")
    ] = None,
    form: results.Form = "text",
    output: cli.Output = "-",
    alpha: cli.Alpha = None,
    baseline: Annotated[str | None, typer.Option(metavar="MODE", help="The mode compared with. Default: normal.")] = None,
    compared: Annotated[str | None, typer.Option(metavar="MODE", help="The mode in question. Default: incognito.")] = None,
    margin: Annotated[
        float | None, typer.Option(metavar="SHARE", min=0.01, max=0.9, help="`continues` is a ratio within 1 ± this. Default: 0.25.")
    ] = None,
    per: Annotated[
        Literal["session", "minute", "visit"] | None, typer.Option(help="What volumes are of. Default: session, or minute where lengths differ and visits do not say that browsing was the same.")
    ] = None,
    least_share: Annotated[
        float | None,
        typer.Option(metavar="SHARE", min=0.05, max=1, help="`not_locked` excludes that so many uploads follow visits. Default: 0.5."),
    ] = None,
    seed: cli.Seed = None,
    *,
    reading: blocks.Reading,
    databases: blocks.Databases,
    place: cli.Place = None,
    strict: cli.Strict = False,
    quiet: cli.Quiet = False,
) -> None:
    """Upload volume between modes: per destination, per owner, in total, with what the numbers can and cannot say.

    Example: wiretally compare phone.pcapng --sessions sessions.csv --format html -o report.html
    """
    from . import pipeline, progress

    results.refuse_without_sessions(files, sessions)
    settings = blocks.settings(reading, databases, place=place, strict=strict)
    asked = {"alpha": alpha, "seed": seed, "baseline": baseline, "compared": compared, "margin": margin, "per": per, "least_share": least_share}
    statistics = {name: value.lower() if isinstance(value, str) else value for name, value in asked.items() if value is not None}
    with progress.bar(quiet=quiet) as look:
        watching: Any = cli.given(progress=look, warn=progress.warner(quiet=quiet))
        result = pipeline.compare(files, sessions, visits, statistics=statistics, **settings, **watching)
    results.write(result, form, output)
