"""Writes the reference pages that the code already knows: tables and commands.

`python docs/build.py` writes docs/reference/tables.md, cli.md and protocols.md, and the picture of the README: what `make run` prints.
With `--check` it exits 1 where a page is not what the code says.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
REFERENCE, PICTURE = DOCS / "reference", DOCS / "pictures" / "leaky.svg"
DISSECT = DOCS.parent / "dissect"
SAMPLE = DOCS.parent / "data" / "samples" / "leaky"
COLUMNS = 140
MADE = "<!-- Made by docs/build.py from the code: edit the code. -->"
TYPES = {
    "time": "timestamp[ns, UTC]",
    "u64": "unsigned 64-bit",
    "u32": "unsigned 32-bit",
    "u16": "unsigned 16-bit",
    "f64": "64-bit float",
    "bool": "boolean",
    "str": "text",
    "list[str]": "list of text",
    "list[answer]": "list of records",
    "list[packet]": "list of records",
    "list[span]": "list of records",
}


def tables() -> str:
    """One section per table of `core/schema.py`."""
    from wiretally.core.schema import ANSWER_FIELDS, PACKET_FIELDS, SPAN_FIELDS, TABLES

    parts = [
        "# Tables",
        MADE,
        (
            "Types are those of Parquet and of the Polars frames. In JSONL and CSV times are RFC 3339 with nine digits and Z; "
            "missing is null (empty in CSV); in CSV lists are JSON, and a text that a spreadsheet would compute has an "
            "apostrophe in front. Every text format shows unprintable characters as JSON escapes."
        ),
    ]
    for table in TABLES.values():
        rows = [
            f"| `{column.name}` | {TYPES[column.type]} | {column.unit} | {_cell(column.meaning)} |"
            for column in table.columns
        ]
        head = ["| column | type | unit | meaning |", "|---|---|---|---|"]
        parts += [f"## {table.name}", table.meaning, "\n".join(head + rows)]
    of = (("`answers` in dns", ANSWER_FIELDS), ("`first_packets` in flows", PACKET_FIELDS),
          ("`address_spans` in devices", SPAN_FIELDS))  # fmt: skip
    for column, fields in of:
        parts.append(f"A record of {column}: {', '.join(f'`{name}` ({TYPES[kind]})' for name, kind in fields)}.")
    parts.append(
        "In `first_packets` `gap_ms` is the time since the packet before it in the flow, whoever sent that: null for the "
        "first, negative where the capture's clock ran backwards. `payload_bytes` counts repeated bytes too; a datagram "
        "in fragments has them with the piece that makes it whole."
    )
    return "\n\n".join(parts) + "\n"


def protocols() -> str:
    """What each file of `dissect/` reads, by the READS that it carries: (protocol, standards, what of it)."""
    rows = []
    for path in sorted(DISSECT.rglob("*.py")):
        for name, standards, what in reads(path):
            where = path.parent if path.name == "__init__.py" else path
            link = f"[{where.relative_to(DISSECT.parent)}](../../{where.relative_to(DISSECT.parent)})"
            rows.append(f"| {_cell(name)} | {_cell(what)} | {standards} | {link} |")
    parts = [
        "# Protocols",
        MADE,
        (
            "What is read of each protocol, by which standard, and where. Everything else is counted, not read: a packet that "
            "carries no IP is `unsupported` in the `capture` table, one that contradicts itself `malformed`."
        ),
        "\n".join(["| protocol | what is read | standards | file |", "|---|---|---|---|", *rows]),
    ]
    return "\n\n".join(parts) + "\n"


def reads(path: Path) -> tuple[tuple[str, str, str], ...]:
    """The READS of a file, without running it; empty where it has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [target.id for target in node.targets if isinstance(target, ast.Name)] == ["READS"]:
            found: tuple[tuple[str, str, str], ...] = ast.literal_eval(node.value)
            return found
    return ()


def commands() -> str:
    """What `--help` says, for the program and each of its commands."""
    from typer.main import get_command
    from typer.testing import CliRunner
    from wiretally.cli.main import app
    from wiretally.cli.probe import MEASURE

    os.environ |= {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    parts = ["# Commands", MADE]
    program: Any = get_command(app)
    names = []
    for name in program.list_commands(None):
        below = getattr(program.get_command(None, name), "commands", None)
        names += [[name]] if below is None else [[name, each] if each != MEASURE else [name] for each in below]
    for words in ([], *names):
        shown = CliRunner().invoke(app, [*words, "--help"], prog_name="wiretally")
        text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        parts += [f"## {' '.join(['wiretally', *words])}", f"```\n{text}\n```"]
    parts.append(
        "Exit: 0 done; 1 the input or the machine is at fault, and one line on standard error says which file, where, and "
        "what to do; 2 usage. A capture that is cut short is read to its last whole packet, with a warning; `--strict` "
        "makes that 1."
    )
    return "\n\n".join(parts) + "\n"


def picture() -> str:
    """The table of the bundled leaky browser as SVG, without anything from elsewhere."""
    import io

    import wiretally
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console
    from wiretally.report.terminal import comparison

    result = wiretally.compare(SAMPLE / "capture.pcapng.zst", SAMPLE / "sessions.csv", SAMPLE / "visits.csv")
    for row in result["capture"]:
        row["source"] = "data/samples/leaky/capture.pcapng.zst"
    screen = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    screen.print(comparison(result))
    plain = re.sub(r"@font-face {{.*?}}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return screen.export_svg(title="make run", code_format=plain, unique_id="leaky") + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main(arguments: list[str]) -> int:
    """Writes the pages, or compares them."""
    stale = []
    for name, page in (("tables.md", tables()), ("cli.md", commands()), ("protocols.md", protocols())):
        path = REFERENCE / name
        if "--check" not in arguments:
            path.write_text(page)
        elif not path.exists() or path.read_text() != page:
            stale.append(name)
    if stale:
        print(f"docs/reference: {', '.join(stale)} not what the code says: run make docs", file=sys.stderr)
    if "--check" not in arguments:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(picture())
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
