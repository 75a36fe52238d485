"""The results of `compare` and `probe` as the user wants them: a table, JSON, a page; and what both ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN_WIDTH = 124  # columns of a table that goes into a file
Form = Annotated[
    Literal["text", "json", "html"], typer.Option("--format", help="A table, the whole result, or a report to read.")
]
Sessions = Annotated[
    str | None,
    typer.Option(metavar="CSV", help="Which minutes were which mode: session,device,mode,start,end,notes. Default: those "
                                     "marked in the store."),
]  # fmt: skip


def refuse_without_sessions(files: Sequence[str], sessions: str | None) -> None:
    """Captures say nothing of modes; only a store may have marks of its own."""
    from ..store.layout import is_store

    if sessions is None and not all(map(is_store, files)):
        raise typer.BadParameter("--sessions: name the file that says which minutes were which mode")


def write(result: dict[str, Any], form: str, output: str) -> None:
    """The result into `output`; a table on a terminal has its width and colours."""
    from ..store.output import Output

    with Output(output) as target:
        target.write(rendered(result, form, width=None if target.file.isatty() else PLAIN_WIDTH).encode())


def rendered(result: dict[str, Any], form: str, *, width: int | None) -> str:
    """The result as text; `width` None asks for the terminal's own, in colour."""
    probe = result["schema"].startswith("wiretally.probe/")
    if form == "html":
        if probe:
            from ..report.probe_html import render
        else:
            from ..report.html import render
        return render(result)
    if form == "json":
        from ..store.cells import as_json

        return as_json(result)
    import io

    from rich.console import Console

    from ..report.probe_terminal import Probe
    from ..report.terminal import comparison

    with io.StringIO() as page:
        Console(file=page, force_terminal=width is None, width=width).print(Probe(result) if probe else comparison(result))
        return page.getvalue()
