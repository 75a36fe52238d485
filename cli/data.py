"""`wiretally data`: which databases are in use, and how a user's own take their place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options as cli

if TYPE_CHECKING:
    from collections.abc import Collection

app = typer.Typer(help="Databases of places and networks: which are in use, and your own in their place.", no_args_is_help=True)
Kind = Literal["country", "asn", "second"]
Format = Literal["text", "jsonl", "csv", "parquet"]
STATUS_GLANCE = ("kind", "name", "build_date", "age_days", "origin")


@app.command()
def update(
    files: Annotated[list[str] | None, typer.Argument(metavar="MMDB…", help="Your own files, on this machine.")] = None,
    geoipupdate: Annotated[
        bool, typer.Option("--geoipupdate", help="Those that geoipupdate keeps, by /etc/GeoIP.conf.")
    ] = False,
    configuration: Annotated[
        str | None, typer.Option("--geoip-conf", metavar="FILE", help="The same, by another GeoIP.conf.")
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option("--as", help="What the files are for. Default: by what they hold; second is the other opinion.")
    ] = None,
    older: Annotated[bool, typer.Option("--older", help="Also where a file is older than the one it replaces.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the file before (with --as).")] = False,
    form: Annotated[Format, typer.Option("--format", help="text says what was done; the others are the rows of `data status` for it.")] = "text",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,
) -> None:
    """Checks MMDB files and puts them in place of those in use; the old ones are kept. Fetches nothing.

    Example: wiretally data update GeoLite2-Country.mmdb GeoLite2-ASN.mmdb
    """
    cli.refuse_binary_on_terminal(form, output)
    from ..geo import updates
    from ..store.cells import escaped
    from ..store.output import Output

    said: dict[str, str] = {}  # by kind of database
    if undo:
        if kind is None:
            raise typer.BadParameter("--undo: say which with --as")
        database = updates.restore(kind)
        said[kind] = f"{kind}: {escaped(database.name)} of {database.built} ({escaped(str(database.path))})"
    else:
        paths = [Path(name).expanduser() for name in files or []]
        if geoipupdate or configuration:
            paths += [path for path in updates.by_geoipupdate(Path(configuration) if configuration else None) if _usable(path)]
        if not paths:
            raise typer.BadParameter("name MMDB files, or --geoipupdate")
        for path in paths:
            found = updates.install(path, kind or updates.kind_of(path), older=older)
            database = found.database
            said[database.kind] = (f"{database.kind}: {escaped(database.name)} of {database.built} from {escaped(str(path))}, "
                                   f"{found.right} of {found.asked} known addresses as expected")  # fmt: skip
    if form != "text":
        _write(form, output, set(said))
    elif not quiet:
        with Output(output) as target:
            target.write("".join(f"{line}\n" for line in said.values()).encode())


@app.command()
def status(
    form: Annotated[Format, typer.Option("--format", help="text is a table, the others hold everything.")] = "text",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,
) -> None:
    """Every database in use, with its date, age, licence and origin.

    Example: wiretally data status
    """
    cli.refuse_binary_on_terminal(form, output)
    rows = _write(form, output)
    if not quiet:
        for row in rows:
            if row["old"]:
                typer.echo(f"wiretally: {row['name']} is {row['age_days']} days old and may be out of date", err=True)


def _write(form: Format, output: str, kinds: Collection[str] | None = None) -> list[dict[str, Any]]:
    """The rows of `data status`, of these kinds or all; what was written."""
    import polars as pl

    from ..geo import updates
    from ..store.files import open_sink

    frame = pl.DataFrame(updates.status())
    if kinds is not None:
        frame = frame.filter(pl.col("kind").is_in(kinds))
    with open_sink(frame.schema, form, output, STATUS_GLANCE) as sink:
        sink.write(frame)
    return frame.to_dicts()


def _usable(path: Path) -> bool:
    """Whether one of geoipupdate's files holds countries or networks; other editions are none of ours."""
    from ..core.errors import DatabaseError
    from ..geo import updates

    try:
        updates.kind_of(path)
    except DatabaseError:
        return False
    return True
