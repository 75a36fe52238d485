"""`wiretally session`: marks which minutes are which mode, while a store is live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options as cli

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import polars as pl

app = typer.Typer(
    help="Marks sessions in a store: start MODE, stop, list, import FILE, remove NAME.", no_args_is_help=True, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
MOST_SHOWN = 8  # devices that are offered
RECENT_DAYS = 7  # of which devices are known to who marks: a store may hold months
Table = Literal["text", "jsonl", "csv", "parquet"]
Store = Annotated[str, typer.Option("--store", envvar="WIRETALLY_STORE", metavar="FILE", help="The one `live` writes.")]
Device = Annotated[str | None, typer.Option("--device", "-d", metavar="D", help="IP or MAC address, or the name that it told.")]
Form = Annotated[Table, typer.Option("--format", help="text says what was done; the others are the rows of the sessions it was done to.")]


@app.command("start")
def start(
    mode: Annotated[str, typer.Argument(metavar="MODE", help="normal, incognito, idle, or a word of your own.")],
    store: Store,
    device: Device = None,
    notes: Annotated[str, typer.Option(metavar="TEXT", help="Anything worth remembering.")] = "",
    form: Form = "text",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,
) -> None:
    """Begins a session; the device's open one ends.

    Example: wiretally session start incognito --device 10.42.0.17 --store home.db
    """
    from ..core.errors import InputError
    from ..measure import naming
    from ..store import marks
    from ..store.cells import escaped
    from . import progress

    cli.refuse_binary_on_terminal(form, output)
    devices = _devices(store)
    if device is None:
        raise InputError(f"--device: name it; seen were {_seen(devices)}")
    name = marks.start(store, mode, device, notes, same=_same(devices, device))
    if not naming.Directory(devices).knows(device):
        progress.warner(quiet=quiet)(f"device {escaped(device)} has not been seen in the last {RECENT_DAYS} days; seen were {_seen(devices)}")
    _tell(store, {name}, f"session {name} of {escaped(device)} has begun", form, output, quiet=quiet)


@app.command("stop")
def stop(store: Store, device: Device = None, form: Form = "text", output: cli.Output = "-", quiet: cli.Quiet = False) -> None:
    """Ends the open sessions, of one device or of all.

    Example: wiretally session stop --store home.db
    """
    from ..store import marks
    from ..store.cells import escaped

    cli.refuse_binary_on_terminal(form, output)
    ended = marks.stop(store, device, same=_same(_devices(store), device) if device is not None else None)
    _tell(store, set(ended), f"ended: {escaped(', '.join(ended))}" if ended else "no session was open", form, output, quiet=quiet)


@app.command("list")
def listed(
    store: Store,
    form: Annotated[Table, typer.Option("--format", help="csv is what `compare --sessions` reads.")] = "csv",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,  # noqa: ARG001  (there is no progress to keep quiet of)
) -> None:
    """The sessions as the CSV that `compare --sessions` reads.

    Example: wiretally session list --store home.db -o sessions.csv
    """
    cli.refuse_binary_on_terminal(form, output)
    _write(store, None, form, output)


@app.command("import")
def imported(
    file: Annotated[str, typer.Argument(metavar="FILE", help="session,device,mode,start,end,notes")],
    store: Store,
    form: Form = "text",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,
) -> None:
    """Takes over the sessions of a file.

    Example: wiretally session import sessions.csv --store home.db
    """
    from ..measure import naming
    from ..measure.inputs import read_sessions
    from ..store import marks

    cli.refuse_binary_on_terminal(form, output)
    sessions = naming.ended(read_sessions(file, closed=False), naming.Directory(_devices(store)))
    count = marks.add(store, sessions)
    _tell(store, {each.session for each in sessions}, f"{count} sessions", form, output, quiet=quiet)


@app.command("remove")
def removed(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Sessions as `session list` calls them.")],
    store: Store,
    form: Form = "text",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,
) -> None:
    """Takes sessions out that were marked by mistake; what was captured stays.

    Example: wiretally session remove normal-3 --store home.db
    """
    from ..store import marks
    from ..store.cells import escaped

    cli.refuse_binary_on_terminal(form, output)
    rows = marks.remove(store, names)
    if form == "text":
        _tell(store, (), f"removed: {escaped(', '.join(names))}", form, output, quiet=quiet)
    else:
        _put(rows, form, output)


def _tell(store: str, names: Collection[str], sentence: str, form: Table, output: str, *, quiet: bool) -> None:
    """What was done to the sessions of `names`: a sentence, or their rows."""
    from ..store.output import Output

    if form != "text":
        _write(store, names, form, output)
    elif not quiet:
        with Output(output) as target:
            target.write(f"{sentence}\n".encode())


def _write(store: str, names: Collection[str] | None, form: Table, output: str) -> None:
    """The sessions of `names`, or all, as a table with the columns of sessions.csv."""
    from ..store import marks
    from ..store.reader import read_marks

    marks.check(store)
    _put([row for row in read_marks(store) if names is None or row[0] in names], form, output)


def _put(found: Sequence[tuple[Any, ...]], form: Table, output: str) -> None:
    import polars as pl

    from ..measure.inputs import SESSION_COLUMNS
    from ..store.files import open_sink
    from ..store.marks import rfc3339

    rows = [(name, device, mode, rfc3339(begun), None if ended is None else rfc3339(ended), notes)
            for name, device, mode, begun, ended, notes in found]  # fmt: skip
    schema = dict.fromkeys(SESSION_COLUMNS, pl.String())
    with open_sink(schema, form, output, ()) as sink:
        sink.write(pl.DataFrame(rows, schema=schema, orient="row"))


def _devices(store: str) -> pl.DataFrame:
    """The devices of the last days."""
    from ..store import marks
    from ..store.reader import read_recent
    from .devices import Devices

    marks.check(store)
    devices = Devices()
    for name, frame in read_recent(store, RECENT_DAYS).items():
        devices.take(name, frame)
    return devices.rows()


def _same(devices: pl.DataFrame, device: str) -> Callable[[str], bool]:
    """Whether another word means the same device, by what is known of devices now."""
    from ..core.errors import InputError
    from ..measure.naming import Directory

    directory = Directory(devices)
    this = directory.device(device)

    def same(other: str) -> bool:
        try:
            return directory.device(other) == this
        except InputError:  # a name that another device claims as well by now
            return other == device

    return same


def _seen(devices: pl.DataFrame) -> str:
    """The devices, for somebody who has to choose one."""
    from ..store.cells import escaped

    rows = devices.sort("last_seen", descending=True).head(MOST_SHOWN).to_dicts()
    words = [f"{' '.join([*row['names'][:1], *row['addresses'][:2]])}{f' ({mac})' if (mac := row['mac']) else ''}" for row in rows]
    return escaped("; ".join(words)) if words else "none yet"
