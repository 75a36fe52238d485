"""The program: its commands, and what becomes of errors.

Rules: exit 0 is done, 1 is a fault of the input or the surroundings (one line on standard error), 2 is usage. Modules
of commands import nothing heavy until they run, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from .. import __version__
from ..core.errors import WiretallyError
from . import bench, bundle, compare, data, export, live, plan, probe, pseudonymise, read, session, verify, where

WELCOME = """\
wiretally measures what a phone's browser uploads, and to whom: in incognito mode and out of it.

1. Capture the phone's traffic at its access point, for example:  tcpdump -i wlan0 -w phone.pcap
2. Meanwhile write down which minutes were which mode, in sessions.csv:

     session,device,mode,start,end,notes
     1,192.168.4.20,normal,2026-11-23T10:00:00+01:00,2026-11-23T10:10:00+01:00,
     2,192.168.4.20,incognito,2026-11-23T10:12:00+01:00,2026-11-23T10:22:00+01:00,

   Six or more sessions of each mode, in mixed order, let the statistics say something.
3. Ask:

     wiretally compare phone.pcap --sessions sessions.csv
     wiretally compare phone.pcap --sessions sessions.csv --format html -o report.html

On the access point itself:    wiretally live --interface wlan0 --store home.db
                               wiretally session start incognito --device 192.168.4.20 --store home.db
                               wiretally compare home.db
Only curious about a capture?  wiretally read phone.pcap
Who is behind an address?      wiretally where 203.0.113.7 telemetry.example.com
All commands and options:      wiretally --help
"""

app = typer.Typer(
    name="wiretally", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
app.command()(read.read)
app.command()(compare.compare)
app.command()(plan.plan)
app.command()(where.where)
app.command()(export.export)
app.command()(live.live)
app.command()(pseudonymise.pseudonymise)
app.add_typer(probe.app, name="probe", help="The length probe: does what is uploaded grow with the URL visited?")
app.command()(bundle.bundle)
app.command()(verify.verify)
app.add_typer(session.app, name="session")
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"wiretally {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def wiretally(
    context: typer.Context,
    _version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    """Measures what a phone's browser uploads, and to whom: in incognito mode and out of it."""
    if context.invoked_subcommand is None:
        typer.echo(WELCOME, nl=False)


def main() -> None:
    """What the command `wiretally` runs."""
    from ..store.output import ReaderGoneError

    try:
        app()
    except WiretallyError as error:
        typer.echo(f"wiretally: {error}", err=True)
        sys.exit(1)
    except ReaderGoneError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes at its end
        sys.exit(0)


if __name__ == "__main__":
    main()
