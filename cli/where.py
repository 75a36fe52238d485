"""`wiretally where`: place, network and owner of an address or a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import blocks
from . import options as cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Format = Literal["text", "jsonl", "csv", "parquet"]
SOURCES = {"country": "country_source", "country_second": "second_source", "registered_country": "registered_source",
           "shared": "shared_source", "asn": "network_source", "owner": "evidence"}  # fmt: skip
NO_NAME = frozenset(" \t\r\n/:@")  # of a URL, a port, a mail address: what a host name never holds


@blocks.takes_blocks
def where(
    targets: Annotated[list[str], typer.Argument(metavar="ADDRESS|NAME…", help="IP addresses and host names.")],
    form: Annotated[Format, typer.Option("--format", help="text is a list for each, the others a table.")] = "text",
    output: cli.Output = "-",
    *,
    databases: blocks.Databases,
    place: cli.Place = None,
    rtt: Annotated[
        float | None,
        typer.Option("--rtt", min=0.0, metavar="MS", help="Round trip to the addresses, measured at --place: which countries it leaves."),
    ] = None,
    quiet: cli.Quiet = False,
) -> None:
    """Place, network, owner and category of addresses and names, and where each of them comes from. Asks nobody else.

    Example: wiretally where 203.0.113.7 telemetry.example.com
    """
    cli.refuse_binary_on_terminal(form, output)
    from ..geo.catalogue import is_address
    from ..store.cells import escaped
    from ..store.files import open_sink
    from ..store.output import Output
    from . import attribution, pipeline

    for target in targets:
        if not is_address(target) and (not target or NO_NAME.intersection(target)):
            raise typer.BadParameter(f"{target!r} is neither an address nor a host name: write 203.0.113.7 or host.example")
    settings = blocks.settings(databases, place=place)
    frame = pipeline.where(targets, rtt_ms=rtt, **settings)
    if form == "text":
        with Output(output) as page:
            page.write("\n".join(_lists(frame.to_dicts())).encode())
    else:
        with open_sink(frame.schema, form, output) as sink:
            sink.write(frame)
    if form == "text" and not quiet:
        attributor = attribution.open_attributor(**settings)
        for database in attributor.databases:
            credit = f": {database['attribution']}" if database["attribution"] else ""
            typer.echo(f"{escaped(str(database['name']))} of {database['build_date']}{credit}", err=True)
        for line in attribution.told(attributor):
            typer.echo(f"wiretally: warning: {line}", err=True)


def _lists(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What is known of each, a line each, with where it comes from: fits any terminal."""
    from ..store.cells import escaped

    for row in rows:
        yield escaped(row["target"])
        told = {name: value for name, value in row.items() if name != "target" and name not in SOURCES.values() and value is not None}
        for name, value in told.items():
            shown = ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)
            source = row.get(SOURCES.get(name, ""))
            yield escaped(f"  {name.replace('_', ' '):<20}{shown}" + (f"  ({source})" if source else ""))
        if not told:
            yield "  nothing is known of it"
        yield ""
