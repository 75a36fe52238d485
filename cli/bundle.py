"""`wiretally bundle`: captures, sessions, options and results in one file that anybody can check."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from . import blocks, results
from . import options as cli
from .pseudonymise import AddressPolicy, KeyFile, NamePolicy  # noqa: TC001  (likewise)

Format = Literal["text", "json"]


@blocks.takes_blocks
def bundle(
    files: cli.Files,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The bundle, a ZIP file.")],
    sessions: Annotated[
        str | None, typer.Option(metavar="CSV", help="As for compare; of a store the sessions marked in it.")
    ] = None,
    visits: Annotated[str | None, typer.Option(metavar="CSV", help="As for compare.")] = None,
    hide: Annotated[
        bool, typer.Option("--pseudonymise", help="Captures, sessions and visits under pseudonyms, without content.")
    ] = False,
    addresses: AddressPolicy = "local",
    names: NamePolicy = "keep",
    key: KeyFile = None,
    form: Annotated[Format, typer.Option("--format", help="What went in, on standard output.")] = "text",
    *,
    testing: blocks.Testing,
    comparing: blocks.Comparing,
    probing: blocks.Probing,
    reading: blocks.Reading,
    databases: blocks.Databases,
    place: cli.Place = None,
    quiet: cli.Quiet = False,
) -> None:
    """Packs captures, sessions, visits, options, versions, digests and results, so that `verify` can compute them anew.

    The same inputs give the same bytes. Captures hold what was visited: --pseudonymise before anybody else gets them.

    Example: wiretally bundle phone.pcapng --sessions sessions.csv --visits visits.csv --pseudonymise -o evidence.zip
    """
    import tempfile
    from pathlib import Path

    from ..core.errors import InputError
    from ..store.cells import as_json
    from ..store.layout import is_store
    from . import bundling, progress
    from .rewriting import Rewriting

    results.refuse_without_sessions(files, sessions)
    if not hide and (key or addresses != "local" or names != "keep"):
        raise typer.BadParameter("--addresses, --names and --key are for --pseudonymise")
    statistics = {bundling.COMPARE: blocks.statistics(testing, comparing), bundling.PROBE: blocks.statistics(testing, probing)}
    warn = progress.warner(quiet=quiet)
    with tempfile.TemporaryDirectory(prefix="wiretally-") as folder, progress.bar(quiet=quiet) as look:
        if hide and any(map(is_store, files)):
            raise InputError(f"{files[0]}: a store holds no packets to rewrite; leave --pseudonymise out, or use captures")
        rewriting = Rewriting(files, addresses, names, key, reading.local or [], look, bundling.hosts_of(visits)) if hide else None
        made = bundling.gathered(files, sessions, visits, Path(folder), rewriting, blocks.settings(reading, place=place))
        if rewriting and made.pseudonyms:
            for line in rewriting.warnings(made.pseudonyms):
                warn(line)
        about = bundling.make(made, statistics, blocks.settings(databases, progress=look), output)
    if form == "json" and output != "-":
        typer.echo(as_json(about), nl=False)
    elif not quiet and output != "-":
        typer.echo(f"{len(made.members)} files, {', '.join(about['results'])}; check with: wiretally verify {output}")
