"""`wiretally session`: marks which minutes are which mode, while a store is live."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options as cli  # noqa: TC001  (typer reads the annotations)

app = typer.Typer(
    help="Marks sessions in a store: start MODE, stop, list, import FILE.", no_args_is_help=True, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
MOST_SHOWN = 8  # devices that are offered
Store = Annotated[str, typer.Option("--store", envvar="WIRETALLY_STORE", metavar="FILE", help="The one `live` writes.")]
Device = Annotated[str | None, typer.Option("--device", "-d", metavar="D", help="IP or MAC address, or the name that it told.")]


@app.command("start")
def start(
    mode: Annotated[str, typer.Argument(metavar="MODE", help="normal, incognito, idle, or a word of your own.")],
    store: Store,
    device: Device = None,
    notes: Annotated[str, typer.Option(metavar="TEXT", help="Anything worth remembering.")] = "",
    quiet: cli.Quiet = False,
) -> None:
    """Begins a session; the device's open one ends.

    Example: wiretally session start incognito --device 10.42.0.17 --store home.db
    """
    from ..core.errors import InputError
    from ..store import marks

    if device is None:
        raise InputError(f"--device: name it; seen were {_seen(store)}")
    name = marks.start(store, mode, device, notes)
    if not quiet:
        typer.echo(f"session {name} of {device} has begun")


@app.command("stop")
def stop(store: Store, device: Device = None, quiet: cli.Quiet = False) -> None:
    """Ends the open sessions, of one device or of all.

    Example: wiretally session stop --store home.db
    """
    from ..store import marks

    ended = marks.stop(store, device)
    if not quiet:
        typer.echo(f"ended: {', '.join(ended)}" if ended else "no session was open")


@app.command("list")
def listed(store: Store, output: cli.Output = "-") -> None:
    """The sessions as the CSV that `compare --sessions` reads.

    Example: wiretally session list --store home.db -o sessions.csv
    """
    import polars as pl

    from ..measure.inputs import SESSION_COLUMNS
    from ..store.files import open_sink
    from ..store.reader import read_marks

    rows = [(name, device, mode, _text(begun), _text(ended), notes) for name, device, mode, begun, ended, notes in read_marks(store)]
    schema = dict.fromkeys(SESSION_COLUMNS, pl.String())
    with open_sink(schema, "csv", output, ()) as sink:
        sink.write(pl.DataFrame(rows, schema=schema, orient="row"))


@app.command("import")
def imported(
    file: Annotated[str, typer.Argument(metavar="FILE", help="session,device,mode,start,end,notes")],
    store: Store,
    quiet: cli.Quiet = False,
) -> None:
    """Takes over the sessions of a file.

    Example: wiretally session import sessions.csv --store home.db
    """
    from ..measure.inputs import read_sessions
    from ..store import marks

    count = marks.add(store, read_sessions(file))
    if not quiet:
        typer.echo(f"{count} sessions")


def _text(ns: int | None) -> str | None:
    from datetime import UTC, datetime

    if ns is None:
        return None
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _seen(store: str) -> str:
    """The devices of a store, for somebody who has to choose one."""
    from ..store.cells import escaped
    from ..store.reader import read_store
    from .devices import Devices

    devices = Devices()
    for name, frame in read_store(store, ("flows", "announced")).items():
        devices.take(name, frame)
    rows = devices.rows().sort("last_seen", descending=True).head(MOST_SHOWN).to_dicts()
    words = [f"{' '.join([*row['names'][:1], *row['addresses'][:2]])}{f' ({mac})' if (mac := row['mac']) else ''}" for row in rows]
    return escaped("; ".join(words)) if words else "none yet"
