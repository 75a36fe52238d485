"""`wiretally compare`: one mode against the other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from . import options as cli

Format = Literal["text", "json", "html"]


def compare(
    files: cli.Files,
    sessions: Annotated[
        str | None,
        typer.Option(metavar="CSV", help="Which minutes were which mode: session,device,mode,start,end,notes. Default: those "
                                         "marked in the store."),
    ] = None,
    visits: Annotated[
        str | None, typer.Option(metavar="CSV", help="Which pages were visited when: time,session,url,pad.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="A table, the whole result, or a report to read.")] = "text",
    output: cli.Output = "-",
    alpha: cli.Alpha = None,
    baseline: Annotated[str | None, typer.Option(metavar="MODE", help="The mode compared with. Default: normal.")] = None,
    compared: Annotated[str | None, typer.Option(metavar="MODE", help="The mode in question. Default: incognito.")] = None,
    margin: Annotated[
        float | None, typer.Option(metavar="SHARE", min=0.01, max=0.9, help="`continues` is a ratio within 1 ± this. Default: 0.25.")
    ] = None,
    per: Annotated[
        Literal["session", "minute", "visit"] | None, typer.Option(help="What volumes are of. Default: session, or minute where lengths differ.")
    ] = None,
    least_share: Annotated[
        float | None,
        typer.Option(metavar="SHARE", min=0.05, max=1, help="`not_locked` excludes that so many uploads follow visits. Default: 0.5."),
    ] = None,
    seed: cli.Seed = None,
    local: cli.Local = None,
    idle_gap: cli.IdleGap = None,
    flow_idle: cli.FlowIdle = None,
    max_flows: cli.MaxFlows = None,
    country_db: cli.CountryDb = None,
    asn_db: cli.AsnDb = None,
    second_db: cli.SecondDb = None,
    catalogue: cli.Catalogue = None,
    place: cli.Place = None,
    strict: cli.Strict = False,
    quiet: cli.Quiet = False,
) -> None:
    """Upload volume between modes: per destination, per owner, in total, with what the numbers can and cannot say.

    Example: wiretally compare phone.pcapng --sessions sessions.csv --format html -o report.html
    """
    from ..store.layout import is_store
    from ..store.output import Output
    from . import pipeline, progress

    if sessions is None and not all(map(is_store, files)):
        raise typer.BadParameter("--sessions: name the file that says which minutes were which mode")
    settings: Any = cli.given(
        local=local, idle_gap=idle_gap, flow_idle=flow_idle, max_flows=max_flows,
        country_db=country_db, asn_db=asn_db, second_db=second_db, catalogue=catalogue,
        place=cli.coordinates(place) if place else None, strict=strict,
    )  # fmt: skip
    asked = {"alpha": alpha, "seed": seed, "baseline": baseline, "compared": compared, "margin": margin, "per": per, "least_share": least_share}
    statistics = {name: value.lower() if isinstance(value, str) else value for name, value in asked.items() if value is not None}
    with progress.bar(quiet=quiet) as look:
        watching: Any = cli.given(progress=look, warn=progress.warner(quiet=quiet))
        result = pipeline.compare(files, sessions, visits, statistics=statistics, **settings, **watching)
    with Output(output) as target:
        target.write(_rendered(result, form, width=None if target.file.isatty() else 124).encode())


def _rendered(result: dict[str, Any], form: str, *, width: int | None) -> str:
    """The result as text; `width` None asks for the terminal's own, in colour."""
    if form == "html":
        from ..report.html import render

        return render(result)
    if form == "json":
        from ..store.cells import as_json

        return as_json(result)
    import io

    from rich.console import Console

    from ..report.terminal import comparison

    with io.StringIO() as page:
        Console(file=page, force_terminal=width is None, width=width).print(comparison(result))
        return page.getvalue()
