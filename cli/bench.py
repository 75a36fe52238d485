"""`wiretally bench`: what this machine can take."""

from __future__ import annotations

import typer

PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["--about"]}
app = typer.Typer(
    help="What this machine can take: live (packets a second without loss), peers (files, beside other tools).", no_args_is_help=True,
    rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


@app.command("live", context_settings=PASSED_ON)
def live(context: typer.Context) -> None:
    """Sends a capture over linked interfaces at rising rates: loss, processor time, memory. As root; options: --help.

    Example: wiretally bench live --rates 10mbit,250mbit,top --readers service
    """
    from ..bench import live as bench

    raise typer.Exit(bench.main(context.args))


@app.command("peers", context_settings=PASSED_ON)
def peers(context: typer.Context) -> None:
    """The same files through other tools: packets a second, memory, names. Options: --help.

    Example: wiretally bench peers --repeat 3
    """
    from ..bench import compare_peers as bench

    raise typer.Exit(bench.main(context.args))
