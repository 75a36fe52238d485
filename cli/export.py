"""`wiretally export`: every table of a store or of captures, as files for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import blocks
from . import options as cli

if TYPE_CHECKING:
    from ..store.sink import Sink
    from ..store.zeek import ZeekSink

Format = Literal["parquet", "jsonl", "csv", "zeek"]


@blocks.takes_blocks
def export(
    files: cli.Files,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FOLDER", help="Where the files go; made if it is not there.")],
    form: Annotated[Format, typer.Option("--format", help="zeek: conn.log, dns.log, ssl.log; else a file per table.")] = "parquet",
    tables: Annotated[
        list[str] | None, typer.Option("--table", metavar="TABLE", help="Only this table (of zeek: this log); repeatable.")
    ] = None,
    *,
    reading: blocks.Reading,
    databases: blocks.Databases,
    place: cli.Place = None,
    strict: cli.Strict = False,
    quiet: cli.Quiet = False,
) -> None:
    """Every table as a file of its own: Parquet, JSON lines, CSV, or logs as Zeek writes them.

    Example: wiretally export home.db --format zeek -o logs
    """
    from contextlib import ExitStack
    from pathlib import Path

    from ..core.errors import EnvironmentFault
    from ..core.schema import TABLES, polars_schema
    from ..store.cells import escaped
    from ..store.files import open_sink
    from ..store.zeek import FROM, ZeekSink
    from . import attribution, pipeline, progress

    possible = tuple(FROM if form == "zeek" else TABLES)
    for name in tables or ():
        if name not in possible:
            raise typer.BadParameter(f"--table {name!r}: is none; with --format {form} there are {', '.join(possible)}")
    wanted = [name for name in possible if not tables or name in tables]
    settings = blocks.settings(reading, databases, place=place, strict=strict)
    folder = Path(output)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"{escaped(output)}: is no folder to write into: {error.strerror}; name another") from error
    attributor = attribution.open_attributor(**settings) if "flows" in wanted else None
    with ExitStack() as stack:
        look = stack.enter_context(progress.bar(quiet=quiet))
        sinks: dict[str, Sink | ZeekSink] = {}
        logs: list[ZeekSink] = []
        for name in wanted:
            if form == "zeek":
                logs.append(stack.enter_context(ZeekSink(name, str(folder / f"{name}.log"))))
                sinks[FROM[name]] = logs[-1]
            else:
                sinks[name] = stack.enter_context(open_sink(polars_schema(TABLES[name]), form, str(folder / f"{name}.{form}")))
        warn = progress.warner(quiet=quiet)
        watching: Any = cli.given(progress=look, warn=warn)
        tables_of = {*sinks, "flows"} if logs else set(sinks)
        stream = pipeline.frames(files, tuple(tables_of), attributor, **settings, **watching)
        for name, frame in attribution.with_warnings(stream, attributor, warn):
            for log in logs if name == "flows" else ():
                log.learn(frame)
            if name in sinks:
                sinks[name].write(frame)
    if not quiet:
        typer.echo(f"wiretally: {len(wanted)} files in {escaped(output)}", err=True)
