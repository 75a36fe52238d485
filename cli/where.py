"""`wiretally where`: place, network and owner of an address or a name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from . import options as cli

Format = Literal["text", "jsonl", "csv", "parquet"]


def where(
    targets: Annotated[list[str], typer.Argument(metavar="ADDRESS|NAME…", help="IP addresses and host names.")],
    form: Annotated[Format, typer.Option("--format", help="text is a table, the others hold everything.")] = "text",
    output: cli.Output = "-",
    country_db: cli.CountryDb = None,
    asn_db: cli.AsnDb = None,
    quiet: cli.Quiet = False,
) -> None:
    """Place, network, owner and category of addresses and names, and where each of them comes from. Asks nobody else.

    Example: wiretally where 203.0.113.7 telemetry.example.com
    """
    cli.refuse_binary_on_terminal(form, output)
    from ..store.files import open_sink
    from . import pipeline

    settings: Any = cli.given(country_db=country_db, asn_db=asn_db)
    frame = pipeline.where(targets, **settings)
    with open_sink(frame.schema, form, output) as sink:
        sink.write(frame)
    if form == "text" and not quiet:
        for database in pipeline.open_attributor(**settings).databases:
            typer.echo(f"{database['name']} of {database['build_date']}: {database['attribution']}", err=True)
