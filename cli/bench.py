"""`wiretally bench`: what this machine can take."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options as cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    Told = tuple[Callable[[str], None], Callable[[RenderableType], None], Callable[[dict[str, Any]], None]]

app = typer.Typer(
    help="What this machine can take: live (packets a second without loss), peers (files, beside other tools).", no_args_is_help=True,
    rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
PLAIN_WIDTH = 130  # columns of a table that goes into a file or a pipe
RATES = "10k,50k,100k,200k,300k,400k,top,10mbit,50mbit,250mbit,1000mbit"


def packets_of(text: str) -> str:
    """`text` where it is a number of packets."""
    from ..bench.mix import count

    try:
        count(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no number of packets: write 300k or 5M") from error
    return text


def known_rates(text: str) -> str:
    """`text` where it is rates with commas between them."""
    from ..bench.live import pace

    for each in text.split(","):
        try:
            pace(each, 1.0)
        except ValueError as error:
            raise typer.BadParameter(f"{each!r} is no rate: write 50k (packets/s), 10mbit or top") from error
    return text


def known_readers(text: str) -> str:
    """`text` where it is readers with commas between them."""
    from ..bench.live import EVERYBODY

    for each in text.split(","):
        if each not in EVERYBODY:
            raise typer.BadParameter(f"{each!r} is none: there are {', '.join(EVERYBODY)}")
    return text


Packets = Annotated[str, typer.Option("--packets", metavar="N", callback=packets_of, help="Size of the generated mix, such as 300k or 2M.")]
Form = Annotated[Literal["text", "json"], typer.Option("--format", help="Tables, or every figure.")]


@app.command("live")
def live(
    capture: Annotated[str | None, typer.Argument(metavar="[FILE]", help="What is sent: a capture that tcpreplay reads. Default: a generated mix.")] = None,
    packets: Packets = "1M",
    rates: Annotated[str, typer.Option(metavar="RATE,…", callback=known_rates, help="Packets/s, such as 50k; 10mbit; top.")] = RATES,
    seconds: Annotated[float, typer.Option(metavar="SECONDS", callback=cli.seconds, help="The longest that one rate is sent for.")] = 10.0,
    ring: Annotated[int, typer.Option(min=2 << 20, max=1 << 31, metavar="BYTES", help="Memory for packets that wait.")] = 64 << 20,
    snap: Annotated[Literal["whole", "names"], typer.Option(help="As for `live`.")] = "whole",
    readers: Annotated[
        str, typer.Option(metavar="READER,…", callback=known_readers, help="ring: blocks only; dissect: every table; service: with its store; dumpcap; nfstream.")
    ] = "ring,dissect,service",
    nfstream: Annotated[str | None, typer.Option(metavar="PYTHON", help="The one that has NFStream. Default: this one.")] = None,
    json: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Also every figure, as --format json has it.")] = None,
    form: Form = "text",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,
) -> None:
    """Sends a capture over linked interfaces at rising rates: loss, processor time, memory. As root, with tcpreplay.

    Example: wiretally bench live --rates 10mbit,250mbit,top --readers service
    """
    from ..bench import live as bench
    from ..bench.live_peers import Asked
    from ..bench.mix import count

    options = bench.Options(
        Path(capture) if capture is not None else None, count(packets), tuple(readers.split(",")), tuple(rates.split(",")), seconds,
        Asked(ring, snap, nfstream or sys.executable),
    )  # fmt: skip
    with _told(form, output, json, quiet=quiet) as (say, show, whole):
        result = bench.bench(options, say)
        for part in bench.shown(result):
            show(part)
        whole(result)


@app.command("peers")
def peers(
    packets: Packets = "5M",
    repeat: Annotated[int, typer.Option(min=1, metavar="N", help="Times that each tool reads each capture.")] = 3,
    work: Annotated[str, typer.Option(metavar="FOLDER", help="Where captures and results lie.")] = "out/bench",
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Tools whose name begins so, beside libpcap's loop; repeatable. Default: all.")] = None,
    form: Form = "text",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,
) -> None:
    """The same files through other tools: packets a second, memory, names.

    Example: wiretally bench peers --repeat 3
    """
    from ..bench import compare_peers as bench
    from ..bench.mix import count

    options = bench.Options(count(packets), repeat, Path(work), tuple(only) if only else None)
    with _told(form, output, None, quiet=quiet) as (say, show, whole):
        whole(bench.bench(options, say, show))


@contextmanager
def _told(form: str, output: str, json: str | None, *, quiet: bool) -> Iterator[Told]:
    """Three functions: for what is being done now, for a part of the text as it is known, for the whole result."""
    from ..store.cells import as_json
    from ..store.output import Output
    from . import progress

    with ExitStack() as stack:
        page = stack.enter_context(Output(output))
        wholes = [page] if form == "json" else []
        if json is not None:
            wholes.append(stack.enter_context(Output(json)))
        say = stack.enter_context(progress.steps(quiet=quiet))

        def show(part: RenderableType) -> None:
            if form == "text":
                say("")
                page.write(_text(part, on_terminal=page.file.isatty()).encode())
                page.flush()

        def whole(result: dict[str, Any]) -> None:
            for each in wholes:
                each.write(as_json(result).encode())

        yield say, show, whole


def _text(part: RenderableType, *, on_terminal: bool) -> str:
    import io

    from rich.console import Console

    with io.StringIO() as page:
        screen = Console(file=page, force_terminal=on_terminal, width=None if on_terminal else PLAIN_WIDTH, highlight=False, markup=False)
        screen.print(part)
        return page.getvalue()
