"""`wiretally compare`: one mode against the other."""

from __future__ import annotations

from typing import Annotated, Any

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
    *,
    testing: blocks.Testing,
    comparing: blocks.Comparing,
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
    with progress.bar(quiet=quiet) as look:
        watching: Any = cli.given(progress=look, warn=progress.warner(quiet=quiet))
        result = pipeline.compare(files, sessions, visits, statistics=blocks.statistics(testing, comparing), **settings, **watching)
    results.write(result, form, output)
