"""`wiretally pseudonymise`: captures that can be shown to others, and still be compared."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from . import options as cli  # noqa: TC001  (typer reads the annotations)

Addresses = Literal["keep", "local", "all"]
Names = Literal["keep", "registrable", "hash"]
Format = Literal["text", "json"]

AddressPolicy = Annotated[
    Addresses, typer.Option(help="Whose addresses are replaced: those of devices and the local network, all, or none.")
]
NamePolicy = Annotated[
    Names, typer.Option(help="Names: as they are, hidden left of the registrable domain, or hidden whole.")
]
KeyFile = Annotated[
    str | None,
    typer.Option("--key", metavar="FILE", help="32 bytes, raw or in hexadecimal, that pseudonyms follow from. Default: the captures."),
]


def pseudonymise(
    files: cli.Files,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The capture to write; .zst and .gz compress it.")],
    addresses: AddressPolicy = "local",
    names: NamePolicy = "keep",
    key: KeyFile = None,
    form: Annotated[Format, typer.Option("--format", help="What was done, on standard output.")] = "text",
    local: cli.Local = None,
    quiet: cli.Quiet = False,
) -> None:
    """Writes captures anew: other addresses, names by policy, no content; same times, lengths and record headers.

    Packets keep their number, time and length, so `compare` says the same of the result. Names of devices and of the
    home are always hidden, unless both --addresses keep and --names keep ask for content to go and nothing else.

    Example: wiretally pseudonymise phone.pcapng --names registrable -o shared.pcapng.zst
    """
    import json

    from . import progress
    from .rewriting import Rewriting

    with progress.bar(quiet=quiet) as look:
        work = Rewriting(files, addresses, names, key, local or [], look)
        told = work.write(output)
    for line in work.warnings(told):
        progress.warner(quiet=quiet)(line)
    if form == "json":
        typer.echo(json.dumps(told, indent=2))
    elif not quiet:
        said = {"keep": "kept", "local": "of devices replaced", "all": "replaced"}[addresses]
        typer.echo(f"{told['packets']:,} packets; addresses {said}; {told['names']:,} names: {names}; "
                   f"{told['flows_same']:,} of {told['flows']:,} flows have the same counts")  # fmt: skip
        for network in work.networks:
            typer.echo(f"read the result with --local {network}")
