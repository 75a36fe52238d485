"""The program: its commands, and what becomes of errors.

Rules: exit 0 is done, 1 is a fault of the input or the surroundings (one line on standard error), 2 is usage. A command is
imported, and its options made ready, when somebody asks for it; its module imports nothing heavy until it runs. So a
command costs nothing but itself, and `--help` is quick.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from .. import __version__
from ..core.errors import WiretallyError

COMMANDS = ("read", "compare", "plan", "where", "export", "live", "pseudonymise", "bundle", "verify", "probe", "session", "data",
            "bench")  # fmt: skip
GARBAGE = 50_000  # new objects between two collections: Python's 700 would go through what imports leave a hundred times
SETTINGS: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}

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



class Program(TyperGroup):
    """Has the commands of the modules of their names: a function, or an `app` of several."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  (typer keeps its own Click)
        """All of them, as `--help` shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        """One of them; of a word that is none all are made ready, so that what is like it can be suggested."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                self.commands[name] = _command(name)
        return super().get_command(ctx, cmd_name)


def _command(name: str) -> Any:  # noqa: ANN401
    module = import_module(f".{name}", __package__)
    alone = typer.Typer(**SETTINGS)
    if hasattr(module, "app"):
        alone.add_typer(module.app, name=name)
    else:
        alone.command()(getattr(module, name))
    return get_group(alone).commands[name]


app = typer.Typer(name="wiretally", cls=Program, context_settings={"help_option_names": ["-h", "--help"]}, **SETTINGS)


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
    from ..store.output import ReaderGoneError, nobody_reads

    gc.set_threshold(GARBAGE)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # sums that do not depend on how many processors add them, and a quicker start
    try:
        app()
    except WiretallyError as error:
        typer.echo(f"wiretally: {error}", err=True)
        sys.exit(1)
    except ReaderGoneError:
        nobody_reads()
        sys.exit(0)


if __name__ == "__main__":
    main()
