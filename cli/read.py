"""`wiretally read`: the tables of captures."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from . import blocks
from . import options as cli

Table = Literal["flows", "exchanges", "tls", "dns", "http", "devices", "capture"]
Format = Literal["text", "jsonl", "csv", "parquet"]

GLANCE = {  # what fits on a screen
    "flows": ("first_seen", "local_ip", "remote_ip", "remote_port", "transport", "service", "name", "owner", "country",
              "up_app_bytes", "down_app_bytes"),
    "exchanges": ("start", "end", "name", "up_packets", "up_app_bytes", "down_packets", "down_app_bytes"),
    "tls": ("time", "local_ip", "remote_ip", "remote_port", "sni", "alpn", "ja4", "hello_bytes"),
    "dns": ("time", "local_ip", "remote_ip", "service", "qname", "qtype", "rcode", "answers"),
    "http": ("time", "method", "host", "target", "user_agent"),
    "devices": ("mac", "vendor", "names", "addresses", "software", "first_seen", "last_seen"),
    "capture": ("source", "linktype", "packets", "wire_bytes", "dropped", "truncated", "malformed", "unsupported",
                "first_seen", "last_seen"),
}  # fmt: skip


@blocks.takes_blocks
def read(
    files: cli.Files,
    table: Annotated[Table, typer.Option(help="Which table.")] = "flows",
    form: Annotated[Format, typer.Option("--format", help="text is a glance, the others hold everything.")] = "text",
    output: cli.Output = "-",
    *,
    reading: blocks.Reading,
    packets: cli.Packets = None,
    databases: blocks.Databases,
    place: cli.Place = None,
    strict: cli.Strict = False,
    quiet: cli.Quiet = False,
) -> None:
    """Tables from captures: flows with names and owners, exchanges, TLS hellos, DNS, HTTP. Several files are one stream.

    Example: wiretally read phone.pcapng --table flows --format parquet -o flows.parquet
    """
    cli.refuse_binary_on_terminal(form, output)
    from . import memory

    memory.one_thread()

    from ..core.schema import TABLES, polars_schema
    from ..store.files import open_sink
    from . import attribution, pipeline, progress

    settings = blocks.settings(reading, databases, place=place, packets=packets, strict=strict)
    attributor = attribution.open_attributor(**settings) if table == "flows" else None
    with (
        open_sink(polars_schema(TABLES[table]), form, output, GLANCE[table]) as sink,
        progress.bar(quiet=quiet) as look,
    ):
        warn = progress.warner(quiet=quiet)
        watching: Any = cli.given(progress=look, warn=warn)
        stream = pipeline.frames(files, (table,), attributor, **settings, **watching)
        for number, (_, frame) in enumerate(attribution.with_warnings(stream, attributor, warn)):
            sink.write(frame)
            if number == 0:
                memory.let_go_of_code()
