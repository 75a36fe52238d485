"""`wiretally verify`: whether a bundle's numbers come out again; what tshark says of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import blocks
from . import options as cli

if TYPE_CHECKING:
    from collections.abc import Iterator

Format = Literal["text", "json"]
GIB = 1 << 30
SHOWN = 20  # differences that text writes out


@blocks.takes_blocks
def verify(
    files: Annotated[list[str], typer.Argument(metavar="BUNDLE|FILE…", help="A bundle, or captures for a second opinion.")],
    form: Annotated[Format, typer.Option("--format", help="Findings to read, or the whole report.")] = "text",
    output: cli.Output = "-",
    second: Annotated[bool, typer.Option("--tshark/--no-tshark", help="Ask tshark as well, where it is installed.")] = True,
    limit: Annotated[float, typer.Option("--limit-gb", min=0.001, metavar="GB", help="The most that a bundle may unpack to.")] = 64.0,
    local: cli.Local = None,
    *,
    databases: blocks.Databases,
    quiet: cli.Quiet = False,
) -> None:
    """Checks a bundle: digests, versions, every number computed anew, and tshark's count of names and bytes.

    Exit 0: everything comes out the same. Exit 1: something does not, and it says what and where. What tshark says
    differently is shown, and decides only where captures are given instead of a bundle.

    Example: wiretally verify evidence.zip
    """
    from ..core.errors import InputError
    from ..store.cells import as_json
    from ..store.output import Output
    from . import checking, progress

    bundles = [path for path in files if checking.is_bundle(path)]
    if bundles and len(files) > 1:
        raise InputError(f"{bundles[0]}: a bundle is checked by itself; give one at a time")
    if bundles:
        with progress.bar(quiet=quiet) as look:
            asked = blocks.settings(databases, progress=look)
            report = checking.checked(bundles[0], limit=int(limit * GIB), databases=asked, second=second)
        lines = list(_of_bundle(report))
    else:
        report = {"schema": checking.SCHEMA, "opinion": checking.opined(files, cli.given(local=local))}
        report["ok"] = all(row["agree"] for row in report["opinion"]["rows"])
        lines = list(_of_opinion(report["opinion"]))
    note = (report["opinion"] or {}).get("note")
    if note:
        progress.warner(quiet=quiet)(note)
    if not (quiet and output == "-" and form == "text"):
        text = as_json(report, allow_nan=True) if form == "json" else "\n".join([*lines, ""])
        with Output(output) as target:
            target.write(text.encode())
    if not report["ok"]:
        raise typer.Exit(1)


def _of_bundle(report: dict[str, Any]) -> Iterator[str]:
    from ..store.cells import escaped

    yield f"bundle   sha256 {report['bundle']['sha256']}"
    for each in report["changed"]:
        if each["found"] is None:
            yield f"CHANGED  {each['name']}: missing"
            continue
        places = ", ".join(f"{start:,}–{end - 1:,}" for start, end in each["places"][:5]) or "its end"
        more = "" if len(each["places"]) <= 5 else f" and {len(each['places']) - 5} more"
        yield f"CHANGED  {each['name']}: in bytes {places}{more}; sha256 {each['expected']} expected, {each['found']} found"
    yield f"files    {report['files'] - len(report['changed'])} of {report['files']} as they were packed"
    for each in report["versions"]:
        yield f"version  {escaped(each['what'])}: {escaped(str(each['theirs']))} there, {each['ours']} here"
    for each in report["databases"]:
        yield f"database {escaped(each['what'])}: another file here; countries, networks and owners may differ"
    for name in report["unknown_options"]:
        yield f"option   {escaped(name)} is not known here"
    for result in report["results"]:
        same = result["values"] - len(result["differences"])
        rounded = f", {result['rounded']:,} of them up to rounding" if result["rounded"] else ""
        yield f"numbers  {result['name']}: {same:,} of {result['values']:,} come out the same{rounded}"
        for each in result["differences"][:SHOWN]:
            theirs, ours = (escaped(str(value))[:80] for value in (each["theirs"], each["ours"]))
            yield f"DIFFERS  {result['name']}#{escaped(each['pointer'])}: {theirs} there, {ours} here"
        if len(result["differences"]) > SHOWN:
            yield f"         and {len(result['differences']) - SHOWN} more: --format json"
    if not report["results"]:
        yield "numbers  not computed: an input was changed"
    if report["opinion"]:
        yield from _of_opinion(report["opinion"])
    yield "the bundle is what its maker computed" if report["ok"] else "the bundle does not stand"


def _of_opinion(opinion: dict[str, Any]) -> Iterator[str]:
    from ..store.cells import escaped

    if opinion["tshark"]:
        yield f"tshark   {opinion['tshark']}"
    for row in opinion["rows"]:
        word = "same" if row["agree"] else "DIFFER"
        yield f"{word:8} {row['what']}: {row['ours']:,} here, {row['tshark']:,} by tshark, {row['same']:,} in both"
        for whose, key in (("here", "only_ours"), ("tshark", "only_tshark")):
            for each in row[key][:5]:
                yield f"         only {whose}: {escaped(each)[:150]}"
